"""The audit: what is recorded, that nothing is missing from it, and that nobody reads without where it is required."""
import hashlib
import json
import os
import pathlib
import signal
import socket
import stat
import subprocess
import threading
import time

import pytest
from lab import SKRFS, Mount, run, skrfs, wait_for

ZEROS = "0" * 64


def records(*paths):
    """All records of files, the oldest first: read without skrfs's help, digests and chain checked."""
    found, previous = [], None
    for path in paths:
        for line in pathlib.Path(path).read_text().splitlines():
            digest, text = line.split(" ", 1)
            assert hashlib.sha256(text.encode()).hexdigest() == digest
            record = json.loads(text)
            assert previous is None or (record["prev"] == previous[0] and record["seq"] == previous[1] + 1)
            previous = digest, record["seq"]
            found.append({**record, "digest": digest})
    return found


def of(kind, found, **wanted):
    return [one for one in found if one["kind"] == kind and all(one.get(name) == value for name, value in wanted.items())]


@pytest.fixture
def log(tmp_path):
    folder = tmp_path / "audit"
    folder.mkdir()
    return folder / "audit.log"


def settled(made, log):
    """The file, once all that was recorded so far is in it."""
    wait_for("nothing waits for the scribe", lambda: made.status()["audit"]["waiting"] == 0)
    return records(log)


def as_nobody(*args):
    return subprocess.run([str(arg) for arg in args], capture_output=True, user=65534, group=65534, extra_groups=[])


def test_every_kind_of_record(lab, keys, mount, log):
    made = mount({"rsa": keys["rsa"], "ec": {**keys["ec"], "mode": "0444"}}, audit={"file": log, "journal": "no"})
    assert stat.S_IMODE(os.stat(log).st_mode) == 0o640
    key = made.read("rsa")
    assert as_nobody("cat", made.key("rsa")).returncode != 0
    with open(made.key("rsa"), "rb", buffering=0) as file:
        pid = os.fork()
        if pid == 0:
            os._exit(len(file.read()) != len(key))
        assert os.waitpid(pid, 0)[1] == 0
        pid = os.fork()
        if pid == 0:
            os.setgroups([]), os.setresgid(65534, 65534, 65534), os.setresuid(65534, 65534, 65534)
            os._exit(0 if not_readable(file) else 1)
        assert os.waitpid(pid, 0)[1] == 0
    lab.fault(at="release", status=403, times=1)
    assert made.error("keys/ec") != ""
    skrfs("wipe", "rsa", made.path)
    found = settled(made, log)

    begin = found[0]
    assert (begin["kind"], begin["seq"], begin["prev"], begin["process"]) == ("begin", 1, ZEROS, "scribe")
    assert begin["mount"] == str(made.path) and begin["boot_id"] == pathlib.Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    assert begin["config"] == str(made.conf) and begin["config_sha256"] == hashlib.sha256(pathlib.Path(made.conf).read_bytes()).hexdigest()
    assert begin["file"] == {"number": 1, "oldest": 1}

    release, = of("release", found, verdict="released")
    assert (release["key"], release["vault"], release["name"], release["release"]) == ("rsa", "vault", "rsa", 1)
    assert release["kid"].startswith(lab.vaults["vault"]) and release["version"] in release["kid"]
    assert release["tee"] == "azure-cvm" and release["enc"].startswith("RSA_AES")
    assert len(release["measurement"]) == 96 and release["boot_id"] == begin["boot_id"]
    for name in ("token_sha256", "jws_sha256", "pcrs_sha256"):
        assert len(release[name]) == 64, name
    failed = of("release", found, verdict="failed")[0]
    assert failed["key"] == "ec" and failed["upstream"] == 403 and failed["class"] == "rejected" and "release" not in failed

    granted = of("open", found, verdict="granted", path="keys/rsa")
    assert granted[0]["version"] == release["version"] and granted[0]["release"] == 1 and granted[0]["rule"] == "mode 0400"
    assert granted[0]["who"]["uid"] == 0 and granted[0]["who"]["pid"] == os.getpid() and granted[0]["who"]["exe"].startswith("/usr/bin/python")
    denied, = of("open", found, verdict="refused", **{"class": "denied"})
    assert denied["who"]["uid"] == 65534 and denied["who"]["exe"].endswith("/cat") and "uid 65534" in denied["reason"]
    refused = of("open", found, verdict="refused", key="ec")[0]
    assert refused["class"] == "rejected"
    theirs, = of("read", found, verdict="granted")
    assert theirs["who"]["uid"] == 0 and theirs["who"]["pid"] != os.getpid()
    strangers, = of("read", found, verdict="refused")
    assert strangers["who"]["uid"] == 65534 and strangers["class"] == "denied"
    wiped, = of("wipe", found)
    assert wiped["key"] == "rsa" and wiped["verdict"] == "done" and wiped["who"]["uid"] == 0

    # A denial is recorded before anything is asked for, and so is what came of it afterwards.
    assert found.index(release) < found.index(granted[0])
    head = made.status()["audit"]
    assert (head["seq"], head["digest"], head["file"], head["lost"]) == (found[-1]["seq"], found[-1]["digest"], str(log), 0)
    made.stop()
    assert records(log)[-1]["kind"] == "end"


def not_readable(file):
    try:
        return not os.pread(file.fileno(), 1, 0)
    except PermissionError:
        return True


def verify(*arguments, check=True):
    done = skrfs("audit", "verify", *arguments, check=False)
    assert not check or done.returncode == 0, done.stdout + done.stderr
    return done


def test_verbs(lab, keys, mount, log):
    made = mount({"rsa": keys["rsa"]}, audit={"file": log, "journal": "no"})
    missing = skrfs("receipt", "rsa", made.path, check=False)
    assert missing.returncode != 0 and "not released since" in missing.stderr
    assert made.error("status/receipts/rsa") == "ENOENT"
    made.read("rsa")
    assert as_nobody("cat", made.key("rsa")).returncode != 0
    found = settled(made, log)
    release = of("release", found)[0]
    receipt = json.loads(skrfs("receipt", "rsa", made.path, "--json").stdout)
    assert {name: receipt[name] for name in ("vault", "kid", "measurement", "pcrs_sha256", "token_sha256", "jws_sha256", "boot_id")} == {
        name: release[name] for name in ("vault", "kid", "measurement", "pcrs_sha256", "token_sha256", "jws_sha256", "boot_id")}
    assert (receipt["audit"]["seq"], receipt["audit"]["digest"]) == (release["seq"], release["digest"])
    told = skrfs("receipt", "rsa", made.path).stdout
    assert release["measurement"] in told and f"record {release['seq']} of chain" in told
    assert as_nobody(SKRFS, "receipt", "rsa", made.path).returncode != 0
    found = settled(made, log)

    assert "nothing is missing or changed" in verify("--mount", made.path).stdout
    assert "has no end" in verify(log, check=False).stdout
    shown = skrfs("audit", "show", log).stdout
    assert len(shown.splitlines()) == len(found) and "keys/rsa opened by uid 0" in shown
    only = skrfs("audit", "show", "--mount", made.path, "--key", "rsa", "--user", "nobody", "--since", "1h").stdout
    assert "keys/rsa not opened for uid 65534" in only and " by uid 0" not in only
    assert skrfs("audit", "show", "--since", "2100-01-01", log).stdout == ""
    assert [json.loads(line) for line in skrfs("audit", "show", "--json", log).stdout.splitlines()] == [
        {name: value for name, value in one.items() if name != "digest"} for one in found]

    # The end cut off is found with the live mount's head, or with one that was noted down.
    whole = log.read_text()
    lines = whole.splitlines(keepends=True)
    log.write_text("".join(lines[:-2]))
    cut = verify("--mount", made.path, check=False)
    assert f"cut off: the last record is {len(lines) - 2}, and record {len(lines)} was written" in cut.stdout
    noted = f"{found[-1]['seq']}:{found[-1]['digest']}"
    assert "cut off" in verify("--head", noted, log, check=False).stdout
    log.write_text(whole)
    verify("--head", noted, log)
    log.write_text(whole.replace("uid 65534", "uid 65535", 1))
    assert "changed: the digest" in verify("--head", noted, log, check=False).stdout
    log.write_text(whole)
    made.stop()
    verify(log)
    assert skrfs("audit", "verify", "-", check=False, input=None).returncode != 0


def test_it_goes_on_after_another_mount_and_after_a_torn_line(lab, keys, mount, log):
    for _ in range(2):
        made = mount({"rsa": keys["rsa"]}, audit={"file": log, "journal": "no"})
        made.read("rsa")
        made.stop()
    with open(log, "a") as file:
        file.write("0123456789abcdef half a rec")
    made = mount({"rsa": keys["rsa"]}, audit={"file": log, "journal": "no"})
    made.stop()
    found = records(log)
    begins = of("begin", found)
    assert len(begins) == 3 and len(of("end", found)) == 3 and len({one["chain"] for one in found}) == 1
    assert begins[2]["torn"] == len("0123456789abcdef half a rec") and "torn" not in begins[1]
    verify(log)


def test_a_mount_that_was_killed_has_no_end(lab, keys, mount, log):
    made = mount({"rsa": keys["rsa"]}, audit={"file": log, "journal": "no"})
    made.read("rsa")
    settled(made, log)
    made.process.kill()
    made.process.wait()
    made.stop()
    assert "the chain has no end" in verify(log, check=False).stdout
    made = mount({"rsa": keys["rsa"]}, audit={"file": log, "journal": "no"})
    os.kill(made.processes()["scribe"], signal.SIGKILL)
    wait_for("it is there again", lambda: len(of("begin", records(log))) == 3)
    made.stop()
    assert [one.get("restart", False) for one in of("begin", records(log))] == [False, False, True]
    told = verify(log).stdout
    assert told.count("note: ") == 1 and "the mount before this one has no end" in told


def test_a_second_mount_cannot_write_to_the_same_file(lab, keys, mount, log):
    mount({"rsa": keys["rsa"]}, audit={"file": log, "journal": "no"})
    with pytest.raises(AssertionError, match="another mount writes to it"):
        mount({"rsa": keys["rsa"]}, audit={"file": log, "journal": "no"})


@pytest.mark.parametrize("role", ["scribe", "keeper", "courier"])
def test_processes_die_under_load(lab, keys, mount, log, role):
    """Whoever got a key is in the records; nothing is written twice, nothing is torn."""
    made = mount({"rsa": keys["rsa"]}, audit={"file": log, "journal": "no", "required": "yes"})
    made.read("rsa")
    opened, stop = [0] * 4, threading.Event()

    def read(number):
        while not stop.is_set():
            try:
                with open(made.key("rsa"), "rb", buffering=0):
                    opened[number] += 1
            except OSError:
                time.sleep(0.01)

    threads = [threading.Thread(target=read, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for _ in range(4):
        before = sum(opened)
        wait_for("readers get on", lambda: sum(opened) >= before + 50, 60)
        pid = wait_for("it is there", lambda: made.processes().get(role), 30)
        os.kill(pid, signal.SIGKILL)
        wait_for("it is there again", lambda: made.processes().get(role) not in (None, pid), 30)
    before = sum(opened)
    wait_for("readers get on", lambda: sum(opened) >= before + 20, 60)
    stop.set()
    for thread in threads:
        thread.join()
    found = settled(made, log)
    assert len(of("open", found, verdict="granted")) >= sum(opened) + 1
    begins = of("begin", found)
    assert len(begins) == (1 if role == "courier" else 5)
    assert {one["process"] for one in begins[1:]} <= {role}
    verify("--mount", made.path)
    made.stop()
    verify(log)
    found = records(log)
    granted = len(of("open", found, verdict="granted"))
    if role == "courier":
        assert granted == sum(opened) + 1
    if role == "scribe":  # who waited too long was refused, and that is the record behind
        assert granted - sum(opened) - 1 <= sum(one.get("repeated", 1) for one in of("open", found, verdict="refused"))


def test_a_scribe_that_hangs(lab, keys, mount, log):
    made = mount({"rsa": keys["rsa"]}, audit={"file": log, "journal": "no", "required": "yes"})
    key = made.read("rsa")
    scribe = made.processes()["scribe"]
    os.kill(scribe, signal.SIGSTOP)
    begun = time.monotonic()
    assert made.error("keys/rsa") == "EAGAIN"
    assert 0.3 < time.monotonic() - begun < 5
    # Now it is known: nobody waits any more, and a denial is a denial at once.
    begun = time.monotonic()
    for _ in range(20):
        assert made.error("keys/rsa") == "EAGAIN"
    assert time.monotonic() - begun < 5
    assert as_nobody("cat", made.key("rsa")).returncode != 0
    assert made.status()["audit"]["stuck"] is True
    assert "the audit is required and cannot be written" in made.log()
    assert (made.path / "status/health").read_text() == "failing\n"
    assert "the audit cannot be written: the scribe does not answer" in skrfs("status", made.path).stdout
    assert "skrfs_audit_stuck 1" in (made.path / "status/metrics").read_text()
    os.kill(scribe, signal.SIGCONT)
    wait_for("it is read again", lambda: made.error("keys/rsa") == "")
    assert made.read("rsa") == key
    found = settled(made, log)
    assert of("open", found, verdict="refused", **{"class": "unavailable"})
    assert of("open", found, verdict="refused", **{"class": "denied"})
    assert (made.path / "status/health").read_text() == "ok\n" and "skrfs_audit_stuck 0" in (made.path / "status/metrics").read_text()
    verify("--mount", made.path)


def test_a_scribe_that_hangs_holds_nobody_up_where_it_is_not_required(lab, keys, mount, log):
    made = mount({"rsa": keys["rsa"]}, audit={"file": log, "journal": "no"})
    made.read("rsa")
    scribe = made.processes()["scribe"]
    os.kill(scribe, signal.SIGSTOP)
    slowest = 0
    for _ in range(6000):
        begun = time.monotonic()
        os.close(os.open(made.key("rsa"), os.O_RDONLY))
        slowest = max(slowest, time.monotonic() - begun)
    assert slowest < 2
    status = made.status()["audit"]
    assert status["lost"] > 0 and status["waiting"] <= 4096
    os.kill(scribe, signal.SIGCONT)
    wait_for("the queue is written", lambda: made.status()["audit"]["waiting"] == 0, 60)
    made.read("rsa")
    found = settled(made, log)
    lost = sum(one["lost"] for one in of("lost", found))
    assert lost == status["lost"] == made.status()["audit"]["lost"]
    assert len(of("open", found)) + lost == 6002
    verify("--mount", made.path)


def test_refusals_share_records(lab, keys, mount, log):
    made = mount({"rsa": keys["rsa"]}, audit={"file": log, "journal": "no"})
    tries = 3000
    script = f"import os\nfor i in range({tries}):\n  try: os.open({str(made.key('rsa'))!r}, 0)\n  except PermissionError: pass\n"
    begun = time.monotonic()
    assert as_nobody("/usr/bin/python3", "-c", script).returncode == 0
    assert as_nobody("cat", made.key("rsa")).returncode != 0  # another program, another record
    wait_for("all are counted", lambda: sum(1 + one.get("repeated", 0) - (1 if "repeated" in one else 0) for one in of(
        "open", records(log), verdict="refused")) == tries + 1, 30)
    took = time.monotonic() - begun
    refused = of("open", records(log), verdict="refused")
    assert len(refused) <= took + 3 and "repeated" not in refused[0]
    made.stop()
    verify(log)


def test_files_put_aside(lab, keys, mount, log):
    made = mount({"rsa": keys["rsa"]}, audit={"file": log, "journal": "no", "max-size": "64K", "keep": "2"})
    made.read("rsa")
    for _ in range(700):
        os.close(os.open(made.key("rsa"), os.O_RDONLY))
    wait_for("nothing waits", lambda: made.status()["audit"]["waiting"] == 0)
    assert sorted(path.name for path in log.parent.iterdir()) == ["audit.log", "audit.log.1", "audit.log.2"]
    assert all(stat.S_IMODE(path.stat().st_mode) == 0o640 for path in log.parent.iterdir())
    found = records(f"{log}.2", f"{log}.1", log)
    assert found[0]["seq"] > 1 and records(log)[0]["file"]["oldest"] == found[0]["seq"]
    assert "in files that are no longer kept" in verify("--mount", made.path).stdout
    os.kill(made.processes()["scribe"], signal.SIGKILL)
    wait_for("it is there again", lambda: len(of("begin", records(log))) == 1)
    made.stop()
    verify(log)
    os.unlink(f"{log}.2")
    assert "removed: the records from" in verify(log, check=False).stdout


def test_what_is_cut_off_while_it_runs_is_told_in_the_chain(lab, keys, mount, log):
    made = mount({"rsa": keys["rsa"]}, audit={"file": log, "journal": "no"})
    made.read("rsa")
    found = settled(made, log)
    log.write_text("".join(log.read_text().splitlines(keepends=True)[:-1]))
    os.kill(made.processes()["scribe"], signal.SIGKILL)
    wait_for("another one writes", lambda: "cut" in json.loads(log.read_text().splitlines()[-1].split(" ", 1)[1]))
    last = json.loads(log.read_text().splitlines()[-1].split(" ", 1)[1])
    assert last["cut"] == {"seq": found[-1]["seq"], "digest": found[-1]["digest"]}
    made.stop()
    assert "removed: between records" in verify(log, check=False).stdout


@pytest.fixture
def small(tmp_path):
    """A file system of 192 KiB for the log."""
    folder = tmp_path / "small"
    folder.mkdir()
    run("mount", "-t", "tmpfs", "-o", "size=192k,mode=755", "skrfs-test", folder)
    yield folder
    run("umount", "-l", folder)


def test_disk_full(lab, keys, mount, small):
    log = small / "audit.log"
    made = mount({"rsa": keys["rsa"]}, audit={"file": log, "journal": "no", "required": "yes"})
    key = made.read("rsa")
    (small / "other").write_bytes(b"x" * 150 * 1024)
    wait_for("it is full", lambda: made.error("keys/rsa") == "EAGAIN", 30)
    assert "No space left on device" in made.log() and made.status()["audit"]["stuck"] is True
    assert "No space left on device" in made.status()["audit"]["trouble"]
    assert made.error("keys/rsa") == "EAGAIN"
    (small / "other").unlink()
    wait_for("it is read again", lambda: made.error("keys/rsa") == "")
    assert made.read("rsa") == key
    found = settled(made, log)
    assert of("open", found, verdict="refused", **{"class": "unavailable"})
    verify("--mount", made.path)
    made.stop()
    verify(log)


def test_a_file_that_cannot_be_written(lab, keys, mount, tmp_path, log):
    with pytest.raises(AssertionError, match="audit file /nowhere/audit.log: No such file"):
        mount({"rsa": keys["rsa"]}, audit={"file": "/nowhere/audit.log", "journal": "no"})
    log.mkdir()
    with pytest.raises(AssertionError, match="audit file"):
        mount({"rsa": keys["rsa"]}, audit={"file": log, "journal": "no"})
    log.rmdir()
    run("mount", "-t", "tmpfs", "-o", "ro", "skrfs-test", log.parent)
    try:
        with pytest.raises(AssertionError, match="Read-only file system"):
            mount({"rsa": keys["rsa"]}, audit={"file": log, "journal": "no"})
    finally:
        run("umount", log.parent)
    log.write_text("this is somebody else's\n")
    with pytest.raises(AssertionError, match="its last line is no record"):
        mount({"rsa": keys["rsa"]}, audit={"file": log, "journal": "no"})
    os.chmod(log, 0o666)
    with pytest.raises(AssertionError, match="everybody may write it"):
        mount({"rsa": keys["rsa"]}, audit={"file": log, "journal": "no"})


def test_no_secret_in_any_record(lab, keys, mount, log):
    made = mount({name: keys[name] for name in keys}, audit={"file": log, "journal": "no"})
    secrets = [made.read(name) for name in keys]
    secrets += [(made.path / "formats/rsa/der").read_bytes(), json.loads((made.path / "formats/ec/jwk").read_text())["d"].encode()]
    skrfs("receipt", "rsa", made.path)
    made.stop()
    text = log.read_bytes()
    assert b"eyJ" not in text  # how a token, a JWS and a JWK's members begin in base64url
    for secret in secrets:
        for form in (secret, secret.hex().encode()):
            for at in range(0, len(form) - 16, 5):
                assert form[at:at + 16] not in text
    body = b"".join(secrets[0].split(b"\n")[1:-2])
    assert not any(body[at:at + 16] in text for at in range(0, len(body) - 16))


def test_many_readers_share_syncs(lab, keys, mount, log):
    made = mount({"rsa": keys["rsa"]}, audit={"file": log, "journal": "no", "required": "yes"})
    made.read("rsa")
    readers = [subprocess.Popen(["cat", str(made.key("rsa"))], stdout=subprocess.PIPE) for _ in range(128)]
    assert {reader.communicate(timeout=60)[0] for reader in readers} == {made.read("rsa")}
    assert len(of("open", settled(made, log), verdict="granted")) == 130


class Journal:
    """A stand-in for journald: takes entries of the native protocol at its socket (systemd.io, JOURNAL_NATIVE_PROTOCOL)."""

    def __init__(self, path):
        self.path = path
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(str(path))
        self.socket.settimeout(0.1)
        self.entries, self.closing = [], False
        self.thread = threading.Thread(target=self._take)
        self.thread.start()

    def _take(self):
        while True:
            try:
                data = self.socket.recv(1 << 20)
            except TimeoutError:
                if self.closing:
                    return
                continue
            self.entries.append(dict(field.split("=", 1) for field in data.decode().splitlines() if "=" in field))

    def close(self):
        """Nobody finds the socket from here on; what was sent to it is taken."""
        os.unlink(self.path)
        self.closing = True
        self.thread.join()
        self.socket.close()


@pytest.fixture
def machine(tmp_path):
    """A mount namespace whose /run/systemd/journal is a folder of the test's: what runs a program in it, and the folder."""
    folder = tmp_path / "journal"
    folder.mkdir()
    script = f"mount -t tmpfs -o mode=755 skrfs-test /run/systemd && mkdir /run/systemd/journal && mount --bind {folder} /run/systemd/journal"
    if not os.path.isdir("/run/systemd"):
        script = f"mount -t tmpfs -o mode=755 skrfs-test /run && mkdir -p /run/systemd/journal && mount --bind {folder} /run/systemd/journal"
    holder = subprocess.Popen(["unshare", "-m", "--propagation", "private", "sh", "-c", f"{script} && echo made && exec sleep 600"],
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    if holder.stdout.readline() != "made\n":
        pytest.skip(f"no mount namespace can be made here: {holder.stderr.read()}")
    yield ["nsenter", "-m", "-t", str(holder.pid), "--"], folder, holder.pid
    holder.kill()
    holder.wait()


def test_journal(lab, keys, tmp_path, mount, machine):  # mount opens the way to tmp_path for others
    inside, folder, pid = machine
    journal = Journal(folder / "socket")
    point = tmp_path / "m"
    point.mkdir()
    conf = lab.config(tmp_path / "j.conf", {"rsa": keys["rsa"]}, audit={"required": "yes"})
    with open(tmp_path / "mount.log", "wb") as log:
        made = subprocess.Popen([*inside, SKRFS, "mount", "-f", "--config", conf, point], stdout=log, stderr=log, stdin=subprocess.DEVNULL)
    seen = pathlib.Path(f"/proc/{pid}/root{point}")
    try:
        wait_for("it is mounted", lambda: made.poll() is None and (seen / "keys/rsa").exists(), 30)
        key = (seen / "keys/rsa").read_bytes()
        stranger = run(*inside, "setpriv", "--reuid", "65534", "--clear-groups", "cat", point / "keys/rsa", check=False)
        assert "Permission denied" in stranger.stderr
        status = json.loads((seen / "status/status.json").read_text())["audit"]
        assert status["journal"] is True and status["file"] is None and status["required"] is True
        wait_for("entries come", lambda: any(entry["SKRFS_KIND"] == "release" for entry in journal.entries))
        opened = [entry for entry in journal.entries if entry["SKRFS_KIND"] == "open"][0]
        record = json.loads(opened["SKRFS_RECORD"].split(" ", 1)[1])
        assert (opened["SKRFS_KEY"], opened["SKRFS_VERDICT"], opened["SKRFS_WHO_UID"], opened["PRIORITY"]) == ("rsa", "granted", "0", "5")
        assert opened["SYSLOG_IDENTIFIER"] == "skrfs" and len(opened["MESSAGE_ID"]) == 32 and opened["SKRFS_SEQ"] == str(record["seq"])
        assert opened["MESSAGE"].startswith("keys/rsa opened by uid 0") and opened["SKRFS_RULE"] == record["rule"]
        # Gone, it is missed, and back, it is used again: nothing is lost in between, since it is required.
        journal.close()
        with pytest.raises(BlockingIOError):
            (seen / "keys/rsa").read_bytes()
        before, journal = journal, Journal(folder / "socket")
        wait_for("it is read again", lambda: readable(seen / "keys/rsa"))
        assert (seen / "keys/rsa").read_bytes() == key
    finally:
        made.terminate()
        made.wait(20)
        print((tmp_path / "mount.log").read_text())
    wait_for("it ends", lambda: journal.entries[-1]["SKRFS_KIND"] == "end")
    journal.close()
    lines = tmp_path / "entries"
    lines.write_text("".join(entry["SKRFS_RECORD"] + "\n" for entry in before.entries + journal.entries))
    assert of("open", records(lines), verdict="refused", **{"class": "denied"})
    verify(lines)


def readable(path):
    try:
        return path.read_bytes()
    except OSError:
        return False


def test_required_and_nowhere_to_write(lab, keys, mount):
    if os.path.exists("/run/systemd/journal/socket"):
        pytest.skip("journald is there")
    with pytest.raises(AssertionError, match="there is no journald here"):
        mount({"rsa": keys["rsa"]}, audit={"required": "yes"})
    made = mount({"rsa": keys["rsa"]})
    assert "audit" not in made.status() and "scribe" not in made.processes()
    assert made.read("rsa")


def test_taken_back_and_given_back(lab, keys, mount, log):
    made = mount({"rsa": {**keys["rsa"], "reads": "1"}}, audit={"file": log, "journal": "no"})
    made.read("rsa")
    assert made.error("keys/rsa") == "EKEYREVOKED"
    skrfs("renew", "rsa", made.path)
    made.read("rsa")
    found = settled(made, log)
    gone = of("gone", found)
    assert len(gone) == 2 and gone[0]["key"] == "rsa" and gone[0]["reason"] and "verdict" not in gone[0] and "who" not in gone[0]
    assert of("open", found, verdict="refused")[0]["class"] == "revoked"
    renewed, = of("renew", found)
    assert renewed["verdict"] == "done" and renewed["key"] == "rsa" and renewed["who"]["uid"] == 0
    assert found.index(gone[0]) < found.index(renewed) < found.index(gone[1])
    verify("--mount", made.path)
