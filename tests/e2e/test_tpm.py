"""The TPM's side: the 2600-octet index of today's hosts and faults, through a proxy in front of the lab's TPM; TDX."""
import json
import socket
import subprocess
import sys
import time

import pytest
from lab import SOURCE, Lab, Mount, skrfs, wait_for

PROXY = SOURCE / "tests/tools/tpm_proxy.py"


def free_ports():
    """Two free ports in a row, as swtpm's TCTI wants them."""
    while True:
        with socket.socket() as first, socket.socket() as second:
            first.bind(("127.0.0.1", 0))
            port = first.getsockname()[1]
            try:
                second.bind(("127.0.0.1", port + 1))
                return port
            except OSError:
                continue


@pytest.fixture
def proxy(lab, tmp_path):
    running = []

    def start(*arguments):
        port = free_ports()
        target = dict(part.split("=") for part in lab.tcti.split(":", 1)[1].split(","))
        process = subprocess.Popen([sys.executable, str(PROXY), "--listen", str(port), "--swtpm", f"{target['host']}:{target['port']}", *arguments])
        running.append(process)

        def up():
            with socket.socket() as attempt:
                return attempt.connect_ex(("127.0.0.1", port)) == 0

        wait_for("the proxy listens", up)
        return f"swtpm:host=127.0.0.1,port={port}"

    yield start
    for process in running:
        process.kill()
        process.wait()


def test_index_of_2600_octets(lab, keys, mount, proxy):
    tcti = proxy("--index-file", str(lab.dir / "hcl-2600.bin"))
    made = mount({"rsa": keys["rsa"]}, tpm={"tcti": tcti})
    assert made.read("rsa").startswith(b"-----BEGIN")
    claims = json.loads(skrfs("attest", "--config", made.conf).stdout)
    kinds = [key["kid"] for key in claims["x-ms-isolation-tee"]["x-ms-runtime"]["keys"]]
    assert kinds == ["HCLAkPub", "HCLEkPub"]


FAULTS = [
    # a transient error is retried, then an error; never weaker evidence
    ("retry-twice", {"cc": "0x158", "rc": "0x922", "times": 2}, ""),
    ("retry-for-ever", {"cc": "0x158", "rc": "0x922", "times": -1}, "EAGAIN"),
    ("quote-fails", {"cc": "0x158", "rc": "0x101", "times": -1}, None),
    ("no-report-index", {"cc": "0x169", "rc": "0x18b", "times": -1}, "ENODEV"),
    ("ak-certificate-not-written", {"cc": "0x14e", "rc": "0x14a", "times": -1}, "EAGAIN"),
    ("slow", {"cc": "0x158", "delay": 1.0, "times": 1}, ""),
]


@pytest.mark.parametrize("name,fault,wanted", FAULTS, ids=[row[0] for row in FAULTS])
def test_tpm_faults(lab, keys, mount, proxy, tmp_path, name, fault, wanted):
    control = tmp_path / "faults"
    control.write_text(json.dumps(fault) + "\n")
    tcti = proxy("--faults", str(control))
    made = mount({"rsa": keys["rsa"]}, tpm={"tcti": tcti}, network={"deadline": "8s"})
    before = lab.counters()
    got = made.error("keys/rsa")
    if wanted == "":
        assert got == "", made.log()
        return
    assert got == wanted if wanted else got in ("EIO", "EAGAIN", "ETIMEDOUT"), (got, made.log())
    assert lab.counters()["attest"] == before["attest"], "evidence was sent although the TPM failed"
    assert "tpm" in made.log().lower()
    control.write_text("")
    wait_for("it recovers", lambda: made.error("keys/rsa") == "", 20)


def test_tdx(tmp_path):
    lab = Lab(tmp_path / "lab", "--no-throttle", "--tee", "tdx")
    try:
        claims = json.loads(skrfs("attest", "--config", lab.conf).stdout)
        assert claims["x-ms-isolation-tee"]["x-ms-attestation-type"] == "tdxvm"
        policy = tmp_path / "tdx.json"
        policy.write_text(skrfs("policy", "new", "--tee", "tdxvm", "--config", lab.conf).stdout)
        lab.create("rsa", policy=policy)
        with Mount(lab.config(tmp_path / "c.conf", {"rsa": {}}), tmp_path / "mnt") as made:
            assert made.read("rsa").startswith(b"-----BEGIN")
    finally:
        lab.down()


def test_throttle_is_not_stormed(tmp_path):
    """With the service's own limits, many cold keys are all served in the end, by few calls."""
    lab = Lab(tmp_path / "lab")
    try:
        lab.create("rsa")
        keys = {f"k{i}": {"name": "rsa"} for i in range(14)}
        with Mount(lab.config(tmp_path / "c.conf", keys, network={"deadline": "60s"}), tmp_path / "mnt") as made:
            readers = [subprocess.Popen(["cat", str(made.key(name))], stdout=subprocess.PIPE, stderr=subprocess.PIPE) for name in keys]
            for reader in readers:
                out, err = reader.communicate(timeout=70)
                assert reader.returncode == 0, (err, made.log())
                assert out.startswith(b"-----BEGIN")
            assert lab.counters()["release"] <= 14 * 4
    finally:
        lab.down()
