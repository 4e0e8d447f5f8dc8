"""What root gets at from outside: secret memory cannot be read, core files have nothing of it, nor have environments, argument
lists, pipes, the log and other files; and the same where the kernel has no memfd_secret."""
import base64
import ctypes
import glob
import json
import os
import pathlib
import re
import subprocess
import sys
import time

import pytest
from lab import SKRFS, run, skrfs, wait_for
from scan import RUN, TOOLS, Needles, denied, everybody, factors, mappings, tapped, tokens

GDB = ["gdb", "-nx", "-batch", "-ex", "set pagination off"]


@pytest.fixture(scope="module")
def one(lab_session, tmp_path_factory):
    """A mount with all keys read, whose wrapping key is in software."""
    from watched import Watched
    made = Watched(lab_session, tmp_path_factory.mktemp("outside") / "w", "snp")
    try:
        made.learn()
        yield made
    finally:
        made.stop()


def secret_mappings(pid):
    return [(begin, end) for begin, end, mode, name in mappings(pid) if name.startswith("/secretmem")]


class Vector(ctypes.Structure):
    _fields_ = [("base", ctypes.c_uint64), ("len", ctypes.c_uint64)]


def test_secret_memory_cannot_be_read(one):
    """Not through /proc, not by process_vm_readv, not by a debugger; ordinary memory of the same process can."""
    keeper = one.mount.processes()["keeper"]
    libc = ctypes.CDLL(None, use_errno=True)
    secret = secret_mappings(keeper)
    assert one.mount.status()["memory"]["kind"] == "memfd_secret"
    # Keys, and OpenSSL's secure heap with the wrapping key.
    assert sum(end - begin for begin, end in secret) >= one.mount.status()["memory"]["arena"] + 1024 * 1024
    assert denied(keeper) == {"/secretmem (deleted)": "EIO"}
    stack = next((begin, end) for begin, end, _, name in mappings(keeper) if name == "[stack]")
    for (begin, end), readable in [*((place, False) for place in secret), (stack, True)]:
        for address in (begin, (begin + end) // 2 // 4096 * 4096, end - 4096):
            buffer = ctypes.create_string_buffer(16)
            mine, theirs = Vector(ctypes.addressof(buffer), 16), Vector(address, 16)
            got = libc.process_vm_readv(keeper, ctypes.byref(mine), 1, ctypes.byref(theirs), 1, 0)
            assert (got == 16) == readable or (readable and address != end - 4096), (hex(address), readable)
            assert readable or ctypes.get_errno() == 14  # EFAULT
    peek = subprocess.run([*GDB, "-p", str(keeper), "-ex", f"x/4xg {secret[0][0]:#x}", "-ex", "printf \"sp %d\\n\", *(int *)$sp != 0x7fffffff"],
                          capture_output=True, text=True, timeout=60)
    assert "Cannot access memory at address" in peek.stderr + peek.stdout and "sp 1" in peek.stdout
    assert one.mount.read("rsa") == one.secrets["rsa"]


def core_of(pid, path):
    """As gdb writes it, told to leave nothing out."""
    done = subprocess.run([*GDB, "-p", str(pid), "-ex", "set use-coredump-filter off", "-ex", "set dump-excluded-mappings on",
                           "-ex", f"generate-core-file {path}"], capture_output=True, text=True, timeout=120)
    assert pathlib.Path(path).is_file(), done.stdout + done.stderr
    return path


def test_forced_core_files(one, tmp_path):
    cores = {role: core_of(pid, tmp_path / f"core.{role}") for role, pid in everybody(one.mount).items()}
    found = one.hits(cores.values())
    tap = one.tap.read_bytes()[:4096]
    # The double that tells wrapping keys is mapped there too: its own page is known by what stands around.
    for role, core in cores.items():
        with open(core, "rb") as file:
            content = file.read()
        page = content.find(tap)
        mine = [hit for hit in found if hit[0] == str(core) and not (page >= 0 and page <= int(hit[4], 16) < page + 1024 * 1024)]
        assert not mine, (role, mine[:4])
        assert role != "keeper" or b"skrfs" in content
    # The search finds what a core has: a process that holds the key.
    program = "import sys, time; key = open(sys.argv[1], 'rb').read(); print('there', flush=True); time.sleep(600)"
    holder = subprocess.Popen([sys.executable, "-c", program, str(one.mount.key("rsa"))], stdout=subprocess.PIPE)
    try:
        assert holder.stdout.readline() == b"there\n"
        assert one.needles.search([core_of(holder.pid, tmp_path / "core.holder")])
    finally:
        holder.kill()
        holder.wait()


def fault(pid):
    """Has a process jump to nowhere: a fault of its own, which no blocked signal keeps from it, and the kernel's own core file."""
    subprocess.run([*GDB, "-p", str(pid), "-ex", "set $orig_rax = -1", "-ex", "set $pc = 0", "-ex", "detach"], capture_output=True, timeout=60)


def cores_after_fault(one, role):
    """New core files where the process was; the test is skipped, aloud, where the kernel hands cores to a program."""
    pattern = pathlib.Path("/proc/sys/kernel/core_pattern").read_text().strip()
    if not re.fullmatch(r"core[.%a-z]*", pattern):
        pytest.skip(f"core files go elsewhere: kernel.core_pattern is {pattern}")
    pid = one.mount.processes()[role]
    place = pathlib.Path(os.readlink(f"/proc/{pid}/cwd"))
    before = set(place.glob("core*"))
    fault(pid)
    # The parent hears of it once the kernel has written what it writes.
    wait_for("the process is no more", lambda: "died of signal 11" in one.mount.log(), 20)
    return [path for path in place.glob("core*") if path not in before]


@pytest.mark.parametrize("role", ["keeper", "courier"])
def test_no_core_file_of_the_kernels(watched, role, tmp_path, monkeypatch):
    """Limits or not: a process that cannot be dumped is not. And where one is dumped all the same, nothing of a key is in it."""
    monkeypatch.chdir(tmp_path)
    tmp_path.chmod(0o777)  # the courier is nobody
    one = watched("snp", prefix=["prlimit", "--core=unlimited:", TOOLS / "pretend", "core-limit,no-landlock"])
    one.learn()
    limits = pathlib.Path(f"/proc/{one.mount.processes()[role]}/limits").read_text()
    assert re.search(r"^Max core file size +unlimited", limits, re.M)
    assert not cores_after_fault(one, role)
    assert one.mount.read("rsa") == one.secrets["rsa"]
    if role == "courier":
        return  # changing its user takes the flag away even where nothing else does
    other = watched("snp", prefix=["prlimit", "--core=unlimited:", TOOLS / "pretend", "core-limit,no-landlock,dumpable"])
    other.learn()
    made = cores_after_fault(other, role)
    assert made, "the same with the flag left as it was leaves one"
    found, tap = other.hits(made), other.tap.read_bytes()[:1024]
    core = made[0].read_bytes()
    made[0].unlink()
    # The double that tells wrapping keys has them in a mapping of its own.
    page = core.find(tap)
    found = [hit for hit in found if not (page >= 0 and page <= int(hit[4], 16) < page + 1024 * 1024)]
    assert not found, found[:4]
    assert b"skrfs" in core


def modulus_of(one):
    """The wrapping key's public half, as the token has it, and the private half's octets as the double noted them."""
    (claims,) = [claims for claims in tokens(one.mount.processes()["keeper"]).values() if "x-ms-runtime" in claims]
    (jwk,) = claims["x-ms-runtime"]["keys"]
    return base64.urlsafe_b64decode(jwk["n"] + "==")


def test_no_factor_of_the_wrapping_key(one, tmp_path):
    """Looked for without knowing it: what divides its modulus."""
    modulus = modulus_of(one)
    primes = [key for key in tapped(one.tap) if len(key) == 128 and int.from_bytes(modulus, "big") % int.from_bytes(key, "big") == 0]
    assert len(primes) == 2
    found = [hit for hit in factors(modulus, everybody(one.mount).values()) if hit[1] != str(one.tap)]
    assert not found, found
    # The search finds either spelling, the first at multiples of eight.
    (tmp_path / "limbs").write_bytes(b"\0" * 64 + primes[0][::-1] + b"\0" * 64)
    (tmp_path / "octets").write_bytes(b"\0" * 61 + primes[1] + b"\0" * 64)
    assert [hit[2] for hit in factors(modulus, [tmp_path / "limbs", tmp_path / "octets"])] == ["limbs", "octets"]


def snapshot(pattern, path):
    """The files of all processes that there are, one behind the other."""
    with open(path, "wb") as out:
        # Not pathlib's, which ends at a process that ends meanwhile.
        for file in glob.glob(f"/proc/{pattern}"):
            try:
                out.write(pathlib.Path(file).read_bytes() + b"\n")
            except OSError:
                pass
    assert path.stat().st_size > 100
    return path


def test_environments_and_argument_lists(one, tmp_path):
    """Of every process of the machine."""
    files = [snapshot("[0-9]*/environ", tmp_path / "environ"), snapshot("[0-9]*/cmdline", tmp_path / "cmdline"),
             snapshot("[0-9]*/stat*", tmp_path / "stat")]
    found = one.hits(files)
    assert not found, found[:4]
    for role, pid in everybody(one.mount).items():
        for name in ("environ", "cmdline"):
            assert b"eyJ" not in pathlib.Path(f"/proc/{pid}/{name}").read_bytes(), (role, name)


def test_log_and_files(one, tmp_path):
    """The log, and what files there are below /tmp, /run, /var/tmp and /dev/shm since, but for the lab's and the test's own."""
    log = one.mount.log()
    assert "eyJ" not in log
    begun = one.mount.conf.stat().st_mtime
    own = [str(one.lab.dir), str(tmp_path.parent)]
    files = [one.mount.log_path, one.mount.conf]
    for top in ("/tmp", "/run", "/var/tmp", "/dev/shm"):
        for folder, folders, names in os.walk(top, onerror=lambda failure: None):
            folders[:] = [name for name in folders if os.path.join(folder, name) not in own and not os.path.ismount(os.path.join(folder, name))]
            for name in names:
                path = pathlib.Path(folder, name)
                try:
                    about = path.lstat()
                    if path.is_file() and not path.is_symlink() and RUN <= about.st_size < 32 << 20 and about.st_mtime >= begun and str(path) not in own:
                        files.append(path)
                except OSError:
                    pass
    for at in range(0, len(files), 200):
        found = one.hits([path for path in files[at : at + 200] if path.exists()])
        assert not found, found[:4]


def test_pipes_hold_nothing(one):
    """Those that the processes of the mount have open, looked into by tee(2), which takes nothing out."""
    libc = ctypes.CDLL(None, use_errno=True)
    looked = 0
    for role, pid in everybody(one.mount).items():
        for link in pathlib.Path(f"/proc/{pid}/fd").iterdir():
            if not os.readlink(link).startswith("pipe:"):
                continue
            looked += 1
            mine = os.pipe()
            theirs = os.open(link, os.O_RDONLY | os.O_NONBLOCK)
            got = libc.tee(theirs, mine[1], 1 << 16, 2)
            assert got <= 0, (role, link, os.read(mine[0], 200))
            for descriptor in (*mine, theirs):
                os.close(descriptor)
    assert looked, "the parent's pipe at least"


def test_get(one, tmp_path):
    """The other way to a key: after its process there is nothing but what was asked for; while it runs, secret memory alone."""
    folder = pathlib.Path("/dev/shm") / f"skrfs-memory-{os.getpid()}"
    folder.mkdir(mode=0o700)
    try:
        done = subprocess.run([SKRFS, "get", "rsa", "oct", "--config", str(one.mount.conf), "--force", "--to", str(folder)], capture_output=True,
                              env=one.environment())
        assert done.returncode == 0, done.stderr
        assert (folder / "rsa").read_bytes() == one.secrets["rsa"]
        # The program that takes its place has nothing of the keys.
        process = subprocess.Popen([SKRFS, "get", "rsa", "--config", str(one.mount.conf), "--force", "--to", str(folder), "--exec", "sleep", "--", "600"],
                                   env=one.environment(), stdout=subprocess.PIPE)
        try:
            wait_for("the program runs", lambda: pathlib.Path(f"/proc/{process.pid}/comm").read_text() == "sleep\n")
            found = one.hits([process.pid])
            assert not found, found[:4]
        finally:
            process.kill()
            process.wait()
        one.check("get")
    finally:
        for file in folder.iterdir():
            file.unlink()
        folder.rmdir()


def test_get_while_it_waits_for_its_reader(one):
    """The key is on its way into a pipe that takes no more: get holds it in secret memory, and in what it writes from alone."""
    import fcntl
    ends = os.pipe()
    fcntl.fcntl(ends[1], 1031, 4096)  # F_SETPIPE_SZ
    os.write(ends[1], b"." * 4096)
    process = subprocess.Popen([SKRFS, "get", "rsa", "--config", str(one.mount.conf), "--force"], stdout=ends[1], env=one.environment())
    try:
        os.close(ends[1])
        wait_for("it writes", lambda: pathlib.Path(f"/proc/{process.pid}/syscall").read_text().startswith("1 "), 20)
        found = one.hits([process.pid])
        where = {hit[1] for hit in found}
        assert not where, found[:6]
        assert os.read(ends[0], 4096) == b"." * 4096
        assert os.read(ends[0], 65536).startswith(b"-----BEGIN")
        assert process.wait(20) == 0
    finally:
        process.kill()
        process.wait()
        os.close(ends[0])


def test_without_memfd_secret(watched):
    """Older kernels: keys are in locked pages, out of children and of core files, though root can read them."""
    one = watched("snp", prefix=[TOOLS / "pretend", "no-memfd_secret"])
    one.learn()
    assert one.mount.status()["memory"]["kind"] == "locked memory"
    keeper = one.mount.processes()["keeper"]
    assert not secret_mappings(keeper)
    hits = [hit for hit in one.hits([keeper])]
    assert hits, "root can read locked memory"
    kept = [(int(low, 16), int(high, 16)) for low, high in locked_and_undumped(keeper)]
    outside = [hit for hit in hits if not any(low <= int(hit[4], 16) < high for low, high in kept)]
    assert not outside, outside[:4]
    others = [pid for role, pid in everybody(one.mount).items() if role != "keeper"]
    assert not one.hits(others)
    skrfs("wipe", "--all", one.mount.path)
    left = one.needles.search([keeper])
    assert not left, left[:4]


def locked_and_undumped(pid):
    """Mappings that are locked (lo), not dumped (dd); keys' also not inherited (dc), unlike OpenSSL's secure heap."""
    found, place = [], None
    for line in pathlib.Path(f"/proc/{pid}/smaps").read_text().splitlines():
        if re.match(r"[0-9a-f]+-[0-9a-f]+ ", line):
            place = line.split()[0].split("-")
        elif line.startswith("VmFlags:") and {"lo", "dd"} <= set(line.split()):
            found.append(place)
    return found
