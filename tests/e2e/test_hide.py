"""Keys that are hidden from whoever may not open them: by no name, in no listing, for no trick with what the kernel keeps."""
import concurrent.futures
import errno
import os
import shutil
import subprocess

import pytest
from lab import run, wait_for

ALICE, BOB = 61001, 61002


def as_user(uid, *command, **options):
    identity = ["setpriv", "--reuid", str(uid), "--regid", str(uid), "--clear-groups"]
    return subprocess.run([*identity, *map(str, command)], capture_output=True, text=True, errors="replace", timeout=60, **options)


def in_process(uid, work):
    """Runs work() as this user in a child: its errno, 0 for success."""
    child = os.fork()
    if child == 0:
        code = 255
        try:
            os.setgroups([])
            os.setgid(uid)
            os.setuid(uid)
            work()
            code = 0
        except OSError as failure:
            code = failure.errno
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


@pytest.fixture
def house(keys, mount):
    return mount({
        "alices": {**keys["oct"], "owner": ALICE, "hide": "yes"},
        "bobs": {**keys["rsa"], "owner": BOB, "hide": "yes"},
        "shown": {**keys["oct"], "owner": ALICE},
        "nobodys": {**keys["oct"], "mode": "0444", "allow": "exe:/nowhere/at/all", "hide": "yes"},
    }, "-o", "allow_other")


def names(made, folder, uid):
    done = as_user(uid, "ls", "-1", made.path / folder)
    assert done.returncode == 0, done.stderr
    return set(done.stdout.split())


def test_each_sees_its_own(house):
    for folder in ("keys", "versions", "formats"):
        assert names(house, folder, ALICE) == {"alices", "shown"}
        assert names(house, folder, BOB) == {"bobs", "shown"}
        assert names(house, folder, 0) == {"alices", "bobs", "shown"}
    everything = {"alices", "bobs", "shown", "nobodys"}
    for folder in ("status/why", "status/receipts"):
        assert names(house, folder, 0) == everything
        assert names(house, folder, ALICE) == {"shown"}
    assert as_user(ALICE, "cat", house.key("alices")).returncode == 0
    assert as_user(BOB, "cat", house.key("shown")).stderr.endswith("Permission denied\n"), "what is shown is denied as ever"


TRIED = ["keys/{}", "versions/{}", "versions/{}/" + "0" * 32, "formats/{}", "formats/{}/pem", "formats/{}/pub.pem", "status/why/{}", "status/receipts/{}"]


def outcomes(path):
    """What becomes of every way to ask for a path, as errno by its name."""
    tried = {
        "open": lambda: os.open(path, os.O_RDONLY), "path": lambda: os.open(path, os.O_PATH), "stat": lambda: os.stat(path),
        "lstat": lambda: os.lstat(path), "list": lambda: os.listdir(path), "read link": lambda: os.readlink(path),
        "attribute": lambda: os.getxattr(path, "user.x"), "attributes": lambda: os.listxattr(path), "statfs": lambda: os.statvfs(path),
        "enter": lambda: os.chdir(path), "truncate": lambda: os.truncate(path, 0), "write": lambda: os.open(path, os.O_WRONLY),
        "exists": lambda: os.access(path, os.F_OK) or (_ for _ in ()).throw(OSError(errno.ENOENT, "")),
        "remove": lambda: os.unlink(path), "remove folder": lambda: os.rmdir(path), "rename": lambda: os.rename(path, str(path) + "x"),
        "link": lambda: os.link(path, str(path) + "x"), "folder": lambda: os.mkdir(path), "mode": lambda: os.chmod(path, 0o600),
        "new": lambda: os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY), "times": lambda: os.utime(path),
    }
    return {what: in_process(ALICE, work) for what, work in tried.items()}


def test_what_is_hidden_is_as_if_it_were_not(house, lab):
    before = lab.counters()
    for pattern in TRIED:
        none = outcomes(house.path / pattern.format("never-was"))
        assert 0 not in none.values()
        for name in ("bobs", "nobodys"):
            assert outcomes(house.path / pattern.format(name)) == none, pattern.format(name)
    assert lab.counters() == before
    assert "denied" not in house.log(), "who looks around is no offender"


def test_the_kernels_cache_tells_nobody(house):
    """One looks it up and holds it open while the other looks, again and again."""
    path = house.key("alices")
    held = subprocess.Popen(["setpriv", "--reuid", str(ALICE), "--regid", str(ALICE), "--clear-groups", "sh", "-c",
                             f"cd {house.path}/formats/alices && exec 3<{path} && ls {house.path}/keys >/dev/null && echo ready && read x && cat raw <&3 | wc -c && exec cat <&3"],
                            stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert held.stdout.readline() == b"ready\n"
    for _ in range(20):
        assert in_process(ALICE, lambda: os.stat(path)) == 0
        assert in_process(BOB, lambda: os.stat(path)) == errno.ENOENT
        assert in_process(BOB, lambda: os.open(path, os.O_RDONLY)) == errno.ENOENT
        assert in_process(0, lambda: os.stat(path)) == 0, "root may open what is mode 0400"
        assert "alices" not in names(house, "keys", BOB) and "alices" in names(house, "keys", ALICE)
        assert in_process(BOB, lambda: os.stat(f"{house.path}/formats/alices/raw")) == errno.ENOENT
    held.stdin.write(b"\n")
    held.stdin.close()
    answer = held.stdout.read()
    assert answer.startswith(b"32\n") and len(answer) == 35, answer
    assert held.wait(20) == 0


def test_both_at_once(house):
    """Both look through the whole tree in loops: neither sees the other's at any time."""

    def look(uid, own, others):
        for _ in range(12):
            done = as_user(uid, "find", house.path, "-ignore_readdir_race", "-path", "*/status", "-prune", "-o", "-print")
            assert done.returncode == 0 and f"/keys/{own}" in done.stdout and others not in done.stdout, done
            done = as_user(uid, "ls", "-lR", house.path / "keys", house.path / "formats", house.path / "versions")
            assert done.returncode == 0 and own in done.stdout and others not in done.stdout, done
            assert in_process(uid, lambda: os.stat(house.key(others))) == errno.ENOENT

    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        for one in [pool.submit(look, *who) for who in ((ALICE, "alices", "bobs"), (BOB, "bobs", "alices")) * 2]:
            one.result()


def test_descriptors_of_another(house):
    """What was opened by one who may is no window for one who may not."""
    folder = os.open(house.path / "formats/alices", os.O_RDONLY | os.O_DIRECTORY)
    name = os.open(house.key("alices"), os.O_PATH)
    file = os.open(house.key("alices"), os.O_RDONLY)
    for work, wanted in (
        (lambda: os.listdir(folder), errno.ENOENT),
        (lambda: os.fstat(folder), errno.ENOENT),
        (lambda: os.stat("raw", dir_fd=folder), errno.ENOENT),
        (lambda: os.open("raw", os.O_RDONLY, dir_fd=folder), errno.ENOENT),
        (lambda: os.fstat(name), errno.ENOENT),
        (lambda: os.open(f"/proc/self/fd/{name}", os.O_RDONLY), errno.ENOENT),
        (lambda: os.fstat(file), errno.ENOENT),
        (lambda: os.pread(file, 8, 0), errno.EACCES),
    ):
        assert in_process(BOB, work) == wanted
        assert in_process(ALICE, work) == 0
    # An open that comes this far is an offence, and told.
    wait_for("the denial is logged", lambda: "denied: open 'alices' by uid 61002" in house.log())
    for descriptor in (folder, name, file):
        os.close(descriptor)


def test_nothing_can_be_counted(house, keys, mount):
    """Neither links nor sizes of folders, nor the file system's numbers, nor places in a listing."""
    other = mount({"shown": {**keys["oct"], "owner": ALICE}}, "-o", "allow_other")

    def look(made):
        script = ("import os, sys, ctypes\n"
                  "root = sys.argv[1]; v = os.statvfs(root); print(v.f_files, v.f_blocks, v.f_bfree)\n"
                  "for d in ('', 'keys', 'formats', 'versions', 'status', 'status/why'):\n"
                  "    s = os.stat(os.path.join(root, d)); print(d, s.st_nlink, s.st_size, s.st_blocks, s.st_ino, oct(s.st_mode))\n"
                  "libc = ctypes.CDLL(None); fd = os.open(os.path.join(root, 'keys'), os.O_RDONLY)\n"
                  "b = ctypes.create_string_buffer(65536); n = libc.syscall(217, fd, b, 65536); print(b.raw[:n].hex())\n")
        done = as_user(62000, "python3", "-c", script, made.path)
        assert done.returncode == 0, done.stderr
        return done.stdout

    assert look(house) == look(other)


def test_by_executable_and_namespace(keys, mount, tmp_path):
    """Rules that need the witness: one program sees it, another of the same user does not; and inside of a container's namespaces."""
    mine = tmp_path / "mine"
    shutil.copy(shutil.which("ls"), mine)
    made = mount({
        "exes": {**keys["oct"], "mode": "0444", "allow": f"exe:{mine}", "hide": "yes"},
        "hosts": {**keys["oct"], "mode": "0444", "allow": "host", "hide": "yes"},
        "guests": {**keys["oct"], "mode": "0444", "deny": "host", "hide": "yes"},
    }, "-o", "allow_other")
    for _ in range(3):
        assert set(as_user(ALICE, mine, made.path / "keys").stdout.split()) == {"exes", "hosts"}
        assert names(made, "keys", ALICE) == {"hosts"}
        done = run("unshare", "--mount", "--pid", "--fork", "--kill-child", "ls", made.path / "keys")
        assert set(done.stdout.split()) == {"guests"}
        assert as_user(ALICE, mine, made.key("exes")).returncode == 0
        assert as_user(ALICE, "ls", made.key("exes")).returncode != 0
    made.kill("witness", 19)
    try:
        # Whoever cannot be known finds nothing.
        assert names(made, "keys", ALICE) == set()
    finally:
        made.kill("witness", 18)


def test_many_keys(keys, mount):
    settings = {f"k{i:04}": {**keys["oct"], "owner": ALICE if i % 2 else BOB, "hide": "yes"} for i in range(4000)}
    made = mount(settings, "-o", "allow_other")
    for uid, odd in ((ALICE, 1), (BOB, 0)):
        assert names(made, "keys", uid) == {f"k{i:04}" for i in range(odd, 4000, 2)}
        assert as_user(uid, "cat", made.key(f"k{odd:04}")).returncode == 0
        assert as_user(uid, "cat", made.key(f"k{1 - odd:04}")).stderr.endswith("No such file or directory\n")
    assert names(made, "keys", 62000) == set()
