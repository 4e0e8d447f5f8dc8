"""What each live process is left with: descriptors, capabilities, and system calls, tried from inside of it: the keeper opens
no socket and no file, the courier reaches neither the TPM nor FUSE nor the keeper's memory, the witness reads /proc and
nothing else, the relay speaks to its TPM alone, the scribe writes its file and to the journal."""
import contextlib
import errno
import os
import pathlib
import signal
import socket
import struct
import subprocess

import pytest
from devices import Sev, Tsm
from inside import AT_FDCWD, Inside, descriptors, syscalls
from lab import SKRFS, Mount, wait_for

EPERM, EACCES, EFAULT = -errno.EPERM, -errno.EACCES, -errno.EFAULT
NOT_A_DEVICE = -errno.ENOTTY
ROLES = ("keeper", "courier", "witness", "relay", "scribe")
O_TMPFILE = 0o20200000
# mmap(2)
PRIVATE, SHARED, ANONYMOUS = 2, 1, 0x20


def refused(results):
    return all(result in (EPERM, EACCES) for result in results)


@pytest.fixture
def audit(tmp_path):
    folder = tmp_path / "audit"
    folder.mkdir()
    return folder / "audit.log"


@pytest.fixture
def live(keys, mount, audit):
    made = mount({"rsa": {**keys["rsa"], "mode": "0444", "allow": "exe:/*"}}, "-o", "allow_other", audit={"file": audit, "journal": "no"})
    before = made.read("rsa")
    pids = made.processes()
    yield made, pids
    # All of it still works after the attempts, and no process had to be started again.
    assert made.read("rsa") == before
    assert made.processes() == pids


def everybody_is_refused(pids, role, tmp_path):
    """What none of the processes may do, whatever it is for."""
    other = pids["keeper" if role != "keeper" else "courier"]
    stranger = os.getpid()
    itself = pids[role]
    return [
        # Other processes: looked into, stopped, signalled, robbed.
        ("ptrace", [16, other, 0, 0]), ("ptrace", [0x4206, other, 0, 0]), ("ptrace", [0, 0, 0, 0]),
        ("process_vm_readv", [other, 0, 0, 0, 0, 0]), ("process_vm_writev", [other, 0, 0, 0, 0, 0]), ("process_madvise", [0, 0, 0, 4, 0]),
        ("kcmp", [other, itself, 0, 0, 0]), ("pidfd_getfd", [0, 0, 0]), ("pidfd_send_signal", [0, 9, 0, 0]),
        ("kill", [other, 9]), ("kill", [1, 0]), ("kill", [stranger, 9]), ("kill", [-1, 9]), ("tkill", [other, 9]), ("tgkill", [other, other, 9]),
        ("tgkill", [stranger, stranger, 9]), ("rt_sigqueueinfo", [other, 9, 0]), ("rt_tgsigqueueinfo", [other, other, 9, 0]),
        ("prlimit64", [other, 7, 0, 0]), ("prlimit64", [0, 4, struct.pack("QQ", 1 << 20, 1 << 20), 0]),
        ("setpriority", [0, other, 19]), ("sched_setscheduler", [other, 0, 0]),
        # Programs, processes, namespaces.
        ("execve", ["/bin/true", 0, 0]), ("execveat", [AT_FDCWD, "/bin/true", 0, 0, 0]), ("execveat", [0, "", 0, 0, 0x1000]), ("memfd_create", ["x", 0]),
        ("fork", []), ("vfork", []), ("clone", [17, 0, 0, 0, 0]), ("clone", [0x4000_0000 | 17, 0, 0, 0, 0]), ("clone", [0x1000_0000 | 17, 0, 0, 0, 0]),
        ("unshare", [0x1000_0000]), ("unshare", [0x0002_0000]), ("setns", [0, 0]), ("personality", [0x0040000]),
        # The kernel's other doors.
        ("bpf", [0, 0, 0]), ("perf_event_open", [0, 0, -1, -1, 0]), ("userfaultfd", [0]), ("io_uring_setup", [1, 0]), ("io_setup", [1, 0]),
        ("keyctl", [0, 0, 0, 0, 0]), ("seccomp", [0, 0, 0]), ("landlock_create_ruleset", [0, 0, 1]), ("init_module", [0, 0, 0]),
        ("mount", [0, 0, 0, 0, 0]), ("umount2", ["/", 2]), ("chroot", ["/tmp"]), ("openat2", [AT_FDCWD, "/etc/passwd", 0, 24]),
        ("name_to_handle_at", [AT_FDCWD, "/", 0, 0, 0]), ("open_by_handle_at", [AT_FDCWD, 0, 0]),
        # Memory: nothing to be executed, nothing shared by name, nothing secret made plain.
        ("mmap", [0, 4096, 5, PRIVATE | ANONYMOUS, -1, 0]), ("mmap", [0, 4096, 7, PRIVATE | ANONYMOUS, -1, 0]),
        ("mprotect", [0x1000, 4096, 5]), ("pkey_mprotect", [0x1000, 4096, 5, -1]), ("shmget", [0, 4096, 0o1600]),
        ("madvise", [0x1000, 4096, 17]), ("madvise", [0x1000, 4096, 11]), ("madvise", [0x1000, 4096, 12]), ("madvise", [0x1000, 4096, 19]),
        ("mremap", [0x1000, 4096, 4096, 3, 0x2000]),
        # Itself.
        ("prctl", [4, 1, 0, 0, 0]), ("prctl", [22, 0, 0, 0, 0]), ("prctl", [0x59616D61, -1, 0, 0, 0]), ("prctl", [36, 1, 0, 0, 0]),
        ("prctl", [35, 1, 0, 0, 0]), ("prctl", [1, 0, 0, 0, 0]), ("setuid", [0]), ("capset", [0, 0]), ("rt_sigaction", [15, 0, 0, 8]),
        # Descriptors that leave or come, and copies in pipes.
        ("shutdown", [0, 2]), ("listen", [0, 1]), ("accept", [0, 0, 0]),
        ("pipe2", ["12345678", 0]), ("pipe", ["12345678"]), ("splice", [0, 0, 0, 0, 0, 0]), ("vmsplice", [0, 0, 0, 0]), ("dup", [0]), ("fcntl", [0, 0, 0]),
        ("fcntl", [0, 8, other]), ("fcntl", [0, 10, 9]), ("fcntl", [0, 1024, 0]), ("sendto", [0, "x", 1, 0x2000_0000, 0, 0]),
        ("recvmsg", [0, 0, 0]) if role != "courier" else ("sendto", [0, "x", 1, 0, "0123456789abcdef", 16]),
        # Files that are written.
        ("openat", [AT_FDCWD, str(tmp_path / "leak"), 0o101, 0o600]), ("openat", [AT_FDCWD, str(tmp_path), O_TMPFILE | 1, 0o600]),
        ("openat", [AT_FDCWD, "/dev/fuse", 2, 0]), ("openat", [AT_FDCWD, "/dev/null", 1, 0]), ("openat", [AT_FDCWD, "/dev/tpmrm0", 2, 0]),
        ("mkdirat", [AT_FDCWD, str(tmp_path / "leak"), 0o700]), ("unlinkat", [AT_FDCWD, str(tmp_path / "leak"), 0]),
        ("symlinkat", ["/etc", AT_FDCWD, str(tmp_path / "leak")]), ("linkat", [AT_FDCWD, "/etc/passwd", AT_FDCWD, str(tmp_path / "leak"), 0]),
        ("mknodat", [AT_FDCWD, str(tmp_path / "leak"), 0o10600, 0]), ("fchmodat", [AT_FDCWD, str(tmp_path), 0o777]), ("fchownat", [AT_FDCWD, str(tmp_path), 0, 0, 0]),
        ("renameat2", [AT_FDCWD, "/etc/passwd", AT_FDCWD, str(tmp_path / "leak"), 0]),
        # Sockets of which nobody has any need.
        *([] if role == "scribe" else [("socket", [1, 2, 0]), ("sendmsg", [0, 0, 0])]), ("socket", [1, 5, 0]), ("socket", [17, 3, 0]), ("socket", [2, 3, 6]), ("socket", [10, 3, 58]), ("socket", [16, 3, 9]), ("socket", [16, 3, 15]),
        ("socket", [2, 1, 262]), ("socket", [2, 1, 132]), ("socket", [2, 2, 1]), ("socket", [40, 1, 0]), ("socket", [38, 5, 0]), ("socket", [43, 1, 0]), ("socket", [29, 3, 1]),
        ("socketpair", [1, 2, 0, "12345678"]), ("socketpair", [1, 5, 0, "12345678"]), ("socketpair", [2, 1, 0, "12345678"]),
        ("setsockopt", [0, 1, 26, "0" * 16, 16]), ("setsockopt", [0, 1, 44, "\1\0\0\0", 4]), ("setsockopt", [0, 1, 7, "\1\0\0\0", 4]),
        ("setsockopt", [0, 1, 16, "\1\0\0\0", 4]), ("getsockopt", [0, 1, 77, "0000", "0000"]), ("ioctl", [0, 0x5412, "x"]), ("ioctl", [0, 0x5421, "1111"]),
    ]


@pytest.mark.parametrize("role", ROLES)
def test_what_nobody_may(live, tmp_path, role):
    _, pids = live
    wanted = everybody_is_refused(pids, role, tmp_path)
    results = syscalls(pids[role], wanted)
    wrong = [(call, result) for call, result in zip(wanted, results) if result not in (EPERM, EACCES)]
    assert not wrong, wrong
    assert syscalls(pids[role], [("clone3", [0, 0])]) == [-errno.ENOSYS]
    assert not (tmp_path / "leak").exists()


def test_keeper(live):
    _, pids = live
    results = syscalls(pids["keeper"], [
        ("socket", [2, 1, 0]), ("socket", [10, 1, 0]), ("socket", [1, 1, 0]), ("socket", [16, 3, 0]), ("socket", [2, 2, 0]),
        ("connect", [4, "\2\0", 16]), ("bind", [4, "\2\0", 16]), ("socketpair", [1, 1, 0, "12345678"]),
        ("sendto", [4, "x", 1, 0, "\2\0", 16]), ("recvfrom", [4, "x", 1, 0x40, "x" * 16, "\x10\0\0\0"]), ("sendmmsg", [4, 0, 0, 0]),
        ("openat", [AT_FDCWD, "/etc/passwd", 0, 0]), ("openat", [AT_FDCWD, "/proc/self/mem", 0, 0]), ("openat", [AT_FDCWD, ".", 0, 0]),
        ("newfstatat", [AT_FDCWD, "/etc/passwd", "x" * 144, 0]), ("stat", ["/etc/passwd", "x" * 144]), ("statx", [AT_FDCWD, "/", 0, 0, "x" * 256]),
        ("readlink", ["/proc/self/exe", "x" * 64, 64]), ("getdents64", [0, "x" * 64, 64]), ("lseek", [2, 0, 0]), ("pread64", [2, "x", 1, 0]),
        # FUSE_DEV_IOC_CLONE, FIONREAD, an SNP report
        ("ioctl", [3, 0x8004E500, "0000"]), ("ioctl", [0, 0x541B, "0000"]), ("ioctl", [0, GET_REPORT, 0]),
        ("memfd_secret", [0]), ("pidfd_open", [1, 0]),
    ])
    assert refused(results), results


def test_courier(live):
    """It has sockets, and reading; nothing local comes of either."""
    _, pids = live
    keeper = pids["keeper"]
    with Inside(pids["courier"]) as inside:
        results = [inside.call(name, *arguments) for name, arguments in [
            ("openat", [AT_FDCWD, f"/proc/{keeper}/mem", 0, 0]), ("openat", [AT_FDCWD, f"/proc/{keeper}/maps", 0, 0]),
            ("openat", [AT_FDCWD, "/proc/self/mem", 0, 0]), ("openat", [AT_FDCWD, "/dev/null", 0, 0]), ("openat", [AT_FDCWD, "/dev/fuse", 0, 0]),
            ("openat", [AT_FDCWD, "/etc/shadow", 0, 0]), ("openat", [AT_FDCWD, "/etc/passwd", 2, 0]), ("getdents64", [0, "x" * 64, 64]),
            ("socket", [1, 1, 0]), ("memfd_secret", [0]), ("pidfd_open", [1, 0]), ("mlock", [0x1000, 4096]),
        ]]
        assert refused(results), results
        # Nothing of the sort that is executed can be mapped, of whatever file.
        library = inside.call("openat", AT_FDCWD, "/lib64/ld-linux-x86-64.so.2", 0, 0)
        assert library >= 0 and inside.call("mmap", 0, 4096, 5, PRIVATE, library, 0) == EPERM
        assert inside.call("mmap", 0, 4096, 7, PRIVATE, library, 0) == EPERM
        inside.call("close", library)
        # It listens to nobody, by TCP or by UDP.
        for kind in (1, 2):
            made = inside.call("socket", 2, kind, 0)
            assert made >= 0
            assert inside.call("bind", made, b"\2\0" + struct.pack(">H", 0) + bytes(12), 16) == EPERM
            inside.call("close", made)


def connecting(inside, port):
    made = inside.call("socket", 2, 1 | 0o4000, 0)
    assert made >= 0, made
    result = inside.call("connect", made, b"\2\0" + struct.pack(">H", port) + socket.inet_aton("127.0.0.1") + bytes(8), 16)
    inside.call("close", made)
    return result


def landlock_abi():
    import ctypes
    return ctypes.CDLL(None).syscall(444, None, 0, 1)


@pytest.mark.parametrize("role", ["courier", "relay"])
def test_ports(live, lab, role):
    """TCP goes to the ports of the configuration alone: another service of this machine is out of reach."""
    assert landlock_abi() >= 4, "Landlock of Linux 6.7 is needed here"
    _, pids = live
    ours = int(lab.tcti.split("port=")[1].split(",")[0]) if role == "relay" else int(lab.attestation.rsplit(":", 1)[1])
    with socket.create_server(("127.0.0.1", 0)) as stranger, Inside(pids[role]) as inside:
        assert connecting(inside, stranger.getsockname()[1]) == EACCES
        assert connecting(inside, ours) in (0, -errno.EINPROGRESS)
        # Without the connection that Landlock sees (TCP fast open).
        made = inside.call("socket", 2, 1, 0)
        address = b"\2\0" + struct.pack(">H", stranger.getsockname()[1]) + socket.inet_aton("127.0.0.1") + bytes(8)
        assert inside.call("sendto", made, b"x", 1, 0x2000_0000, address, 16) == EPERM
        inside.call("close", made)


def test_abstract_sockets(live):
    """What listens on an abstract name cannot be reached by either end of the pairs that the courier may make."""
    _, pids = live
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as stranger, Inside(pids["courier"]) as inside:
        stranger.bind("\0skrfs-e2e-stranger")
        stranger.listen()
        assert inside.call("socketpair", 1, 1, 0, bytes(8)) == 0
        ends = struct.unpack("ii", inside.taken(3, 8))
        name = b"\1\0\0skrfs-e2e-stranger"
        for end in ends:
            assert inside.call("connect", end, name, len(name)) < 0
        inside.call("close", ends[0])
        assert inside.call("connect", ends[1], name, len(name)) < 0
        inside.call("close", ends[1])
        stranger.settimeout(0.2)
        with pytest.raises(TimeoutError):
            stranger.accept()


def test_witness(live):
    """It reads every file, as its work is, and has no way to tell anybody but the keeper; memory it cannot read."""
    _, pids = live
    results = syscalls(pids["witness"], [
        ("socket", [2, 1, 0]), ("socket", [1, 1, 0]), ("socket", [2, 2, 0]), ("socket", [16, 3, 0]), ("connect", [0, 0, 0]), ("bind", [0, 0, 0]),
        ("socketpair", [1, 1, 0, "12345678"]), ("sendto", [0, "x", 1, 0, "\2\0", 16]), ("recvmsg", [0, 0, 0]), ("sendmmsg", [0, 0, 0, 0]),
        ("memfd_secret", [0]), ("eventfd2", [0, 0]), ("clone", [0x3D0F00, 0, 0, 0, 0]), ("getdents64", [0, "x" * 64, 64]),
    ])
    assert refused(results), results
    with Inside(pids["witness"]) as inside:
        memory = inside.call("openat", AT_FDCWD, f"/proc/{pids['keeper']}/mem", 0, 0)
        if memory >= 0:
            assert inside.call("lseek", memory, 0x400000, 0) == EPERM
            assert inside.call("pread64", memory, bytes(64), 64, 0x400000) == EPERM
            assert inside.call("mmap", 0, 4096, 1, PRIVATE, memory, 0) == EPERM
            assert inside.call("read", memory, bytes(64), 64) == -errno.EIO
            inside.call("close", memory)


def test_relay(live):
    _, pids = live
    results = syscalls(pids["relay"], [
        ("openat", [AT_FDCWD, "/etc/shadow", 0, 0]), ("openat", [AT_FDCWD, "/etc/passwd", 0, 0]), ("openat", [AT_FDCWD, "/proc/self/mem", 0, 0]),
        ("openat", [AT_FDCWD, "/", 0, 0]), ("socket", [2, 2, 0]), ("socket", [16, 3, 0]), ("bind", [0, 0, 0]), ("sendmmsg", [0, 0, 0, 0]),
        ("sendto", [0, "x", 1, 0, "\2\0", 16]), ("clone", [0x3D0F00, 0, 0, 0, 0]), ("memfd_secret", [0]), ("pidfd_open", [1, 0]), ("eventfd2", [0, 0]),
    ])
    assert refused(results), results


def test_scribe(live, tmp_path, audit):
    """It writes in the folder of its file, and sends datagrams to local sockets, as the journal's is one; it sees nothing else."""
    _, pids = live
    results = syscalls(pids["scribe"], [
        ("openat", [AT_FDCWD, "/etc/passwd", 0, 0]), ("openat", [AT_FDCWD, "/proc/self/mem", 0, 0]), ("openat", [AT_FDCWD, str(tmp_path), 0, 0]),
        ("openat", [AT_FDCWD, str(audit) + "/../../leak", 0o101, 0o600]), ("unlinkat", [AT_FDCWD, str(audit), 0]),
        ("socket", [2, 1, 0]), ("socket", [2, 2, 0]), ("socket", [1, 1, 0]), ("socket", [16, 3, 0]), ("connect", [0, 0, 0]), ("bind", [0, 0, 0]), ("sendmmsg", [0, 0, 0, 0]),
        ("sendto", [0, "x", 1, 0, "\1\0/x", 4]), ("recvmsg", [0, 0, 0]), ("clone", [0x3D0F00, 0, 0, 0, 0]), ("memfd_secret", [0]), ("pidfd_open", [1, 0]),
        ("lseek", [2, 0, 0]), ("readlink", ["/proc/self/exe", "x" * 64, 64]), ("getdents64", [0, "x" * 64, 64]),
    ])
    assert refused(results), results
    assert not (tmp_path / "leak").exists()
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as stranger, Inside(pids["scribe"]) as inside:
        stranger.bind("\0skrfs-e2e-datagrams")
        made = inside.call("socket", 1, 2, 0)
        address = b"\1\0\0skrfs-e2e-datagrams"
        name = inside.put(address, 4096)
        vector = inside.put(struct.pack("<QQ", name, 8), 8192)
        assert inside.call("sendmsg", made, struct.pack("<QIIQQQQII", name, len(address), 0, vector, 1, 0, 0, 0, 0), 0x40) == EPERM
        inside.call("close", made)


def test_parent(live, tmp_path):
    """It starts processes and unmounts; it looks into none, executes nothing and mounts nothing."""
    made, pids = live
    results = syscalls(made.process.pid, [
        ("ptrace", [16, pids["keeper"], 0, 0]), ("process_vm_readv", [pids["keeper"], 0, 0, 0, 0, 0]), ("pidfd_getfd", [0, 0, 0]),
        ("kcmp", [pids["keeper"], 1, 0, 0, 0]), ("execve", ["/bin/true", 0, 0]), ("execveat", [AT_FDCWD, "/bin/true", 0, 0, 0]), ("memfd_create", ["x", 0]),
        ("bpf", [0, 0, 0]), ("perf_event_open", [0, 0, -1, -1, 0]), ("io_uring_setup", [1, 0]), ("userfaultfd", [0]), ("keyctl", [0, 0, 0, 0, 0]),
        ("init_module", [0, 0, 0]), ("mount", ["none", str(tmp_path), "tmpfs", 0, 0]), ("unshare", [0x1000_0000]), ("setns", [0, 0]), ("chroot", ["/tmp"]),
    ])
    assert all(result == EPERM for result in results), results


CAP_DAC_READ_SEARCH, CAP_IPC_LOCK, CAP_SYS_PTRACE = 1 << 2, 1 << 14, 1 << 19
# Bits 1 to 7, 14, 19 and 21: CAP_DAC_OVERRIDE and DAC_READ_SEARCH, KILL, SETGID, SETUID, IPC_LOCK, SYS_PTRACE, SYS_ADMIN.
PARENT = 1 << 1 | 1 << 2 | 1 << 5 | 1 << 6 | 1 << 7 | 1 << 8 | 1 << 14 | 1 << 19 | 1 << 21


def status_of(pid):
    return dict(line.split(":\t", 1) for line in pathlib.Path(f"/proc/{pid}/status").read_text().split("\n") if ":\t" in line)


def check_powers(pid, capabilities, filters):
    status = status_of(pid)
    assert status["NoNewPrivs"] == "1" and status["Seccomp"] == "2", status
    assert int(status["Seccomp_filters"]) == filters, status
    for name, wanted in {"CapEff": capabilities, "CapPrm": capabilities, "CapInh": 0, "CapBnd": 0, "CapAmb": 0}.items():
        assert int(status[name], 16) == wanted, (name, status[name])
    limits = pathlib.Path(f"/proc/{pid}/limits").read_text()
    core = [line.split() for line in limits.split("\n") if line.startswith("Max core file size")][0]
    assert core[4:6] == ["0", "0"], core
    # What is not dumpable belongs to root, whoever runs it.
    assert os.stat(f"/proc/{pid}/mem").st_uid == 0
    # No signal is handled: its frame would hold registers.
    assert int(status["SigCgt"], 16) == 0, status["SigCgt"]


def test_powers(live):
    """Each capability set of each process, exactly; no new privileges, no dump, a filter on all threads; after restarts too."""
    made, pids = live
    wanted = {"keeper": CAP_IPC_LOCK, "courier": 0, "witness": CAP_SYS_PTRACE | CAP_DAC_READ_SEARCH, "relay": 0, "scribe": 0}

    def check():
        found = made.processes()
        assert set(found) >= set(wanted)
        for role, capabilities in wanted.items():
            check_powers(found[role], capabilities, 2)
            for thread in os.listdir(f"/proc/{found[role]}/task"):
                with contextlib.suppress(FileNotFoundError):
                    assert "Seccomp:\t2" in pathlib.Path(f"/proc/{found[role]}/task/{thread}/status").read_text()
        status = status_of(found["courier"])
        assert status["Uid"].split() == ["65534"] * 4 and status["Gid"].split() == ["65534"] * 4 and status["Groups"].split() == []

    check_powers(made.process.pid, PARENT, 1)
    check()


def begun(made, roles):
    """All of them have closed their sandbox and told the parent, whose pipe they close then."""
    pids = made.processes()
    try:
        return all(role in pids and status_of(pids[role])["Seccomp_filters"] == "2" and "pipe" not in descriptors(pids[role]).values() for role in roles)
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_powers_after_restarts(keys, mount, audit):
    made = mount({"rsa": keys["rsa"]}, audit={"file": audit, "journal": "no"})
    before = made.read("rsa")
    for role in ("courier", "scribe", "keeper"):
        old = made.processes()
        os.kill(old[role], signal.SIGKILL)
        wait_for(f"the {role} is back", lambda: made.processes().get(role, old[role]) != old[role])
        assert made.read("rsa") == before
        # A process is there before it has given away what it does not need.
        wait_for("all have begun", lambda: begun(made, ("keeper", "courier", "witness", "relay", "scribe")))
        check_powers(made.processes()["keeper"], CAP_IPC_LOCK, 2)
        check_powers(made.processes()["courier"], 0, 2)
        check_powers(made.processes()["witness"], CAP_SYS_PTRACE | CAP_DAC_READ_SEARCH, 2)
        check_powers(made.processes()["scribe"], 0, 2)
        check_descriptors(made, audit)


def local_sockets():
    """{inode of each local socket that has no name and is connected: its type}"""
    found = {}
    for line in pathlib.Path("/proc/net/unix").read_text().split("\n")[1:]:
        fields = line.split()
        if len(fields) == 7:
            found[fields[6]] = int(fields[4], 16)
    return found


SEQPACKET = 5


def check_descriptors(made, audit=None):
    """Numbers and kinds: nothing but what each process is for."""
    pids = made.processes()
    log = str(made.log_path)
    standard = {0: "/dev/null", 1: "/dev/null", 2: log}
    pairs = local_sockets()
    for role in [role for role in ROLES if audit or role != "scribe"]:
        pid = pids[role]
        found = descriptors(pid)
        assert {number: found.pop(number) for number in standard} == standard, (role, found)
        kinds = []
        for number, what in found.items():
            if what != "socket":
                kinds.append(what)
                continue
            inode = os.readlink(f"/proc/{pid}/fd/{number}")[8:-1]
            kinds.append({SEQPACKET: "pair", 1: "stream"}.get(pairs.get(inode), "network"))
        if role == "courier":
            # Connections that are kept, and libcurl's own pair.
            kinds = [kind for kind in kinds if kind not in ("network", "stream")]
        if role == "relay":
            kinds = [kind for kind in kinds if kind != "network"]
        wanted = {"keeper": ["/dev/fuse", "/dev/fuse", "anon_inode:[eventfd]", "pair", "pair", "pair", *(["pair", "anon_inode:[eventfd]"] if audit else [])],
                  "courier": ["pair"], "witness": ["pair", f"/proc/{pid}/mountinfo"], "relay": ["pair"], "scribe": ["pair", "anon_inode:[signalfd]", str(audit)]}[role]
        assert sorted(kinds) == sorted(wanted), (role, descriptors(pid))


def test_descriptors(live, audit):
    check_descriptors(live[0], audit)


def test_mappings(live):
    """Nothing of the keeper's is shared with who speaks to others (the scribe has a page of its own and its predecessor's), and no memory
    anywhere is written and executed."""
    made, pids = live
    for role, pid in [*pids.items(), ("parent", made.process.pid)]:
        mappings = [line.split() for line in pathlib.Path(f"/proc/{pid}/maps").read_text().split("\n") if line]
        assert not [fields for fields in mappings if "w" in fields[1] and "x" in fields[1]], role
        shared = [fields for fields in mappings if fields[1][3] == "s"]
        assert role in ("keeper", "parent") or len(shared) <= (role == "scribe"), (role, shared)
        assert role == "keeper" or not [fields for fields in shared if fields[5] == "/secretmem"], (role, shared)


def test_standard_input_is_nobodys(lab, keys, tmp_path):
    """What skrfs was started with as standard input and output is not its children's."""
    conf = lab.config(tmp_path / "std.conf", {"rsa": keys["rsa"]})
    reader, writer = os.pipe()
    made = Mount.__new__(Mount)
    made.conf, made.path, made.log_path = conf, tmp_path / "std", tmp_path / "std.log"
    made.path.mkdir()
    with open(made.log_path, "wb") as log:
        made.process = subprocess.Popen([SKRFS, "mount", "-f", "--config", str(conf), str(made.path)], stdin=reader, stdout=writer, stderr=log)
    try:
        wait_for("it is mounted", made.answers)
        made.read("rsa")
        check_descriptors(made)
    finally:
        made.stop()
        os.close(reader)
        os.close(writer)


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
