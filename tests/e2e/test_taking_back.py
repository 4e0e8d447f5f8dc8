"""Taking keys back: by an operator, after so many opens, at a time, at the end of their hours; from open files, mappings,
waiting opens, versions and formats; and that a keeper which dies gives nothing back."""
import concurrent.futures
import contextlib
import datetime
import errno
import os
import signal
import subprocess
import sys
import time

import pytest
from lab import Mount, run, skrfs, wait_for

OPEN_OTHER = ("-o", "allow_other")


@pytest.fixture(scope="module")
def evening(lab_session, tmp_path_factory):
    """A mount whose key's hours are over in one to two minutes; the last test waits for that."""
    folder = tmp_path_factory.mktemp("evening")
    lab_session.create("night", "hsm", "oct-HSM", size="256")
    now = datetime.datetime.now(datetime.timezone.utc).replace(second=0, microsecond=0)
    end = now + datetime.timedelta(minutes=1 if datetime.datetime.now().second < 20 else 2)
    settings = {"vault": "hsm", "format": "raw", "hours": f"{now - datetime.timedelta(hours=1):%H:%M}-{end:%H:%M}"}
    with Mount(lab_session.config(folder / "c", {"night": settings}), folder / "m") as made:
        yield made, end.timestamp()


@pytest.fixture(autouse=True)
def begun(evening):
    """The hours run while the other tests do."""


def state(made, name):
    return next(key for key in made.status()["keys"] if key["name"] == name)


def secrets(made):
    return made.status()["memory"]["secrets"]


def fails(number, call, *arguments):
    with pytest.raises(OSError) as failure:
        call(*arguments)
    assert failure.value.errno == number, failure.value
    return True


def revoked(call, *arguments):
    return fails(errno.EKEYREVOKED, call, *arguments)


@contextlib.contextmanager
def opened(path):
    descriptor = os.open(path, os.O_RDONLY)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def fault_in_mapping(path, between):
    """Maps the file in a process of its own and touches it before and after between(): the signal it dies of, or 0."""
    script = ("import mmap, os, sys\n"
              "fd = os.open(sys.argv[1], os.O_RDONLY); m = mmap.mmap(fd, 8, mmap.MAP_PRIVATE, mmap.PROT_READ)\n"
              "m[0]; print('mapped', flush=True); sys.stdin.readline(); m[0]; os._exit(0)")
    process = subprocess.Popen([sys.executable, "-c", script, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdout.readline() == b"mapped\n"
    between()
    process.stdin.write(b"\n")
    process.stdin.close()
    return -process.wait(20)


# ---- wipe


def test_a_wipe_leaves_nothing(lab, keys, mount):
    made = mount({"rsa": keys["rsa"], "oct": keys["oct"]}, *OPEN_OTHER)
    version = None
    with contextlib.ExitStack() as stack:
        made.read("oct")
        version = state(made, "oct")["version"]
        paths = ["keys/oct", "formats/oct/raw", f"versions/oct/{version}", "formats/oct/jwk", "keys/rsa", "formats/rsa/der", "formats/rsa/openssh"]
        files = [stack.enter_context(opened(made.path / path)) for path in paths]
        assert all(os.pread(file, 8, 0) for file in files)
        assert secrets(made) >= len(paths) - 1
        other = stack.enter_context(opened(made.path / "formats/rsa/pub.pem"))
        skrfs("wipe", "oct", made.path)
        assert all(revoked(os.pread, file, 8, 0) for file in files[:4])
        assert all(os.pread(file, 8, 0) for file in files[4:])
        skrfs("wipe", "--all", made.path)
        assert all(revoked(os.pread, file, 8, 0) for file in [*files, other])
        # Nothing waits for the open files to be closed.
        assert secrets(made) == 0
        assert made.read("oct") == lab_bytes(made, "oct")
        assert revoked(os.pread, files[0], 8, 0), "an old handle stays dead when the key is back"


def lab_bytes(made, name):
    return (made.path / f"formats/{name}/raw").read_bytes()


def test_a_wipe_reaches_mappings(keys, mount):
    made = mount({"oct": keys["oct"]}, *OPEN_OTHER)
    assert fault_in_mapping(made.key("oct"), lambda: skrfs("wipe", "oct", made.path)) == signal.SIGBUS
    assert fault_in_mapping(made.key("oct"), lambda: None) == 0


def test_a_wipe_while_the_release_is_under_way(lab, keys, mount):
    """Who waits gets a key that was released after the wipe; what arrived before it is thrown away."""
    made = mount({"oct": keys["oct"]}, *OPEN_OTHER)
    before = lab.counters().get("release", 0)
    lab.fault(at="release", delay_ms=1500)
    with concurrent.futures.ThreadPoolExecutor(64) as pool:
        readers = [pool.submit(made.read, "oct") for _ in range(64)]
        wait_for("the opens wait", lambda: state(made, "oct")["waiters"] == 64)
        wait_for("the release is under way", lambda: lab.counters().get("release", 0) == before + 1)
        skrfs("wipe", "oct", made.path)
        assert len({reader.result(30) for reader in readers}) == 1
    assert lab.counters()["release"] == before + 2


def test_wipes_against_64_readers(keys, mount):
    made = mount({"oct": keys["oct"]}, *OPEN_OTHER)
    right = made.read("oct")
    seen = set()

    def reader():
        for _ in range(15):
            with opened(made.key("oct")) as file:
                try:
                    seen.add(os.pread(file, 64, 0) == right)
                except OSError as failure:
                    seen.add(failure.errno)

    with concurrent.futures.ThreadPoolExecutor(64) as pool:
        readers = [pool.submit(reader) for _ in range(64)]
        while not all(one.done() for one in readers):
            skrfs("wipe", "--all", made.path)
        for one in readers:
            one.result()
    assert True in seen and seen <= {True, errno.EKEYREVOKED}
    skrfs("wipe", "--all", made.path)
    wait_for("nothing is left", lambda: secrets(made) == 0)


# ---- reads = n


def test_reads_are_counted(lab, keys, mount):
    made = mount({"oct": {**keys["oct"], "reads": 3}}, *OPEN_OTHER)
    version = None
    with opened(made.key("oct")) as first:
        right = os.pread(first, 64, 0)
        version = state(made, "oct")["version"]
        with opened(made.path / f"versions/oct/{version}") as second, opened(made.path / "formats/oct/raw") as third:
            assert made.error("keys/oct") == "EKEYREVOKED"
            # Files that are open are read further on, again and again.
            assert all(os.pread(file, 64, 0) == right for file in (first, second, third) for _ in range(3))
            assert state(made, "oct")["state"] == "gone"
        assert os.pread(first, 64, 0) == right
        assert "is gone" not in made.log()
    wait_for("the last one closed", lambda: "'oct' is gone: the key was opened 3 times" in made.log())
    assert secrets(made) == 0
    before = lab.counters()
    for path in ("keys/oct", "formats/oct/jwk", f"versions/oct/{version}", "versions/oct/" + "0" * 32):
        assert made.error(path) == "EKEYREVOKED"
    assert lab.counters() == before, "a key that is gone is not asked for"
    why = made.why("oct")
    assert "opened 3 times" in why and "skrfs renew oct" in why and "reads:     3 of 3" in why
    assert state(made, "oct")["limits"]["used"] == 3 and state(made, "oct")["limits"]["gone"]
    assert "opened 3 times" in skrfs("status", made.path).stdout
    assert made.status()["health"] == "ok"
    skrfs("renew", "oct", made.path)
    assert made.read("oct") == right
    assert state(made, "oct")["limits"] == {"reads": 3, "used": 1, "until": None, "until_unit": None, "gone": None}


def test_no_more_than_so_many_of_64(keys, mount):
    made = mount({"oct": {**keys["oct"], "reads": 5}}, *OPEN_OTHER)

    def reader(_):
        try:
            with opened(made.key("oct")) as file:
                return os.pread(file, 64, 0)
        except OSError as failure:
            return failure.errno

    for _ in range(2):
        with concurrent.futures.ThreadPoolExecutor(64) as pool:
            results = list(pool.map(reader, range(64)))
        assert sorted(map(str, results))[:59] == [str(errno.EKEYREVOKED)] * 59, results
        assert len([one for one in results if isinstance(one, bytes) and len(one) == 32]) == 5
        wait_for("gone", lambda: state(made, "oct")["limits"]["gone"])
        assert secrets(made) == 0
        skrfs("renew", "--all", made.path)


def test_public_formats_are_not_limited(lab, mount):
    lab.create("shown", "vault", "RSA-HSM", size="2048")
    made = mount({"shown": {"reads": 1}}, *OPEN_OTHER)
    public = (made.path / "formats/shown/pub.pem").read_bytes()
    with opened(made.path / "formats/shown/pub.pem") as file:
        assert made.read("shown")
        wait_for("gone", lambda: state(made, "shown")["limits"]["gone"])
        assert made.error("keys/shown") == "EKEYREVOKED"
        assert os.pread(file, 4096, 0) == public
        for _ in range(3):
            assert (made.path / "formats/shown/pub.pem").read_bytes() == public
    assert state(made, "shown")["limits"]["used"] == 1


def test_opens_that_nobody_takes_do_not_count(lab, keys, mount):
    made = mount({"oct": {**keys["oct"], "reads": 1}}, *OPEN_OTHER)
    lab.fault(at="release", delay_ms=1500)
    waiting = [subprocess.Popen(["cat", made.key("oct")], stdout=subprocess.DEVNULL) for _ in range(3)]
    wait_for("they wait", lambda: state(made, "oct")["waiters"] == 3)
    for process in waiting:
        process.kill()
        process.wait()
    wait_for("they are gone", lambda: state(made, "oct")["waiters"] == 0)
    # Neither stat, nor listings, nor opens that fail or are denied.
    os.stat(made.key("oct"))
    os.listdir(made.path / "keys")
    assert run("setpriv", "--reuid", "1000", "--clear-groups", "cat", made.key("oct"), check=False).returncode
    assert made.error("formats/oct/openssh") not in ("", "EKEYREVOKED")
    assert state(made, "oct")["limits"]["used"] == 0
    assert made.read("oct")
    wait_for("gone", lambda: state(made, "oct")["limits"]["gone"])


def test_a_dead_keeper_renews_nothing(lab, keys, mount):
    made = mount({"oct": {**keys["oct"], "reads": 3}, "rsa": {**keys["rsa"], "reads": 2}, "ec": {**keys["ec"], "until": "1h"}}, *OPEN_OTHER)
    made.read("oct")
    made.read("rsa")
    end = state(made, "ec")["limits"]["until"]
    with opened(made.key("rsa")):
        kill_keeper(made)
    # Given as often as allowed, and its handles died with the keeper.
    assert made.error("keys/rsa") == "EKEYREVOKED"
    assert state(made, "rsa")["limits"]["gone"]
    made.read("oct")
    made.read("oct")
    assert made.error("keys/oct") == "EKEYREVOKED"
    kill_keeper(made)
    assert made.error("keys/oct") == "EKEYREVOKED"
    distance = datetime.datetime.fromisoformat(state(made, "ec")["limits"]["until"][:-1]) - datetime.datetime.fromisoformat(end[:-1])
    assert abs(distance.total_seconds()) <= 2
    skrfs("renew", "oct", made.path)
    assert made.read("oct")
    assert made.error("keys/rsa") == "EKEYREVOKED"


def kill_keeper(made):
    before = made.processes()["keeper"]
    made.kill("keeper")
    wait_for("another keeper answers", lambda: made.processes().get("keeper", before) != before and made.error("status/health") == "")


# ---- until =


def test_until_a_span_of_time(lab, keys, mount):
    begun = time.monotonic()
    made = mount({"oct": {**keys["oct"], "until": "5s"}, "rsa": keys["rsa"]}, *OPEN_OTHER)
    with opened(made.key("oct")) as file, opened(made.key("rsa")) as other:
        os.pread(file, 8, 0)

        def over():
            wait_for("the time is over", lambda: "'oct' is gone" in made.log())

        assert fault_in_mapping(made.key("oct"), over) == signal.SIGBUS
        assert time.monotonic() - begun >= 4.5
        assert revoked(os.pread, file, 8, 0)
        assert os.pread(other, 8, 0)
        skrfs("wipe", "rsa", made.path)
        assert secrets(made) == 0
    before = lab.counters()
    assert made.error("keys/oct") == "EKEYREVOKED" and made.error("formats/oct/jwk") == "EKEYREVOKED"
    kill_keeper(made)
    assert made.error("keys/oct") == "EKEYREVOKED"
    assert lab.counters() == before
    assert "its time was over" in made.why("oct")
    skrfs("renew", "oct", made.path)
    assert made.read("oct")
    wait_for("it is over again", lambda: made.error("keys/oct") == "EKEYREVOKED")
    assert made.log().count("'oct' is gone") == 2


def test_until_a_moment(keys, mount):
    end = int(time.time()) + 6
    text = datetime.datetime.fromtimestamp(end, datetime.timezone(datetime.timedelta(hours=2))).isoformat()
    past = {**keys["rsa"], "until": "2020-01-01T00:00:00Z"}
    made = mount({"oct": {**keys["oct"], "until": text}, "rsa": past}, *OPEN_OTHER)
    assert made.error("keys/rsa") == "EKEYREVOKED"
    with opened(made.key("oct")) as file:
        assert os.pread(file, 8, 0)
        wait_for("the moment comes", lambda: time.time() >= end)
        assert revoked(os.pread, file, 8, 0), "to the second, whatever the clockwork does"
        wait_for("it is gone", lambda: "'oct' is gone" in made.log())
        assert secrets(made) == 0
    # An operator cannot renew what the calendar took: a later moment has to be written.
    done = skrfs("renew", "oct", made.path, check=False)
    assert done.returncode != 0 and "stays gone" in done.stderr
    assert made.error("keys/oct") == "EKEYREVOKED"
    done = skrfs("renew", "--all", made.path, check=False)
    assert done.returncode != 0 and "not every key" in done.stderr


def test_taken_back_while_the_release_is_under_way(lab, keys, mount):
    """Nobody gets it who waits when its time is over, and nothing is asked for again."""
    made = mount({"oct": {**keys["oct"], "until": "3s"}}, *OPEN_OTHER)
    before = lab.counters().get("release", 0)
    lab.fault(at="release", delay_ms=6000)
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        results = list(pool.map(made.error, ["keys/oct"] * 16))
    assert set(results) == {"EKEYREVOKED"}
    wait_for("what arrived is thrown away", lambda: secrets(made) == 0 and state(made, "oct")["waiters"] == 0)
    assert lab.counters().get("release", 0) <= before + 1


# ---- who may


def test_only_root_and_who_mounted_renew(keys, mount):
    made = mount({"oct": {**keys["oct"], "reads": 1}, "rsa": keys["rsa"]}, *OPEN_OTHER)
    made.read("oct")
    done = run("setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", skrfs_program(), "renew", "oct", made.path, check=False)
    assert done.returncode != 0
    # A descriptor that was handed on is no leave either.
    with opened(made.path / "status/why/oct") as file:
        child = os.fork()
        if child == 0:
            import fcntl
            os.setgid(65533)
            os.setuid(65533)
            try:
                fcntl.ioctl(file, 0x7352)
            except OSError as failure:
                os._exit(failure.errno)
            os._exit(0)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == errno.EACCES
    assert made.error("keys/oct") == "EKEYREVOKED"
    assert "denied: renew" in made.log()
    done = skrfs("renew", "rsa", made.path, check=False)
    assert done.returncode != 0 and "neither" in done.stderr
    skrfs("renew", "--all", made.path)
    assert made.read("oct")
    assert "renewed every key by uid 0" in made.log()


def skrfs_program():
    """Where another user can run it."""
    from test_failures import PROGRAM
    return PROGRAM


# ---- hours =


def test_outside_of_the_hours(lab, keys, mount):
    now = datetime.datetime.now(datetime.timezone.utc)
    later, end = now + datetime.timedelta(hours=2), now + datetime.timedelta(hours=3)
    made = mount({"oct": {**keys["oct"], "hours": f"{later:%H:%M}-{end:%H:%M}"}, "rsa": {**keys["rsa"], "hours": "00:00-24:00"}}, *OPEN_OTHER)
    before = lab.counters()
    for path in ("keys/oct", "formats/oct/raw", "versions/oct/" + "0" * 32):
        assert made.error(path) == "EACCES"
    assert lab.counters() == before
    assert "outside of the key's hours" in made.why("oct")
    assert made.read("rsa")


def test_the_end_of_the_hours(evening):
    """Last, so that most of the time has passed by now."""
    made, end = evening
    with opened(made.key("night")) as file:
        assert os.pread(file, 8, 0) and secrets(made)
        assert time.time() < end

        def over():
            wait_for("the hours are over", lambda: time.time() >= end, 150)
            assert fails(errno.EACCES, os.pread, file, 8, 0)
            wait_for("it is wiped", lambda: secrets(made) == 0)

        assert fault_in_mapping(made.key("night"), over) == signal.SIGBUS
    assert made.error("keys/night") == "EACCES"
    assert "wiped 'night': its hours are over" in made.log()
    assert state(made, "night")["state"] == "empty"
