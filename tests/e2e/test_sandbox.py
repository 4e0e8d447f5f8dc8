"""Tries from inside the live processes: the keeper opens no socket and no file, the courier reaches neither the TPM
nor FUSE nor the keeper's memory, the witness reads /proc and nothing else."""
import errno
import os
import pathlib

import pytest
from inside import syscalls

EPERM, EACCES, ENOENT = -errno.EPERM, -errno.EACCES, -errno.ENOENT
AT_FDCWD = -100


def refused(results):
    return all(result in (EPERM, EACCES) for result in results)


@pytest.fixture
def live(keys, mount):
    made = mount({"rsa": {**keys["rsa"], "mode": "0444", "allow": "exe:/*"}}, "-o", "allow_other")
    made.read("rsa")
    yield made, made.processes()
    # All of it still works after the attempts.
    made.read("rsa")


def test_keeper(live, tmp_path):
    _, pids = live
    results = syscalls(pids["keeper"], [
        ("getpid", []),
        ("socket", [2, 1, 0]), ("socket", [10, 1, 0]), ("socket", [1, 1, 0]), ("socket", [16, 3, 0]), ("socket", [2, 2, 0]),
        ("openat", [AT_FDCWD, "/etc/passwd", 0, 0]), ("openat", [AT_FDCWD, "/dev/fuse", 2, 0]),
        ("openat", [AT_FDCWD, str(tmp_path / "leak"), 0o101, 0o600]), ("openat", [AT_FDCWD, "/proc/self/mem", 0, 0]),
        ("openat", [AT_FDCWD, "/dev/tpmrm0", 2, 0]),
        ("execve", ["/bin/true", 0, 0]), ("ptrace", [16, os.getpid(), 0, 0]), ("bpf", [0, 0, 0]), ("mount", [0, 0, 0, 0, 0]),
        ("kill", [1, 0]),
    ])
    assert results[0] == 0
    assert refused(results[1:]), results
    assert not (tmp_path / "leak").exists()


def test_courier(live):
    _, pids = live
    keeper = pids["keeper"]
    results = syscalls(pids["courier"], [
        ("socket", [2, 1, 0]),
        ("openat", [AT_FDCWD, "/dev/fuse", 2, 0]),
        ("openat", [AT_FDCWD, f"/proc/{keeper}/mem", 0, 0]), ("openat", [AT_FDCWD, f"/proc/{keeper}/maps", 0, 0]),
        ("openat", [AT_FDCWD, "/etc/shadow", 0, 0]), ("openat", [AT_FDCWD, "/tmp/leak", 0o101, 0o600]),
        ("ptrace", [16, keeper, 0, 0]), ("process_vm_readv", [keeper, 0, 0, 0, 0, 0]), ("execve", ["/bin/true", 0, 0]),
        ("kill", [keeper, 0]), ("shutdown", [0, 2]), ("fcntl", [0, 8, keeper]), ("fcntl", [0, 10, 9]),
        ("socketpair", [1, 2, 0, 0]), ("socket", [16, 3, 9]),
    ])
    assert results[0] == 0
    assert refused(results[1:]), results
    # Landlock lets a path be looked up before it refuses to open it: a TPM that is not there is said not to be.
    for device in ("/dev/tpmrm0", "/dev/tpm0"):
        wanted = (EPERM, EACCES) if os.path.exists(device) else (ENOENT,)
        assert syscalls(pids["courier"], [("openat", [AT_FDCWD, device, 2, 0])])[0] in wanted, device


def test_witness(live):
    _, pids = live
    results = syscalls(pids["witness"], [
        ("socket", [2, 1, 0]), ("socket", [1, 1, 0]), ("openat", [AT_FDCWD, "/tmp/leak", 0o101, 0o600]),
        ("ptrace", [16, pids["keeper"], 0, 0]), ("process_vm_readv", [pids["keeper"], 0, 0, 0, 0, 0]), ("execve", ["/bin/true", 0, 0]),
    ])
    assert refused(results), results


def test_no_process_can_be_dumped_or_gains_rights(live):
    _, pids = live
    for role in ("keeper", "courier", "witness"):
        status = pathlib.Path(f"/proc/{pids[role]}/status").read_text()
        assert "NoNewPrivs:\t1" in status, role
        assert "Seccomp:\t2" in status, role
        limits = pathlib.Path(f"/proc/{pids[role]}/limits").read_text()
        assert any(line.startswith("Max core file size") and line.split()[4] == "0" for line in limits.split("\n")), limits
        # What is not dumpable belongs to root, whoever runs it, and gives no environment to others.
        assert os.stat(f"/proc/{pids[role]}/mem").st_uid == 0
        capabilities = int([line for line in status.split("\n") if line.startswith("CapEff")][0].split()[1], 16)
        allowed = {"keeper": 1 << 14, "courier": 0, "witness": (1 << 19) | (1 << 2)}[role]
        assert capabilities & ~allowed == 0, (role, hex(capabilities))


def test_descriptors_are_apart(live):
    """The courier holds no FUSE device, the keeper no network socket."""
    _, pids = live
    names = {role: [os.readlink(f"/proc/{pids[role]}/fd/{fd}") for fd in os.listdir(f"/proc/{pids[role]}/fd")] for role in ("keeper", "courier", "witness")}
    assert any("/dev/fuse" in name for name in names["keeper"])
    assert not any("/dev/fuse" in name or "tpm" in name for name in names["courier"] + names["witness"])
    inode = {line.split()[9] for table in ("tcp", "tcp6", "udp", "udp6") for line in open(f"/proc/{pids['keeper']}/net/{table}").read().split("\n")[1:] if line}
    assert not any(name.startswith("socket:[") and name[8:-1] in inode for name in names["keeper"])
