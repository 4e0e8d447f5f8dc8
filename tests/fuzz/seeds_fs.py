"""Seeds of the file system's targets: sessions of FUSE requests (fuzz_fuse.c says how they are written)."""
import struct

LOOKUP, FORGET, GETATTR, OPEN, READ, STATFS, RELEASE, FLUSH, OPENDIR, READDIR, RELEASEDIR = 1, 2, 3, 14, 15, 17, 18, 25, 27, 28, 29
ACCESS, INTERRUPT, IOCTL, BATCH_FORGET, READDIRPLUS, LSEEK, SETATTR, WRITE, MKNOD, GETXATTR = 34, 36, 39, 42, 44, 46, 4, 16, 8, 22
RAW_NODE, HANDLE, AT_ONCE, DIES, SPOIL = 1, 2, 4, 200, 201
ROOT, OWNER, OTHER = 8, 9, 10  # uid 0, 1000 and 65534, of an even thread
WIPE, RENEW, LEARN = 0x7351, 0x7352, 0x40047353


def record(opcode, node=0, body=b"", flags=0, who=ROOT):
    return struct.pack("BBBBB", opcode, flags, node, who, len(body)) + body


def lookup(name, node=0, who=ROOT):
    return record(LOOKUP, node, name.encode() + b"\0", who=who)


def walk(*names, who=ROOT):
    """One below the other; the nodes are numbered from 1 in the order of the lookups."""
    return b"".join(lookup(name, number, who) for number, name in enumerate(names))


def open_(node, flags=0, who=ROOT, how=0):
    return record(OPEN, node, struct.pack("<II", flags, 0), how, who)


def read(node, handle=0, offset=0, size=4096, who=ROOT):
    return record(READ, node, struct.pack("<QQIIQII", handle, offset, size, 0, 0, 0, 0), HANDLE, who)


def release(node, handle=0, who=ROOT):
    return record(RELEASE, node, struct.pack("<QIIQ", handle, 0, 0, 0), HANDLE, who)


def ioctl(node, command, handle=0, who=ROOT, size=0, data=b""):
    return record(IOCTL, node, struct.pack("<QIIQII", handle, 0, command, 0, len(data), size) + data, HANDLE, who)


def listing(opcode, node=0, offset=0, size=4096, who=ROOT):
    return record(opcode, node, struct.pack("<QQIIQII", 0, offset, size, 0, 0, 0, 0), who=who)


def fuse(parts):
    beta = walk("keys", "beta")
    # An open that learns the size is answered ESTALE once, and the walk is done again.
    opened = beta + open_(2) + lookup("beta", 1) + open_(2)
    yield "read", opened + read(2) + read(2, offset=3, size=2) + read(2, offset=1 << 40) + read(2, offset=1 << 63) + release(2)
    yield "read-other", opened + read(2, who=OTHER) + read(1) + release(2) + read(2) + release(2)
    yield "denied", walk("keys", "gamma") + open_(2) + open_(2) + walk("keys", "alpha") + open_(4, who=OTHER) + open_(4, who=11)
    yield "alpha", walk("keys", "alpha") + open_(2) + open_(2) + read(2) + read(2, who=OTHER) + release(2)
    yield "unknown-caller", beta + open_(2, who=0) + open_(2, who=1)
    yield "write", beta + open_(2, flags=1) + open_(2, flags=2) + open_(2, flags=0o1000) + open_(1) + open_(0)
    for opcode in (READDIR, READDIRPLUS):
        yield f"list-{opcode}", walk("keys") + b"".join(listing(opcode, node, offset) for node in (0, 1) for offset in (0, 1, 3, 99)) + \
            listing(opcode, size=40) + walk("status", "why") + listing(opcode, 2) + listing(opcode, 3) + listing(opcode, 1, who=OTHER)
        yield f"list-formats-{opcode}", walk("formats", "beta") + listing(opcode, 1) + listing(opcode, 2) + walk("versions", "beta") + \
            listing(opcode, 3) + listing(opcode, 4) + listing(opcode, 4, 5)
    yield "versions", walk("versions", "beta", "aaaabbbbccccddddeeeeffff00001111") + open_(3) + open_(3) + read(3) + release(3) + \
        lookup("no/such", 2) + lookup("x" * 40, 2) + listing(READDIR, 2) + record(GETATTR, 3)
    yield "version-none", walk("versions", "beta", "f0") + open_(3) + open_(3)
    yield "formats", walk("formats", "beta", "pem") + open_(3) + open_(3) + read(3) + release(3) + lookup("pub.pem", 2) + open_(4, who=OTHER) + \
        open_(4, who=OTHER) + lookup("jwk", 2) + open_(5) + open_(5) + lookup("what", 2)
    yield "formats-gamma", walk("formats", "gamma", "pub.pem") + open_(3) + open_(3)
    reports = walk("status", "health")
    for name in ("status.json", "metrics", "why", "receipts", "learned", "none"):
        reports += lookup(name, 1)
    reports += b"".join(open_(node, who=who) for node in (2, 3, 4) for who in (ROOT, OWNER, OTHER, ROOT)) + read(2) + read(2, 1) + read(2, 0, 3)
    yield "reports", reports + release(2) + release(3, 1)
    why = walk("status", "why", "beta")
    yield "why", why + open_(3) + open_(3) + read(3) + ioctl(3, WIPE) + ioctl(3, WIPE, who=OTHER) + ioctl(3, 5) + release(3)
    yield "wipe", opened + walk("status", "status.json") + ioctl(5, WIPE) + read(2) + ioctl(5, WIPE, who=OWNER) + ioctl(2, WIPE) + \
        ioctl(5, RENEW) + ioctl(5, RENEW, who=OTHER) + ioctl(5, LEARN, data=struct.pack("<I", 60)) + open_(2) + \
        ioctl(5, LEARN, data=struct.pack("<I", 0)) + ioctl(5, LEARN, who=OTHER, data=struct.pack("<I", 9)) + release(2)
    yield "attributes", walk("keys", "beta") + b"".join(record(GETATTR, node) + record(ACCESS, node, struct.pack("<I", mask), who=OTHER)
                                                          for node in (0, 1, 2) for mask in (0, 1, 2, 4)) + record(STATFS)
    held = walk("keys", "held")
    yield "interrupted", held + open_(2) + record(INTERRUPT, 2, struct.pack("<Q", 8)) + open_(2, how=AT_ONCE) + record(INTERRUPT, 2, struct.pack("<Q", 99))
    yield "held", held + b"".join(open_(2, who=who) for who in (8, 12, 16)) + record(INTERRUPT, 2, struct.pack("<Q", 10))
    yield "dies", opened + record(DIES) + read(2) + release(2) + open_(2) + open_(2) + read(2, 1) + release(2, 1)
    yield "dies-waiting", held + open_(2) + record(DIES) + open_(2) + record(DIES)
    yield "dies-version", walk("versions", "beta", "abc") + record(DIES) + open_(3) + record(GETATTR, 3) + open_(3)
    yield "spoiled", walk("keys") + record(SPOIL, 0, b"\x00\x00\xff\xff\xff\xff") + record(DIES) + walk("keys")
    yield "spoiled-init", walk("keys") + record(SPOIL, 0, b"\x0c\x00" + bytes(60)) + record(DIES) + walk("keys")
    yield "spoiled-flight", walk("keys") + record(SPOIL, 0, b"\x10\x02" + bytes(range(1, 90))) + record(DIES) + walk("keys")
    yield "forget", walk("keys") + record(FORGET, 1, struct.pack("<Q", 1)) + record(BATCH_FORGET, 0, struct.pack("<IIQQ", 1, 0, 3, 1)) + lookup("keys")
    yield "raw", record(GETATTR, 0, struct.pack("<Q", 0xffffffffffffff), RAW_NODE) + record(OPEN, 0, struct.pack("<Q", 5 << 4), RAW_NODE) + \
        record(LOOKUP, 0, struct.pack("<Q", 2 ** 60) + b"x\0", RAW_NODE) + record(READ, 0, struct.pack("<Q", 77), RAW_NODE)
    yield "not-here", b"".join(record(opcode, 0, bytes(48)) for opcode in (SETATTR, WRITE, MKNOD, GETXATTR, LSEEK, FLUSH, OPENDIR, RELEASEDIR, 99, 0))
    yield "released-twice", opened + release(2) + release(2) + record(RELEASE, 2, bytes(24)) + release(0)


MAKERS = {"fuse": fuse}
