"""What a reader may rely on: the fixed semantics of the tree."""
import errno
import mmap
import os
import pathlib
import re
import signal
import subprocess
import threading
import time

import pytest
from lab import SKRFS, Mount, is_mounted, run, skrfs, wait_for


def test_listing_never_releases(lab, keys, mount):
    before = lab.counters()
    made = mount({name: keys[name] for name in keys})
    run("ls", "-lR", made.path)
    run("find", made.path, "-type", "f", "-size", "+100k")
    run("du", "-s", made.path)
    for name in keys:
        assert os.stat(made.key(name)).st_size == 0
    after = lab.counters()
    assert (after["attest"], after["release"], after["get"]) == (before["attest"], before["release"], before["get"])


def test_size_and_seeking(keys, mount):
    made = mount({"rsa": keys["rsa"]})
    with open(made.key("rsa"), "rb", buffering=0) as file:
        size = os.fstat(file.fileno()).st_size
        whole = file.read()
        assert size == len(whole) > 1600
        assert file.read() == b""
        file.seek(10)
        assert file.read(5) == whole[10:15]
        assert os.pread(file.fileno(), 100, size - 30) == whole[-30:]
        assert os.pread(file.fileno(), 100, size + 30) == b""
        assert os.lseek(file.fileno(), 0, os.SEEK_END) == size
    assert os.stat(made.key("rsa")).st_size == size
    for command in (["cat"], ["head", "-c", "999999"], ["dd", "status=none", "bs=7", "if=/dev/stdin"]):
        with open(made.key("rsa"), "rb") as file:
            assert subprocess.run(command, stdin=file, capture_output=True).stdout == whole
    copy = pathlib.Path(str(made.path) + ".copy")
    run("cp", made.key("rsa"), copy)
    assert copy.read_bytes() == whole
    out = os.open(copy, os.O_RDWR | os.O_TRUNC)
    with open(made.key("rsa"), "rb") as file:
        assert os.sendfile(out, file.fileno(), 0, size) == size
        with mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ, flags=mmap.MAP_PRIVATE) as mapped:
            assert mapped[:] == whole
    os.close(out)


def test_readers_that_ask_for_no_size(keys, mount):
    """sendfile trusts the size that the kernel has: it must be right inside the first open."""
    made = mount({name: keys[name] for name in keys})
    for path in ("keys/rsa", "keys/ec", "formats/oct/raw", "status/status.json", "status/why/rsa"):
        source = os.open(made.path / path, os.O_RDONLY)
        target = os.open("/dev/null", os.O_WRONLY)
        assert os.sendfile(target, source, None, 1 << 20) == os.fstat(source).st_size > 0, path
        os.close(source)
        os.close(target)
    for path in ("keys/rsa", "keys/ec", "keys/oct", "status/metrics"):
        fresh = mount({name: keys[name] for name in keys})
        copied = subprocess.run(["busybox", "cat", str(fresh.path / path)], capture_output=True)
        assert copied.returncode == 0 and len(copied.stdout) > 0, path
        if path.startswith("keys"):
            assert copied.stdout == (made.path / path).read_bytes()


def test_it_cannot_be_written(keys, mount):
    made = mount({"rsa": keys["rsa"]})
    for attempt in (lambda: open(made.key("rsa"), "wb"), lambda: os.unlink(made.key("rsa")), lambda: os.mkdir(made.path / "new"),
                    lambda: os.chmod(made.key("rsa"), 0o666), lambda: os.rename(made.key("rsa"), made.path / "keys/b")):
        with pytest.raises(OSError) as failure:
            attempt()
        assert failure.value.errno in (errno.EROFS, errno.EACCES, errno.EPERM)


def test_256_readers_one_attestation_one_release(lab, keys, mount):
    made = mount({"rsa": keys["rsa"]})
    lab.fault(at="release", delay_ms=2500, times=1)
    before = lab.counters()
    readers = [subprocess.Popen(["cat", str(made.key("rsa"))], stdout=subprocess.PIPE) for _ in range(256)]
    wait_for("all wait", lambda: made.status()["keys"][0]["waiters"] == 256, 20)
    threads = len(os.listdir(f"/proc/{made.processes()['keeper']}/task"))
    assert threads < 24, f"{threads} threads while 256 readers wait"
    outputs = {reader.communicate(timeout=30)[0] for reader in readers}
    assert all(reader.returncode == 0 for reader in readers)
    assert len(outputs) == 1 and outputs.pop().startswith(b"-----BEGIN PRIVATE KEY-----")
    after = lab.counters()
    assert after["attest"] - before["attest"] == 1
    assert after["release"] - before["release"] == 1


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_a_waiting_reader_can_be_ended_at_once(lab, keys, mount, number):
    made = mount({"rsa": keys["rsa"]}, network={"deadline": "25s"})
    lab.fault(at="release", delay_ms=15000, times=-1)
    took = []
    # A busy machine may be late once; an interrupt that waits for the release would be late each time, by seconds.
    for _ in range(5):
        # Where the tests run in the background, SIGINT is ignored, and so by all that they start.
        reader = subprocess.Popen(["cat", str(made.key("rsa"))], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                  preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL))
        wait_for("it waits", lambda: made.status()["keys"][0]["waiters"] == 1)
        time.sleep(0.1)
        begun = time.monotonic()
        reader.send_signal(number)
        reader.wait(5)
        took.append(time.monotonic() - begun)
        wait_for("nobody waits", lambda: made.status()["keys"][0]["waiters"] == 0)
        if took[-1] < 0.1:
            break
    assert min(took) < 0.1, took


def test_ls_answers_while_the_network_hangs(lab, keys, mount):
    made = mount({f"k{i}": keys["rsa"] for i in range(40)}, network={"deadline": "5s"})
    lab.fault(at="attest", do="no-answer", times=-1)
    readers = [subprocess.Popen(["cat", str(made.key(f"k{i}"))], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) for i in range(40)]
    time.sleep(0.5)
    begun = time.monotonic()
    assert len(os.listdir(made.path / "keys")) == 40
    for i in range(40):
        os.stat(made.key(f"k{i}"))
    assert time.monotonic() - begun < 3
    for reader in readers:
        reader.wait(20)


def test_handles_are_pinned_to_their_generation(lab, mount):
    lab.create("rolling")
    made = mount({"rolling": {"refresh": "1s"}})
    with open(made.key("rolling"), "rb", buffering=0) as old:
        first = os.pread(old.fileno(), 65536, 0)
        lab.create("rolling")
        time.sleep(1.2)
        second = made.read("rolling")
        assert first != second
        assert os.pread(old.fileno(), 65536, 0) == first


def test_unmounting_leaves_nothing(lab, keys, tmp_path):
    for way in ("fusermount3", "SIGTERM", "SIGINT"):
        conf = lab.config(tmp_path / "c.conf", {"rsa": keys["rsa"]})
        made = Mount(conf, tmp_path / "mnt")
        made.read("rsa")
        children = made.processes()
        if way == "fusermount3":
            run("fusermount3", "-u", made.path)
        else:
            made.process.send_signal(getattr(signal, way))
        assert made.process.wait(10) == 0, made.log()
        assert not is_mounted(made.path)
        assert not any(os.path.exists(f"/proc/{pid}") for pid in children.values())


def test_background_returns_when_the_mount_answers(lab, keys, tmp_path):
    path = tmp_path / "mnt"
    path.mkdir()
    conf = lab.config(tmp_path / "c.conf", {"rsa": keys["rsa"]}, mount={"path": path})
    done = skrfs("mount", "--config", conf)
    try:
        assert done.stdout == ""
        assert (path / "keys/rsa").read_bytes().startswith(b"-----BEGIN")
        assert "rsa" in skrfs("status", path).stdout
        assert "lab" in skrfs("status", path).stdout.lower()
    finally:
        run("fusermount3", "-u", path)
    wait_for("its processes end", lambda: not run("pgrep", "-f", str(conf), check=False).stdout.strip())
    bad = lab.config(tmp_path / "bad.conf", {"rsa": keys["rsa"]})
    done = skrfs("mount", "--config", bad, tmp_path / "not-there", check=False)
    assert done.returncode != 0 and "not-there" in done.stderr


def test_mount_helper(lab, keys, tmp_path):
    """`mount -t fuse.skrfs` runs `mount.fuse.skrfs`/`mount.fuse3`, fstab's `skrfs` type runs `mount.skrfs`."""
    path = tmp_path / "mnt"
    path.mkdir()
    conf = lab.config(tmp_path / "c.conf", {"rsa": keys["rsa"]})
    helper = tmp_path / "mount.skrfs"
    helper.symlink_to(SKRFS)
    run(helper, conf, path, "-o", "rw,allow_other,nofail,_netdev,x-systemd.automount")
    try:
        assert (path / "keys/rsa").read_bytes().startswith(b"-----BEGIN")
        assert "fuse.skrfs" in pathlib.Path("/proc/self/mounts").read_text()
        source, _, _, options, *_ = [line for line in open("/proc/self/mounts") if str(path) in line][0].split(" ")
        assert options.startswith("ro,")
        assert source == str(conf)  # `mount -a` knows by it that the line is mounted already
        again = run(helper, conf, path, check=False)
        assert again.returncode == 2 and "mounted" in again.stderr
    finally:
        run("fusermount3", "-u", path)
    binaries = tmp_path / "bin"
    binaries.mkdir()
    (binaries / "skrfs").symlink_to(SKRFS)
    environment = {**os.environ, "PATH": f"{binaries}:/usr/sbin:/usr/bin:/sbin:/bin"}
    installed = pathlib.Path("/usr/local/bin/skrfs")
    made_link = not installed.exists()
    if made_link:
        installed.symlink_to(SKRFS)
    try:
        run("mount", "-t", "fuse.skrfs", conf, path, "-o", "allow_other", env=environment)
        assert (path / "keys/rsa").read_bytes().startswith(b"-----BEGIN")
        run("umount", path)
    finally:
        if is_mounted(path):
            run("umount", "-l", path, check=False)
        if made_link:
            installed.unlink()
    done = run(helper, conf, path, "-o", "no_such_option", check=False)
    assert done.returncode != 0 and "no_such_option" in done.stderr


def test_status_files(keys, mount):
    made = mount({"rsa": keys["rsa"], "ghost": {}})
    assert (made.path / "status/health").read_text().strip() == "ok"
    made.read("rsa")
    assert made.error("keys/ghost") == "ENOENT"
    assert (made.path / "status/health").read_text().strip() == "degraded"
    status = made.status()
    assert status["lab"]
    by_name = {key["name"]: key for key in status["keys"]}
    assert by_name["rsa"]["state"] == "ready" and by_name["rsa"]["releases"] == 1
    assert by_name["ghost"]["failures"] == 1
    metrics = (made.path / "status/metrics").read_text()
    assert metrics.endswith("# EOF\n")
    assert 'skrfs_releases_total{key="rsa"} 1' in metrics
    why = made.why("rsa")
    for step in ("evidence", "attest", "release", "unwrap"):
        assert step in why, why
    done = run("setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", "cat", made.path / "status/status.json", check=False)
    assert done.returncode != 0


def test_many_threads_read_many_keys(lab, keys, mount):
    made = mount({f"k{i}": keys[["rsa", "ec", "oct"][i % 3]] for i in range(30)})
    failures = []

    def reader(number):
        for i in range(30):
            try:
                made.read(f"k{(i + number) % 30}")
            except OSError as failure:
                failures.append(failure)

    threads = [threading.Thread(target=reader, args=(i,)) for i in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not failures, (failures[:3], made.log()[-2000:])


def test_steps_of_a_service_are_for_a_service(keys, lab, tmp_path):
    conf = lab.config(tmp_path / "skrfs.conf", {"rsa": keys["rsa"]})
    folder = tmp_path / "keys"
    folder.mkdir()
    environment = {name: value for name, value in os.environ.items() if name not in ("NOTIFY_SOCKET", "LISTEN_FDS", "LISTEN_PID")}
    for step, at, why in (("prepare", folder, "this process's unit|service manager"), ("serve", folder, "the service manager keeps no mount to serve"),
                          ("begin", folder, "--service is prepare, serve or finish, not 'begin'"), ("serve", "keys", "an absolute path")):
        refused = skrfs("mount", "--service", step, "--config", conf, at, check=False, env=environment)
        assert refused.returncode != 0 and re.search(why, refused.stderr), (step, refused.stderr)
        assert not is_mounted(folder)
    # Nothing is mounted: there is nothing to finish.
    assert skrfs("mount", "--service", "finish", folder, env=environment).stderr == ""
