#!/usr/bin/env python3
"""A TPM proxy for tests: stands between a client and swtpm.

Listens on two neighbouring loopback ports as swtpm does, commands on P and control on P+1, so that the TCTI
"swtpm:host=127.0.0.1,port=P" works against it; the raw command stream works too. Any number of clients at once.

* NV index 0x01400001 is answered from a file, with any size: swtpm itself allows no index above 2048 octets, the
  report index of a confidential VM has 2600. Only password sessions can read it: the proxy has no HMAC key.
* Faults are injected from a file of JSON lines, read anew whenever it changes:
      {"cc": "0x158", "rc": "0x922", "times": 2, "delay": 0.1, "short": true, "skip": 1}
  cc     command code it is for (absent: any)      rc     answered instead of asking the TPM
  times  how often (absent or -1: always)          delay  seconds before the command
  short  the answer is cut in half, and the connection closed
  skip   how many such commands pass before
"""
import argparse
import hashlib
import json
import os
import socket
import struct
import sys
import threading
import time

INDEX = 0x01400001
CC_NV_READ, CC_NV_READ_PUBLIC = 0x14E, 0x169
NO_SESSIONS, SESSIONS = 0x8001, 0x8002
RC_NV_RANGE, RC_VALUE_P1 = 0x146, 0x1C4
PIECE_MAX = 1024
# TPMA_NV: OWNERWRITE, OWNERREAD, AUTHREAD, WRITTEN
ATTRIBUTES = 0x2 | 0x20000 | 0x40000 | 0x20000000


def response(code, body=b"", tag=NO_SESSIONS):
    return struct.pack(">HII", tag, 10 + len(body), code) + body


def receive(sock, length):
    data = b""
    while len(data) < length:
        piece = sock.recv(length - len(data))
        if not piece:
            return None
        data += piece
    return data


def receive_message(sock):
    head = receive(sock, 10)
    if head is None:
        return None
    size = struct.unpack(">I", head[2:6])[0]
    if not 10 <= size <= 4096:
        return None
    rest = receive(sock, size - 10)
    return None if rest is None else head + rest


class Index:
    """The report index, from a file that may change."""

    def __init__(self, path, size):
        self.path, self.size = path, size

    def contents(self):
        with open(self.path, "rb") as file:
            data = file.read()
        return data + bytes(max(0, self.size - len(data)))

    def answer(self, command):
        """None when the command is not about this index."""
        code = struct.unpack(">I", command[6:10])[0]
        if code == CC_NV_READ_PUBLIC and command[10:14] == struct.pack(">I", INDEX):
            return self.read_public()
        if code == CC_NV_READ and command[14:18] == struct.pack(">I", INDEX):
            return self.read(command)
        return None

    def read_public(self):
        public = struct.pack(">IHIHH", INDEX, 0x000B, ATTRIBUTES, 0, len(self.contents()))
        name = b"\x00\x0b" + hashlib.sha256(public).digest()
        return response(0, struct.pack(">H", len(public)) + public + struct.pack(">H", len(name)) + name)

    def read(self, command):
        authorization = struct.unpack(">I", command[18:22])[0]
        length, offset = struct.unpack(">HH", command[22 + authorization:26 + authorization])
        data = self.contents()
        if length > PIECE_MAX:
            return response(RC_VALUE_P1)
        if offset + length > len(data):
            return response(RC_NV_RANGE)
        body = struct.pack(">H", length) + data[offset:offset + length]
        return response(0, struct.pack(">I", len(body)) + body + b"\x00\x00\x01\x00\x00", SESSIONS)


class Faults:
    """What goes wrong on purpose."""

    def __init__(self, path):
        self.path, self.stamp, self.faults = path, None, []
        self.lock = threading.Lock()

    def refresh(self):
        try:
            info = os.stat(self.path)
        except FileNotFoundError:
            self.stamp, self.faults = None, []
            return
        stamp = (info.st_mtime_ns, info.st_size, info.st_ino)
        if stamp == self.stamp:
            return
        with open(self.path, encoding="ascii") as file:
            self.faults = [json.loads(line) for line in file if line.strip()]
        self.stamp = stamp

    def take(self, code):
        with self.lock:
            if self.path:
                self.refresh()
            for fault in self.faults:
                if "cc" in fault and int(fault["cc"], 0) != code:
                    continue
                if fault.get("skip", 0) > 0:
                    fault["skip"] -= 1
                    continue
                if fault.get("times", 1) != 0:
                    fault["times"] = fault.get("times", float("inf")) - 1
                    return dict(fault)
        return {}


class Proxy:
    def __init__(self, options):
        host, port = options.swtpm.rsplit(":", 1)
        self.upstream, self.control = (host, int(port)), (host, int(port) + 1)
        self.index = Index(options.index_file, options.index_size) if options.index_file else None
        self.faults = Faults(options.faults)
        self.log = options.log
        self.lock = threading.Lock()  # swtpm serves one connection at a time

    def forward(self, command):
        with self.lock, socket.create_connection(self.upstream, timeout=60) as tpm:
            tpm.sendall(command)
            return receive_message(tpm)

    def answer(self, command, fault):
        if "rc" in fault:
            return response(int(fault["rc"], 0))
        answer = self.index.answer(command) if self.index else None
        return self.forward(command) if answer is None else answer

    def note(self, code, answer):
        if self.log:
            with open(self.log, "a", encoding="ascii") as file:
                file.write(f"0x{code:x} 0x{struct.unpack('>I', answer[6:10])[0]:x}\n")

    def serve(self, client):
        with client:
            while (command := receive_message(client)) is not None:
                code = struct.unpack(">I", command[6:10])[0]
                fault = self.faults.take(code)
                time.sleep(fault.get("delay", 0))
                answer = self.answer(command, fault)
                if answer is None:
                    return
                self.note(code, answer)
                client.sendall(answer[:len(answer) // 2] if fault.get("short") else answer)
                if fault.get("short"):
                    return

    def serve_control(self, client):
        with client, socket.create_connection(self.control, timeout=60) as tpm:
            while request := client.recv(4096):
                tpm.sendall(request)
                reply = tpm.recv(4096)
                if not reply:
                    return
                client.sendall(reply)


def guarded(serve, client):
    try:
        serve(client)
    except OSError as error:
        print(f"tpm_proxy: {error}", file=sys.stderr)


def listen(port, serve):
    server = socket.create_server(("127.0.0.1", port), backlog=64)

    def loop():
        while True:
            client, _ = server.accept()
            threading.Thread(target=guarded, args=(serve, client), daemon=True).start()

    thread = threading.Thread(target=loop, daemon=True)
    thread.start()
    return thread


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--listen", type=int, required=True, metavar="P", help="command port; P+1 is for control")
    parser.add_argument("--swtpm", required=True, metavar="HOST:P", help="swtpm's command port; control is P+1")
    parser.add_argument("--index-file", metavar="F", help="contents of index 0x01400001")
    parser.add_argument("--index-size", type=int, default=2600, help="its size, zero padded (default 2600)")
    parser.add_argument("--faults", metavar="F", help="faults, JSON lines")
    parser.add_argument("--log", metavar="F", help="append a line a command: its code and the response code")
    options = parser.parse_args()
    proxy = Proxy(options)
    listen(options.listen + 1, proxy.serve_control)
    thread = listen(options.listen, proxy.serve)
    print("ready", flush=True)
    thread.join()


if __name__ == "__main__":
    main()
