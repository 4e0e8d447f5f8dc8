"""Tries from inside the live processes: the keeper opens no socket and no file, the courier reaches neither the TPM
nor FUSE nor the keeper's memory, the witness reads /proc and nothing else."""
import errno
import os
import pathlib

import pytest
from devices import Sev, Tsm
from inside import syscalls
from lab import Mount

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


@pytest.fixture
def on(lab, keys, tmp_path):
    """A mount on a double of a device."""
    made = []

    def make(double, kind):
        conf = lab.config(tmp_path / "device.conf", {"rsa": {**keys["rsa"], "mode": "0444"}}, tee={"kind": kind, **double.tee})
        made.extend([double, Mount(conf, tmp_path / "on", env=double.env)])
        return made[-1].processes()["keeper"]

    yield make
    for one in reversed(made):
        one.stop()


GET_REPORT, GET_DERIVED_KEY, GET_EXTENDED_REPORT = 0xC0205300, 0xC0205301, 0xC0205302
NOT_A_DEVICE = -errno.ENOTTY


def test_keeper_of_a_confidential_vm_has_no_ioctl_and_no_folder(live):
    _, pids = live
    results = syscalls(pids["keeper"], [
        ("ioctl", [0, GET_REPORT, 0]), ("ioctl", [0, GET_EXTENDED_REPORT, 0]), ("ioctl", [0, 0x541B, 0]),
        ("mkdirat", [AT_FDCWD, "/tmp/skrfs-e2e-sandbox", 0o700]), ("unlinkat", [AT_FDCWD, "/tmp/skrfs-e2e-sandbox", 0x200]),
    ])
    assert all(result == EPERM for result in results), results


def test_keeper_by_a_folder(on, lab, tmp_path):
    tsm = Tsm(lab, tmp_path / "tsm", "sev_guest")
    beside = tmp_path / "beside"
    beside.write_text("other")
    pid = on(tsm, "snp")
    results = syscalls(pid, [
        ("mkdirat", [AT_FDCWD, str(tsm.path / "by-hand"), 0o700]),
        ("openat", [AT_FDCWD, str(tsm.path / "by-hand/provider"), 0, 0]),
        ("unlinkat", [AT_FDCWD, str(tsm.path / "by-hand"), 0x200]),
    ])
    assert results == [0, 0, 0]
    results = syscalls(pid, [
        ("openat", [AT_FDCWD, str(beside), 0, 0]), ("openat", [AT_FDCWD, str(beside), 1, 0]), ("unlinkat", [AT_FDCWD, str(beside), 0]),
        ("openat", [AT_FDCWD, str(tsm.path / "../beside"), 0, 0]), ("mkdirat", [AT_FDCWD, str(tmp_path / "new"), 0o700]),
        ("openat", [AT_FDCWD, "/etc/passwd", 0, 0]), ("openat", [AT_FDCWD, "/dev/fuse", 2, 0]), ("openat", [AT_FDCWD, "/proc/self/mem", 0, 0]),
        ("ioctl", [0, GET_REPORT, 0]), ("socket", [2, 1, 0]), ("execve", ["/bin/true", 0, 0]),
    ])
    assert refused(results), results
    assert beside.exists() and not (tmp_path / "new").exists()


def test_keeper_by_a_device(on, lab, tmp_path):
    pid = on(Sev(lab, tmp_path / "sev"), "snp")
    results = syscalls(pid, [
        ("ioctl", [0, GET_REPORT, 0]), ("ioctl", [0, GET_EXTENDED_REPORT, 0]),
        ("ioctl", [0, GET_DERIVED_KEY, 0]), ("ioctl", [0, 0x541B, 0]),
        ("openat", [AT_FDCWD, "/etc/passwd", 0, 0]), ("mkdirat", [AT_FDCWD, str(tmp_path / "new"), 0o700]),
    ])
    assert NOT_A_DEVICE in results[:2] and all(result in (NOT_A_DEVICE, EPERM) for result in results[:2]), results
    assert all(result == EPERM for result in results[2:4]), results
    assert refused(results[4:]), results


def test_secrets_of_the_environment(lab, keys, tmp_path):
    """IDENTITY_HEADER stays in no process's environment, and the keeper's holds no value at all."""
    secret = "4f9d2c0b7e-the-identity-header"
    conf = lab.config(tmp_path / "env.conf", {"rsa": keys["rsa"]})
    with Mount(conf, tmp_path / "env", env={**os.environ, "IDENTITY_HEADER": secret, "AZURE_CLIENT_SECRET": secret, "OF_NO_USE": "of-no-use"}) as made:
        made.read("rsa")
        for role, pid in [*made.processes().items(), ("parent", made.process.pid)]:
            environment = pathlib.Path(f"/proc/{pid}/environ").read_bytes()
            assert secret.encode() not in environment, role
            if role == "keeper":
                assert b"of-no-use" not in environment
        assert secret.encode() not in memory(made.processes()["keeper"])


def memory(pid):
    """All memory of a process that can be read."""
    found = []
    with open(f"/proc/{pid}/maps") as maps, open(f"/proc/{pid}/mem", "rb", buffering=0) as octets:
        for line in maps:
            span, rights = line.split()[:2]
            if rights[0] != "r" or "[v" in line:
                continue
            begin, end = (int(part, 16) for part in span.split("-"))
            octets.seek(begin)
            try:
                found.append(octets.read(end - begin))
            except OSError:
                continue
    return b"".join(found)
