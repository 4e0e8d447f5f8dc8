"""Somebody else in the place of a process of a live mount: the real one stands still, its socket is taken, and a test or a
double speaks on it."""
import errno
import os
import pathlib
import select
import signal
import socket
import struct
import subprocess
import threading

from inside import take_descriptor
from lab import BUILD, skrfs, wait_for

SEQPACKET = 5
# src/courier/protocol.h
MAGIC, HEADER, PACKET_MAX, MESSAGE_MAX = 0x46524B53, 24, 64 * 1024, 2 * 1024 * 1024
HELLO, KNOCK, ATTEST, INSPECT, RELEASE, KEY_SHOW, ANSWER = 1, 2, 3, 4, 5, 6, 0x80


def packet(kind, number, part=b"", total=None, offset=0, magic=MAGIC):
    return struct.pack("<IIQII", magic, kind, number, len(part) if total is None else total, offset) + part


def parsed(octets):
    """(kind, number, total, offset, part)"""
    _, kind, number, total, offset = struct.unpack("<IIQII", octets[:HEADER])
    return kind, number, total, offset, octets[HEADER:]


def hello(instance=None):
    return packet(HELLO, 0, instance if instance is not None else os.urandom(8))


def pairs_of(pid):
    """Numbers of its descriptors that are ends of packet pairs."""
    kinds = {}
    for line in pathlib.Path("/proc/net/unix").read_text().split("\n")[1:]:
        fields = line.split()
        if len(fields) == 7:
            kinds[fields[6]] = int(fields[4], 16)
    found = []
    for number in sorted(map(int, os.listdir(f"/proc/{pid}/fd"))):
        target = os.readlink(f"/proc/{pid}/fd/{number}")
        if target.startswith("socket:[") and kinds.get(target[8:-1]) == SEQPACKET:
            found.append(number)
    return found


def peer_of(inode):
    """The inode of a local socket's other end (sock_diag(7))."""
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 4) as asking:
        body = struct.pack("<BBHIIIII", socket.AF_UNIX, 0, 0, 0xFFFFFFFF, inode, 4, 0xFFFFFFFF, 0xFFFFFFFF)
        asking.send(struct.pack("<IHHII", 16 + len(body), 20, 1, 1, 0) + body)
        answer = asking.recv(65536)
    at = 16 + 16
    while at + 4 <= len(answer):
        length, kind = struct.unpack("<HH", answer[at:at + 4])
        if kind == 2:
            return struct.unpack("<I", answer[at + 4:at + 8])[0]
        at += (length + 3) & ~3
    raise AssertionError(f"socket {inode} has no other end")


def keepers_end(mount, role):
    """A copy of the keeper's socket whose other end is another process's."""
    pids = mount.processes()

    def inode(pid, number):
        return int(os.readlink(f"/proc/{pid}/fd/{number}")[8:-1])
    (theirs,) = pairs_of(pids[role])
    wanted = peer_of(inode(pids[role], theirs))
    (number,) = [number for number in pairs_of(pids["keeper"]) if inode(pids["keeper"], number) == wanted]
    return socket.socket(fileno=take_descriptor(pids["keeper"], number))


def take_pair(pid):
    """The socket of a process that has one pair's end."""
    (number,) = pairs_of(pid)
    return socket.socket(fileno=take_descriptor(pid, number))


class InPlaceOf:
    """Stands in the place of the courier or the witness of a mount; `sock` is its socket. At the end the real process is
    ended, as it would be, and the parent starts a new one; with `back` it only goes on."""

    def __init__(self, mount, role, back=False):
        self.mount, self.role, self.back = mount, role, back
        self.pid = mount.processes()[role]

    def __enter__(self):
        os.kill(self.pid, signal.SIGSTOP)
        wait_for("it stands still", lambda: pathlib.Path(f"/proc/{self.pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "T")
        self.sock = take_pair(self.pid)
        self.sock.settimeout(20)
        return self

    def __exit__(self, *exception):
        # The flag is the socket's, not the descriptor's.
        self.sock.setblocking(True)
        self.sock.close()
        if self.back:
            os.kill(self.pid, signal.SIGCONT)
            return
        os.kill(self.pid, signal.SIGKILL)
        wait_for("the real one is back", lambda: self.mount.processes().get(self.role, self.pid) != self.pid)

    def receive(self):
        return self.sock.recv(2 * PACKET_MAX)

    def request(self):
        """The next request, whole: (kind, number, message)."""
        message = b""
        while True:
            kind, number, total, _, part = parsed(self.receive())
            if kind == KNOCK:
                continue
            message += part
            if len(message) == total:
                return kind, number, message


class Liar:
    """The double of a courier (tests/doubles/lying_courier.c) on a socket; it does as `how` says."""

    def __init__(self, conf, sock, folder, how="honest"):
        self.file = pathlib.Path(folder) / "how"
        self.tell(how)
        self.log = open(pathlib.Path(folder) / "liar.log", "ab")
        self.process = subprocess.Popen([BUILD / "tests/doubles/lying_courier", str(conf), str(sock.fileno()), str(self.file)], stdin=subprocess.DEVNULL,
                                        stdout=subprocess.PIPE, stderr=self.log, pass_fds=[sock.fileno()])
        assert self.process.stdout.readline() == b"ready\n"

    def tell(self, how):
        new = self.file.with_suffix(".new")
        new.write_text(how + "\n")
        os.replace(new, self.file)

    def stop(self):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()
        self.log.close()


class Between(threading.Thread):
    """Stands between the keeper and an honest double of the courier: `out` and `back` get each packet of a direction and give
    those that are to go on."""

    def __init__(self, keeper, folder, conf, out=None, back=None):
        super().__init__(daemon=True)
        self.keeper = keeper
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.courier = ours
        self.out, self.back = out or (lambda octets: [octets]), back or (lambda octets: [octets])
        self.over = os.eventfd(0)
        self.liar = Liar(conf, theirs, folder)
        theirs.close()
        self.start()

    def run(self):
        while True:
            ready, _, _ = select.select([self.keeper, self.courier, self.over], [], [])
            if self.over in ready:
                return
            for source, target, change in ((self.keeper, self.courier, self.out), (self.courier, self.keeper, self.back)):
                if source in ready:
                    for octets in change(source.recv(2 * PACKET_MAX)):
                        target.send(octets)

    def stop(self):
        os.eventfd_write(self.over, 1)
        self.join(20)
        self.liar.stop()
        self.courier.close()
        os.close(self.over)


DEADLINE = 8


class World:
    """A mount of several keys whose bytes are known; `fresh` reads one that has to be released again."""

    def __init__(self, lab, made, names):
        self.lab, self.mount = lab, made
        self.bytes = {name: made.read(name) for name in names}

    def wipe(self):
        skrfs("wipe", "--all", self.mount.path)

    def fresh(self, name):
        """The errno name with which a release of it fails, "" when the right bytes come."""
        self.wipe()
        try:
            got = self.mount.read(name)
        except OSError as failure:
            return errno.errorcode[failure.errno]
        assert got == self.bytes[name], f"{name}: other bytes came"
        return ""

    def reading(self, name):
        self.wipe()
        return Reading(self, name)

    def restart_keeper(self):
        old = self.mount.processes()["keeper"]
        os.kill(old, signal.SIGKILL)
        wait_for("the keeper is back", lambda: self.mount.processes().get("keeper", old) != old)
        assert sorted(os.listdir(self.mount.path / "keys")) == sorted(self.bytes)

    def works(self):
        """Every key, released anew by the real courier."""
        self.wipe()
        for name, wanted in self.bytes.items():
            assert self.mount.read(name) == wanted, name


class Reading(threading.Thread):
    def __init__(self, world, name):
        super().__init__(daemon=True)
        self.world, self.name = world, name
        self.result = None
        self.start()

    def run(self):
        try:
            got = self.world.mount.read(self.name)
            self.result = "" if got == self.world.bytes[self.name] else "OTHER BYTES"
        except OSError as failure:
            self.result = errno.errorcode[failure.errno]

    def end(self, seconds=60):
        self.join(seconds)
        assert self.result is not None, "the reader still waits"
        return self.result
