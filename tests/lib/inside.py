"""System calls made from inside a live process, as one that was taken over would make them: the process is stopped, its
registers are set to the call, it runs the one instruction, and everything is put back."""
import ctypes
import os
import re
import signal
import struct

# x86-64 system call numbers, so that libc wrappers do not matter.
CALLS = {
    "read": 0, "write": 1, "open": 2, "close": 3, "stat": 4, "mmap": 9, "mprotect": 10, "munmap": 11, "rt_sigaction": 13, "ioctl": 16, "pread64": 17,
    "lseek": 8, "readv": 19, "pipe": 22, "mremap": 25, "madvise": 28, "shmget": 29, "dup": 32, "socket": 41, "connect": 42, "sendto": 44, "recvfrom": 45,
    "sendmsg": 46, "recvmsg": 47, "shutdown": 48, "bind": 49, "listen": 50, "accept": 43, "socketpair": 53, "setsockopt": 54, "getsockopt": 55, "clone": 56,
    "fork": 57, "vfork": 58, "execve": 59, "kill": 62, "fcntl": 72, "unlink": 87, "getpid": 39, "ptrace": 101, "setuid": 105, "personality": 135,
    "prctl": 157, "chroot": 161, "mount": 165, "umount2": 166, "init_module": 175, "tkill": 200, "io_setup": 206, "tgkill": 234, "keyctl": 250,
    "openat": 257, "mkdirat": 258, "newfstatat": 262, "unlinkat": 263, "unshare": 272, "splice": 275, "vmsplice": 278, "eventfd2": 290,
    "pipe2": 293, "perf_event_open": 298, "prlimit64": 302, "name_to_handle_at": 303, "open_by_handle_at": 304, "setns": 308, "process_vm_readv": 310,
    "process_vm_writev": 311, "kcmp": 312, "seccomp": 317, "memfd_create": 319, "bpf": 321, "execveat": 322, "userfaultfd": 323, "statx": 332,
    "pidfd_send_signal": 424, "io_uring_setup": 425, "pidfd_open": 434, "clone3": 435, "openat2": 437, "pidfd_getfd": 438, "process_madvise": 440,
    "memfd_secret": 447, "sendmmsg": 307, "rt_sigqueueinfo": 129, "rt_tgsigqueueinfo": 297, "readlink": 89, "getdents64": 217, "sched_yield": 24,
    "capset": 126, "setpriority": 141, "sched_setscheduler": 144, "landlock_create_ruleset": 444, "munlock": 150, "mlock": 149, "pkey_mprotect": 329,
    "rt_sigreturn": 15, "exit_group": 231, "ftruncate": 77, "symlinkat": 266, "renameat2": 316, "fchmodat": 268, "fchownat": 260, "linkat": 265, "mknodat": 259,
}
AT_FDCWD = -100
SEIZE, INTERRUPT, GETREGS, SETREGS, SINGLESTEP, DETACH = 0x4206, 0x4207, 12, 13, 9, 17
WALL = 0x40000000
# struct user_regs_struct
NAMES = ("r15 r14 r13 r12 rbp rbx r11 r10 r9 r8 rax rcx rdx rsi rdi orig_rax rip cs eflags rsp ss fs_base gs_base ds es fs gs").split()
SCRATCH = 1024 * 1024

_libc = ctypes.CDLL(None, use_errno=True)
_libc.ptrace.restype = ctypes.c_long
_libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]


def _ptrace(request, pid, address=None, data=None):
    if _libc.ptrace(request, pid, address, data) == -1:
        raise OSError(ctypes.get_errno(), f"ptrace {request:#x} of {pid}")


def _instruction(pid):
    """Where in the process's code `syscall` stands."""
    with open(f"/proc/{pid}/maps") as maps, open(f"/proc/{pid}/mem", "rb", buffering=0) as memory:
        for line in maps:
            span, rights = line.split()[:2]
            if "x" not in rights or "[v" in line:
                continue
            begin, end = (int(part, 16) for part in span.split("-"))
            memory.seek(begin)
            at = memory.read(end - begin).find(b"\x0f\x05")
            if at >= 0:
                return begin + at
    raise AssertionError(f"no system call instruction in process {pid}")


class Inside:
    """A stopped thread of a process. Octets among a call's arguments are put into its memory, and their address given; after
    the call `taken(n)` reads back what stands at argument n."""

    def __init__(self, pid):
        self.pid = pid
        self.scratch = 0

    def __enter__(self):
        self.instruction = _instruction(self.pid)
        _ptrace(SEIZE, self.pid)
        try:
            _ptrace(INTERRUPT, self.pid)
            self._stopped()
            self.saved = self._registers()
            self.memory = os.open(f"/proc/{self.pid}/mem", os.O_RDWR)
            result = self.call("mmap", 0, SCRATCH, 3, 0x22, -1, 0)
            assert result > 0, f"no memory in {self.pid}: {result}"
            self.scratch = result
        except BaseException:
            _ptrace(DETACH, self.pid)
            raise
        return self

    def __exit__(self, *exception):
        try:
            self.call("munmap", self.scratch, SCRATCH)
            self._set(self.saved)
            _ptrace(DETACH, self.pid)
        except OSError:
            if not exception[0]:
                raise
        finally:
            os.close(self.memory)

    def _stopped(self):
        _, status = os.waitpid(self.pid, WALL)
        assert os.WIFSTOPPED(status), f"process {self.pid} ended with {status:#x}"

    def _registers(self):
        octets = ctypes.create_string_buffer(8 * len(NAMES))
        _ptrace(GETREGS, self.pid, None, ctypes.addressof(octets))
        return dict(zip(NAMES, struct.unpack(f"{len(NAMES)}Q", octets.raw)))

    def _set(self, registers):
        octets = ctypes.create_string_buffer(struct.pack(f"{len(NAMES)}Q", *(registers[name] for name in NAMES)))
        _ptrace(SETREGS, self.pid, None, ctypes.addressof(octets))

    def put(self, octets, offset=0):
        """Octets into the scratch memory; their address."""
        assert offset + len(octets) <= SCRATCH
        os.pwrite(self.memory, octets, self.scratch + offset)
        return self.scratch + offset

    def get(self, address, length):
        return os.pread(self.memory, length, address)

    def taken(self, number, length):
        return self.get(self.placed[number], length)

    def call(self, name, *arguments):
        """The result, a negative errno value where it failed."""
        values, self.placed, free = [], {}, 0
        for number, argument in enumerate(arguments):
            if isinstance(argument, str):
                argument = argument.encode() + b"\0"
            if isinstance(argument, bytes):
                self.placed[number] = self.put(argument, free)
                free += (len(argument) + 63) & ~63
                argument = self.placed[number]
            values.append(argument & 0xFFFFFFFFFFFFFFFF)
        values += [0] * (6 - len(values))
        to = dict(zip(("rdi", "rsi", "rdx", "r10", "r8", "r9"), values))
        number = CALLS[name] if isinstance(name, str) else name
        # orig_rax: no call of before is to be made again.
        self._set({**self.saved, **to, "rax": number, "rip": self.instruction, "orig_rax": 0xFFFFFFFFFFFFFFFF})
        _ptrace(SINGLESTEP, self.pid)
        self._stopped()
        result = self._registers()["rax"]
        return result - (1 << 64) if result >> 63 else result


def syscalls(pid, calls):
    """Makes each (name, arguments) in process `pid`. Returns the results, 0 for those that succeeded."""
    with Inside(pid) as inside:
        return [min(inside.call(name, *arguments), 0) for name, arguments in calls]


def descriptors(pid):
    """{number: what it is} of a process."""
    found = {}
    for number in os.listdir(f"/proc/{pid}/fd"):
        try:
            found[int(number)] = re.sub(r":\[\d+\]$", "", os.readlink(f"/proc/{pid}/fd/{number}"))
        except OSError:
            continue
    return dict(sorted(found.items()))


def take_descriptor(pid, number):
    """A copy of another process's descriptor (pidfd_getfd(2), which root may)."""
    pidfd = os.pidfd_open(pid)
    try:
        copy = _libc.syscall(ctypes.c_long(438), ctypes.c_int(pidfd), ctypes.c_int(number), ctypes.c_uint(0))
        if copy < 0:
            raise OSError(ctypes.get_errno(), f"descriptor {number} of {pid}")
        return copy
    finally:
        os.close(pidfd)


class Stopped:
    """A process that stands still (SIGSTOP); goes on at the end, unless it is gone."""

    def __init__(self, pid):
        self.pid = pid

    def __enter__(self):
        os.kill(self.pid, signal.SIGSTOP)
        return self

    def __exit__(self, *exception):
        try:
            os.kill(self.pid, signal.SIGCONT)
        except ProcessLookupError:
            pass
