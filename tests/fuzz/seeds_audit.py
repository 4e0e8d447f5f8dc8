"""Seeds of the audit's targets: chains, and what may have been done to them."""
import hashlib
import json
import struct

ZEROS = "0" * 64
CHAIN = "0123456789abcdef"
WHO = {"uid": 33, "gid": 33, "pid": 8, "exe": "/usr/sbin/nginx", "unit": "nginx.service", "container": "abcdef012345"}
TIME = "2023-11-14T22:13:20.123456Z"


def record(kind, **members):
    return {"time": TIME, "kind": kind, **members}


BODIES = [
    record("begin", process="scribe", mount="/run/skrfs", config="/etc/skrfs/skrfs.conf", torn=3, cut={"seq": 4, "digest": ZEROS}),
    record("open", key="tls", path="keys/tls", verdict="granted", rule="mode 0400", version="v1", release=1, who=WHO),
    record("read", key="tls", path="keys/tls", verdict="refused", **{"class": "denied"}, reason="no allow rule", repeated=4, who=WHO),
    record("release", key="tls", verdict="released", vault="prod", version="v1", release=1, tee="snp", measurement="ab", kid="k",
           audit={"seq": 1, "digest": "ab", "chain": "c"}),
    record("release", key="tls", verdict="failed", vault="prod", upstream=403, reason="no"),
    record("wipe", verdict="done", who=WHO, required=True, nothing=None),
    record("renew", key="tls", verdict="refused", reason="no"),
    record("gone", key="tls", reason="over"),
    record("lost", lost=3),
    record("end"),
]


def lines(bodies, prev=ZEROS, seq=1, chain=CHAIN, oldest=0):
    made = []
    for body in bodies:
        whole = {"seq": seq, "prev": prev, "chain": chain, **({"file": {"number": 1, "oldest": oldest or 1}} if not made and (seq == 1 or oldest) else {}), **body}
        text = json.dumps(whole, separators=(",", ":")).encode()
        prev, seq = hashlib.sha256(text).hexdigest(), seq + 1
        made.append(prev.encode() + b" " + text + b"\n")
    return made


def head(seq, line=None):
    return b"h" + bytes([seq]) + (line[:64] if line else b"f" * 64) + b"\n"


def records(_):
    all_of_it = lines(BODIES)
    forged = lines([record("gone")] * 1, prev=all_of_it[2][:64].decode(), seq=4)
    after = lines([record("end")], prev=forged[0][:64].decode(), seq=5)
    second = lines(BODIES[1:3], prev=all_of_it[2][:64].decode(), seq=4, oldest=1)
    other = lines(BODIES, chain="00000000000000ff")
    swap = [*all_of_it[:4], all_of_it[5], all_of_it[4], *all_of_it[6:]]
    yield "whole", b"".join(all_of_it)
    yield "empty", b""
    yield "journal", b"j" + b"".join([*all_of_it, all_of_it[2], *other[:3], other[5], other[4]])
    yield "journal-later", b"j" + b"".join(all_of_it[3:5])
    yield "gap", b"".join(all_of_it[:2] + all_of_it[5:])
    yield "gap-filled", b"".join([*all_of_it[:2], *all_of_it[6:], all_of_it[3]])
    yield "moved", b"".join(swap)
    yield "moved-first", b"".join(all_of_it[1:] + all_of_it[:1])
    yield "changed", b"".join(all_of_it).replace(b"nginx", b"apache")
    yield "changed-first", b"".join(all_of_it).replace(b"scribe", b"keeper")
    yield "changed-replaced", b"".join([*all_of_it[:3], forged[0].replace(b"gone", b"lost"), *all_of_it[4:]])
    yield "broken", b"".join([all_of_it[0], b"this is none\n", *all_of_it[1:3], b"\n", *all_of_it[3:]])
    yield "cut", b"".join(all_of_it)[:-100]
    yield "put-in-before", b"".join([*all_of_it[:3], *forged, *all_of_it[3:]])
    yield "put-in-behind", b"".join([*all_of_it[:4], *forged, *all_of_it[4:]])
    yield "put-in-stead", b"".join([*all_of_it[:3], *forged, *all_of_it[4:]])
    yield "made-anew", head(4, all_of_it[3]) + b"".join([*all_of_it[:3], *forged, *after])
    yield "doubled", b"".join([*all_of_it, all_of_it[4]])
    yield "later", b"".join(all_of_it[2:])
    yield "two-files", b"".join([*all_of_it[:3], b"%\n", *second])
    yield "second-file", b"".join(second)
    yield "second-file-kept", b"".join(lines(BODIES[1:], prev=all_of_it[2][:64].decode(), seq=4, oldest=4))
    yield "two-chains", b"".join([*all_of_it, *other])
    yield "not-a-beginning", b"".join(lines(BODIES, prev="1" * 64))
    yield "head-cut", head(200) + b"".join(all_of_it[:4])
    yield "head-well", head(4, all_of_it[3]) + b"".join(all_of_it)
    good = all_of_it[0]
    for name, old, new in (("seq", b'"seq":1,', b'"seq":0,'), ("chain", CHAIN.encode(), b"0123"), ("kind", b'"begin"', b'"other"'),
                           ("file", b'"number":1', b'"number":0'), ("prev", ZEROS.encode(), b"00"), ("digest", good[:1], b"G")):
        yield "bad-" + name, good.replace(old, new, 1)


def post(text, kind=2, number=1):
    return struct.pack("<IIQQ", kind, len(text), 7, number) + text


def answer(kind, acks=(), trouble=b"", chain=CHAIN.encode()):
    head_of = struct.pack("<Q", 3) + b"\x11" * 32 + chain.ljust(17, b"\0") + b"\0" * 7
    return struct.pack("<IIQ", kind, len(acks), 7) + head_of + trouble.ljust(256, b"\0") + b"".join(
        struct.pack("<QQ", number, number) + b"\x22" * 32 for number in acks)


def messages(_):
    yield "record", post(json.dumps(BODIES[1], separators=(",", ":")).encode())
    yield "empty", post(b"{}")
    yield "hello", post(b"", 1)
    yield "bad", post(b'{"a":\n}')
    yield "ack", answer(2, [1, 2, 3])
    yield "trouble", answer(3, [], b"no space left")
    yield "trouble-lines", answer(3, [], b"no\nspace")
    yield "trouble-acks", answer(3, [1])
    yield "began", answer(1)
    yield "chain", answer(1, chain=b"xyz")


MAKERS = {"audit_record": records, "audit_message": messages}
