"""A live mount whose processes get no memory, one allocation after the other: each reader gets the whole key or an error, and the
next one gets the key; nobody crashes, and nothing is left behind."""
import errno
import fcntl
import mmap
import os
import struct

import pytest
from devices import DOUBLES
from lab import wait_for
from scan import everybody
from watched import Watched

WIPE = ord("s") << 8 | 0x51  # include/skrfs/fs/fs.h
# All ways to an allocation while a key is released are some hundreds; more of them with SKRFS_ALLOC_MOST=10000.
FAILURES = {"keeper": 150, "courier": 60}


class Failing(Watched):
    def environment(self):
        self.control_path = self.folder / "alloc"
        self.control_path.write_bytes(b"\0" * 4096)
        env = super().environment()
        env["LD_PRELOAD"] = f"{DOUBLES / 'alloc_shim.so'} {env.get('LD_PRELOAD', '')}".strip()
        env["SKRFS_ALLOC"] = str(self.control_path)
        return env

    def control(self):
        with open(self.control_path, "r+b") as file:
            return mmap.mmap(file.fileno(), 4096)


def error_of(one):
    try:
        assert one.mount.read("rsa") == one.secrets["rsa"], "wrong bytes"
    except OSError as failure:
        return errno.errorcode[failure.errno]
    return ""


@pytest.mark.parametrize("role", ["keeper", "courier"])
def test_no_memory(lab, tmp_path, role):
    os.chmod(tmp_path, 0o755)
    one = Failing(lab, tmp_path / "w", "snp", tap=False, network={"deadline": "3s"})
    try:
        one.learn("rsa")
        before, seen = everybody(one.mount), {}
        control = one.control()
        status = os.open(one.mount.path / "status/status.json", os.O_RDONLY)
        for count in range(int(os.environ.get("SKRFS_ALLOC_MOST", FAILURES[role]))):
            fcntl.ioctl(status, WIPE)
            control[0:8] = struct.pack("<II", before[role], 0)
            result = error_of(one)
            failed = struct.unpack("<I", control[4:8])[0]
            control[0:4] = b"\0" * 4
            seen[result] = seen.get(result, 0) + 1
            assert result not in ("EKEYREJECTED", "EKEYREVOKED", "ENOENT", "EACCES"), one.mount.why("rsa")
            assert failed or not result, (result, one.mount.why("rsa"))
            if not failed:
                break
            fcntl.ioctl(status, WIPE)
            assert error_of(one) == "", (count, result, one.mount.why("rsa"))
        os.close(status)
        print(role, count, seen)
        assert everybody(one.mount) == before, "nobody has died"
        assert set(seen) <= {"", "ENOMEM", "EAGAIN", "ETIMEDOUT", "EIO"}, seen
        wait_for("nothing is left", lambda: not one.hits(before.values()))
    finally:
        one.stop()
