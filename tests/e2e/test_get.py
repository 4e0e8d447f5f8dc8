"""`skrfs get`: all keys or none, then a program in its place; Gramine's keys, and what Mystikos declares."""
import json
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile

import pytest
from devices import DOUBLES, Gramine
from lab import SKRFS, run, wait_for

PROBE = """
import json, os, resource, sys
status = dict(line.split(":\\t", 1) for line in open("/proc/self/status").read().split("\\n") if ":\\t" in line)
json.dump({"argv": sys.argv[1:], "pid": os.getpid(), "environ": dict(os.environ),
           "fds": {fd: os.readlink(f"/proc/self/fd/{fd}") for fd in os.listdir("/proc/self/fd") if os.path.lexists(f"/proc/self/fd/{fd}")},
           "blocked": status["SigBlk"].strip(), "ignored": status["SigIgn"].strip(), "no_new_privs": status["NoNewPrivs"].strip(),
           "seccomp": status["Seccomp"].strip(), "core": resource.getrlimit(resource.RLIMIT_CORE), "memlock": resource.getrlimit(resource.RLIMIT_MEMLOCK),
           "maps": open("/proc/self/maps").read()}, sys.stdout)
sys.exit(7)
"""


@pytest.fixture
def folder():
    """A folder of tmpfs."""
    path = pathlib.Path(tempfile.mkdtemp(prefix="skrfs-get-", dir="/dev/shm"))
    yield path
    shutil.rmtree(path)


@pytest.fixture
def conf(lab, keys, tmp_path):
    def make(more=(), **sections):
        return lab.config(tmp_path / "get.conf", {**keys, **dict(more)}, **sections)

    return make


def get(*words, env=None, **options):
    return subprocess.run([SKRFS, "get", "--force", *map(str, words)], capture_output=True, stdin=subprocess.DEVNULL, timeout=60,
                          env={**os.environ, **(env or {})}, **options)


def names(folder):
    return sorted(os.listdir(folder))


def test_keys_are_in_files(conf, folder):
    done = get("rsa", "oct", "--config", conf(), "--to", folder)
    assert done.returncode == 0, done.stderr
    assert names(folder) == ["oct", "rsa"]
    assert len((folder / "oct").read_bytes()) == 32
    assert (folder / "rsa").read_bytes().startswith(b"-----BEGIN PRIVATE KEY-----")
    assert (folder / "rsa").stat().st_mode & 0o7777 == 0o400


def test_all_keys_or_none(lab, conf, folder):
    absent = {"absent": {"vault": "vault", "name": "there-is-no-such-key"}}
    done = get("rsa", "absent", "--config", conf(absent), "--to", folder)
    assert done.returncode == run_code("not-found", lab), done.stderr
    assert b"there-is-no-such-key" in done.stderr
    assert names(folder) == []


def run_code(word, lab):
    """The exit code of a class, learnt from a verb that fails in that way for sure."""
    assert word == "not-found"
    return run(SKRFS, "get", "no-such-section", "--config", lab.conf, check=False).returncode


def test_a_key_that_cannot_be_had_is_passed_over_on_request(conf, folder):
    absent = {"absent": {"vault": "vault", "name": "there-is-no-such-key"}}
    done = get("absent", "rsa", "--config", conf(absent), "--to", folder, "--continue")
    assert done.returncode != 0
    assert b"passed over" in done.stderr
    assert names(folder) == ["rsa"]
    done = get("absent", "oct", "--config", conf(absent), "--to", folder, "--continue", "--exec", "true")
    assert done.returncode == 0, done.stderr
    assert b"passed over" in done.stderr
    assert names(folder) == ["oct", "rsa"]


def test_a_program_takes_over(conf, folder, tmp_path):
    probe = tmp_path / "probe.py"
    probe.write_text(PROBE)
    inherited = os.open(probe, os.O_RDONLY)
    environment = {"A_VARIABLE": "of its own", "IDENTITY_HEADER": "the-platform's"}
    process = subprocess.Popen([SKRFS, "get", "--force", "rsa", "oct", "--config", str(conf()), "--to", str(folder), "--exec", "python3",
                                "--", str(probe), "-g", "--to", "two words", "--"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL,
                               env={**os.environ, **environment}, pass_fds=[inherited])
    out, err = process.communicate(timeout=60)
    os.close(inherited)
    assert process.returncode == 7, err
    told = json.loads(out)
    assert told["argv"] == ["-g", "--to", "two words", "--"]
    assert told["pid"] == process.pid
    assert {key: told["environ"][key] for key in environment} == environment
    assert set(told["environ"]) - set(os.environ) - {"LC_CTYPE"} == set(environment)
    # 0, 1, 2, the inherited one, and the folder that is being listed and has gone.
    assert set(told["fds"]) <= {"0", "1", "2", str(inherited)}, told["fds"]
    assert told["blocked"] == "0" * 16
    mine = dict(line.split(":\t", 1) for line in open("/proc/self/status").read().split("\n") if ":\t" in line)
    assert int(told["ignored"], 16) & ~int(mine["SigIgn"], 16) & ~((1 << 12) | (1 << 24)) == 0  # Python ignores SIGPIPE and SIGXFSZ
    assert told["no_new_privs"] == mine["NoNewPrivs"].strip() and told["seccomp"] == mine["Seccomp"].strip()
    import resource
    assert told["core"] == list(resource.getrlimit(resource.RLIMIT_CORE))
    assert told["memlock"] == list(resource.getrlimit(resource.RLIMIT_MEMLOCK))
    assert "secretmem" not in told["maps"] and "skrfs" not in told["maps"]
    assert names(folder) == ["oct", "rsa"]


def test_signals_are_the_programs(conf, folder):
    process = subprocess.Popen([SKRFS, "get", "--force", "rsa", "--config", str(conf()), "--to", str(folder), "--exec", "sleep", "--", "600"],
                               stdin=subprocess.DEVNULL)
    try:
        wait_for("the program runs", lambda: pathlib.Path(f"/proc/{process.pid}/comm").read_text() == "sleep\n")
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == -signal.SIGTERM
    finally:
        process.kill()
        process.wait()


def test_without_its_keys_the_program_is_not_started(lab, conf, folder, tmp_path):
    mark = tmp_path / "started"
    lab.fault("release", status=403)
    done = get("rsa", "--config", conf(), "--to", folder, "--exec", "touch", "--", mark)
    assert done.returncode not in (0, 126, 127), done.stderr
    assert not mark.exists() and names(folder) == []


def test_a_program_that_is_not_there_is_told_before_any_release(lab, conf, folder):
    before = lab.counters()
    done = get("rsa", "--config", conf(), "--to", folder, "--exec", "there-is-no-such-program")
    assert done.returncode != 0
    assert b"there is no program 'there-is-no-such-program'" in done.stderr
    assert names(folder) == [] and lab.counters()["release"] == before["release"]


@pytest.mark.parametrize("words, message", [
    (["rsa", "--exec", "true"], "--to DIR"),
    (["rsa", "--", "true"], "--exec PROGRAM"),
    ([], "which keys?"),
    (["rsa", "--attestation", "https://a.net"], "--mystikos"),
    (["rsa", "--keys-to-gramine", "--to", "/dev/shm"], "--keys-to-gramine"),
])
def test_words_that_do_not_go_together(conf, words, message):
    done = get("--config", conf(), *words)
    assert done.returncode != 0
    assert message in done.stderr.decode()


# Gramine, by a tree of plain files: writing a key is what is shown here.

@pytest.fixture
def gramine(tmp_path):
    path = tmp_path / "attestation"
    (path / "keys").mkdir(parents=True)
    (path / "attestation_type").write_text("dcap")
    (path / "keys/default").write_bytes(b"")
    return path


@pytest.fixture
def small(lab):
    """A key of 16 octets."""
    if not getattr(lab, "has_small", False):
        lab.create("gramine-default", "hsm", "oct-HSM", size=128)
        lab.has_small = True
    return {"default": {"vault": "hsm", "name": "gramine-default", "format": "raw"}}


def test_keys_for_gramine(conf, small, gramine):
    # The lab's machine is a confidential VM: said, since the folder alone would make it an enclave.
    settings = conf(small, tee={"kind": "auto"}).read_text()
    path = pathlib.Path(str(gramine.parent / "gramine.conf"))
    path.write_text(settings.replace("kind = auto", f"attestation = {gramine}"))
    (gramine / "attestation_type").write_text("none")
    done = get("default", "--config", path, "--keys-to-gramine")
    assert done.returncode == 0, done.stderr
    assert len((gramine / "keys/default").read_bytes()) == 16
    done = get("default", "--config", path)
    assert (gramine / "keys/default").read_bytes() == done.stdout


def test_keys_that_are_none_of_gramines(conf, small, gramine):
    (gramine / "attestation_type").write_text("none")
    (gramine / "keys/oct").write_bytes(b"")
    path = conf(small, tee={"attestation": gramine})
    done = get("default", "oct", "--config", path, "--keys-to-gramine")
    assert b"'oct' has 32" in done.stderr and done.returncode != 0
    assert (gramine / "keys/default").read_bytes() == b"" == (gramine / "keys/oct").read_bytes()
    done = get("rsa", "--config", path, "--keys-to-gramine")
    assert b"format = raw" in done.stderr and done.returncode != 0
    (gramine / "keys/default").unlink()
    done = get("default", "--config", path, "--keys-to-gramine")
    assert b"fs.mounts" in done.stderr and done.returncode != 0


def test_a_folder_inside_gramine(conf, gramine, tmp_path):
    (gramine / "attestation_type").write_text("none")
    disk = pathlib.Path(tempfile.mkdtemp(dir="/var/tmp"))
    try:
        path = conf(tee={"attestation": gramine})
        done = get("oct", "--config", path, "--to", disk)
        assert done.returncode != 0 and b"--enclave" in done.stderr and names(disk) == []
        assert get("oct", "--config", path, "--to", disk, "--enclave").returncode == 0
        (disk / "oct").unlink()
        (gramine / "attestation_type").unlink()
        done = get("oct", "--config", path, "--to", disk, "--enclave")
        assert done.returncode != 0 and b"inside Gramine" in done.stderr and names(disk) == []
    finally:
        shutil.rmtree(disk)


# Mystikos

def declare(path, secrets, bare=False):
    path.write_text(json.dumps(secrets if bare else {"version": "0.1", "Debug": 1, "Secret": secrets}, indent=1))
    return path


@pytest.mark.parametrize("bare", [False, True])
def test_mystikos(lab, conf, folder, tmp_path, bare):
    (folder / "run").mkdir()
    file = declare(tmp_path / "config.json", [
        {"ID": "oct", "SrsAddress": lab.vaults["hsm"], "SrsApiVersion": "7.3-preview", "LocalPath": f"{folder}/run/disk.key", "ClientLib": "libmhsm_ssr.so", "Verbose": 1},
        {"ID": "rsa", "SrsAddress": lab.vaults["vault"], "LocalPath": f"{folder}/tls.der"},
    ], bare)
    done = get("--mystikos", file, "--config", conf())
    assert done.returncode == 0, done.stderr
    assert b"ClientLib is not used" in done.stderr and b"released 'oct'" in done.stderr and b"released 'rsa'" not in done.stderr
    assert names(folder) == ["run", "tls.der"]
    assert len((folder / "run/disk.key").read_bytes()) == 32
    assert (folder / "run/disk.key").stat().st_mode & 0o7777 == 0o640
    assert (folder / "tls.der").read_bytes()[0] == 0x30


def test_mystikos_below_a_folder(lab, conf, folder, tmp_path):
    (folder / "root/run").mkdir(parents=True)
    os.symlink("/tmp", folder / "root/away")
    secret = {"ID": "oct", "SrsAddress": lab.vaults["hsm"], "LocalPath": "/run/disk.key"}
    done = get("--mystikos", declare(tmp_path / "config.json", [secret]), "--config", conf(), "--to", folder / "root")
    assert done.returncode == 0, done.stderr
    assert (folder / "root/run/disk.key").exists()
    for path in ("/away/disk.key", "/none/disk.key"):
        done = get("--mystikos", declare(tmp_path / "config.json", [{**secret, "LocalPath": path}]), "--config", conf(), "--to", folder / "root")
        assert done.returncode != 0 and b"must be there, and no link" in done.stderr
    assert not os.path.exists("/tmp/disk.key")


def test_mystikos_errors_have_a_place(conf, folder, tmp_path):
    file = declare(tmp_path / "config.json", [{"ID": "oct", "SrsAddress": "https://contoso.managedhsm.azure.net", "LocalPath": "/run/../etc/shadow"}])
    done = get("--mystikos", file, "--config", conf())
    line = [number for number, text in enumerate(file.read_text().split("\n"), 1) if "LocalPath" in text][0]
    assert done.returncode != 0
    assert f"{file}:{line}:" in done.stderr.decode() and "LocalPath" in done.stderr.decode()


def test_a_failure_must_not_stop_mystikos_boot(lab, conf, folder, tmp_path):
    file = declare(tmp_path / "config.json", [
        {"ID": "there-is-none", "SrsAddress": lab.vaults["hsm"], "LocalPath": f"{folder}/a"},
        {"ID": "oct", "SrsAddress": lab.vaults["hsm"], "LocalPath": f"{folder}/b"},
    ])
    done = get("--mystikos", file, "--config", conf())
    assert done.returncode == 4 and f"'there-is-none' of {lab.vaults['hsm']}: ".encode() in done.stderr
    assert names(folder) == []
    done = get("--mystikos", file, "--config", conf(), "--continue", "--exec", "sh", "--", "-c", "test -z \"$CLIENT_SECRET\" && exit 9")
    assert done.returncode == 9, done.stderr
    assert names(folder) == ["b"]


def test_mystikos_client_from_the_environment(lab, conf, folder, tmp_path):
    """The secret is used, and the program does not get it."""
    file = declare(tmp_path / "config.json", [{"ID": "oct", "SrsAddress": lab.vaults["hsm"], "LocalPath": f"{folder}/a"}])
    done = get("--mystikos", file, "--config", conf(), env={"CLIENT_ID": "11111111-2222-3333-4444-555555555555"})
    assert b"belong together" in done.stderr and done.returncode != 0
    done = get("--mystikos", file, "--config", conf(), "--continue", "--exec", "sh", "--", "-c", "test -z \"${CLIENT_SECRET+set}\" && exit 9",
               env={"CLIENT_ID": "11111111-2222-3333-4444-555555555555", "CLIENT_SECRET": "b1946ac92492d2347c6235b4d2611184", "APP_ID": "lab.example",
                    "MHSM_AAD_URL": lab.vaults["vault"]})
    assert done.returncode == 9, done.stderr
    assert b"b1946ac92492d2347c6235b4d2611184" not in done.stderr
    assert b"Entra ID" in done.stderr  # nobody of that name there: said, and passed over


def test_mystikos_needs_an_attestation_service(folder, tmp_path):
    file = declare(tmp_path / "config.json", [{"ID": "oct", "SrsAddress": "https://contoso.managedhsm.azure.net", "LocalPath": f"{folder}/a"}])
    done = subprocess.run([SKRFS, "get", "--mystikos", str(file)], capture_output=True, env={**os.environ, "SKRFS_CONFIG": "/nonexistent/skrfs.conf"}, timeout=60)
    assert done.returncode != 0 and b"--attestation URL" in done.stderr
    done = subprocess.run([SKRFS, "get", "--mystikos", str(file), "--attestation", "http://a.net"], capture_output=True,
                          env={**os.environ, "SKRFS_CONFIG": "/nonexistent/skrfs.conf"}, timeout=60)
    assert done.returncode != 0 and b"https://" in done.stderr


def test_among_gramines_system_calls(lab, folder, tmp_path):
    """The whole way inside an enclave's LibOS: its files, what it lacks of Linux, its keys, then the program."""
    double = Gramine(lab, tmp_path / "device")
    try:
        policy = tmp_path / "policy.json"
        policy.write_text(json.dumps({"version": "1.0.0", "anyOf": [{"authority": lab.attestation, "allOf": [{"claim": "x-ms-attestation-type", "equals": "sgx"}]}]}))
        lab.create("enclave-files", "hsm", "oct-HSM", policy, size=128)
        lab.create("enclave-tls", "vault", "RSA-HSM", policy, size=2048)
        conf = lab.config(tmp_path / "enclave.conf", {"default": {"vault": "hsm", "name": "enclave-files", "format": "raw"}, "enclave-tls": {"vault": "vault"}},
                          tee={"kind": "sgx", **double.tee})
        done = run(DOUBLES / "gramine_calls", SKRFS, "get", "default", "--config", conf, "--keys-to-gramine", "--exec", SKRFS, "--",
                   "get", "enclave-tls", "--config", conf, "--to", folder, "--enclave", "--exec", "sh", "--", "-c", "exit 11", check=False)
        assert done.returncode == 11, done.stderr
        assert (double.path / "keys/default").read_bytes() != bytes(16)
        assert (folder / "enclave-tls").read_bytes().startswith(b"-----BEGIN PRIVATE KEY-----")
    finally:
        double.stop()
