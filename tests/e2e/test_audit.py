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
