"""Logging in in every way that there is, and what is said when one may not or is not there."""
import json
import os

import pytest

from lab import SKRFS, run, skrfs

GROUP = "/subscriptions/1ab00000-0000-4000-8000-00000000000c/resourceGroups/lab/providers/Microsoft.ManagedIdentity/userAssignedIdentities/"
ID = "1ab00000-0000-4000-8000-0000000000"
MAY = ["system", f"client-id:{ID}b2", f"object-id:{ID}b1", f"resource-id:{GROUP}releaser"]
APPLICATIONS = ["secret", "certificate", "workload"]


class Application:
    """The lab's application, with its credentials in files as an administrator keeps them."""

    def __init__(self, lab, folder):
        self.told = json.loads((lab.dir / "lab.json").read_text())
        self.folder = folder
        folder.mkdir(mode=0o755)
        for name in ("client-secret", "client-certificate", "federated-token"):
            with open(self.told[name + "-file"]) as file:
                self.write(name, file.read())

    def write(self, name, text, mode=0o640, group=47110):
        """Puts a file in the other's place, as Kubernetes and careful administrators do."""
        path = self.folder / (name + ".new")
        path.write_text(text)
        path.chmod(mode)
        if os.geteuid() == 0:
            os.chown(path, 0, group)
        path.rename(self.folder / name)

    def identity(self, way):
        names = {"secret": "client-secret", "certificate": "client-certificate"}
        return "workload" if way == "workload" else f"{way}-file:{self.folder / names[way]}"

    def login(self, way="secret", **more):
        if way == "system":
            return {}
        token = {"token_file": str(self.folder / "federated-token")} if way == "workload" else {}
        return {"authority": self.told["authority"], "client": self.told["client"], **token, **more}


@pytest.fixture
def application(lab, tmp_path):
    return Application(lab, tmp_path / "credentials")


def get(lab, path, name, env=None, **sections):
    conf = lab.config(path, {name: {"name": name}}, **sections)
    return skrfs("get", name, "--config", conf, check=False, env=env and {**os.environ, **env})


@pytest.mark.parametrize("identity", MAY)
def test_an_identity_that_may_release(keys, mount, identity):
    made = mount({"rsa": keys["rsa"], "ec": keys["ec"]}, vault_vault={"identity": identity}, vault_hsm={"identity": identity})
    assert made.read("rsa").startswith(b"-----BEGIN")
    assert made.read("ec").startswith(b"-----BEGIN")


def test_an_identity_without_the_role(keys, mount):
    made = mount({"rsa": keys["rsa"], "ec": keys["ec"]}, vault_vault={"identity": f"client-id:{ID}d2"},
                 vault_hsm={"identity": f"client-id:{ID}d2"})
    assert made.error("keys/rsa") == "EKEYREJECTED"
    assert "'Key Vault Crypto Service Release User'" in made.log()
    assert "request id" in made.log()
    assert made.error("keys/ec") == "EKEYREJECTED"
    assert "'Managed HSM Crypto Service Release User'" in made.log()


def test_an_identity_that_is_not_there(keys, mount):
    made = mount({"rsa": keys["rsa"]}, vault_vault={"identity": f"client-id:{ID}ff"})
    assert made.error("keys/rsa") == "EKEYREJECTED"
    assert "identity" in made.log().lower()


@pytest.mark.parametrize("tenant", [True, False], ids=["tenant-told", "tenant-learned"])
@pytest.mark.parametrize("way", APPLICATIONS)
def test_an_application(lab, keys, mount, application, way, tenant):
    """From a mount: its courier is in a sandbox and, as root's, not root."""
    before = lab.counters()["login"]
    vault = {"identity": application.identity(way)}
    login = application.login(way, **({"tenant": application.told["tenant"]} if tenant else {}))
    made = mount({"rsa": keys["rsa"], "ec": keys["ec"]}, vault_vault=vault, vault_hsm=vault, login=login)
    assert made.read("rsa").startswith(b"-----BEGIN")
    assert made.read("ec").startswith(b"-----BEGIN")
    assert "warning" not in made.log()
    assert lab.counters()["login"] == before + 2  # one for each audience


@pytest.mark.parametrize("way", APPLICATIONS)
def test_a_credential_is_read_anew(lab, keys, mount, application, way):
    """Access tokens of a second are asked for again at each call; the file changes in between."""
    lab.settings(access_life_s=1)
    vault = {"identity": application.identity(way)}
    made = mount({"rsa": keys["rsa"], "again": keys["rsa"]}, vault_vault=vault, login=application.login(way))
    assert made.read("rsa").startswith(b"-----BEGIN")
    name = {"secret": "client-secret", "certificate": "client-certificate", "workload": "federated-token"}[way]
    application.write(name, "wrong~secret")
    assert made.error("keys/again") in ("EKEYREJECTED", "EINVAL", "EIO")
    reason = {"secret": "the client secret is wrong", "certificate": "no certificate beside the key",
              "workload": "the assertion is malformed"}[way]
    assert reason in made.log()
    assert "wrong~secret" not in made.log()


def test_the_wrong_application_and_the_wrong_tenant(lab, keys, tmp_path, application):
    vault = {"identity": application.identity("secret")}
    for wrong, said in [
        ({"client": f"{ID}ff"}, "AADSTS700016"),
        ({"tenant": f"{ID}ff"}, "AADSTS90002"),
        ({"tenant": "no/tenant"}, "tenant"),
    ]:
        done = get(lab, tmp_path / "wrong.conf", "rsa", vault_vault=vault, login=application.login(**wrong))
        assert done.returncode != 0 and said in done.stderr, done.stderr


def test_a_federated_token_of_another_cluster(lab, keys, tmp_path, application):
    head, _, signature = open(application.told["federated-token-file"]).read().strip().split(".")
    application.write("federated-token", f"{head}.{'eyJpc3MiOiJodHRwczovL290aGVyIiwic3ViIjoieCIsImF1ZCI6InkiLCJleHAiOjQwMDAwMDAwMDB9'}.{signature}")
    done = get(lab, tmp_path / "c.conf", "rsa", vault_vault={"identity": "workload"}, login=application.login("workload"))
    assert done.returncode != 0 and "federated credential" in done.stderr
    assert "trace id" in done.stderr


@pytest.mark.skipif(os.geteuid() != 0, reason="only root's courier becomes another user")
def test_a_file_for_root_alone_is_told_of(keys, mount, application):
    application.write("client-secret", "x", mode=0o600, group=0)
    made = mount({"rsa": keys["rsa"]}, vault_vault={"identity": application.identity("secret")}, login=application.login())
    assert "give the file a group of its own (not root's) and mode 0640" in made.log()
    assert made.error("keys/rsa")
    assert "the client secret" in made.log() and "cannot be opened" in made.log()


@pytest.mark.parametrize("way", ["system", *APPLICATIONS])
def test_a_claims_challenge_is_met(lab, keys, mount, application, way):
    identity = way if way == "system" else application.identity(way)
    made = mount({"rsa": keys["rsa"]}, vault_vault={"identity": identity}, login=application.login(way))
    lab.fault("release", do="claims-challenge")
    assert made.read("rsa").startswith(b"-----BEGIN")


def test_a_claims_challenge_is_met_once(lab, keys, mount, application):
    made = mount({"rsa": keys["rsa"]}, vault_vault={"identity": application.identity("secret")},
                 login=application.login(tenant=application.told["tenant"]))
    before = lab.counters()
    lab.fault("release", times=5, do="claims-challenge")
    assert made.error("keys/rsa") == "EKEYREJECTED"
    assert "wants more claims in it" in made.log()
    after = lab.counters()
    assert after["release"] == before["release"] + 2 and after["login"] == before["login"] + 2


def test_another_audience_is_not_asked_for(lab, keys, tmp_path, application):
    """The lab's vaults say 'https://vault.azure.net', which is not where they are."""
    before = lab.counters()["login"]
    done = get(lab, tmp_path / "c.conf", "rsa", vault_vault={"identity": application.identity("secret"), "resource": "https://attest.azure.net"},
               login=application.login())
    assert done.returncode != 0 and "none was asked for" in done.stderr
    assert lab.counters()["login"] == before


@pytest.mark.parametrize("identity", MAY)
def test_an_app_service(lab, keys, tmp_path, identity):
    told = json.loads((lab.dir / "lab.json").read_text())
    env = {"IDENTITY_ENDPOINT": told["app-service"], "IDENTITY_HEADER": (lab.dir / "identity-header").read_text().strip()}
    sections = {"vault_vault": {"identity": identity}, "login": {"managed": "app-service"}}
    assert get(lab, tmp_path / "c.conf", "rsa", env=env, **sections).stdout.startswith("-----BEGIN")
    wrong = get(lab, tmp_path / "c.conf", "rsa", env={**env, "IDENTITY_HEADER": "guess"}, **sections)
    assert wrong.returncode != 0 and "identity endpoint refuses" in wrong.stderr and "guess" not in wrong.stderr


def test_arc(lab, keys, tmp_path):
    """The agent's key file proves that who asks may read it; a challenge that names another file is not followed."""
    told = json.loads((lab.dir / "lab.json").read_text())
    env = {"IDENTITY_ENDPOINT": told["arc"], "IMDS_ENDPOINT": told["imds"]}
    login = {"managed": "arc", "arc-dir": told["arc-dir"]}
    assert get(lab, tmp_path / "c.conf", "rsa", env=env, login=login).stdout.startswith("-----BEGIN")
    done = get(lab, tmp_path / "c.conf", "rsa", env=env, login={"managed": "arc", "arc-dir": str(tmp_path)})
    assert done.returncode != 0 and f"which is no .key file in {tmp_path}: refused" in done.stderr


def test_arc_names_no_file_elsewhere(lab, keys, tmp_path):
    """The lab's agent keeps its key files in the lab's folder, which is not Azure Arc's: not one is read."""
    told = json.loads((lab.dir / "lab.json").read_text())
    env = {"IDENTITY_ENDPOINT": told["arc"], "IMDS_ENDPOINT": told["imds"]}
    done = get(lab, tmp_path / "c.conf", "rsa", env=env, login={"managed": "arc"})
    assert done.returncode != 0 and "which is no .key file in /var/opt/azcmagent/tokens: refused" in done.stderr
