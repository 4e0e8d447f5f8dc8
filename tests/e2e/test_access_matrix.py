"""The access matrix: each kind of rule, by each kind of caller, in each way to get at a key. Real processes; tests/tools/access_try
is what they run."""
import contextlib
import fcntl
import hashlib
import os
import pathlib
import select
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time

import pytest
from lab import BUILD, Mount, is_mounted, wait_for

TRY = BUILD / "tests/tools/access_try"
SWAP = BUILD / "tests/tools/access_swap"
ID = "0123456789abcdef" * 4
USER, OTHER, GROUP = 1000, 1001, 50
CGROUPS = pathlib.Path("/sys/fs/cgroup/systemd" if os.path.isdir("/sys/fs/cgroup/systemd") else "/sys/fs/cgroup")

RULES = {
    "mode": {"mode": "0400"},
    "owner": {"mode": "0400", "owner": USER},
    "group": {"mode": "0440", "group": GROUP},
    "user": {"allow": f"user:{USER}"},
    "supplementary": {"allow": f"group:{GROUP}"},
    "exe": {"allow": "exe:{exe}"},
    "folder": {"allow": "exe:{folder}/*"},
    "sha256": {"allow": "sha256:{sha256}"},
    "verity": {"allow": "verity:sha256:" + ID},
    "unit": {"allow": "unit:skrfs-web.service"},
    "units": {"allow": "unit:skrfs-*.service"},
    "cgroup": {"allow": "cgroup:/skrfs.slice/*"},
    "container": {"allow": "container:" + ID[:12]},
    "host": {"allow": "host"},
    "mnt-ns": {"allow": "mnt-ns:host"},
    "pid-ns": {"allow": "pid-ns:host"},
    "user-ns": {"allow": "user-ns:host"},
    "label": {"allow": "label:skrfs_t:*"},
    "all-of": {"allow": f"user:{USER} & exe:{{exe}} & host"},
    "any-of": {"allow": f"user:{USER} exe:{{exe}}"},
    "not-root": {"deny": "user:0"},
    "not-exe": {"deny": "exe:{exe}"},
    "not-cat": {"deny": "exe:/bin/cat"},
    "not-verity": {"deny": "verity:sha256:" + ID},
    "not-unit": {"deny": "unit:skrfs-web.service"},
}

# What a caller may read by what it is.
AS_ROOT = {"mode", "owner", "group"}
NOT_ROOT = {"not-root"}
PROGRAM = {"exe", "folder", "sha256", "any-of", "not-cat"}
HOST = {"host", "mnt-ns", "pid-ns", "user-ns"}
PLAIN = {"not-unit"}
ROOT = AS_ROOT | PROGRAM | HOST | PLAIN
STRANGER = NOT_ROOT | PROGRAM | HOST | PLAIN

READS = ("read", "pread", "mmap", "sendfile", "splice", "aio", "io_uring")
WAYS = ("open", *READS, "access", "stat", "o_path")
# Whoever may not open a key may still see that it is there.
ALWAYS = ("stat", "o_path")


class Caller:
    """A process of tests/tools/access_try, or of what it was told to become."""

    def __init__(self, *command, ids=None, groups=(), cgroup=None, channel=None):
        def prepare():
            if cgroup:
                (cgroup / "cgroup.procs").write_text(str(os.getpid()))
            if channel:
                os.dup2(channel, 3)
            if ids is not None:
                os.setgroups(groups)
                os.setresgid(ids, ids, ids)
                os.setresuid(ids, ids, ids)
        self.process = subprocess.Popen([str(part) for part in command], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1,
                                        preexec_fn=prepare, pass_fds=[3] if channel else [])
        self.pid = int(self.answer().split()[1])

    def answer(self):
        line = self.process.stdout.readline().strip()
        assert line, f"the caller ended with {self.process.wait(10)}"
        return line

    def ask(self, *words):
        self.process.stdin.write(" ".join(map(str, words)) + "\n")
        return self.answer()

    def end(self):
        self.process.kill()
        self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()


@contextlib.contextmanager
def group_of(path):
    """A control group as systemd or a container runtime would name it."""
    group = CGROUPS / path.strip("/")
    group.mkdir(parents=True, exist_ok=True)
    yield group
    while group != CGROUPS:
        with contextlib.suppress(OSError):
            wait_for("a control group to be empty", lambda: not (group / "cgroup.procs").read_text(), 5)
            group.rmdir()
        group = group.parent


class World:
    """A mount with a key for each kind of rule, and programs."""

    def __init__(self, lab, keys, base):
        base.chmod(0o755)
        self.stack = contextlib.ExitStack()
        self.folder = base / "programs"
        self.folder.mkdir()
        self.elsewhere = base / "elsewhere"
        self.elsewhere.mkdir()
        self.exe = self.program(self.folder / "reader")
        self.sha256 = hashlib.sha256(self.exe.read_bytes()).hexdigest()
        words = {"exe": self.exe, "folder": self.folder, "sha256": self.sha256}
        wanted = {name: {**keys["oct"], "mode": "0444", **{key: str(value).format(**words) for key, value in rule.items()}}
                  for name, rule in RULES.items()}
        self.mount = self.stack.enter_context(Mount(lab.config(base / "conf", wanted), base / "mount", "-o", "allow_other"))

    def program(self, path, changed=False):
        path.unlink(missing_ok=True)
        shutil.copy(TRY, path)
        if changed:
            with open(path, "ab") as file:
                file.write(b"\0")
        path.chmod(0o755)
        return path

    def caller(self, *command, **more):
        caller = Caller(*command or (self.exe,), **more)
        self.stack.callback(caller.end)
        return caller

    def group(self, path):
        return self.stack.enter_context(group_of(path))


@pytest.fixture
def world(lab, keys):
    """Outside of pytest's own folders, which others cannot enter."""
    assert os.geteuid() == 0, "the matrix needs root"
    base = pathlib.Path(tempfile.mkdtemp(prefix="skrfs-matrix-"))
    try:
        made = World(lab, keys, base)
        with made.stack:
            yield made
    finally:
        shutil.rmtree(base, ignore_errors=True)


def deleted(world):
    path = world.program(world.folder / "deleted")
    caller = world.caller(path)
    path.unlink()
    return caller


def replaced(world):
    """Another file has its path by now: what runs is at none."""
    path = world.program(world.folder / "replaced")
    caller = world.caller(path)
    world.program(world.folder / "new", changed=True).rename(path)
    return caller


def in_memory(world):
    code = ("import os\nmemory = os.memfd_create('reader', 0)\nos.write(memory, open(%r, 'rb').read())\nos.execve(memory, ['reader'], os.environ)")
    return world.caller(sys.executable, "-c", code % str(world.exe))


def script(world):
    """What runs is the interpreter."""
    path = world.elsewhere / "script"
    path.write_text(f"#!{world.exe}\n")
    path.chmod(0o755)
    return world.caller(path)


def set_user_id(world):
    path = world.program(world.elsewhere / "setuid")
    os.chown(path, USER, 0)
    path.chmod(0o4755)
    return world.caller(path, ids=OTHER)


def disguised(world):
    """Another program where the allowed one is, in a mount namespace of its own."""
    other = world.program(world.elsewhere / "other", changed=True)
    return world.caller("unshare", "-m", "sh", "-c", f"mount --bind {other} {world.exe} && exec {world.exe}")


def smuggled(world):
    """The same program, run from outside of that namespace, through /proc/PID/root."""
    there = disguised(world)
    return world.caller(f"/proc/{there.pid}/root{world.exe}")


def contained(world):
    return world.caller("unshare", "-m", "-p", "-f", world.exe, cgroup=world.group(f"/docker/{ID}"))


def told(*words):
    def make(world):
        caller = world.caller()
        assert caller.ask(*words) == "0"
        return caller
    return make


# kind: how it is made, and which keys it may read
CALLERS = {
    "root": (lambda w: w.caller(), ROOT),
    "the user": (lambda w: w.caller(ids=USER), STRANGER | {"owner", "user", "all-of"}),
    "another user": (lambda w: w.caller(ids=OTHER), STRANGER),
    "a member": (lambda w: w.caller(ids=OTHER, groups=[7, GROUP]), STRANGER | {"group", "supplementary"}),
    "a primary member": (lambda w: w.caller(ids=GROUP), STRANGER | {"group", "supplementary"}),
    "a thread": (told("thread"), ROOT),
    "a thread of another user": (told("alone", OTHER, OTHER, 7), STRANGER),
    "a thread of the user": (told("alone", USER, OTHER, 7), STRANGER | {"owner", "user", "all-of"}),
    "a thread of a member": (told("alone", OTHER, OTHER, GROUP), STRANGER | {"group", "supplementary"}),
    "a copy": (lambda w: w.caller(w.program(w.elsewhere / "copy")), AS_ROOT | HOST | PLAIN | {"sha256", "not-cat", "not-exe"}),
    "another in the folder": (lambda w: w.caller(w.program(w.folder / "next", changed=True)), AS_ROOT | HOST | PLAIN | {"folder", "not-cat", "not-exe"}),
    "deleted": (deleted, AS_ROOT | HOST | PLAIN | {"sha256"}),
    "replaced": (replaced, AS_ROOT | HOST | PLAIN | {"sha256"}),
    "in memory": (in_memory, AS_ROOT | HOST | PLAIN),
    "a script": (script, ROOT),
    "set-user-id": (set_user_id, NOT_ROOT | HOST | PLAIN | {"owner", "user", "any-of", "sha256", "not-cat", "not-exe"}),
    "traced": (told("traced"), AS_ROOT | HOST | PLAIN),
    "another mount namespace": (lambda w: w.caller("unshare", "-m", w.exe), AS_ROOT | PROGRAM | PLAIN | {"pid-ns", "user-ns"}),
    "another pid namespace": (lambda w: w.caller("unshare", "-p", "-f", w.exe), AS_ROOT | PROGRAM | PLAIN | {"mnt-ns", "user-ns"}),
    "another user namespace": (lambda w: w.caller("unshare", "-U", "-r", w.exe), AS_ROOT | (PROGRAM - {"sha256"}) | PLAIN | {"mnt-ns", "pid-ns"}),
    "disguised": (disguised, AS_ROOT | PLAIN | {"pid-ns", "user-ns"}),
    "smuggled": (smuggled, AS_ROOT | HOST | PLAIN),
    "a unit": (lambda w: w.caller(cgroup=w.group("/skrfs.slice/skrfs-web.service")), (ROOT - PLAIN) | {"unit", "units", "cgroup"}),
    "another unit": (lambda w: w.caller(cgroup=w.group("/skrfs.slice/skrfs-db.service")), ROOT | {"units", "cgroup"}),
    "a group like a unit's": (lambda w: w.caller(cgroup=w.group("/skrfs.slice/mine.service/skrfs-web.service")), ROOT | {"cgroup"}),
    "a group like a unit's, of a user's": (lambda w: w.caller(cgroup=w.group("/user.slice/user-7.slice/user@7.service/skrfs-web.service")), ROOT),
    "a container": (contained, AS_ROOT | PROGRAM | PLAIN | {"container", "user-ns"}),
    "a container of systemd's": (lambda w: w.caller(cgroup=w.group(f"/skrfs.slice/docker-{ID}.scope")), ROOT | {"container", "cgroup"}),
    "a group like a container's": (lambda w: w.caller(cgroup=w.group(f"/skrfs.slice/mine.service/docker/{ID}")), ROOT | {"cgroup"}),
    "a group like a container's, of a user's": (lambda w: w.caller(cgroup=w.group(f"/user.slice/docker-{ID}.scope")), ROOT),
}


def expected(kind, way, may):
    if way in ALWAYS:
        return "0"
    # access(2) asks for the real user, who is another than the one who would read.
    if kind == "set-user-id" and way == "access":
        return None
    return "0" if may else "EACCES"


def test_matrix(world):
    wrong = []
    for kind, (make, allowed) in CALLERS.items():
        assert allowed <= set(RULES), (kind, allowed - set(RULES))
        caller = make(world)
        for rule in RULES:
            for way in WAYS:
                wanted = expected(kind, way, rule in allowed)
                got = caller.ask(way, world.mount.key(rule))
                if wanted is not None and got != wanted:
                    wrong.append(f"{kind}, {rule}, {way}: {got}, not {wanted}")
    assert not wrong, "\n".join(wrong) + world.mount.log()


def test_listing_tells_names(world):
    for ids in (None, OTHER):
        done = subprocess.run(["ls", world.mount.path / "keys"], capture_output=True, text=True, user=ids, check=True)
        assert set(done.stdout.split()) == set(RULES)


# Descriptors that whoever may open the key has opened, and others hold.

REFUSED = {"mmap": "EFAULT"}


def check_refused(caller, fd, world, rule, ways=READS):
    """None of the ways works; and the key is not in a page that a mapping would find."""
    for way in ways:
        assert caller.ask(way, fd) == REFUSED.get(way, "EACCES"), (rule, way, world.mount.log())


def strangers(world, rule, channel):
    """Another process that this rule keeps away."""
    other = world.elsewhere / f"stranger-{rule}"
    if rule in ("user", "mode"):
        return world.caller(world.exe, ids=OTHER, channel=channel)
    if rule == "host":
        return world.caller("unshare", "-m", world.exe, channel=channel)
    return world.caller(world.program(other, changed=True), channel=channel)


@pytest.mark.parametrize("rule", ["mode", "user", "exe", "sha256", "host", "unit"])
def test_handed_over(world, rule):
    """By SCM_RIGHTS: the stranger's reads are refused, its opening anew too; the owner's go on."""
    ends = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    more = {"ids": USER} if rule == "user" else {"cgroup": world.group("/skrfs.slice/skrfs-web.service")} if rule == "unit" else {}
    owner = world.caller(channel=ends[0].fileno(), **more)
    stranger = strangers(world, rule, ends[1].fileno())
    fd = owner.ask("keep", world.mount.key(rule))
    assert fd.startswith("fd:"), fd
    assert owner.ask("send", fd[3:]) == "0"
    handed = stranger.ask("take", "-")
    check_refused(stranger, handed, world, rule)
    assert stranger.ask("reopen", handed) == "EACCES"
    assert [owner.ask(way, fd) for way in ("pread", "aio", "io_uring", "mmap")] == ["0"] * 4


@pytest.mark.parametrize("rule", ["exe", "sha256", "host"])
def test_stolen(world, rule):
    """By pidfd_getfd, and by opening /proc/PID/fd/N: root may take it, and reads no more than its own program may."""
    owner = world.caller()
    stranger = strangers(world, rule, None)
    fd = owner.ask("keep", world.mount.key(rule))
    stolen = stranger.ask("steal", owner.pid, fd[3:])
    assert stolen.startswith("fd:"), stolen
    check_refused(stranger, stolen, world, rule)
    assert stranger.ask("open", f"/proc/{owner.pid}/fd/{fd[3:]}") == "EACCES"
    assert owner.ask("pread", fd) == "0"


@pytest.mark.parametrize("rule", ["exe", "sha256"])
def test_another_program_between_open_and_read(world, rule):
    """The descriptor outlives execve(2), the right to read does not; and it comes back with the program."""
    other = world.program(world.elsewhere / "other", changed=True)
    caller = world.caller()
    fd = caller.ask("keep", world.mount.key(rule))
    assert caller.ask("pread", fd) == "0"
    assert caller.ask("exec", other, fd[3:]).startswith("ready")
    check_refused(caller, fd, world, rule)
    assert caller.ask("exec", world.exe, fd[3:]).startswith("ready")
    assert caller.ask("pread", fd) == "0"


@pytest.mark.parametrize("way", ["aio", "direct", "io_uring", "fault"])
@pytest.mark.parametrize("rule", ["exe", "sha256"])
def test_another_program_before_anybody_looks(world, rule, way):
    """Whoever begins a read without waiting for it, and becomes an allowed program while the witness is held up, gets nothing into
    the memory that another process shares with it."""
    ends = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    owner = world.caller(channel=ends[0].fileno())
    assert owner.ask("send", owner.ask("keep", world.mount.key(rule))[3:]) == "0"
    _, (descriptor,), _, _ = socket.recv_fds(ends[1], 1, 1)
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    witness = world.mount.processes()["witness"]
    os.kill(witness, signal.SIGSTOP)
    try:
        os.set_inheritable(descriptor, True)
        thief = subprocess.Popen([SWAP, way, str(descriptor), world.exe], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                                 preexec_fn=lambda: os.dup2(theirs.fileno(), 3), pass_fds=[3, descriptor])
        with contextlib.suppress(AssertionError):
            wait_for("the thief is an allowed program", lambda: os.readlink(f"/proc/{thief.pid}/exe") == str(world.exe), 0.7)
    finally:
        os.kill(witness, signal.SIGCONT)
    theirs.close()
    assert thief.stdout.readline().startswith("ready")
    # An answer that is still on its way has come once the same program's own read is answered.
    wait_for("the witness answers again", lambda: owner.ask("read", world.mount.key(rule)) == "0")
    ours.settimeout(20)
    ours.send(b"?")
    assert ours.recv(16) == b"nothing", world.mount.log()
    ours.close()
    thief.stdin.close()
    assert thief.wait(20) == 0
    thief.stdout.close()
    os.close(descriptor)


def test_inherited_by_a_child_that_becomes_somebody_else(world):
    """fork(2), then another user, in another mount namespace."""
    descriptor = os.open(world.mount.key("mode"), os.O_RDONLY)
    assert os.pread(descriptor, 8, 0)
    for become in (lambda: (os.setgid(OTHER), os.setuid(OTHER)),):
        child = os.fork()
        if child == 0:
            become()
            try:
                os.pread(descriptor, 8, 0)
            except OSError as failure:
                os._exit(failure.errno)
            os._exit(0)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 13
    os.close(descriptor)


def test_ended_while_it_is_looked_at(world):
    """A caller that is killed while its witness is held up: nobody is let in by its number, and the mount goes on."""
    witness = world.mount.processes()["witness"]
    os.kill(witness, signal.SIGSTOP)
    try:
        caller = world.caller()
        caller.process.stdin.write(f"read {world.mount.key('exe')}\n")
        wait_for("the caller waits in open(2)", lambda: "request_wait" in pathlib.Path(f"/proc/{caller.pid}/wchan").read_text() or
                 pathlib.Path(f"/proc/{caller.pid}/stat").read_text().split(")")[1].split()[0] in "DS")
        caller.process.kill()
    finally:
        os.kill(witness, signal.SIGCONT)
    caller.process.wait(20)
    again = world.caller()
    wait_for("the witness answers again", lambda: again.ask("read", world.mount.key("exe")) == "0")


def test_denial_names_what_was_lacking(world):
    caller = told("traced")(world)
    assert caller.ask("open", world.mount.key("exe")) == "EACCES"
    assert deleted(world).ask("open", world.mount.key("folder")) == "EACCES"
    assert world.caller().ask("open", world.mount.key("verity")) == "EACCES"
    log = world.mount.log()
    assert f"whose executable could not be read: it is traced by process {os.getpid()}" in log, log
    assert "at no path (any more)" in log, log
    assert "fs-verity" in log, log


def test_always_ready(world):
    """poll(2), select(2) and epoll(7) say of a key what they say of any file."""
    with open(world.mount.key("not-cat"), "rb", buffering=0) as file:
        poll, epoll = select.poll(), select.epoll()
        poll.register(file, select.POLLIN)
        epoll.register(file, select.EPOLLIN)
        assert poll.poll(0) == [(file.fileno(), select.POLLIN)]
        assert epoll.poll(0) == [(file.fileno(), select.EPOLLIN)]
        assert select.select([file], [], [], 0)[0] == [file]
        epoll.close()
        assert file.read()


# A file system of a user's own, that answers nobody.

@contextlib.contextmanager
def stuck_tree(path, program):
    path.mkdir()
    server = subprocess.Popen([BUILD / "tests/doubles/stuck_tree", path, program])
    try:
        wait_for(f"{path} is mounted", lambda: is_mounted(path))
        yield server
    finally:
        server.kill()
        server.wait()
        subprocess.run(["umount", "-l", path], check=False)


def check_nobody_waits(world, caller, rules, others=("exe", "sha256", "folder")):
    """This caller is answered, refused, without waiting for its file system, and so are all others."""
    begun = time.monotonic()
    for rule in rules:
        assert caller.ask("open", world.mount.key(rule)) == "EACCES", world.mount.log()
    honest = world.caller()
    for rule in others:
        assert honest.ask("read", world.mount.key(rule)) == "0", world.mount.log()
    assert "silent" not in world.mount.log()
    assert time.monotonic() - begun < 20


def test_program_on_a_file_system_that_is_stuck(world):
    """Its digest is not made, nor its path looked at."""
    for name, command in (("here", ()), ("there", ("unshare", "-m"))):
        path = world.elsewhere / name
        with stuck_tree(path, world.exe) as server:
            caller = world.caller(*command, path / "program")
            # Its pages are in memory before nobody brings them any more.
            assert caller.ask("open", world.mount.key("exe")) == "EACCES"
            assert caller.ask("read", world.mount.key("mode")) == "0"
            server.send_signal(signal.SIGUSR1)
            check_nobody_waits(world, caller, ("exe", "folder", "sha256", "verity", "not-verity"))
            caller.end()


def test_path_over_a_file_system_that_is_stuck(world):
    """In a namespace of its own a program claims a path that a rule names, and that leads to a stuck file system here."""
    deep = world.folder / "deep"
    with stuck_tree(deep, world.exe) as server:
        world.program(world.elsewhere / "program")
        caller = world.caller("unshare", "-m", "sh", "-c", f"mount --bind {world.elsewhere} {deep} && exec {deep}/program")
        server.send_signal(signal.SIGUSR1)
        check_nobody_waits(world, caller, ("folder", "exe"))
        assert f"{deep}/program is another mount namespace's" in world.mount.log()
        caller.end()


# fs-verity: Linux, Documentation/filesystems/fsverity.rst and include/uapi/linux/fsverity.h

ENABLE, MEASURE = 0x40806685, 0xC0046686


@contextlib.contextmanager
def verity_disk(path):
    """An ext4 file system with fs-verity, or a test that is skipped where the kernel has none."""
    image = path.with_suffix(".img")
    with open(image, "wb") as file:
        file.truncate(32 << 20)
    subprocess.run(["mkfs.ext4", "-q", "-O", "verity", "-b", "4096", image], check=True)
    path.mkdir()
    done = subprocess.run(["mount", "-o", "loop", image, path], capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"no file system with fs-verity can be mounted here: {done.stderr.strip()}")
    try:
        path.chmod(0o755)
        yield path
    finally:
        subprocess.run(["umount", "-l", path], check=False)


def seal(path):
    """Has the kernel make the file's digest and hold it to that; returns the digest."""
    with open(path, "rb") as file:
        try:
            fcntl.ioctl(file, ENABLE, struct.pack("<IIIIQIIQ88x", 1, 1, 4096, 0, 0, 0, 0, 0))
        except OSError as failure:
            pytest.skip(f"this kernel has no fs-verity: {failure}")
        answer = fcntl.ioctl(file, MEASURE, struct.pack("<HH32x", 1, 32))
    return answer[4:36].hex()


def test_verity(lab, keys):
    """By the digest that the kernel holds the program to; a copy without it has none."""
    base = pathlib.Path(tempfile.mkdtemp(prefix="skrfs-verity-"))
    base.chmod(0o755)
    try:
        with verity_disk(base / "disk") as disk, contextlib.ExitStack() as stack:
            program = pathlib.Path(shutil.copy(TRY, disk / "reader"))
            copy = pathlib.Path(shutil.copy(TRY, disk / "copy"))
            digest = seal(program)
            wanted = {"k": {**keys["oct"], "mode": "0444", "allow": f"verity:sha256:{digest}"},
                      "d": {**keys["oct"], "mode": "0444", "deny": f"verity:sha256:{digest}"}}
            made = stack.enter_context(Mount(lab.config(base / "conf", wanted), base / "mount", "-o", "allow_other"))
            for path, allowed, denied in ((program, "0", "EACCES"), (copy, "EACCES", "EACCES")):
                caller = Caller(path)
                stack.callback(caller.end)
                assert caller.ask("read", made.key("k")) == allowed, made.log()
                assert caller.ask("read", made.key("d")) == denied, made.log()
    finally:
        shutil.rmtree(base, ignore_errors=True)
