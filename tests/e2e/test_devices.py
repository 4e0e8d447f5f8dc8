"""Machines whose guest or enclave asks for its report itself, on doubles of their devices: no part of the program
knows that they are doubles, and their reports are the lab's hardware's."""
import base64
import configparser
import errno
import hashlib
import json
import os
import subprocess
import threading
import time
import urllib.request

import pytest
from devices import Gramine, Sev, Tsm
from inside import syscalls
from lab import Mount, skrfs, wait_for
from scan import Needles, everybody

TYPES = {"snp": "sevsnpvm", "tdx": "tdxvm", "sgx": "sgx"}
MACHINES = {
    "snp-tsm": ("snp", lambda lab, path: Tsm(lab, path, "sev_guest")),
    "snp-tsm-vmpl2": ("snp", lambda lab, path: Tsm(lab, path, "sev_guest", 2)),
    "snp-device": ("snp", lambda lab, path: Sev(lab, path)),
    "snp-5.15": ("snp", lambda lab, path: Sev(lab, path, driver=1)),
    "tdx-tsm": ("tdx", lambda lab, path: Tsm(lab, path, "tdx_guest")),
    "sgx-gramine": ("sgx", Gramine),
}


class Machine:
    """A double, and how programs find it."""

    def __init__(self, lab, tmp_path, name):
        self.lab, self.tmp_path = lab, tmp_path
        self.kind, make = MACHINES[name]
        self.double = make(lab, tmp_path / "device")
        self.mounts = []

    def conf(self, keys=None, name="c.conf", tee=None, **sections):
        tee = {"kind": self.kind, **self.double.tee, **(tee or {})}
        return self.lab.config(self.tmp_path / name, keys or {}, tee=tee, **sections)

    def skrfs(self, *arguments, **options):
        return skrfs(*arguments, env=self.double.env, **options)

    def mount(self, keys, **sections):
        number = len(self.mounts)
        conf = self.conf(keys, f"m{number}.conf", **sections)
        made = Mount(conf, self.tmp_path / f"m{number}", env=self.double.env)
        self.mounts.append(made)
        return made

    def stop(self):
        for made in self.mounts:
            made.stop()
            print(made.log())
        self.double.stop()


@pytest.fixture
def machine(lab, tmp_path):
    made = []

    def make(name):
        made.append(Machine(lab, tmp_path, name))
        return made[-1]

    yield make
    for one in made:
        one.stop()


@pytest.fixture
def key(lab, tmp_path):
    """Makes a key that is released to one kind of machine alone."""
    number = 0

    def make(kind, kty="RSA-HSM", vault="vault", **more):
        nonlocal number
        number += 1
        policy = tmp_path / f"policy{number}.json"
        policy.write_text(json.dumps({"version": "1.0.0", "anyOf": [{"authority": lab.attestation, "allOf": [
            {"claim": "x-ms-attestation-type", "equals": TYPES[kind]}]}]}))
        name = f"{kind}-{os.getpid()}-{time.monotonic_ns()}"
        lab.create(name, vault, kty, policy, **more)
        return {"vault": vault, "name": name, "mode": "0400"}

    return make


@pytest.mark.parametrize("name", MACHINES)
def test_attest(machine, name):
    one = machine(name)
    claims = json.loads(one.skrfs("attest", "--config", one.conf()).stdout)
    assert claims["x-ms-attestation-type"] == TYPES[one.kind]
    (jwk,) = claims["x-ms-runtime"]["keys"]
    thumb = json.dumps({"e": jwk["e"], "kty": "RSA", "n": jwk["n"]}, separators=(",", ":"))
    assert jwk["kid"] == base64.urlsafe_b64encode(hashlib.sha256(thumb.encode()).digest()).decode().rstrip("=")
    if name == "snp-tsm-vmpl2":
        assert claims["x-ms-sevsnpvm-vmpl"] == 2
    if isinstance(one.double, Tsm):
        assert one.double.folders() == []


@pytest.mark.parametrize("name", MACHINES)
def test_get_and_mount(machine, key, name):
    """A key that no other kind of machine gets, and the same octets by each way."""
    one = machine(name)
    keys = {"mine": key(one.kind)}
    got = one.skrfs("get", "mine", "--config", one.conf(keys)).stdout
    assert got.startswith("-----BEGIN PRIVATE KEY-----")
    made = one.mount(keys)
    assert made.read("mine").decode() == got
    assert "the hardware" in made.why("mine")
    if isinstance(one.double, Tsm):
        assert one.double.folders() == []
        assert one.double.seen()["most"] == 1


def test_key_bytes_and_sandbox(machine, key, tmp_path):
    """Unwrapped in memory instead of a TPM, a key is nowhere but in secret memory; and what the keeper keeps for the device
    opens nothing else."""
    one = machine("snp-tsm")
    made = one.mount({"mine": key("snp")})
    made.read("mine")
    jwk = json.loads((made.path / "formats/mine/jwk").read_text())
    found = Needles().add_key("mine", jwk).search(everybody(made).values())
    assert not found, found[:4]
    results = syscalls(made.processes()["keeper"], [
        ("openat", [-100, "/etc/passwd", 0, 0]), ("openat", [-100, str(tmp_path / "leak"), 0o101, 0o600]),
        ("mkdirat", [-100, str(tmp_path / "leak"), 0o700]), ("unlinkat", [-100, str(one.mounts[0].conf), 0]),
        ("socket", [2, 1, 0]), ("execve", ["/bin/true", 0, 0]),
    ])
    assert all(result in (-errno.EPERM, -errno.EACCES) for result in results), results
    assert made.read("mine").startswith(b"-----BEGIN")


def test_another_kind_is_refused(machine, key):
    one = machine("tdx-tsm")
    made = one.mount({"other": key("snp")})
    assert made.error("keys/other") == "EKEYREJECTED"


def test_firmware_slower_than_the_readers(machine, key):
    """Readers are answered at their deadline, the rest of the tree at once, and the report that came too late serves the
    next reader: the firmware is asked once for all of them."""
    one = machine("snp-tsm")
    one.double.tell(delay_ms=9000)
    begun = time.monotonic()
    made = one.mount({"slow": key("snp"), "second": key("snp")}, network={"deadline": "2s"})
    assert time.monotonic() - begun < 8, "the mount waited for the firmware"
    results, took = {}, {}

    def reader(name, number):
        start = time.monotonic()
        results[number] = made.error(f"keys/{name}")
        took[number] = time.monotonic() - start

    threads = [threading.Thread(target=reader, args=(["slow", "second"][i % 2], i)) for i in range(8)]
    for thread in threads:
        thread.start()
    wait_for("the firmware is asked", lambda: one.double.seen()["calls"] == 1)
    start = time.monotonic()
    assert sorted(os.listdir(made.path / "keys")) == ["second", "slow"]
    assert os.stat(made.key("slow")).st_size == 0
    assert made.status()["keys"]
    assert (made.path / "status/health").read_text()
    assert time.monotonic() - start < 1.5, "the tree waited for the firmware"
    for thread in threads:
        thread.join(30)
    assert set(results.values()) == {"ETIMEDOUT"}, results
    assert max(took.values()) < 7, took
    wait_for("the key comes", lambda: made.error("keys/slow") == "", 40)
    assert made.read("slow").startswith(b"-----BEGIN")
    assert made.read("second").startswith(b"-----BEGIN")
    seen = one.double.seen()
    assert seen["most"] == 1 and seen["calls"] <= 2, seen
    assert one.double.folders() == []


def test_a_keeper_that_dies_while_it_waits_leaves_nothing(machine, key):
    one = machine("snp-tsm")
    made = one.mount({"mine": key("snp")}, network={"deadline": "20s"})
    one.double.tell(delay_ms=3000)
    reader = subprocess.Popen(["cat", str(made.key("mine"))], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wait_for("the firmware is asked", lambda: one.double.seen()["calls"] == 1)
    keeper = made.processes()["keeper"]
    made.kill("keeper")
    reader.wait(30)
    one.double.tell(delay_ms=0)
    wait_for("another keeper", lambda: made.processes().get("keeper") not in (None, keeper))
    wait_for("the key comes", lambda: made.error("keys/mine") == "", 30)
    assert one.double.folders() == []
    assert one.double.seen()["most"] == 1


def test_a_debug_guest_is_refused(machine, key):
    one = machine("snp-tsm")
    one.double.tell(debug=1)
    done = one.skrfs("attest", "--config", one.conf(), check=False)
    assert done.returncode != 0 and "debug" in done.stderr
    made = one.mount({"mine": key("snp")})
    assert made.error("keys/mine") == "EKEYREJECTED"
    assert "debug" in made.why("mine")
    claims = json.loads(one.skrfs("attest", "--config", one.conf(tee={"allow-debug": "yes"})).stdout)
    assert claims["x-ms-sevsnpvm-is-debuggable"] is True


@pytest.mark.parametrize("setting,word", [({"fail": 25}, "restart"), ({"fail": 5}, "firmware"), ({"lose": 1}, "did not take")])
def test_what_the_kernel_says_is_told_once(machine, key, setting, word):
    one = machine("snp-tsm")
    made = one.mount({"mine": key("snp")})
    one.double.tell(**setting)
    calls = one.double.seen()["calls"]
    assert made.error("keys/mine") == "EIO"
    assert made.error("keys/mine") == "EIO"  # and the firmware is left alone
    assert one.double.seen()["calls"] - calls <= 1
    assert word in made.why("mine")
    assert one.double.folders() == []


def test_passing_trouble_is_not_seen(machine, key):
    one = machine("snp-tsm")
    made = one.mount({"mine": key("snp")})
    one.double.tell(busy=2)
    assert made.read("mine").startswith(b"-----BEGIN")
    assert one.double.seen()["calls"] == 3


def test_a_wiped_key_of_the_kernel(lab, machine, key):
    one = machine("snp-device")
    one.double.settings(wiped=1)
    made = one.mount({"mine": key("snp")})
    assert made.error("keys/mine") == "EIO"
    assert made.error("keys/mine") == "EIO"
    assert "restart" in made.why("mine")
    assert one.double.requests() == 1


def test_an_enclave_opens_its_encrypted_files(machine, key):
    """Gramine's key for its files is written inside the enclave, then the program runs."""
    one = machine("sgx-gramine")
    keys = {"default": {**key("sgx", "oct-HSM", "hsm", size=128), "format": "raw"}}
    conf = one.conf(keys)
    path = one.double.path / "keys/default"
    assert path.read_bytes() == bytes(16)
    done = one.skrfs("get", "default", "--config", conf, "--keys-to-gramine", "--exec", "od", "--", "-An", "-v", "-tx1", path)
    assert path.read_bytes() == bytes.fromhex(done.stdout) != bytes(16)
    assert one.double.seen() == {"calls": 1, "most": 1}


@pytest.mark.parametrize("way", ["option", "variable"])
def test_certificates_of_the_security_context(lab, machine, way):
    """The host's certificates are where a utility VM leaves them, and nowhere else."""
    one = machine("snp-5.15")
    folder = one.tmp_path / "security-context"
    folder.mkdir()
    tee = {"certificates": "context", "context": folder}
    done = one.skrfs("attest", "--config", one.conf(tee=tee, network={"deadline": "3s"}), check=False)
    assert done.returncode != 0 and "certificate" in done.stderr, done.stderr
    request = urllib.request.Request(lab.imds + "/metadata/THIM/amd/certification", headers={"Metadata": "true"})
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=10) as answer:
        (folder / "host-amd-cert-base64").write_bytes(base64.b64encode(answer.read()) + b"\n")
    conf = one.conf(tee=tee)
    env = one.double.env
    if way == "variable":
        parser = configparser.ConfigParser(interpolation=None)
        parser.read(conf)
        del parser["tee"]["context"]
        with open(conf, "w") as out:
            parser.write(out)
        env = {**env, "UVM_SECURITY_CONTEXT_DIR": str(folder)}
    claims = json.loads(skrfs("attest", "--config", conf, env=env).stdout)
    assert claims["x-ms-attestation-type"] == "sevsnpvm"


def test_no_quote_of_gramine(machine):
    one = machine("sgx-gramine")
    one.double.tell(fail=1)
    done = one.skrfs("attest", "--config", one.conf(), check=False)
    assert done.returncode != 0 and "AESM" in done.stderr


@pytest.mark.parametrize("name", MACHINES)
def test_detection(machine, name):
    """`doctor --tee` says what was looked at and what was chosen; the lab's TPM is out of the way."""
    one = machine(name)
    conf = one.conf(tee={"kind": "auto"}, tpm={"tcti": "device:/nonexistent/tpm"})
    done = one.skrfs("doctor", "--tee", "--config", conf, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    text = done.stdout
    assert str(one.double.path) in text
    assert f"{one.kind}:" in text


def test_a_host_is_no_guest(lab, tmp_path):
    double = Sev(lab, tmp_path / "device", driver=2)
    conf = lab.config(tmp_path / "c.conf", {}, tee={"kind": "auto", **double.tee}, tpm={"tcti": "device:/nonexistent/tpm"})
    done = skrfs("doctor", "--tee", "--config", conf, check=False, env=double.env)
    assert done.returncode != 0
    assert "security processor of a host" in done.stdout + done.stderr
