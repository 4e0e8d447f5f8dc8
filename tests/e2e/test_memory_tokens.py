"""Where tokens and what proves who logs in are: the attestation token with the keeper, access tokens with the courier, as long as
they are of use and once; client secrets, the certificate's private key and federated tokens nowhere once they were sent."""
import re
import subprocess

import pytest
from lab import run, wait_for
from scan import Needles, everybody, tokens
from test_login import Application
from watched import keys_of


def signature(token):
    """What of a token is its own, and what it is worth: payloads have texts in common."""
    return token.split(b".")[2]


def needles(found):
    wanted = Needles()
    for number, token in enumerate(found):
        wanted.add(f"token {number}", signature(token))
    return wanted


def copies(wanted, pids):
    """{(process id, token): how many copies}: pieces of one lie close together."""
    places = {}
    for target, _, label, _, address in wanted.search(pids):
        places.setdefault((int(target), label), []).append(int(address, 16))
    return {key: 1 + sum(after - before > 8192 for before, after in zip(sorted(found), sorted(found)[1:])) for key, found in places.items()}


def kinds(made):
    """Tokens by whose memory they stand whole in, apart: (attestation tokens, access tokens)."""
    attestation, access = {}, {}
    for role, pid in everybody(made).items():
        for token, claims in tokens(pid).items():
            (access if "/login." in claims.get("iss", "") or "sts.windows" in claims.get("iss", "") else attestation).setdefault(token, set()).add(role)
    return attestation, access


@pytest.mark.parametrize("kind", ["cvm", "snp"])
def test_tokens_are_where_they_are_of_use(watched, kind):
    one = watched(kind, tap=False).learn()
    attestation, access = kinds(one.mount)
    assert list(attestation.values()) == [{"keeper"}], "the keeper keeps its token for the next key"
    assert list(access.values()) == [{"courier"}] * 2, "and the courier one for each kind of vault"
    pids = everybody(one.mount)
    wanted = needles([*attestation, *access])
    wait_for("what requests and answers had of them is gone", lambda: {pid for pid, _ in copies(wanted, pids.values())} <= {pids["keeper"], pids["courier"]})
    for (pid, label), count in copies(wanted, pids.values()).items():
        number = int(label.split()[1])
        assert pid == pids["keeper" if number < len(attestation) else "courier"], label
        assert count == 1, (label, count)


def test_tokens_go_when_they_end(watched, lab):
    """Whether anybody asks for another or not. One is not used any more in the last ten minutes of an attestation, the last
    half minute of a login."""
    lab.settings(token_life_s=606, access_life_s=36)
    one = watched("snp", tap=False).learn("rsa")
    attestation, access = kinds(one.mount)
    assert attestation and access
    wanted = needles([*attestation, *access])
    pids = everybody(one.mount)
    assert copies(wanted, pids.values())
    wait_for("they are nowhere any more", lambda: not wanted.search(pids.values()), 30)
    one.check("the tokens' end")
    assert one.mount.read("rsa") == one.secrets["rsa"]


def numbers_of(path):
    """The private numbers of an RSA key in a PEM file, as the openssl program tells them."""
    text = run("openssl", "pkey", "-in", path, "-noout", "-text").stdout
    found = {}
    for name, digits in re.findall(r"^(privateExponent|prime1|prime2|exponent1|exponent2|coefficient):\n((?: +[0-9a-f:]+\n)+)", text, re.M):
        found[name] = bytes.fromhex(re.sub(r"[\s:]", "", digits)).lstrip(b"\0")
    assert len(found) == 6
    return found


@pytest.mark.parametrize("way", ["secret", "certificate", "workload"])
def test_what_proves_who_logs_in(watched, lab, tmp_path, way):
    application = Application(lab, tmp_path / "credentials")
    name = {"secret": "client-secret", "certificate": "client-certificate", "workload": "federated-token"}[way]
    text = (application.folder / name).read_bytes()
    identity = application.identity(way)
    one = watched("snp", keys={"rsa": keys_of(lab)["rsa"]}, tap=False, vault_vault={"identity": identity}, login=application.login(way)).learn()
    if way == "certificate":
        wanted = Needles().add("its PEM", text[text.index(b"PRIVATE KEY-----") + 100 : text.index(b"-----END") - 20])
        for number, octets in numbers_of(application.folder / name).items():
            wanted.add_number(number, octets)
    else:
        wanted = Needles().add(name, text.strip()) if way == "secret" else Needles().add(name, signature(text.strip()))
    pids = everybody(one.mount)
    found = [(next(role for role, pid in pids.items() if str(pid) == hit[0]), *hit[1:]) for hit in wanted.search(pids.values())]
    assert not found, found[:4]
    # The search finds it where it is.
    holder = subprocess.Popen(["python3", "-c", f"import time; text = open({str(application.folder / name)!r}).read(); print(1, flush=True); time.sleep(60)"],
                              stdout=subprocess.PIPE)
    try:
        holder.stdout.readline()
        assert wanted.search([holder.pid])
    finally:
        holder.kill()
        holder.wait()
