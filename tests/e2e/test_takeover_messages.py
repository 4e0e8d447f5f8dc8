"""Processes that were taken over, by the form of what they send: on the real sockets of a live mount comes rubbish, repeats,
answers twice, out of turn or never. Each try fails as it must, and afterwards the mount gives the right bytes."""
import contextlib
import os
import random
import signal
import socket
import struct
import time

import pytest
from inside import Inside
from lab import wait_for
from takeover import (ANSWER, ATTEST, DEADLINE, HEADER, HELLO, INSPECT, KEY_SHOW, KNOCK, MESSAGE_MAX, PACKET_MAX, RELEASE, Between, InPlaceOf, Reading, hello, keepers_end,
                      packet, pairs_of, parsed)


def lengths():
    """Every length class of a packet, around each limit."""
    return [0, 1, 3, 4, 7, 8, HEADER - 1, HEADER, HEADER + 1, HEADER + 8, 100, 4095, 4096, 4097, PACKET_MAX - 1, PACKET_MAX, PACKET_MAX + 1, PACKET_MAX * 2 - 4096]


def rubbish(number):
    """Packets that are none, and some that nearly are."""
    luck = random.Random(20260)
    for length in lengths():
        yield luck.randbytes(length)
        yield bytes(length)
        yield packet(RELEASE | ANSWER, number, b"")[:length].ljust(length, b"\xff")
    for kind in (0, HELLO, KNOCK, ATTEST, INSPECT, RELEASE, KEY_SHOW, ANSWER, ANSWER | HELLO, ANSWER | KNOCK, 0xFFFFFFFF, ANSWER | 0x100 | RELEASE):
        yield packet(kind, number)
        yield packet(kind, number, luck.randbytes(40))
        yield packet(kind, 0, b"")
        yield packet(kind, (1 << 64) - 1, b"x")
    for total, offset in [(0xFFFFFFFF, 0), (MESSAGE_MAX, 0), (MESSAGE_MAX + 1, 0), (10, 11), (10, 0xFFFFFFFF), (0, 0), (3, 0), (100, 50), (MESSAGE_MAX, MESSAGE_MAX - 4)]:
        yield packet(RELEASE | ANSWER, number, b"part", total=total, offset=offset)
    yield packet(RELEASE | ANSWER, number, b"part", magic=0)
    yield packet(HELLO, 0, b"")
    yield packet(HELLO, 0, bytes(8))
    yield packet(HELLO, 0, b"1234567")
    yield packet(HELLO, 0, b"123456789")


def test_rubbish_while_nobody_waits(world):
    with InPlaceOf(world.mount, "courier") as place:
        for octets in rubbish(1):
            place.sock.send(octets)
            assert world.mount.read("rsa") == world.bytes["rsa"]


def test_rubbish_while_a_reader_waits(world):
    """What is no whole answer to its question is passed over; the reader waits on, and is served by the next courier."""
    with InPlaceOf(world.mount, "courier") as place:
        place.sock.send(hello())
        reader = world.reading("rsa")
        kind, number, _ = place.request()
        assert kind in (RELEASE, ATTEST)
        for octets in rubbish(number + 1):
            place.sock.send(octets)
        for octets in rubbish(number):
            # Those that are whole answers to it in form end the waiting, and come last.
            if len(octets) >= HEADER and parsed(octets)[:2] == (kind | ANSWER, number):
                continue
            if len(octets) == HEADER + 8 and parsed(octets)[0] == HELLO:
                continue
            place.sock.send(octets)
        assert reader.is_alive()
    assert reader.end() in ("", "ETIMEDOUT", "EAGAIN")


@pytest.mark.parametrize("body", [b"", b"\1", b"\2", b"\1" + b"\0" * 4, b"\1\0\0\0\0\xff\xff\xff\xff", b"\1\0\0\0\0\0\0\0\0", b"\1\xff\xff\xff\xff", b"\0" + b"\xff" * 30,
                                  b"\1\0\0\0\0\4\0\0\0a.b.", b"\1\0\0\0\0\5\0\0\0a.b.cX", b"\1" + b"\x40\0\0\0" + b"\0" * 400,
                                  b"\1\0\0\0\0" + struct.pack("<I", 1 << 20) + b"A" * (1 << 20), b"\xff" * MESSAGE_MAX], ids=lambda body: f"{len(body)}-{body[:9].hex()}")
def test_malformed_answer(world, body):
    """An answer to the question that was asked, and none in form: refused at once, not waited on."""
    with InPlaceOf(world.mount, "courier") as place:
        place.sock.send(hello())
        reader = world.reading("rsa")
        kind, number, _ = place.request()
        if body == b"":
            place.sock.send(packet(kind | ANSWER, number))
        for offset in range(0, len(body), PACKET_MAX - HEADER):
            place.sock.send(packet(kind | ANSWER, number, body[offset:offset + PACKET_MAX - HEADER], total=len(body), offset=offset))
        assert reader.end() == "EIO", world.mount.why("rsa")
        assert "malformed" in world.mount.why("rsa") or "answer is refused" in world.mount.why("rsa"), world.mount.why("rsa")


def test_descriptors_on_the_socket(world):
    """Descriptors that come with messages are nobody's: the keeper never asks for any, and keeps none."""
    keeper = world.mount.processes()["keeper"]
    before = sorted(os.listdir(f"/proc/{keeper}/fd"))
    with InPlaceOf(world.mount, "courier") as place, open("/etc/passwd", "rb") as file:
        for count in (1, 2, 253):
            for octets in (packet(RELEASE | ANSWER, 7, b"x"), b"rubbish", hello()):
                for _ in range(20):
                    socket.send_fds(place.sock, [octets], [file.fileno()] * count)
        wait_for("all is read", lambda: world.mount.read("rsa") == world.bytes["rsa"])
        # The same number through the kernel's own limit, which is the sender's (ETOOMANYREFS).
        assert sorted(os.listdir(f"/proc/{keeper}/fd")) == before
    assert sorted(os.listdir(f"/proc/{keeper}/fd")) == before


def test_descriptors_from_inside_the_courier(world):
    """sendmmsg is name resolution's, and could carry a descriptor; the keeper has no call to receive one."""
    keeper, courier = world.mount.processes()["keeper"], world.mount.processes()["courier"]
    before = sorted(os.listdir(f"/proc/{keeper}/fd"))
    (number,) = pairs_of(courier)
    with Inside(courier) as inside:
        control = inside.put(struct.pack("<QiiI", 20, 1, 1, number) + bytes(4), 4096)
        octets = inside.put(b"rubbish", 8192)
        vector = inside.put(struct.pack("<QQ", octets, 7), 8256)
        header = struct.pack("<QIIQQQQII", 0, 0, 0, vector, 1, control, 24, 0, 0) + bytes(8)
        for _ in range(50):
            assert inside.call("sendmmsg", number, header, 1, 0x40) == 1
    assert world.mount.read("rsa") == world.bytes["rsa"]
    assert sorted(os.listdir(f"/proc/{keeper}/fd")) == before


def test_hello_storm(world):
    """Couriers that come up all the time: the keys that are there are served, and the one that waits is asked for again and
    again, which costs no answer."""
    with InPlaceOf(world.mount, "courier") as place:
        place.sock.send(hello())
        reader = None
        world.wipe()
        for name in ("oct",):
            reader = Reading(world, name)
        sent, answered, end = 0, 0, time.monotonic() + 2
        place.sock.setblocking(False)
        while time.monotonic() < end:
            for _ in range(50):
                try:
                    place.sock.send(hello())
                    sent += 1
                except BlockingIOError:
                    break
            try:
                while True:
                    place.sock.recv(2 * PACKET_MAX)
            except BlockingIOError:
                pass
            answered += world.mount.status() is not None
        assert sent > 100 and answered > 1, (sent, answered)
    assert reader.end() in ("", "ETIMEDOUT", "EAGAIN")


def test_answer_that_never_comes(world):
    with InPlaceOf(world.mount, "courier") as place:
        place.sock.send(hello())
        begun = time.monotonic()
        assert world.fresh("rsa") in ("ETIMEDOUT", "EAGAIN"), world.mount.why("rsa")
        assert time.monotonic() - begun < DEADLINE + 10
        assert sorted(os.listdir(world.mount.path / "keys")) == sorted(world.bytes)


def test_courier_that_dies_in_the_middle_of_an_answer(world):
    with InPlaceOf(world.mount, "courier") as place:
        place.sock.send(hello())
        reader = world.reading("rsa")
        kind, number, _ = place.request()
        place.sock.send(packet(kind | ANSWER, number, b"\1\0\0\0\0" + b"A" * 1000, total=100000))
    assert reader.end() == "", world.mount.why("rsa")


@pytest.fixture
def between(world, tmp_path):
    """Stands between the keeper and an honest courier, with hooks."""
    with InPlaceOf(world.mount, "courier") as place:
        made = []

        def make(**hooks):
            made.append(Between(place.sock, tmp_path, world.mount.conf, **hooks))
            return made[-1]

        yield make
        for one in made:
            one.stop()


def test_two_answers_to_one_question(world, between):
    between(back=lambda octets: [octets, octets])
    for name in world.bytes:
        assert world.fresh(name) == "", world.mount.why(name)


def test_another_answer_behind_the_true_one(world, between):
    """The first whole answer ends the question; what comes behind it is nobody's."""
    def back(octets):
        kind, number, *_ = parsed(octets)
        return [octets, packet(kind, number, b"\0" + b"\xff" * 40)] if kind & ANSWER else [octets]
    between(back=back)
    for name in world.bytes:
        assert world.fresh(name) == "", world.mount.why(name)


def test_replayed_answers(world, between):
    """All answers of before, again: as they were, and with the number of the new question."""
    kept = []

    def back(octets):
        kind, number, total, offset, part = parsed(octets)
        if not kind & ANSWER:
            return [octets]
        replays = list(kept)
        if offset == 0 and total == len(part):
            kept.append(octets)
        return [*replays, octets]

    one = between(back=back)
    for name in [*world.bytes, *world.bytes]:
        assert world.fresh(name) == "", world.mount.why(name)
    assert len(kept) >= 2 * len(world.bytes)
    first = next(octets for octets in kept if parsed(octets)[0] == RELEASE | ANSWER)

    def replay(octets):
        kind, number, *_ = parsed(octets)
        return [packet(kind, number, parsed(first)[4])] if kind == RELEASE | ANSWER else [octets]
    one.back = replay
    for name in world.bytes:
        assert world.fresh(name) == "EIO", world.mount.why(name)


def test_answers_exchanged(world, between):
    """Two readers wait for two keys, and each question gets the other's answer."""
    held, numbers = [], []

    def back(octets):
        kind, number, *_ = parsed(octets)
        if kind != RELEASE | ANSWER:
            return [octets]
        held.append(octets)
        numbers.append(number)
        if len(held) < 2:
            return []
        (first, second), (one, two) = (parsed(octets)[4] for octets in held), numbers
        held.clear()
        numbers.clear()
        return [packet(RELEASE | ANSWER, one, second), packet(RELEASE | ANSWER, two, first)]
    made = between(back=back)
    world.wipe()
    readers = [Reading(world, name) for name in ("rsa", "other")]
    assert [reader.end() for reader in readers] == ["EIO", "EIO"]
    made.back = lambda octets: [octets]
    assert world.fresh("rsa") == "" and world.fresh("other") == ""


def test_answers_out_of_order(world, between):
    """Later questions are answered first: each gets its own."""
    held = []

    def back(octets):
        kind, *_ = parsed(octets)
        if kind != RELEASE | ANSWER:
            return [octets]
        held.append(octets)
        if len(held) < len(world.bytes):
            return []
        everything = held[::-1]
        held.clear()
        return everything
    between(back=back)
    world.wipe()
    readers = [Reading(world, name) for name in world.bytes]
    assert [reader.end() for reader in readers] == [""] * len(readers)


def test_what_a_courier_leaves_behind(world):
    """The socket outlives a courier: neither its flags nor its options can be left so that the next one is deaf."""
    courier = world.mount.processes()["courier"]
    (number,) = pairs_of(courier)
    with Inside(courier) as inside:
        assert inside.call("fcntl", number, 4, 0o4000) == 0
        # A filter that lets nothing pass, and its lock; buffers; timeouts; peeking.
        program = inside.put(struct.pack("<HBBI", 6, 0, 0, 0), 4096)
        for option, value in [(26, struct.pack("<HxxxxxxQ", 1, program)), (44, b"\1\0\0\0"), (7, b"\1\0\0\0"), (8, b"\1\0\0\0"), (20, bytes(16)), (21, bytes(16)), (42, bytes(4)),
                              (13, struct.pack("<ii", 1, 60)), (16, b"\1\0\0\0"), (50, bytes(4))]:
            assert inside.call("setsockopt", number, 1, option, value, len(value)) == -1, option
        assert inside.call("shutdown", number, 2) == -1
        assert inside.call("fcntl", number, 4, 0o20000) == -1
    # It may have ended by the flag that it set itself.
    with contextlib.suppress(ProcessLookupError):
        os.kill(courier, signal.SIGKILL)
    wait_for("a new one", lambda: world.mount.processes().get("courier", courier) != courier)
    assert world.fresh("rsa") == "", world.mount.log()
    new = world.mount.processes()["courier"]
    world.works()
    time.sleep(0.5)
    assert world.mount.processes()["courier"] == new, world.mount.log()


# The other way: a keeper that was taken over speaks to the courier.

def test_rubbish_from_the_keeper(world):
    """Malformed questions are refused or passed over, and the courier serves on."""
    courier = world.mount.processes()["courier"]
    sock = keepers_end(world.mount, "courier")
    for octets in rubbish(0x1122334455667788):
        sock.send(octets)
    for kind in (ATTEST, INSPECT, RELEASE, KEY_SHOW):
        for body in (b"\0" * 8, b"\xff" * 8, b"\xff" * 40, b"\0" * 8 + b"\xff" * 8, b"\0" * 2000, b"\0" * 8 + struct.pack("<I", 0xFFFFFFF0) + b"x" * 100):
            sock.send(packet(kind, random.Random(kind).getrandbits(63) + len(body), body))
    # Begun and never ended, more than are kept.
    for number in range(400):
        sock.send(packet(RELEASE, 1 << 40 | number, b"part", total=MESSAGE_MAX))
    # A vault and a name that the configuration has not.
    for vault in (1, 2, 3, (1 << 64) - 1):
        for name in (b"..", b"a/b?c", b"x" * 127, b"%2e%2e"):
            body = struct.pack("<Q", 1 << 32) + struct.pack("<Q", vault) + struct.pack("<I", len(name)) + name + b"\0" + bytes(4)
            sock.send(packet(KEY_SHOW, 1 << 41 | vault & 0xFF | len(name) << 8, body))
    world.wipe()
    for name, wanted in world.bytes.items():
        assert world.mount.read(name) == wanted
    assert world.mount.processes()["courier"] == courier, world.mount.log()
    sock.close()
