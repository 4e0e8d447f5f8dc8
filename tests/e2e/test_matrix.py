"""Every TEE with every way to log in: each kind of key that either kind of vault has, with each `enc`, comes out as it
was put in, through `get`; and through a mount."""
import json
import os
import subprocess

import pytest
from devices import Gramine, Sev, Tsm
from lab import SKRFS, Lab, Mount, run, skrfs
from test_get import folder  # noqa: F401 (a fixture)
from test_login import ID, Application

ENCS = ["RSA_AES_KEY_WRAP_256", "RSA_AES_KEY_WRAP_384", "CKM_RSA_AES_KEY_WRAP"]
KINDS = {
    "vault-rsa": ("vault", ["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"]),
    "vault-ec": ("vault", ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"]),
    "hsm-rsa": ("hsm", ["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:3072"]),
    "hsm-ec": ("hsm", ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-521"]),
    "hsm-oct": ("hsm", None),
}
# Any machine of the lab's that cannot be debugged.
CLAIMS = {
    "x-ms-isolation-tee.x-ms-compliance-status": "azure-compliant-cvm",
    "x-ms-sevsnpvm-is-debuggable": "false",
    "tdx_td_attributes_debug": "false",
    "x-ms-sgx-is-debuggable": "false",
}
MACHINES = {
    "cvm-snp": lambda lab, path: None,
    "cvm-tdx": lambda lab, path: None,
    "snp-tsm": lambda lab, path: Tsm(lab, path, "sev_guest"),
    "snp-device": Sev,
    "tdx-tsm": lambda lab, path: Tsm(lab, path, "tdx_guest"),
    "sgx": Gramine,
}
LOGINS = ["system", "client-id", "secret", "certificate", "workload", "app-service", "arc"]


def content(lab, folder):
    """Keys of the test's own in a lab's vaults: {name: octets}."""
    policy = folder / "policy.json"
    policy.write_text(json.dumps({"version": "1.0.0", "anyOf": [{"authority": lab.attestation, "anyOf": [
        {"claim": claim, "equals": value} for claim, value in CLAIMS.items()]}]}))
    made = {}
    for name, (vault, kind) in KINDS.items():
        file = folder / name
        if kind:
            run("openssl", "genpkey", *kind, "-out", folder / "pem")
            run("openssl", "pkcs8", "-topk8", "-nocrypt", "-in", folder / "pem", "-outform", "DER", "-out", file)
        else:
            file.write_bytes(os.urandom(32))
        file.chmod(0o600)
        skrfs("key", "import", name, "--config", lab.conf, "--vault", vault, "--from", file, "--format", "der" if kind else "raw",
              "--policy", policy)
        made[name] = file.read_bytes()
    return made


@pytest.fixture(scope="module")
def labs(tmp_path_factory):
    """{TEE of the confidential VM: (lab, its keys)}"""
    made = {}
    for tee in ("snp", "tdx"):
        folder = tmp_path_factory.mktemp(tee)
        lab = Lab(folder / "lab", "--no-throttle", "--tee", tee)
        made[tee] = lab, content(lab, folder)
    yield made
    for lab, _ in made.values():
        lab.down()


class Machine:
    def __init__(self, labs, tmp_path, name):
        self.lab, self.keys = labs["tdx" if name == "cvm-tdx" else "snp"]
        self.tmp_path = tmp_path
        self.double = MACHINES[name](self.lab, tmp_path / "device")
        self.kind = name.split("-")[0]

    def sections(self, login):
        """The configuration and the environment for a way to log in."""
        told = json.loads((self.lab.dir / "lab.json").read_text())
        if login in ("secret", "certificate", "workload"):
            application = Application(self.lab, self.tmp_path / "credentials")
            identity, section, env = application.identity(login), application.login(login), {}
        elif login == "app-service":
            identity, section = "system", {"managed": "app-service"}
            env = {"IDENTITY_ENDPOINT": told["app-service"], "IDENTITY_HEADER": (self.lab.dir / "identity-header").read_text().strip()}
        elif login == "arc":
            identity, section = "system", {"managed": "arc", "arc-dir": told["arc-dir"]}
            env = {"IDENTITY_ENDPOINT": told["arc"], "IMDS_ENDPOINT": told["imds"]}
        else:
            identity, section, env = "system" if login == "system" else f"client-id:{ID}b2", {}, {}
        tee = {"tee": {"kind": self.kind, **self.double.tee}} if self.double else {}
        env = {**os.environ, **((self.double.env if self.double else None) or {}), **env}
        return {"vault_vault": {"identity": identity}, "vault_hsm": {"identity": identity}, "login": section, **tee}, env

    def conf(self, sections):
        keys = {}
        for name, (vault, kind) in KINDS.items():
            for enc in ENCS:
                keys[f"{name}.{enc}"] = {"vault": vault, "name": name, "enc": enc, "format": "der" if kind else "raw"}
        return keys, self.lab.config(self.tmp_path / "matrix.conf", keys, **sections)

    def stop(self):
        if self.double:
            self.double.stop()


@pytest.fixture
def machine(labs, tmp_path):
    made = []

    def make(name):
        made.append(Machine(labs, tmp_path, name))
        return made[-1]

    yield make
    for one in made:
        one.stop()


@pytest.mark.parametrize("login", LOGINS)
@pytest.mark.parametrize("name", MACHINES)
def test_get(machine, folder, name, login):  # noqa: F811
    one = machine(name)
    sections, env = one.sections(login)
    keys, conf = one.conf(sections)
    done = subprocess.run([SKRFS, "get", *keys, "--config", str(conf), "--to", str(folder), "--force"], env=env, capture_output=True, text=True,
                          timeout=120)
    assert done.returncode == 0, done.stderr
    for key, settings in keys.items():
        assert (folder / key).read_bytes() == one.keys[settings["name"]], key


@pytest.mark.parametrize("name", [name for name in MACHINES if name != "sgx"])
def test_mount(machine, tmp_path, name):
    """In an enclave there is no FUSE; everywhere else."""
    one = machine(name)
    sections, env = one.sections("system")
    keys, conf = one.conf(sections)
    before = one.lab.counters()
    with Mount(conf, tmp_path / "mnt", env=env) as made:
        for key, settings in keys.items():
            assert made.read(key) == one.keys[settings["name"]], key
    after = one.lab.counters()
    assert after["attest"] == before["attest"] + 1
    assert after["release"] == before["release"] + len(keys)
