"""The lab and mounts of it, as the end-to-end tests use them."""
import configparser
import contextlib
import errno
import json
import os
import pathlib
import re
import signal
import subprocess
import time
import urllib.request

SOURCE = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("SKRFS_BUILD", SOURCE / "build/check"))
SKRFS = os.environ.get("SKRFS_BIN", str(BUILD / "src/skrfs"))


def run(*args, check=True, timeout=60, **options):
    """Runs a program to its end, its outputs as text."""
    done = subprocess.run([str(arg) for arg in args], capture_output=True, text=True, timeout=timeout, stdin=subprocess.DEVNULL, **options)
    if check and done.returncode != 0:
        raise AssertionError(f"{args} ended with {done.returncode}\n{done.stdout}\n{done.stderr}")
    return done


def skrfs(*args, **options):
    return run(SKRFS, *args, **options)


def wait_for(what, condition, seconds=15.0):
    """Waits until condition() is true and returns what it returned."""
    end = time.monotonic() + seconds
    while True:
        result = condition()
        if result:
            return result
        assert time.monotonic() < end, f"waited {seconds} s in vain: {what}"
        time.sleep(0.02)


class Lab:
    """One `skrfs lab up`; ends with down()."""

    def __init__(self, directory, *arguments):
        self.dir = pathlib.Path(directory)
        skrfs("lab", "up", "--dir", self.dir, *arguments, timeout=120)
        self.conf = self.dir / "skrfs.conf"
        self.base = self.conf.read_text()
        parser = configparser.ConfigParser(interpolation=None, strict=False, inline_comment_prefixes=(";",))
        parser.read_string(self.base)
        self.imds = parser["imds"]["url"]
        self.attestation = parser["attestation"]["url"]
        self.ca = parser["network"]["ca-file"]
        self.tcti = parser["tpm"]["tcti"]
        self.vaults = {name.split()[1]: parser[name]["url"] for name in parser.sections() if name.startswith("vault ")}
        self.policy = self.dir / "policy.json"
        self.policy.write_text(skrfs("policy", "new", "--config", self.conf).stdout)

    def down(self):
        skrfs("lab", "down", "--dir", self.dir)

    def _call(self, method, path, body=None):
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.imds + path, data=data, method=method)
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=10) as answer:
            text = answer.read()
        return json.loads(text) if text.strip() else None

    def fault(self, at, times=1, **how):
        self._call("POST", "/lab/faults", {"at": at, "times": times, **how})

    def clear(self):
        self._call("DELETE", "/lab/faults")

    def settings(self, **values):
        self._call("POST", "/lab/settings", values)

    def counters(self):
        return self._call("GET", "/lab/counters")

    def create(self, name, vault="vault", kty="RSA-HSM", policy=None, **more):
        arguments = [option for key, value in more.items() for option in ("--" + key, value)]
        skrfs("key", "create", name, "--config", self.conf, "--vault", vault, "--kty", kty, "--policy", policy or self.policy, *arguments)

    def show(self, name, vault="vault", *more):
        return json.loads(skrfs("key", "show", name, "--config", self.conf, "--vault", vault, "--json", *more).stdout)

    def config(self, path, keys, **sections):
        """Writes a configuration: the lab's own, [key NAME] for each of `keys` (a dict of dicts), other
        sections' values put in or over (section names with '_' for a blank)."""
        parser = configparser.ConfigParser(interpolation=None, strict=False, inline_comment_prefixes=(";",))
        parser.optionxform = str
        parser.read_string(self.base)
        for name, values in keys.items():
            parser[f"key {name}"] = {key.replace("_", "-"): str(value) for key, value in {"vault": "vault", **values}.items()}
        for name, values in sections.items():
            section = name.replace("_", " ")
            if not parser.has_section(section):
                parser.add_section(section)
            for key, value in values.items():
                parser[section][key.replace("_", "-")] = str(value)
        with open(path, "w") as out:
            parser.write(out)
        return path


class Mount:
    """One `skrfs mount -f`: a context that unmounts at the end."""

    def __init__(self, conf, path, *arguments, env=None, prefix=()):
        self.conf, self.path = conf, pathlib.Path(path)
        self.path.mkdir(exist_ok=True)
        self.log_path = pathlib.Path(str(path) + ".log")
        with open(self.log_path, "wb") as log:
            self.process = subprocess.Popen([*map(str, prefix), SKRFS, "mount", "-f", "--config", str(conf), *arguments, str(path)],
                                            stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=env)
        try:
            wait_for(f"{path} is mounted", self.answers)
        except BaseException:
            self.stop()
            print(self.log())
            raise

    def answers(self):
        assert self.process.poll() is None, f"the mount ended: {self.log()}"
        return is_mounted(self.path) and (self.path / "keys").is_dir()

    def log(self):
        return self.log_path.read_text(errors="replace")

    def key(self, name):
        return self.path / "keys" / name

    def read(self, name):
        return self.key(name).read_bytes()

    def why(self, name):
        return (self.path / "status/why" / name).read_text()

    def status(self):
        return json.loads((self.path / "status/status.json").read_text())

    def error(self, path):
        """The errno name with which opening and reading fails, "" when it succeeds."""
        try:
            with open(self.path / path, "rb", buffering=0) as file:
                file.read()
        except OSError as failure:
            return errno.errorcode[failure.errno]
        return ""

    def processes(self):
        """Process ids by role: {"keeper": pid, "courier": pid, "witness": pid, ...}."""
        return processes_of(self.process.pid)

    def kill(self, role, number=signal.SIGKILL):
        os.kill(self.processes()[role], number)

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(15)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        if is_mounted(self.path):
            run("umount", "-l", self.path, check=False)

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.stop()
        if exception[0]:
            print(self.log())


def processes_of(parent):
    found = {}
    for child in pathlib.Path(f"/proc/{parent}/task/{parent}/children").read_text().split():
        with contextlib.suppress(OSError):
            found[re.sub(r"^skrfs-", "", pathlib.Path(f"/proc/{child}/comm").read_text().strip())] = int(child)
    return found


def is_mounted(path):
    wanted = str(pathlib.Path(path).resolve())
    for line in open("/proc/self/mountinfo"):
        fields = line.split()
        if fields[4].encode().decode("unicode_escape") == wanted:
            return True
    return False
