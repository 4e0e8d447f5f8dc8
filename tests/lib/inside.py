"""System calls made from inside a live process, through a debugger: what its sandbox answers."""
import os
import re
import subprocess
import tempfile

# x86-64 system call numbers, so that libc wrappers do not matter.
CALLS = {"open": 2, "socket": 41, "connect": 42, "execve": 59, "ptrace": 101, "openat": 257, "process_vm_readv": 310, "unlink": 87,
         "mount": 165, "bpf": 321, "keyctl": 250, "perf_event_open": 298, "kill": 62, "getpid": 39, "bind": 49,
         "shutdown": 48, "fcntl": 72, "socketpair": 53, "ioctl": 16, "mkdirat": 258, "unlinkat": 263}


def syscalls(pid, calls):
    """Makes each (name, arguments) in process `pid`; strings are put into its memory first. Returns results,
    negative errno values where they failed."""
    lines = ["set pagination off", "set confirm off", "set language c", "set unwindonsignal on"]
    for number, (name, arguments) in enumerate(calls):
        parts = []
        for position, argument in enumerate(arguments):
            if isinstance(argument, str):
                text = ", ".join(f"{byte}" for byte in argument.encode() + b"\0")
                lines.append(f"set $text{position} = $sp - 4096 - {512 * (position + 1)}")
                for offset, byte in enumerate(argument.encode() + b"\0"):
                    lines.append(f"set *(char *)($text{position} + {offset}) = {byte}")
                parts.append(f"$text{position}")
                del text
            else:
                parts.append(str(argument))
        lines.append(f"printf \"result {number} %ld\\n\", ((long (*)(long, ...))syscall)({', '.join([str(CALLS[name]), *parts])}) == -1 ? -(long)*((int *(*)(void))__errno_location)() : 0")
    with tempfile.NamedTemporaryFile("w", suffix=".gdb") as script:
        script.write("\n".join(lines) + "\n")
        script.flush()
        done = subprocess.run(["gdb", "-nx", "-batch", "-p", str(pid), "-x", script.name], capture_output=True, text=True, timeout=120,
                              env={**os.environ, "DEBUGINFOD_URLS": ""})
    found = dict(re.findall(r"^result (\d+) (-?\d+)$", done.stdout, re.M))
    assert len(found) == len(calls), done.stdout[-3000:] + done.stderr[-3000:]
    return [int(found[str(number)]) for number in range(len(calls))]
