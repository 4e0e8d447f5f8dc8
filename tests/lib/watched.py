"""A mount whose secrets are all known to the test, and looked for after each use: the keys themselves, the keys that they
came wrapped with, tokens."""
import contextlib
import ctypes
import json
import os
import pathlib
import subprocess

import pytest
from devices import DOUBLES, Sev, Tsm
from lab import SKRFS, Mount, run, skrfs, wait_for
from scan import TOOLS, Needles, everybody, tapped, tokens

PRIVATE_FORMATS = {"rsa": ["der", "pem", "jwk", "openssh"], "ec": ["der", "pem", "jwk", "openssh"], "oct": ["raw", "jwk"]}
PUBLIC_FORMATS = ["pub.der", "pub.pem", "pub.jwk"]
KINDS = {
    "cvm": lambda lab, path: None,
    "snp": lambda lab, path: Tsm(lab, path, "sev_guest"),
    "tdx": lambda lab, path: Tsm(lab, path, "tdx_guest"),
    "sev": lambda lab, path: Sev(lab, path),
}
# What any machine of the lab's can show.
CLAIMS = {
    "x-ms-isolation-tee.x-ms-compliance-status": "azure-compliant-cvm",
    "x-ms-sevsnpvm-is-debuggable": "false",
    "tdx_td_attributes_debug": "false",
    "x-ms-sgx-is-debuggable": "false",
}
_made = {}


def any_policy(lab, folder):
    path = folder / "any.json"
    path.write_text(json.dumps({"version": "1.0.0", "anyOf": [{"authority": lab.attestation, "anyOf": [
        {"claim": claim, "equals": value} for claim, value in CLAIMS.items()]}]}))
    return path


def keys_of(lab):
    """Keys in the lab that any of its machines may have, made once: {name: settings}."""
    if lab.dir not in _made:
        policy = any_policy(lab, lab.dir)
        lab.create("mem-rsa", "vault", "RSA-HSM", policy, size="2048")
        lab.create("mem-ec", "hsm", "EC-HSM", policy, curve="P-256")
        lab.create("mem-oct", "hsm", "oct-HSM", policy, size="256")
        _made[lab.dir] = policy
    return {
        "rsa": {"vault": "vault", "name": "mem-rsa"},
        "ec": {"vault": "hsm", "name": "mem-ec"},
        "oct": {"vault": "hsm", "name": "mem-oct", "format": "raw"},
    }


class Watched:
    def __init__(self, lab, folder, kind="cvm", keys=None, tap=True, prefix=(), arguments=(), user=None, **sections):
        self.lab, self.folder, self.kind = lab, pathlib.Path(folder), kind
        self.folder.mkdir(exist_ok=True)
        self.keys = keys_of(lab) if keys is None else keys
        self.double = KINDS[kind](lab, self.folder / "device")
        self.tap = self.folder / "keytap" if tap else None
        self.needles = Needles()
        tee = {"tee": {"kind": "snp" if kind == "sev" else kind, **self.double.tee}} if self.double else {}
        conf = lab.config(self.folder / "c.conf", self.keys, **{**tee, **sections})
        try:
            self.mount = Mount(conf, self.folder / "mnt", *arguments, env=self.environment(), prefix=prefix)
        except BaseException:
            if self.double:
                self.double.stop()
            raise
        self.secrets, self.held = {}, {}

    def environment(self):
        env = dict((self.double.env if self.double else None) or os.environ)
        if self.tap:
            env["LD_PRELOAD"] = f"{DOUBLES / 'keytap.so'} {env.get('LD_PRELOAD', '')}".strip()
            env["SKRFS_KEYTAP"] = str(self.tap)
        return env

    def learn(self, *names):
        """Reads keys in all their encodings, and will look for them."""
        for name in names or self.keys:
            formats = self.mount.path / "formats" / name
            texts = {each: (formats / each).read_bytes() for each in PRIVATE_FORMATS[name]}
            for each in PUBLIC_FORMATS if name != "oct" else []:
                (formats / each).read_bytes()
            armours = [(each, texts[each]) for each in ("pem", "openssh") if each in texts]
            # The search does find what is there: this process holds the key.
            assert Needles().add_key(name, json.loads(texts["jwk"]), armours).search([os.getpid()])
            self.needles.add_key(name, json.loads(texts["jwk"]), armours)
            self.secrets[name] = self.mount.read(name)
        return self

    def wanted(self):
        """Needles for the keys, and for those that they were wrapped with so far."""
        found = Needles(self.needles)
        for number, key in enumerate(tapped(self.tap) if self.tap else []):
            found.add_number(f"wrapping key {number} of {len(key)} octets", key)
        return found

    def hits(self, targets):
        """Where secrets are, but for the mapping that tells the test of wrapping keys."""
        return [hit for hit in self.wanted().search(targets) if hit[1] != str(self.tap)]

    def check(self, what, *more):
        """Nothing of any secret is in any process of the mount, nor in `more` (process ids, files)."""
        roles = {str(pid): role for role, pid in everybody(self.mount).items()}
        found = self.hits([*roles, *more])
        assert not found, (what, [(roles.get(hit[0], hit[0]), *hit[1:]) for hit in found[:6]])

    def watch_cache(self):
        """Holds a descriptor of every file of keys: an open drops what the kernel has cached, and would hide it."""
        for path in self.mount.path.rglob("*"):
            if path.is_file() and path.parts[len(self.mount.path.parts)] in ("keys", "formats", "versions"):
                with contextlib.suppress(OSError):  # an encoding that this type of key does not have
                    self.held[path] = os.open(path, os.O_RDONLY)
        return self

    def cached(self):
        """Files of the tree of which the kernel has pages: {path: how many}."""
        assert self.held
        counts = {path: cached_pages(descriptor) for path, descriptor in self.held.items()}
        return {path: count for path, count in counts.items() if count}

    def let_go(self):
        for descriptor in self.held.values():
            os.close(descriptor)
        self.held = {}

    def settle_processes(self, what):
        """Like check, for processes that still end some work nobody waits for: it is the rest that counts."""
        wait_for(f"nothing is left after {what}", lambda: not self.hits(everybody(self.mount).values()))

    def settle(self, what):
        wait_for(f"no page is cached after {what}", lambda: not self.cached())
        self.check(what)

    def stop(self):
        self.let_go()
        self.mount.stop()
        print(self.mount.log())
        if self.double:
            self.double.stop()


def read_way(way, path):
    """The octets that tests/tools/read_ways gets; the test is skipped, aloud, where the kernel has no such way."""
    done = subprocess.run([TOOLS / "read_ways", way, str(path)], capture_output=True, timeout=60)
    if done.returncode == 3:
        pytest.skip(f"{way}: {done.stderr.decode().strip()}")
    assert done.returncode == 0, (way, done.stderr)
    return done.stdout


def ways():
    source = pathlib.Path(__file__).resolve().parents[1] / "tools/read_ways.c"
    table = source.read_text().split("} ways[] = {")[1].split("};")[0]
    return [line.split('"')[1] for line in table.splitlines() if '"' in line]


class Range(ctypes.Structure):
    _fields_ = [("offset", ctypes.c_uint64), ("length", ctypes.c_uint64)]


class Stat(ctypes.Structure):
    _fields_ = [(name, ctypes.c_uint64) for name in ("cached", "dirty", "writeback", "evicted", "recently")]


def cached_pages(descriptor):
    """cachestat(2), Linux 6.5."""
    libc = ctypes.CDLL(None, use_errno=True)
    stat = Stat()
    if libc.syscall(451, descriptor, ctypes.byref(Range(0, 0)), ctypes.byref(stat), 0) != 0:
        pytest.skip(f"cachestat: {os.strerror(ctypes.get_errno())}")
    return stat.cached


__all__ = ["SKRFS", "Watched", "any_policy", "cached_pages", "keys_of", "read_way", "run", "skrfs", "tokens", "ways"]
