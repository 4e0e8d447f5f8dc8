"""Names are resolved inside the courier's sandbox: by a name server, first by UDP, then by TCP when the answer is cut off; and by
the file of hosts."""
import pathlib
import socket
import struct
import subprocess
import threading

import pytest
from lab import SKRFS, wait_for

SERVER = "127.0.0.153"


class NameServer:
    """Answers A with 127.0.0.1 and all else with nothing; by UDP with a cut-off answer, so that TCP is asked too."""

    def __init__(self):
        self.asked = []
        self.udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.udp.bind((SERVER, 53))
        self.tcp = socket.create_server((SERVER, 53))
        for work in (self.by_udp, self.by_tcp):
            threading.Thread(target=work, daemon=True).start()

    def answer(self, query, cut):
        at, labels = 12, []
        while query[at]:
            labels.append(query[at + 1:at + 1 + query[at]].decode())
            at += query[at] + 1
        kind = struct.unpack(">H", query[at + 1:at + 3])[0]
        question = query[12:at + 5]
        self.asked.append(("udp" if cut else "tcp", ".".join(labels), kind))
        records = b"\xc0\x0c\0\1\0\1\0\0\0\x3c\0\4\x7f\0\0\1" if kind == 1 and not cut else b""
        return query[:2] + struct.pack(">HHHHH", 0x8180 | (0x200 if cut else 0), 1, 1 if records else 0, 0, 0) + question + records

    def by_udp(self):
        while True:
            try:
                query, sender = self.udp.recvfrom(4096)
                self.udp.sendto(self.answer(query, True), sender)
            except OSError:
                return

    def by_tcp(self):
        while True:
            try:
                connection, _ = self.tcp.accept()
                with connection:
                    connection.settimeout(5)
                    while True:
                        head = connection.recv(2, socket.MSG_WAITALL)
                        if len(head) < 2:
                            break
                        answer = self.answer(connection.recv(struct.unpack(">H", head)[0], socket.MSG_WAITALL), False)
                        connection.sendall(struct.pack(">H", len(answer)) + answer)
            except TimeoutError:
                continue
            except OSError:
                return

    def stop(self):
        self.udp.close()
        self.tcp.close()


@pytest.fixture(scope="module")
def name_server():
    made = NameServer()
    yield made
    made.stop()


@pytest.fixture
def server(name_server):
    name_server.asked.clear()
    return name_server


class Apart:
    """A mount in a mount namespace with files of its own in /etc."""

    def __init__(self, conf, folder, files):
        self.path = folder / "apart"
        self.path.mkdir()
        self.log_path = folder / "apart.log"
        binds = ""
        for name, text in files.items():
            (folder / name).write_text(text)
            binds += f"mount --bind {folder / name} /etc/{name} && "
        with open(self.log_path, "wb") as log:
            self.process = subprocess.Popen(["unshare", "--mount", "sh", "-c", f"{binds}exec {SKRFS} mount -f --config {conf} {self.path}"], stdin=subprocess.DEVNULL,
                                            stdout=log, stderr=log)
        self.seen = pathlib.Path(f"/proc/{self.process.pid}/root{self.path}")
        wait_for("it is mounted", lambda: self.process.poll() is None and (self.seen / "keys").is_dir())

    def stop(self):
        self.process.terminate()
        self.process.wait(20)


@pytest.fixture
def apart(lab, keys, tmp_path):
    made = []

    def make(host, **files):
        port = lab.attestation.rsplit(":", 1)[1]
        conf = lab.config(tmp_path / "names.conf", {"rsa": keys["rsa"]}, attestation={"url": f"https://{host}:{port}"}, network={"deadline": "8s"})
        made.append(Apart(conf, tmp_path, {name.replace("_", "."): text for name, text in files.items()}))
        return made[-1]

    yield make
    for one in made:
        one.stop()
        print(one.log_path.read_text())


# The lab's certificate does not name these hosts: that it was come to is what shows that the name was resolved.

def why(made):
    with pytest.raises(OSError):
        (made.seen / "keys/rsa").read_bytes()
    return (made.seen / "status/why/rsa").read_text()


def test_by_a_name_server(apart, server):
    text = why(apart("attest.skrfs.test", resolv_conf=f"nameserver {SERVER}\n", nsswitch_conf="hosts: files dns\n"))
    assert "certificate" in text, text
    kinds = {(way, kind) for way, name, kind in server.asked if name == "attest.skrfs.test"}
    assert {("udp", 1), ("tcp", 1)} <= kinds, server.asked


def test_modules_that_cannot_work_here(apart, server):
    """Name services that want a program's socket are passed over, as where they are not there."""
    text = why(apart("attest.skrfs.test", resolv_conf=f"nameserver {SERVER}\n", nsswitch_conf="hosts: mymachines mdns4_minimal resolve [!UNAVAIL=return] files myhostname dns\n"))
    assert "certificate" in text, text


def test_by_the_file_of_hosts(apart):
    text = why(apart("attest.skrfs.test", hosts="127.0.0.1 attest.skrfs.test\n", resolv_conf=f"nameserver {SERVER}\n", nsswitch_conf="hosts: files\n"))
    assert "certificate" in text, text


def test_a_name_that_is_none(apart, server):
    text = why(apart("attest.skrfs.test", resolv_conf="nameserver 127.0.0.154\noptions timeout:1 attempts:1\n", nsswitch_conf="hosts: files dns\n"))
    assert "resolve" in text.lower() or "name" in text, text
