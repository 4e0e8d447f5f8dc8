"""Every key type, vault, wrapping and format: what the file holds is the key that the vault has."""
import hashlib
import json
import os

import pytest
from lab import run, skrfs

PUBLIC = ["pub.pem", "pub.der", "pub.jwk"]
KINDS = [
    ("vault", "RSA-HSM", {"size": 2048}),
    ("vault", "RSA-HSM", {"size": 3072}),
    ("vault", "RSA-HSM", {"size": 4096}),
    ("hsm", "RSA-HSM", {"size": 2048}),
    ("vault", "EC-HSM", {"curve": "P-256"}),
    ("vault", "EC-HSM", {"curve": "P-384"}),
    ("hsm", "EC-HSM", {"curve": "P-521"}),
    ("hsm", "EC-HSM", {"curve": "P-256K"}),
    ("hsm", "oct-HSM", {"size": 128}),
    ("hsm", "oct-HSM", {"size": 256}),
]
ENCS = ["RSA_AES_KEY_WRAP_256", "RSA_AES_KEY_WRAP_384", "CKM_RSA_AES_KEY_WRAP"]


def name_of(kind):
    vault, kty, more = kind
    return f"{vault}-{kty}-{list(more.values())[0]}".lower()


@pytest.fixture(scope="module")
def all_keys(lab_session):
    for kind in KINDS:
        vault, kty, more = kind
        lab_session.create(name_of(kind), vault, kty, **more)


@pytest.mark.parametrize("enc", ENCS)
@pytest.mark.parametrize("kind", KINDS, ids=name_of)
def test_every_type_and_wrapping(lab, all_keys, mount, tmp_path, kind, enc):
    vault, kty, _ = kind
    name = name_of(kind)
    made = mount({"key": {"vault": vault, "name": name, "enc": enc, "format": "raw" if kty.startswith("oct") else "pem"}})
    if kty.startswith("oct"):
        octets = made.read("key")
        assert len(octets) == kind[2]["size"] // 8
        assert len(set(octets)) > 4
        return
    file = made.key("key")
    public = run("openssl", "pkey", "-in", file, "-pubout").stdout
    told = lab.show(name, vault)
    out = tmp_path / "told.pem"
    out.write_text((made.path / "formats/key/pub.pem").read_text())
    assert run("openssl", "pkey", "-pubin", "-in", out, "-pubout").stdout == public
    assert told["kid"].rsplit("/", 1)[1] == made.status()["keys"][0]["version"]
    assert run("openssl", "pkey", "-in", file, "-check", "-noout").returncode == 0


def test_formats_agree(lab, keys, mount, tmp_path):
    made = mount({name: keys[name] for name in ("rsa", "ec")})
    for name in ("rsa", "ec"):
        folder = made.path / "formats" / name
        assert sorted(os.listdir(folder)) == sorted(["der", "pem", "jwk", "raw", "openssh", *PUBLIC])
        der = (folder / "der").read_bytes()
        (tmp_path / "k.der").write_bytes(der)
        public = run("openssl", "pkey", "-inform", "DER", "-in", tmp_path / "k.der", "-pubout").stdout
        assert run("openssl", "pkey", "-in", folder / "pem", "-pubout").stdout == public
        assert (folder / "pub.pem").read_text() == public
        assert run("openssl", "pkey", "-pubin", "-inform", "DER", "-in", folder / "pub.der", "-pubout").stdout == public
        jwk = json.loads((folder / "jwk").read_bytes())
        told = json.loads((folder / "pub.jwk").read_bytes())
        assert jwk["kty"] == {"rsa": "RSA", "ec": "EC"}[name]
        assert "d" in jwk and "d" not in told
        assert all(jwk[member] == told[member] for member in ("n", "e", "x", "y") if member in told)
        key = tmp_path / f"{name}.openssh"
        key.write_bytes((folder / "openssh").read_bytes())
        key.chmod(0o600)
        ssh = run("ssh-keygen", "-y", "-f", key).stdout
        assert ssh.startswith({"rsa": "ssh-rsa ", "ec": "ecdsa-sha2-nistp256 "}[name])
        (tmp_path / "pub").write_text(ssh)
        assert run("ssh-keygen", "-e", "-m", "PKCS8", "-f", tmp_path / "pub").stdout.strip() == public.strip()


def test_a_format_that_a_key_cannot_have_is_refused(keys, mount):
    made = mount({**keys})
    assert made.error("formats/rsa/raw") == "EINVAL"
    assert made.error("formats/oct/pem") == "EINVAL"
    assert made.error("formats/oct/pub.pem") == "EINVAL"
    assert "cannot be served as raw; it can as der, pem" in made.log()
    jwk = json.loads((made.path / "formats/oct/jwk").read_bytes())
    assert jwk["kty"] == "oct"


def test_public_formats_need_no_release(lab, keys, mount):
    before = lab.counters()
    made = mount({"rsa": keys["rsa"]})
    for format in PUBLIC:
        assert (made.path / "formats/rsa" / format).read_bytes()
    after = lab.counters()
    assert after["release"] == before["release"]
    assert after["attest"] == before["attest"]


def test_versions(lab, mount):
    lab.create("turning")
    old = lab.show("turning")["kid"].rsplit("/", 1)[1]
    lab.create("turning")
    new = lab.show("turning")["kid"].rsplit("/", 1)[1]
    assert old != new
    made = mount({"now": {"name": "turning"}, "then": {"name": "turning", "version": old}})
    now, then = made.read("now"), made.read("then")
    assert now != then
    assert (made.path / "versions/now" / old).read_bytes() == then
    assert (made.path / "versions/now" / new).read_bytes() == now
    assert new in os.listdir(made.path / "versions/now")
    assert made.error("versions/now/" + "0" * 32) == "ENOENT"


def test_get_without_a_mount(lab, keys, mount, tmp_path):
    made = mount({"rsa": keys["rsa"], "oct": keys["oct"]})
    for name in ("rsa", "oct"):
        got = __import__("subprocess").run([os.environ.get("SKRFS_BIN") or __import__("lab").SKRFS, "get", name, "--config", str(made.conf)], capture_output=True)
        assert got.returncode == 0, got.stderr
        assert hashlib.sha256(got.stdout).digest() == hashlib.sha256(made.read(name)).digest()
    refused = skrfs("get", "rsa", "--config", made.conf, "--to", "/var/tmp", check=False)
    assert refused.returncode != 0 and "tmpfs" in refused.stderr


def test_attest_prints_claims(lab, tmp_path):
    claims = json.loads(skrfs("attest", "--config", lab.conf).stdout)
    assert claims["x-ms-isolation-tee"]["x-ms-compliance-status"] == "azure-compliant-cvm"
    assert claims["iss"] == lab.attestation
    token = skrfs("attest", "--token", "--config", lab.conf).stdout.strip()
    assert token.count(".") == 2
