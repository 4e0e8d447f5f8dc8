"""The table of failures: each produced for real through the lab, with the errno at the reader, the line in the
log and the entry under status/why."""
import errno
import json
import os
import signal
import time

import pytest
from lab import SKRFS as PROGRAM
from lab import run, skrfs

FAST = {"network": {"deadline": "6s"}}

# What goes wrong at the services, what the reader gets, what the log and `why` say.
FAULTS = [
    # name, fault, errno, words of the log line
    ("attestation-refused", dict(at="attest", status=400, code="PolicyEvaluationError", message="policy says no"), "EKEYREJECTED", "policy says no"),
    ("attestation-garbage", dict(at="attest", do="garbage"), "EIO", "attest"),
    ("attestation-down", dict(at="attest", status=503, times=-1), "EAGAIN", "503"),
    ("certificates-down", dict(at="thim", status=500, times=-1), "EAGAIN", "certificate"),
    ("no-identity", dict(at="imds-token", status=400, code="invalid_request", message="Identity not found", times=-1), "EKEYREJECTED", "identity"),
    ("login-down", dict(at="imds-token", status=500, times=-1), "EAGAIN", "500"),
    ("release-not-permitted", dict(at="release", status=403, code="Forbidden", message="caller has no role"), "EKEYREJECTED", "role"),
    ("release-throttled", dict(at="release", status=429, retry_after=8, times=-1), "EAGAIN", "429"),
    ("release-down", dict(at="release", status=503, times=-1), "EAGAIN", "503"),
    ("release-half", dict(at="release", do="half-body", times=-1), "EAGAIN", "vault"),
    ("release-reset", dict(at="release", do="reset", times=-1), "EAGAIN", "vault"),
    ("release-garbage", dict(at="release", do="garbage"), "EIO", "release"),
    ("release-oversize", dict(at="release", do="oversize"), "EIO", "release"),
    ("release-silent", dict(at="release", do="no-answer", times=-1), "ETIMEDOUT", "did not answer in time"),
    ("other-key", dict(at="release", do="other-key"), "EIO", "key"),
    ("other-version", dict(at="release", do="other-version"), "EIO", "version"),
    ("other-nonce", dict(at="release", do="other-nonce"), "EIO", "nonce"),
    ("other-enc", dict(at="release", do="other-enc"), "EIO", "wrapp"),
    ("other-kek", dict(at="release", do="other-kek"), "EIO", "wrapping key"),
    ("other-signer", dict(at="release", do="other-signer"), "EIO", "trusted"),
    ("bad-signature", dict(at="release", do="bad-signature"), "EIO", "signature"),
    ("expired-leaf", dict(at="release", do="expired-leaf"), "EIO", "expired"),
    ("other-host", dict(at="release", do="other-host"), "EIO", "host"),
    ("short-cipher", dict(at="release", do="short-cipher"), "EIO", "octets"),
    ("other-public", dict(at="release", do="other-public"), "EIO", "public"),
]


@pytest.mark.parametrize("name,fault,wanted,words", FAULTS, ids=[row[0] for row in FAULTS])
def test_fault(lab, keys, mount, name, fault, wanted, words):
    pinned = {"version": lab.show("rsa")["kid"].rsplit("/", 1)[1]} if name == "other-version" else {}
    made = mount({"rsa": {**keys["rsa"], **pinned}}, **FAST)
    lab.fault(**fault)
    begun = time.monotonic()
    assert made.error("keys/rsa") == wanted
    assert time.monotonic() - begun < 8
    lines = [line for line in made.log().split("\n") if "'rsa'" in line and words in line]
    assert lines, made.log()
    assert len(lines) <= 2, lines
    why = made.why("rsa")
    assert words in why
    assert "failed" in why.lower()
    # Nothing is lost: once the service is well the key is served.
    lab.clear()
    end = time.monotonic() + 20
    while made.error("keys/rsa"):
        assert time.monotonic() < end, made.log()
        time.sleep(0.3)
    assert made.read("rsa").startswith(b"-----BEGIN")
    if wanted == "EAGAIN" and "retry_after" in fault:
        assert made.status()["keys"][0]["failures"] >= 1


def test_policy_not_met_names_the_claim(lab, mount, tmp_path):
    policy = tmp_path / "strict.json"
    policy.write_text(skrfs("policy", "new", "--config", lab.conf, "--claim", "x-ms-isolation-tee.x-ms-sevsnpvm-vmpl=3").stdout)
    lab.create("strict", policy=policy)
    made = mount({"strict": {}})
    assert made.error("keys/strict") == "EKEYREJECTED"
    assert "claim x-ms-isolation-tee.x-ms-sevsnpvm-vmpl is '0', wants '3'" in made.log()
    assert "request" in made.log()
    told = skrfs("why", "strict", made.path).stdout
    assert "claim x-ms-isolation-tee.x-ms-sevsnpvm-vmpl is '0', wants '3'" in told


def test_no_such_key(mount):
    made = mount({"ghost": {}})
    assert made.error("keys/ghost") == "ENOENT"
    assert made.error("keys/never-configured") == "ENOENT"
    assert "ghost" in made.log()


def test_not_allowed(lab, keys, mount):
    before = lab.counters()
    made = mount({"rsa": {**keys["rsa"], "mode": "0400", "owner": "root"}}, "-o", "allow_other")
    done = run("setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", "cat", made.key("rsa"), check=False)
    assert done.returncode != 0 and "Permission denied" in done.stderr
    assert "denied" in made.log() and "uid 65534" in made.log()
    assert lab.counters() == before
    why = made.why("rsa")
    assert "last denied" in why and "uid 65534" in why and "mode 0400" in why


def test_no_tee(lab, keys, mount):
    made = mount({"rsa": keys["rsa"]}, tpm={"tcti": "device:/dev/no-such-tpm"})
    assert made.error("keys/rsa") == "ENODEV"
    assert "/dev/no-such-tpm" in made.log()
    assert "tpm" in made.why("rsa").lower()


def test_expired_key(lab, mount):
    lab.create("mortal")
    made = mount({"mortal": {"refresh": "1s", "stale": "0"}}, **FAST)
    assert made.error("keys/mortal") == ""
    lab.fault(at="release", status=503, times=-1)
    time.sleep(1.2)
    assert made.error("keys/mortal") == "EKEYEXPIRED"
    assert "expired" in made.log()


def test_stale_is_served_as_long_as_configured(lab, mount):
    lab.create("patient")
    made = mount({"patient": {"refresh": "1s", "stale": "1h"}}, network={"deadline": "3s"})
    bytes_before = made.read("patient")
    lab.fault(at="release", status=503, times=-1)
    time.sleep(1.2)
    assert made.read("patient") == bytes_before


def test_wiped_while_open(lab, keys, mount):
    made = mount({"rsa": keys["rsa"], "ec": keys["ec"]}, "-o", "allow_other")
    with open(made.key("rsa"), "rb", buffering=0) as rsa, open(made.key("ec"), "rb", buffering=0) as ec:
        assert rsa.read(10) and ec.read(10)
        skrfs("wipe", "rsa", made.path)
        with pytest.raises(OSError) as failure:
            rsa.read(10)
        assert failure.value.errno == errno.EKEYREVOKED
        assert ec.read(10)
        skrfs("wipe", "--all", made.path)
        with pytest.raises(OSError) as failure:
            ec.read(10)
        assert failure.value.errno == errno.EKEYREVOKED
    assert "wiped 'rsa' by uid 0" in made.log() and "wiped every key by uid 0" in made.log()
    before = lab.counters()["release"]
    assert made.read("rsa").startswith(b"-----BEGIN")
    assert lab.counters()["release"] == before + 1
    # Only root and who mounted may: the file cannot even be opened by another.
    done = run("setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", PROGRAM, "wipe", "rsa", made.path, check=False)
    assert done.returncode != 0
    assert made.read("rsa") and lab.counters()["release"] == before + 1


def test_network_gone(lab, keys, mount):
    """Nothing listens where the vault should be."""
    made = mount({"rsa": keys["rsa"]}, network={"deadline": "4s"}, vault_vault={"url": "https://gone.vault.skrfs.localhost:9"})
    assert made.error("keys/rsa") in ("EAGAIN", "ETIMEDOUT")
    assert "gone.vault.skrfs.localhost" in made.log()


def test_wrong_trust_anchor(lab, keys, mount, tmp_path):
    other = tmp_path / "other.pem"
    run("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", tmp_path / "k", "-out", other, "-subj", "/CN=other", "-days", "2")
    made = mount({"rsa": keys["rsa"]}, network={"ca_file": other, "deadline": "4s"})
    assert made.error("keys/rsa") == "EIO"
    assert "certificate" in made.log()


def test_wrong_configuration_is_refused_whole(lab, tmp_path):
    conf = tmp_path / "wrong.conf"
    text = lab.base + "\n[key x]\nvault = vault\nfromat = pem\n"
    conf.write_text(text)
    line = text.split("\n").index("fromat = pem") + 1
    done = skrfs("mount", "-f", "--config", conf, tmp_path, check=False)
    assert done.returncode != 0
    assert f"{conf}:{line}:" in done.stderr and "format" in done.stderr


def test_errno_names_agree_with_the_manual():
    manual = (__import__("lab").SOURCE / "man/skrfs.8").read_text()
    for name in {row[2] for row in FAULTS} | {"EACCES", "ENOENT", "EKEYREVOKED", "EKEYEXPIRED", "ENODEV"}:
        assert name in manual, name
