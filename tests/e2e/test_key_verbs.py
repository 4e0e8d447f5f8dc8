"""Keys of one's own put into a vault and had back; rotated; their policies shown and changed."""
import json
import os

import pytest

from lab import SKRFS, run, skrfs

IMPORTS = [
    ("vault", ["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"], "pem"),
    ("vault", ["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:3072"], "der"),
    ("hsm", ["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:4096"], "pem"),
    ("vault", ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"], "der"),
    ("hsm", ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-521"], "pem"),
    ("hsm", ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:secp256k1"], "pem"),
]


def key(lab, verb, name, *more, vault="vault", check=True):
    return skrfs("key", verb, name, "--config", lab.conf, "--vault", vault, *more, check=check)


def private(path, data):
    path.write_bytes(data)
    path.chmod(0o600)
    return path


def get(conf, *arguments):
    done = __import__("subprocess").run([SKRFS, "get", *arguments, "--config", str(conf)], capture_output=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("number", range(len(IMPORTS)))
def test_an_imported_key_comes_back(lab, tmp_path, number):
    vault, kind, form = IMPORTS[number]
    file = tmp_path / "key"
    run("openssl", "genpkey", *kind, "-outform", form.upper(), "-out", file)
    file.chmod(0o600)
    name = f"imported-{number}"
    done = key(lab, "import", name, "--from", file, "--policy", lab.policy, vault=vault)
    assert done.stdout.strip() == lab.show(name, vault)["kid"]
    assert "warning" not in done.stderr
    conf = lab.config(tmp_path / "get.conf", {"k": {"vault": vault, "name": name, "format": "der"}})
    mine = run("openssl", "pkey", "-in", file, "-inform", form.upper(), "-text", "-noout").stdout
    (tmp_path / "back").write_bytes(get(conf, "k"))
    assert run("openssl", "pkey", "-in", tmp_path / "back", "-inform", "DER", "-text", "-noout").stdout == mine


def test_an_imported_oct_key_comes_back(lab, tmp_path):
    octets = os.urandom(32)
    file = private(tmp_path / "octets", octets)
    guessed = key(lab, "import", "imported-oct", "--from", file, "--policy", lab.policy, vault="hsm", check=False)
    assert guessed.returncode == 2 and "say --format" in guessed.stderr
    key(lab, "import", "imported-oct", "--from", file, "--format", "raw", "--policy", lab.policy, vault="hsm")
    conf = lab.config(tmp_path / "get.conf", {"k": {"vault": "hsm", "name": "imported-oct", "format": "raw"}})
    assert get(conf, "k") == octets
    jwk = private(tmp_path / "jwk", get(conf, "k", "--format", "jwk"))
    key(lab, "import", "imported-jwk", "--from", jwk, "--policy", lab.policy, vault="hsm")
    conf = lab.config(tmp_path / "again.conf", {"k": {"vault": "hsm", "name": "imported-jwk", "format": "raw"}})
    assert get(conf, "k") == octets


def test_import_refuses_before_anything_is_sent(lab, tmp_path):
    before = lab.counters()["import"]
    rsa = tmp_path / "rsa"
    run("openssl", "genrsa", "-out", rsa, "2048")
    locked = tmp_path / "locked"
    run("openssl", "pkey", "-in", rsa, "-aes128", "-passout", "pass:word", "-out", locked)
    short = tmp_path / "short"
    run("openssl", "genrsa", "-out", short, "1024")
    octets = private(tmp_path / "octets", os.urandom(8))
    public = tmp_path / "public"
    run("openssl", "pkey", "-in", rsa, "-pubout", "-out", public)
    policy = private(tmp_path / "policy", b'{"version":"1.0.0"}')
    for arguments, vault, why in [
        (["--from", rsa], "vault", "which release policy"),
        (["--policy", lab.policy], "vault", "which key"),
        (["--from", locked, "--policy", lab.policy], "vault", "under a password"),
        (["--from", public, "--policy", lab.policy], "vault", "no private key"),
        (["--from", tmp_path / "absent", "--policy", lab.policy], "vault", "cannot be opened"),
        (["--from", rsa, "--format", "jwk", "--policy", lab.policy], "vault", "no JSON object"),
        (["--from", rsa, "--format", "openssh", "--policy", lab.policy], "vault", "as openssh"),
        (["--from", rsa, "--kty", "EC-HSM", "--policy", lab.policy], "vault", "RSA-HSM alone"),
        (["--from", short, "--policy", lab.policy], "vault", "2048, 3072 and 4096 bits"),
        (["--from", octets, "--format", "raw", "--policy", lab.policy], "vault", "Managed HSM alone"),
        (["--from", octets, "--format", "raw", "--policy", lab.policy], "hsm", "16 to 64 octets"),
        (["--from", rsa, "--policy", policy], "vault", "policy"),
        (["--from", "-", "--policy", "-"], "vault", "both come from standard input"),
    ]:
        done = key(lab, "import", "never", *arguments, vault=vault, check=False)
        assert done.returncode != 0 and why in done.stderr, (arguments, done.stderr)
    assert lab.counters()["import"] == before


def test_a_file_open_to_others_is_warned_of(lab, tmp_path):
    file = tmp_path / "key"
    run("openssl", "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", file)
    file.chmod(0o640)
    done = key(lab, "import", "imported-open", "--from", file, "--policy", lab.policy)
    assert "can be read by others (mode 0640)" in done.stderr


def test_rotation_makes_a_version_with_the_policy(lab, mount):
    lab.create("rotated")
    old = lab.show("rotated")
    new = key(lab, "rotate", "rotated").stdout.strip()
    assert new != old["kid"] and new == lab.show("rotated")["kid"]
    assert lab.show("rotated")["policy"] == old["policy"]
    version = old["kid"].rsplit("/", 1)[1]
    made = mount({"now": {"name": "rotated"}, "then": {"name": "rotated", "version": version}})
    assert made.read("now") != made.read("then")
    absent = key(lab, "rotate", "no-such-key", check=False)
    assert absent.returncode != 0 and "has no key 'no-such-key'" in absent.stderr


def test_a_policy_is_shown_and_changed(lab, mount, tmp_path):
    lab.create("governed")
    shown = key(lab, "policy", "governed")
    assert "can be changed" in shown.stderr
    policy = json.loads(shown.stdout)
    assert policy == json.loads(lab.policy.read_text())
    policy["anyOf"][0]["allOf"].append({"claim": "secureboot", "equals": "never"})
    changed = tmp_path / "changed.json"
    changed.write_text("// stricter\n" + json.dumps(policy))
    assert key(lab, "policy", "governed", "--set", changed).stdout.strip() == lab.show("governed")["kid"]
    assert lab.show("governed")["policy"] == policy
    made = mount({"governed": {}})
    assert made.error("keys/governed") == "EKEYREJECTED"
    assert "claim secureboot is" in made.log() and "wants 'never'" in made.log()
    key(lab, "policy", "governed", "--set", lab.policy)
    assert get(made.conf, "governed").startswith(b"-----BEGIN")


def test_an_immutable_policy_stays(lab, tmp_path):
    lab.create("settled")
    unsure = key(lab, "policy", "settled", "--immutable", check=False)
    assert unsure.returncode == 2 and "say --yes" in unsure.stderr
    assert not lab.show("settled")["immutable"]
    key(lab, "policy", "settled", "--immutable", "--yes")
    assert lab.show("settled")["immutable"]
    assert "immutable" in key(lab, "policy", "settled").stderr
    before = lab.counters()["update"]
    refused = key(lab, "policy", "settled", "--set", lab.policy, check=False)
    assert refused.returncode != 0 and "nobody can change it" in refused.stderr
    assert lab.counters()["update"] == before


def test_the_service_says_no_too(lab, tmp_path):
    """What is refused by the service although nothing was seen to be wrong here is explained."""
    lab.create("denied")
    lab.fault("update", status=403)
    done = key(lab, "policy", "denied", "--set", lab.policy, check=False)
    assert done.returncode != 0 and "Key Vault Crypto Officer" in done.stderr
