"""A witness, a relay and a scribe that were taken over: what they send is no testimony, or one about somebody else, no TPM's answer, no
acknowledgement. What they should have vouched for is refused, and afterwards the mount gives the right bytes."""
import os
import random
import socket
import struct
import threading
import time

import pytest
from inside import Inside, take_descriptor
from lab import skrfs, wait_for
from takeover import InPlaceOf, keepers_end, pairs_of
from test_audit import records

PATIENCE = 1.0


class Vouched:
    """A mount of a key that only a caller with a known executable may read."""

    def __init__(self, made):
        self.mount = made
        self.bytes = made.read("rsa")
        self.question = None

    def reading(self):
        results = []
        thread = threading.Thread(target=lambda: results.append(self.mount.error("keys/rsa")), daemon=True)
        thread.start()
        self.reader = thread.native_id
        return thread, results


@pytest.fixture
def vouched(keys, mount, tmp_path):
    made = Vouched(mount({"rsa": {**keys["rsa"], "mode": "0444", "allow": "exe:/usr/*"}}, "-o", "allow_other", audit={"file": tmp_path / "audit.log", "journal": "no"}))
    yield made
    assert made.mount.read("rsa") == made.bytes


def asked(vouched, answer):
    """What the reader gets when `answer` (of the question's octets: packets) is the witness."""
    with InPlaceOf(vouched.mount, "witness", back=True) as place:
        thread, results = vouched.reading()
        question = place.receive()
        # About a thread that will still be there.
        assert question.count(struct.pack("<i", vouched.reader)) == 1
        vouched.question = question.replace(struct.pack("<i", vouched.reader), struct.pack("<i", os.getpid()))
        for octets in answer(question):
            send(place.sock, octets)
        # Further questions, of an open that is asked again.
        place.sock.settimeout(0.1)
        end = time.monotonic() + 20
        while thread.is_alive() and time.monotonic() < end:
            try:
                again = place.receive()
            except TimeoutError:
                continue
            for octets in answer(again):
                send(place.sock, octets)
        thread.join(20)
    assert results, "the reader still waits"
    return results[0]


def send(sock, octets):
    """Octets, or octets and descriptors."""
    if isinstance(octets, tuple):
        socket.send_fds(sock, [octets[0]], octets[1])
    else:
        sock.send(octets)


def numbered(testimony, question):
    """The same testimony, to this question: the number comes first."""
    return question[:4] + testimony[4:]


@pytest.fixture
def genuine(vouched):
    """A true testimony, as the real witness gives it."""
    assert asked(vouched, lambda question: []) == "EACCES"
    with keepers_end(vouched.mount, "witness") as end:
        end.settimeout(20)
        end.send(vouched.question)
        testimony = end.recv(1 << 20)
        end.setblocking(True)
    assert testimony[:4] == vouched.question[:4] and len(testimony) > 100
    return testimony


def test_silence(vouched):
    begun = time.monotonic()
    assert asked(vouched, lambda question: []) == "EACCES"
    assert time.monotonic() - begun < 20
    assert "silent" in vouched.mount.log()


def test_the_true_one_again(vouched, genuine):
    """The control: the same octets in the right place are believed."""
    assert asked(vouched, lambda question: [numbered(genuine, question)]) == ""


FORMS = {
    "empty": lambda t, q: [b""],
    "one octet": lambda t, q: [b"\0"],
    "short by one": lambda t, q: [numbered(t, q)[:-1]],
    "long by one": lambda t, q: [numbered(t, q) + b"\0"],
    "number alone": lambda t, q: [q[:4]],
    "64 KiB": lambda t, q: [numbered(t, q).ljust(65536, b"\xff")],
    "another number": lambda t, q: [struct.pack("<I", (struct.unpack("<I", q[:4])[0] + 1) & 0xFFFFFFFF) + t[4:]],
    "the number of before": lambda t, q: [struct.pack("<I", (struct.unpack("<I", q[:4])[0] - 1) & 0xFFFFFFFF) + t[4:]],
    "the question itself": lambda t, q: [q],
    "all ones": lambda t, q: [q[:4] + b"\xff" * (len(t) - 4)],
    "all zeros": lambda t, q: [q[:4] + bytes(len(t) - 4)],
    "no end of the path": lambda t, q: [numbered(t[:t.index(b"/usr/bin/")] + b"a" * (len(t) - t.index(b"/usr/bin/")), q)],
    "three times short": lambda t, q: [numbered(t, q)[:-4], numbered(t, q)[:-4], numbered(t, q)[:-4]],
}


@pytest.mark.parametrize("form", FORMS)
def test_no_testimony(vouched, genuine, form):
    assert asked(vouched, lambda question: FORMS[form](genuine, question)) == "EACCES", vouched.mount.log()


def test_many_at_once(vouched, genuine):
    """Hundreds of wrong ones before: the patience with them ends, and none of them is taken for the right one."""
    luck = random.Random(7)

    def answer(question):
        for _ in range(20):
            yield struct.pack("<I", luck.getrandbits(32)) + genuine[4:]
            yield luck.randbytes(len(genuine))
            yield luck.randbytes(luck.randrange(1, 9000))
    assert asked(vouched, answer) == "EACCES"


def test_random_testimonies(vouched, genuine):
    """The right number and nothing else of sense."""
    luck = random.Random(11)
    for _ in range(5):
        assert asked(vouched, lambda question: [question[:4] + luck.randbytes(len(genuine) - 4)]) == "EACCES"


def test_descriptors(vouched, genuine):
    """Descriptors that come along stay with nobody."""
    keeper = vouched.mount.processes()["keeper"]
    before = sorted(os.listdir(f"/proc/{keeper}/fd"))
    with open("/etc/passwd", "rb") as file:
        many = [file.fileno()] * 200
        assert asked(vouched, lambda question: [(b"rubbish", many)] * 5 + [(numbered(genuine, question), many)]) == ""
    wait_for("none is left", lambda: sorted(os.listdir(f"/proc/{keeper}/fd")) == before)


def test_a_lie_in_the_right_form(vouched, genuine):
    """What a witness can do: vouch for somebody. What the kernel says of the caller, its user and group, is not the witness's."""
    program = str(vouched.mount.path.parent / "stranger")
    import shutil
    import subprocess
    shutil.copy("/bin/cat", program)
    done = subprocess.run([program, vouched.mount.key("rsa")], capture_output=True)
    assert done.returncode == 1 and b"Permission denied" in done.stderr
    with InPlaceOf(vouched.mount, "witness", back=True) as place:
        child = subprocess.Popen([program, vouched.mount.key("rsa")], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        place.sock.settimeout(0.2)
        while child.poll() is None:
            try:
                place.sock.send(numbered(genuine, place.receive()))
            except TimeoutError:
                continue
        assert child.stdout.read() == vouched.bytes, child.stderr.read()


TEXTS = {
    "lines": b"/usr/x\nkeeper: opened 'rsa' by nobody\r\n",
    "terminal": b"/usr/x\033[2J\033]0;title\a",
    "no UTF-8": b"/usr/x\xff\xfe\xc3(",
    "JSON": b'/usr/x","rule":"none","x":"',
    "long": b"/usr/" + b"x" * 3000,
}


@pytest.mark.parametrize("text", TEXTS)
def test_texts_of_a_witness(vouched, genuine, text):
    """What it makes up as a name of a program stays a name of a program: in the log, in the audit, and in status."""
    at = genuine.index(b"/usr/bin/")
    false = genuine[:at] + TEXTS[text] + bytes(4096 - len(TEXTS[text])) + genuine[at + 4096:]
    assert len(false) == len(genuine)
    assert asked(vouched, lambda question: [numbered(false, question)]) == ""
    log = vouched.mount.log()
    assert "\nkeeper: opened 'rsa' by nobody" not in log and "\033" not in log
    path = vouched.mount.path.parent / "audit.log"
    wait_for("it is recorded", lambda: vouched.mount.status()["audit"]["waiting"] == 0)
    found = [record for record in records(path) if "/usr/x" in str(record)]
    assert found and all(record["rule"] != "none" for record in found), found


def test_a_mode_is_not_a_witnesss(keys, mount):
    """The same lie for a caller whom owner and mode refuse is not even asked for."""
    import subprocess
    made = mount({"rsa": {**keys["rsa"], "mode": "0400", "allow": "exe:/usr/*"}}, "-o", "allow_other")
    before = made.read("rsa")
    with InPlaceOf(made, "witness", back=True) as place:
        done = subprocess.run(["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", "cat", made.key("rsa")], capture_output=True)
        assert done.returncode == 1 and b"Permission denied" in done.stderr
        place.sock.settimeout(0.3)
        with pytest.raises(TimeoutError):
            place.receive()
    assert made.read("rsa") == before


# A keeper that was taken over, to its witness and its relay.

def test_questions_that_are_none(vouched, genuine):
    """Malformed questions end the witness at worst, and with it the keeper, which comes back on the same mount."""
    keeper = vouched.mount.processes()["keeper"]
    ends = [socket.socket(fileno=take_descriptor(keeper, number)) for number in pairs_of(keeper)]
    luck = random.Random(3)
    for length in (0, 1, 4, 15, 16, 17, 18, 20, 21, 24, 28, 100, 4096, 65536):
        for end in ends:
            for octets in (luck.randbytes(length), bytes(length), b"\xff" * length):
                try:
                    end.send(octets, socket.MSG_DONTWAIT | socket.MSG_NOSIGNAL)
                except (BrokenPipeError, ConnectionResetError, BlockingIOError):
                    break
        time.sleep(0.05)
    for end in ends:
        end.close()
    wait_for("the right bytes come again", lambda: vouched.mount.error("keys/rsa") == "", 30)
    assert set(vouched.mount.processes()) >= {"keeper", "courier", "witness", "relay"}


@pytest.mark.parametrize("role", ["keeper", "witness", "relay", "courier", "scribe"])
@pytest.mark.parametrize("status", [0, 1])
def test_one_that_ends_itself(vouched, role, status):
    """With whatever status: it is started again, as often as it takes, and the mount stays."""
    old = vouched.mount.processes()[role]
    inside = Inside(old)
    inside.__enter__()
    with pytest.raises(AssertionError, match="ended"):
        inside.call("exit_group", status)
    os.close(inside.memory)
    wait_for(f"the {role} is back", lambda: vouched.mount.processes().get(role, old) != old, 30)
    wait_for("the right bytes come again", lambda: vouched.mount.error("keys/rsa") == "", 30)
    assert vouched.mount.process.poll() is None


# A relay that was taken over: what it gives for the TPM's answers.

RESPONSES = {
    "empty": b"",
    "one octet": b"\x80",
    "short of a header": bytes(9),
    "an error": struct.pack(">HII", 0x8001, 10, 0x101),
    "try again": struct.pack(">HII", 0x8001, 10, 0x922),
    "success and no more": struct.pack(">HII", 0x8001, 10, 0),
    "a size that is too large": struct.pack(">HII", 0x8001, 4096, 0),
    "a size that is too small": struct.pack(">HII", 0x8001, 9, 0) + bytes(90),
    "longer than any": struct.pack(">HII", 0x8001, 5000, 0) + bytes(4990),
    "ones": b"\xff" * 300,
    "zeros in their frame": struct.pack(">HII", 0x8001, 300, 0) + bytes(290),
    "ones in their frame": struct.pack(">HII", 0x8001, 300, 0) + b"\xff" * 290,
    "ones in a frame with sessions": struct.pack(">HII", 0x8002, 300, 0) + b"\xff" * 290,
    "silence": None,
}


@pytest.mark.parametrize("form", RESPONSES)
def test_what_is_no_tpm(keys, mount, form):
    made = mount({"rsa": keys["rsa"]}, network={"deadline": "5s"})
    before = made.read("rsa")
    skrfs("wipe", "--all", made.path)
    with InPlaceOf(made, "relay") as place:
        results = []
        thread = threading.Thread(target=lambda: results.append(made.error("keys/rsa")), daemon=True)
        thread.start()
        place.sock.settimeout(0.1)
        end = time.monotonic() + 30
        while thread.is_alive() and time.monotonic() < end:
            try:
                place.receive()
            except TimeoutError:
                continue
            if RESPONSES[form] is not None:
                place.sock.send(RESPONSES[form])
        thread.join(20)
        assert results and results[0] in ("EIO", "EKEYREJECTED", "ENODEV", "EAGAIN", "ETIMEDOUT"), (results, made.why("rsa"))
        assert made.status() and os.listdir(made.path / "keys") == ["rsa"]
    wait_for("the right bytes come again", lambda: made.error("keys/rsa") == "", 30)
    assert made.read("rsa") == before


# A scribe that was taken over.

@pytest.fixture
def audited(keys, mount, tmp_path):
    folder = tmp_path / "audit"
    folder.mkdir()
    made = mount({"rsa": keys["rsa"]}, network={"deadline": "5s"}, audit={"file": folder / "audit.log", "journal": "no", "required": "yes"})
    before = made.read("rsa")
    yield made
    wait_for("the right bytes come again", lambda: made.error("keys/rsa") == "", 30)
    assert made.read("rsa") == before
    # None is missing, doubled or changed.
    assert len(records(folder / "audit.log")) > 3


def test_a_scribe_that_says_nothing(audited):
    """Nobody reads what cannot be recorded, and the tree stays."""
    with InPlaceOf(audited, "scribe"):
        begun = time.monotonic()
        assert audited.error("keys/rsa") != ""
        assert time.monotonic() - begun < 15
        assert os.listdir(audited.path / "keys") == ["rsa"] and audited.status()


def test_a_scribe_that_talks_rubbish(audited):
    luck = random.Random(5)
    with InPlaceOf(audited, "scribe") as place, open("/etc/passwd", "rb") as file:
        keeper = audited.processes()["keeper"]
        before = sorted(os.listdir(f"/proc/{keeper}/fd"))
        for length in (0, 1, 7, 8, 15, 16, 24, 47, 48, 56, 64, 100, 4096, 65536):
            for octets in (luck.randbytes(length), bytes(length), b"\xff" * length):
                place.sock.send(octets)
                socket.send_fds(place.sock, [octets or b"x"], [file.fileno()] * 10)
        assert audited.error("keys/rsa") != ""
        assert audited.processes()["keeper"] == keeper
        assert sorted(os.listdir(f"/proc/{keeper}/fd")) == before
