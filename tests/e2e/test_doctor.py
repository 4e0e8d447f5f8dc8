"""`skrfs doctor --tee`: what was looked at, what was found, what was chosen and why."""
import json
import os

import pytest
from devices import Gramine, Sev, Tsm
from lab import skrfs


@pytest.fixture
def double():
    made = []

    def make(one):
        made.append(one)
        return one

    yield make
    for one in made:
        one.stop()


def told(conf, code=0, env=None):
    done = skrfs("doctor", "--tee", "--json", "--config", conf, check=False, env=env)
    assert done.returncode == code, done.stderr
    text = skrfs("doctor", "--config", conf, check=False, env=env)
    assert text.returncode == code
    answer = json.loads(done.stdout)
    lines = text.stdout.rstrip("\n").split("\n")
    kinds = 0 if answer["kind"] == "auto" else 1
    assert len(lines) == 1 + kinds + len(answer["looks"]) + 1  # header, each look, verdict
    return answer, lines


def states(answer):
    return [(look["state"], look["what"]) for look in answer["looks"]]


def nowhere(path, **more):
    """Places where nothing is, on whatever machine the tests run."""
    none = {name: path / "none" / name for name in ("tsm", "device", "attestation")}
    return {**none, "context": "none", **more}


def test_a_confidential_vm(lab, tmp_path):
    answer, lines = told(lab.config(tmp_path / "c.conf", {}, tee=nowhere(tmp_path)))
    assert answer["tee"] == "azure-cvm" and answer["chosen"].startswith("azure-cvm: ")
    assert states(answer)[0] == ("absent", f"{tmp_path}/none/attestation/attestation_type")
    assert states(answer)[-1][0] == "ok" and "TPM" in states(answer)[-1][1]
    assert lines[0].split() == ["STATE", "WHAT", "FOUND"] and lines[-1].startswith("ok ") and "chosen" in lines[-1]


@pytest.mark.parametrize("kind, make, chosen", [
    ("snp", lambda lab, path: Tsm(lab, path, "sev_guest"), "configfs-tsm"),
    ("snp", lambda lab, path: Sev(lab, path), "sev-guest"),
    ("tdx", lambda lab, path: Tsm(lab, path, "tdx_guest"), "configfs-tsm"),
    ("sgx", lambda lab, path: Gramine(lab, path), "Gramine"),
], ids=["snp-tsm", "snp-device", "tdx", "sgx"])
def test_hardware_that_the_guest_asks(lab, double, tmp_path, kind, make, chosen):
    one = double(make(lab, tmp_path / "device"))
    conf = lab.config(tmp_path / "c.conf", {}, tee=nowhere(tmp_path, **one.tee), tpm={"tcti": "device:/nonexistent/tpm"})
    answer, _ = told(conf, env=one.env)
    assert answer["tee"] == kind and chosen in answer["chosen"]
    assert ("absent", "TPM") in states(answer) or kind == "sgx"
    if isinstance(one, Tsm):
        assert one.folders() == []


def test_a_machine_without_any(lab, tmp_path):
    conf = lab.config(tmp_path / "c.conf", {}, tee=nowhere(tmp_path), tpm={"tcti": "device:/nonexistent/tpm"})
    answer, lines = told(conf, code=10)
    assert answer["tee"] is None and answer["class"] == "no-tee"
    assert {state for state, _ in states(answer)} <= {"absent", "ok"}
    assert lines[-1].startswith("absent") and "none chosen" in lines[-1]


def test_what_fails_ends_the_search(lab, double, tmp_path):
    """An enclave of a kind that the service does not take is not passed over for the TPM beside it."""
    one = double(Gramine(lab, tmp_path / "device", "epid"))
    answer, _ = told(lab.config(tmp_path / "c.conf", {}, tee=nowhere(tmp_path, **one.tee)), code=2)
    assert answer["tee"] is None and states(answer)[-1] == ("failing", f"{one.path}/attestation_type")
    assert "dcap" in answer["error"] and len(answer["looks"]) == 1


def test_a_way_that_fails_is_told_beside_the_one_that_is_taken(lab, double, tmp_path):
    """All of an SEV-SNP guest's ways are the same hardware's word."""
    one = double(Sev(lab, tmp_path / "device"))
    broken = tmp_path / "tsm"
    broken.mkdir()  # folders can be made in it, and have no provider
    where = {"kind": "snp", "tsm": broken, **one.tee}
    answer, lines = told(lab.config(tmp_path / "c.conf", {}, tee=where), env=one.env)
    assert states(answer)[0] == ("failing", str(broken)) and "provider" in lines[2]
    assert states(answer)[1] == ("ok", str(one.device)) and answer["chosen"].endswith(f"comes from {one.device}")
    other = double(Tsm(lab, tmp_path / "td", "tdx_guest"))
    where = {name: value for name, value in nowhere(tmp_path, tsm=other.path).items() if name != "attestation"}
    answer, lines = told(lab.config(tmp_path / "c.conf", {}, tee={"kind": "snp", **where}), code=10)
    assert states(answer)[0] == ("absent", str(other.path)) and "none of [tee] kind = snp" in lines[-1]


def test_the_configured_kind_alone_is_looked_for(lab, tmp_path):
    where = {name: value for name, value in nowhere(tmp_path).items() if name in ("tsm", "device", "context")}
    answer, lines = told(lab.config(tmp_path / "c.conf", {}, tee={"kind": "snp", **where}), code=10)
    assert answer["kind"] == "snp" and "[tee] kind" in lines[1]
    assert not any("TPM" in what or "attestation" in what for _, what in states(answer))


def test_before_anything_is_configured(tmp_path):
    done = skrfs("doctor", "--json", check=False, env={**os.environ, "SKRFS_CONFIG": str(tmp_path / "none.conf")})
    assert json.loads(done.stdout)["kind"] == "auto"
    wrong = tmp_path / "wrong.conf"
    wrong.write_text("[tea]\n")
    done = skrfs("doctor", "--config", wrong, check=False)
    assert done.returncode == 2 and "did you mean [tee]?" in done.stderr
