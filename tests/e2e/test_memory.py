"""Where a key's bytes are after use: nowhere in the readable memory of any process of the mount, and in no page cache."""
import base64
import ctypes
import json
import os
import pathlib
import re

import pytest

RUN = 24  # octets of the key that must not be found in a row


def pieces(data, step=16):
    """Runs of the key's middle, where encodings share no fixed header with other keys."""
    body = data[64:-64] if len(data) > 256 else data
    return {body[i : i + RUN] for i in range(0, max(1, len(body) - RUN), step)}


def armoured_pieces(text, number):
    """Runs of a PEM-like text, line ends included, that encode octets of `number`."""
    begin = text.index(b"\n") + 1
    places = [i for i in range(begin, text.rindex(b"\n-----END")) if text[i : i + 1] != b"\n"]
    place = base64.b64decode(bytes(text[i] for i in places)).find(number)
    if place < 0:
        return set()
    first, last = places[(place * 4 + 2) // 3], places[(place + len(number)) * 4 // 3 - 1]
    return {text[i : i + RUN] for i in range(first, last - RUN, 8)}


def memory(pid):
    """Every readable mapping of a process; secret mappings answer EIO."""
    unreadable = 0
    with open(f"/proc/{pid}/mem", "rb", buffering=0) as mem:
        for line in pathlib.Path(f"/proc/{pid}/maps").read_text().split("\n"):
            found = re.match(r"([0-9a-f]+)-([0-9a-f]+) (\S+) \S+ \S+ \S+\s*(.*)", line)
            if not found or found.group(4) in ("[vvar]", "[vsyscall]", "[vvar_vclock]"):
                continue
            start, end = int(found.group(1), 16), int(found.group(2), 16)
            if "r" not in found.group(3):
                continue
            try:
                mem.seek(start)
                yield found.group(4) or hex(start), mem.read(end - start)
            except OSError:
                unreadable += 1


def hits(pid, wanted):
    return [(name, piece.hex()) for name, content in memory(pid) for piece in wanted if piece in content]


def use(made, name):
    """Reads in the ways that programs read."""
    path = made.key(name)
    whole = path.read_bytes()
    with open(path, "rb", buffering=0) as file:
        for offset in range(0, len(whole), 100):
            assert os.pread(file.fileno(), 50, offset) == whole[offset : offset + 50]
        null = os.open("/dev/null", os.O_WRONLY)
        os.sendfile(null, file.fileno(), 0, len(whole))
        os.close(null)
    return whole


@pytest.mark.parametrize("name", ["rsa", "ec", "oct"])
def test_no_key_bytes_outside_secret_memory(keys, mount, name):
    made = mount({name: keys[name]})
    secrets = {format: (made.path / "formats" / name / format).read_bytes()
               for format in (["raw", "jwk"] if name == "oct" else ["der", "pem", "jwk", "openssh"])}
    use(made, name)
    # Encodings begin alike for all keys and carry the public half: only pieces of the private numbers count.
    jwk = json.loads(secrets["jwk"])
    texts = [jwk[member] for member in ("d", "p", "q", "dp", "dq", "qi", "k") if member in jwk]
    numbers = [base64.urlsafe_b64decode(text + "==") for text in texts]
    wanted = {number[i : i + RUN] for content in numbers for number in (content, content[::-1]) for i in range(0, len(number) - RUN + 1, 8)}
    wanted |= {text.encode()[i : i + RUN] for text in texts for i in range(0, len(text) - RUN + 1, 8)}
    for format in ("pem", "openssh"):
        for number in numbers if format in secrets else []:
            wanted |= armoured_pieces(secrets[format], number)
    assert len(wanted) > 0
    for role, pid in {**made.processes(), "parent": made.process.pid}.items():
        found = hits(pid, wanted)
        assert not found, (role, found[:4])
    # The scan does find what is there: this process holds the key.
    assert hits(os.getpid(), wanted)


def test_secret_memory_cannot_be_read_from_outside(keys, mount):
    made = mount({"rsa": keys["rsa"]})
    made.read("rsa")
    assert made.status()["memory"]["kind"] == "memfd_secret"
    assert made.status()["memory"]["used"] > 1000
    maps = pathlib.Path(f"/proc/{made.processes()['keeper']}/maps").read_text()
    assert "secretmem" in maps


class Range(ctypes.Structure):
    _fields_ = [("offset", ctypes.c_uint64), ("length", ctypes.c_uint64)]


class Stat(ctypes.Structure):
    _fields_ = [(name, ctypes.c_uint64) for name in ("cached", "dirty", "writeback", "evicted", "recently")]


def cached_pages(path):
    libc = ctypes.CDLL(None, use_errno=True)
    descriptor = os.open(path, os.O_RDONLY)
    try:
        stat = Stat()
        if libc.syscall(451, descriptor, ctypes.byref(Range(0, 0)), ctypes.byref(stat), 0) != 0:
            pytest.skip(f"cachestat: {os.strerror(ctypes.get_errno())}")
        return stat.cached
    finally:
        os.close(descriptor)


def test_page_cache_holds_nothing_after_close(keys, mount):
    made = mount({"rsa": keys["rsa"]})
    use(made, "rsa")
    import mmap
    with open(made.key("rsa"), "rb") as file, mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ, flags=mmap.MAP_PRIVATE) as mapped:
        assert mapped[:5] == b"-----"
    from lab import wait_for
    wait_for("no page is cached", lambda: cached_pages(made.key("rsa")) == 0, 3)


def test_tokens_leave_the_keeper_after_use(lab, keys, mount):
    """The attestation token is kept for the next key; the log and the environment never have it."""
    made = mount({"rsa": keys["rsa"]}, "-o", "log=debug")
    secret = made.read("rsa")
    log = made.log()
    assert "eyJ" not in log
    for piece in pieces(secret):
        assert piece.decode("latin1") not in log
    for pid in made.processes().values():
        environment = pathlib.Path(f"/proc/{pid}/environ").read_bytes()
        arguments = pathlib.Path(f"/proc/{pid}/cmdline").read_bytes()
        assert b"eyJ" not in environment + arguments
        assert not any(piece in environment + arguments for piece in pieces(secret))


def test_the_attestation_token_stays_with_the_keeper(keys, mount):
    """The courier sends it and forgets it; what is looked for is its signature, which no other text shares."""
    made = mount({name: keys[name] for name in keys})
    for name in keys:
        made.read(name)
    pids = made.processes()
    shape = re.compile(rb"eyJ[A-Za-z0-9_-]{40,}\.[A-Za-z0-9_-]{1000,}\.([A-Za-z0-9_-]{300,})")
    signatures = {match.group(1) for _, content in memory(pids["keeper"]) for match in shape.finditer(content)}
    assert signatures, "the keeper keeps its token for the next key"
    wanted = {signature[i : i + RUN] for signature in signatures for i in range(0, len(signature) - RUN, 8)}
    for role in set(pids) - {"keeper"}:
        assert not hits(pids[role], wanted), role
