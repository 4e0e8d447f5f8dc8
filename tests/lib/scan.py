"""Searches for what must not be left behind: runs of 16 octets of secrets, however they are written, in the memory of
processes, in core files and in files."""
import base64
import errno
import json
import os
import pathlib
import re
import struct
import subprocess
import tempfile

from lab import BUILD

RUN = 16
TOOLS = BUILD / "tests/tools"
PRIVATE = ("d", "p", "q", "dp", "dq", "qi", "k")


def decode(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def jwk_numbers(jwk):
    """The private numbers of a JWK (RFC 7518), by member."""
    return {member: decode(jwk[member]) for member in PRIVATE if member in jwk}


def in_base64(number, altchars):
    """As any encoding with that alphabet has it, whatever stands before: three texts."""
    for before in range(3):
        text = base64.b64encode(b"\0" * before + number, altchars)
        first, last = (before * 8 + 5) // 6, (before + len(number)) * 8 // 6
        yield text[first:last]


def spellings(number):
    """{how: octets} of one private number: also as OpenSSL has it, the lowest limb first, and with its limbs alone the
    other way around."""
    found = {"octets": number, "reversed": number[::-1], "hex": number.hex().encode(), "HEX": number.hex().upper().encode()}
    if len(number) % 8 == 0:
        found["limbs"] = b"".join(number[i : i + 8] for i in range(len(number) - 8, -1, -8))
    for before, text in enumerate(in_base64(number, b"+/")):
        found[f"base64+{before}"] = text
    for before, text in enumerate(in_base64(number, b"-_")):
        found[f"base64url+{before}"] = text
    return found


def armoured(text, number):
    """The stretch of a PEM-like text, line ends included, that encodes octets of `number`; b"" when it is not in it."""
    begin = text.index(b"\n") + 1
    places = [i for i in range(begin, text.rindex(b"\n-----END")) if text[i : i + 1] != b"\n"]
    place = base64.b64decode(bytes(text[i] for i in places)).find(number)
    if place < 0:
        return b""
    return text[places[(place * 4 + 2) // 3] : places[(place + len(number)) * 4 // 3 - 1] + 1]


class Needles:
    """Labelled secrets. Runs of too few different octets (a number's leading zeros) stand for nothing and are left out."""

    def __init__(self, others=None):
        self.labels = list(others.labels) if others else []
        self.records = dict(others.records) if others else {}

    def add(self, label, secret):
        number = len(self.labels)
        self.labels.append(label)
        for i in range(len(secret) - RUN + 1):
            run = bytes(secret[i : i + RUN])
            if len(set(run)) >= 6:
                self.records.setdefault(run, number)
        return self

    def add_number(self, label, number):
        for how, octets in spellings(number).items():
            self.add(f"{label} ({how})", octets)
        return self

    def add_key(self, label, jwk, armours=()):
        """A key in every encoding, from its JWK and its PEM-like texts."""
        for member, number in jwk_numbers(jwk).items():
            self.add_number(f"{label}.{member}", number)
            for name, text in armours:
                self.add(f"{label}.{member} ({name})", armoured(text, number))
        return self

    def search(self, targets):
        """Every hit in the targets (process ids or paths) as (target, mapping, label, length)."""
        assert self.records, "nothing to look for"
        with tempfile.NamedTemporaryFile() as file:
            file.write(b"".join(run + struct.pack("<I", number) for run, number in self.records.items()))
            file.flush()
            done = subprocess.run([TOOLS / "scan_memory", file.name, *map(str, targets)], capture_output=True, text=True, timeout=120,
                                  errors="replace")
        assert done.returncode in (0, 1), done.stdout[-2000:] + done.stderr
        rows = [line.split("\t") for line in done.stdout.splitlines()]
        return [(row[1], row[3] or "anonymous", self.labels[int(row[4])], int(row[5]), row[2]) for row in rows if row[0] == "hit"]


def denied(pid):
    """The mappings of a process that cannot be read from outside: {name: errno}."""
    with tempfile.NamedTemporaryFile() as file:
        file.write(os.urandom(RUN) + b"\0\0\0\0")
        file.flush()
        done = subprocess.run([TOOLS / "scan_memory", file.name, str(pid)], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    rows = [line.split("\t") for line in done.stdout.splitlines()]
    return {row[3] or row[2]: errno.errorcode.get(int(row[4]), row[4]) for row in rows if row[0] == "denied"}


def factors(modulus, targets):
    """Where a factor of an RSA modulus (octets) lies in the writable memory of the targets: [(target, mapping, how)]."""
    done = subprocess.run([TOOLS / "scan_factors", modulus.hex(), *map(str, targets)], capture_output=True, text=True, timeout=300)
    assert done.returncode in (0, 1), done.stdout[-2000:] + done.stderr
    rows = [line.split("\t") for line in done.stdout.splitlines()]
    return [(row[1], row[3] or "anonymous", row[4], row[2]) for row in rows if row[0] == "factor"]


def everybody(made):
    """All processes of a mount: {role: pid}."""
    return {**made.processes(), "parent": made.process.pid}


def mappings(pid):
    """[(begin, end, mode, name)]"""
    found = []
    for line in pathlib.Path(f"/proc/{pid}/maps").read_text().splitlines():
        part = line.split(None, 5)
        begin, end = (int(word, 16) for word in part[0].split("-"))
        found.append((begin, end, part[1], part[5] if len(part) > 5 else ""))
    return found


TOKEN = re.compile(rb"eyJ[A-Za-z0-9_-]{20,}\.eyJ[A-Za-z0-9_-]{40,}\.[A-Za-z0-9_-]{80,}")


def tokens(pid):
    """The tokens (JWT, JWS) that stand whole in the readable memory of a process: {text: claims}."""
    found = {}
    with open(f"/proc/{pid}/mem", "rb", buffering=0) as mem:
        for begin, end, mode, name in mappings(pid):
            if "w" not in mode or name.startswith("[v"):
                continue
            try:
                mem.seek(begin)
                content = mem.read(end - begin)
            except OSError:
                continue
            for match in TOKEN.finditer(content or b""):
                try:
                    found[match.group()] = json.loads(decode(match.group().split(b".")[1].decode()))
                except ValueError:
                    pass
    return found


def tapped(path):
    """What doubles/keytap noted: the wrapping keys' octets."""
    data = pathlib.Path(path).read_bytes()
    (used,) = struct.unpack_from("<I", data)
    found, at = [], 4
    while at < 4 + used:
        (size,) = struct.unpack_from("<I", data, at)
        found.append(data[at + 4 : at + 4 + size])
        at += 4 + size
    return found
