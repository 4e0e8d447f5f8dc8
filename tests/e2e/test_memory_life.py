"""What happens to keys in the course of their lives leaves nothing behind either: wiped, rotated, expired, denied, interrupted,
half sent; a courier or a keeper that dies; memory that runs out."""
import contextlib
import errno
import os
import signal
import subprocess
import sys

import pytest
from lab import run, skrfs, wait_for
from watched import any_policy


def used(one):
    return one.mount.status()["memory"]["used"]


def anew(one):
    skrfs("wipe", "--all", one.mount.path)


class Reading:
    """A reader of its own process, whose release takes its time."""

    def __init__(self, lab, one, name="rsa", delay_ms=700):
        self.before = lab.counters()["release"]
        lab.fault(at="release", delay_ms=delay_ms, times=1)
        # Where the tests run in the background, SIGINT is ignored, and so by all that they start.
        self.process = subprocess.Popen(["cat", str(one.mount.key(name))], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL))
        wait_for("the release is on its way", lambda: lab.counters()["release"] > self.before)


def test_wipe(watched):
    one = watched("snp").learn().watch_cache()
    handle = os.open(one.mount.key("rsa"), os.O_RDONLY)
    assert os.pread(handle, 64, 0) == one.secrets["rsa"][:64]
    assert used(one) > 0
    anew(one)
    with pytest.raises(OSError) as failure:
        os.pread(handle, 64, 0)
    assert failure.value.errno == errno.EKEYREVOKED
    one.settle("wipe")
    wait_for("secret memory is empty although a handle is open", lambda: used(one) == 0)
    os.close(handle)
    assert one.mount.read("rsa") == one.secrets["rsa"]
    one.settle("a release after a wipe")


def test_rotation(watched, lab):
    """A new version: the old one lives as long as a handle of it, in secret memory; then it is gone."""
    lab.create("mem-turning", "vault", "RSA-HSM", any_policy(lab, lab.dir))
    one = watched("snp", keys={"rsa": {"vault": "vault", "name": "mem-turning", "refresh": "1s"}}).learn()
    handle = os.open(one.mount.key("rsa"), os.O_RDONLY)
    first = os.pread(handle, 65536, 0)
    skrfs("key", "rotate", "mem-turning", "--config", lab.conf, "--vault", "vault")
    wait_for("the new version is served", lambda: one.mount.read("rsa") != first)
    one.learn()
    assert os.pread(handle, 65536, 0) == first
    one.check("rotation, with a handle of the old version")
    with_old = used(one)
    os.close(handle)
    wait_for("the old version is gone", lambda: used(one) < with_old)
    one.check("rotation")


def test_expiry(watched, lab):
    """What may no longer be served, since no newer one can be fetched."""
    one = watched("snp", keys={"rsa": {"vault": "vault", "name": "mem-rsa", "refresh": "1s", "stale": "0"}},
                  network={"deadline": "3s"}).learn()
    lab.fault(at="release", status=503, times=-1)
    wait_for("the key is expired", lambda: one.mount.error("keys/rsa") == "EKEYEXPIRED")
    one.check("expiry")


def test_failures_of_the_release(watched, lab):
    """Answers that are refused after they were unwrapped, before, or come never."""
    one = watched("snp", network={"deadline": "4s"}).learn()
    for fault in ("other-public", "other-kek", "short-cipher", "bad-signature", "garbage", "other-nonce"):
        anew(one)
        lab.fault(at="release", do=fault)
        assert one.mount.error("keys/rsa") == "EIO", fault
        one.check(fault)


def test_courier_killed_in_the_middle_of_a_release(watched, lab):
    one = watched("snp").learn()
    anew(one)
    reading = Reading(lab, one)
    one.check("a release under way")
    old = one.mount.processes()["courier"]
    one.mount.kill("courier")
    assert reading.process.communicate(timeout=30)[0] == one.secrets["rsa"]
    wait_for("a new courier", lambda: one.mount.processes().get("courier", old) != old)
    one.check("a courier's death")


def test_keeper_killed(watched, lab):
    """While it has keys, and while it is about to get one."""
    one = watched("snp").learn()
    old = one.mount.processes()["keeper"]
    one.mount.kill("keeper")
    assert one.mount.read("rsa") == one.secrets["rsa"]
    assert one.mount.processes()["keeper"] != old
    one.check("a keeper's death")
    anew(one)
    reading = Reading(lab, one)
    one.mount.kill("keeper")
    reading.process.communicate(timeout=30)
    assert one.mount.read("rsa") == one.secrets["rsa"]
    one.check("a keeper's death in the middle of a release")


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT], ids=["killed", "interrupted"])
def test_open_given_up(watched, lab, number):
    one = watched("snp").learn()
    anew(one)
    reading = Reading(lab, one)
    reading.process.send_signal(number)
    assert reading.process.wait(20) == -number
    one.check("an open given up")
    wait_for("the release has come to its end", lambda: one.mount.status()["keys"][0]["state"] != "fetching", 20)
    one.settle_processes("an open given up, and the release that nobody waited for")


def test_reader_killed_between_reads(watched):
    """With part of the key read, a mapping and a pipe full of it: what the process held goes with it."""
    one = watched("snp").learn().watch_cache()
    program = ("import mmap, os, sys, time\n"
               "file = os.open(sys.argv[1], os.O_RDONLY); part = os.read(file, 100)\n"
               "mapped = mmap.mmap(file, 0, prot=mmap.PROT_READ, flags=mmap.MAP_PRIVATE); whole = mapped[:]\n"
               "ends = os.pipe(); os.splice(file, ends[1], 4096, offset_src=0) if hasattr(os, 'splice') else None\n"
               "print('there', flush=True); time.sleep(600)\n")
    reader = subprocess.Popen([sys.executable, "-c", program, str(one.mount.key("rsa"))], stdout=subprocess.PIPE)
    assert reader.stdout.readline() == b"there\n"
    assert one.cached(), "a mapping has pages"
    one.check("a reader in the middle")
    reader.kill()
    reader.wait()
    one.settle("a reader's death")


def test_denied_reads(watched):
    one = watched("snp", arguments=("-o", "allow_other")).learn().watch_cache()
    for name in one.keys:
        done = subprocess.run(["setpriv", "--reuid", "65534", "--clear-groups", "cat", str(one.mount.key(name))], capture_output=True)
        assert done.returncode != 0 and b"ermission denied" in done.stderr and done.stdout == b""
    handed = os.open(one.mount.key("rsa"), os.O_RDONLY)
    done = subprocess.run(["setpriv", "--reuid", "65534", "--clear-groups", "cat"], stdin=handed, capture_output=True)
    os.close(handed)
    assert done.returncode != 0 and done.stdout == b""
    one.settle("denied reads")


@contextlib.contextmanager
def limited(pid, option, soft):
    """As the process's own user, who may lower a limit of it and raise it again."""
    with open(f"/proc/{pid}/status") as status:
        uid = next(line.split()[1] for line in status if line.startswith("Uid:"))
    command = ["setpriv", "--reuid", uid, "--regid", uid, "--clear-groups", "prlimit", "--pid", str(pid)]
    before = run(*command, f"--{option}", "--noheadings", "--output=SOFT").stdout.strip()
    run(*command, f"--{option}={soft}:")
    try:
        yield
    finally:
        run(*command, f"--{option}={before}:")


def address_space(pid):
    with open(f"/proc/{pid}/statm") as file:
        return int(file.read().split()[0]) * 4096


@pytest.mark.parametrize("role", ["keeper", "courier"])
def test_no_address_space(watched, role):
    """A process that gets no more memory gives whole keys or an error, and works again when there is some."""
    one = watched("snp", network={"deadline": "4s"}).learn()
    pid = one.mount.processes()[role]
    seen = set()
    for room in (0, 256):
        anew(one)
        with limited(pid, "as", address_space(pid) + room * 1024):
            for name in one.keys:
                try:
                    assert one.mount.read(name) == one.secrets[name]
                    seen.add("")
                except OSError as failure:
                    seen.add(errno.errorcode[failure.errno])
        one.settle_processes(f"no more than {room} KiB")
    assert seen <= {"", "ENOMEM", "EAGAIN", "ETIMEDOUT", "EIO"}, (seen, one.mount.log())
    anew(one)
    for name in one.keys:
        wait_for("the key is served again", lambda: not one.mount.error(f"keys/{name}"))
        assert one.mount.read(name) == one.secrets[name]
    one.check("memory again")


def test_no_locked_memory(watched, lab):
    """Without the privilege the limit counts: at start it is told, later the keys beyond it are refused and the others served."""
    few = ["prlimit", "--memlock=65536:65536", "setpriv", "--bounding-set=-ipc_lock", "--inh-caps=-ipc_lock"]
    with pytest.raises(AssertionError) as refused:
        watched("snp", prefix=few)
    assert "RLIMIT_MEMLOCK" in str(refused.value)
    more = ["prlimit", "--memlock=3000000:3000000", "setpriv", "--bounding-set=-ipc_lock", "--inh-caps=-ipc_lock"]
    many = {f"k{i}": {"vault": "vault", "name": "mem-rsa", "format": "pem"} for i in range(700)}
    one = watched("snp", keys={"rsa": {"vault": "vault", "name": "mem-rsa"}, **many}, prefix=more)
    one.learn("rsa")
    seen = [one.mount.error(f"keys/{name}") for name in many]
    assert "" in seen and "ENOMEM" in seen, sorted(set(seen))
    assert set(seen) == {"", "ENOMEM"}
    assert one.mount.read("rsa") == one.secrets["rsa"]
    one.check("no more locked memory")
    anew(one)
    assert one.mount.error("keys/k0") == ""
