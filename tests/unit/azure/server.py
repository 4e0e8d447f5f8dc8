"""Answers a list of requests on loopback, over HTTP and over HTTPS with a certificate of its own.

    server.py <folder> <routes>

<routes> is a Python literal: {"METHOD /path": [(status, body[, headers]), ...]}, the last answer of a list
repeats; a body that is no text is written as JSON, one that begins with "@HEX@" as the octets behind it. Status 0 is silence until the client has gone.
"@HTTPS@" in a body becomes the HTTPS origin. Prints both ports on one line when it listens; writes ca.pem and, a
line for each request, log into <folder>.
"""
import ast
import http.server
import json
import ssl
import subprocess
import sys
import threading

folder, routes = sys.argv[1], ast.literal_eval(sys.argv[2])
lock = threading.Lock()
origin = ""


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
        key = self.command + " " + self.path.split("?")[0]
        with lock:
            with open(folder + "/log", "a") as log:
                log.write("%s %s auth=%s body=%s type=%s identity=%s\n" % (
                    self.command, self.path, self.headers.get("Authorization", "-"), body,
                    self.headers.get("Content-Type", "-"), self.headers.get("X-IDENTITY-HEADER", "-")))
            answers = routes.get(key) or [(418, "no route")]
            answer = answers.pop(0) if len(answers) > 1 else answers[0]
        if answer[0] == 0:
            self.rfile.read(1)
            self.close_connection = True
            return
        text = answer[1] if isinstance(answer[1], str) else json.dumps(answer[1])
        if text.startswith("@HEX@"):
            text = bytes.fromhex(text[5:])
        else:
            text = text.replace("@HTTPS@", origin).encode()
        self.send_response(answer[0])
        for name, value in (answer[2] if len(answer) > 2 else {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    do_GET = do_POST = do_PUT = do_PATCH = answer

    def log_message(self, *args):
        pass


def start(context):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    if context:
        server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server.server_address[1]


subprocess.run(
    ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
     "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1,DNS:*.vault.localhost",
     "-keyout", folder + "/key.pem", "-out", folder + "/ca.pem"],
    check=True, stderr=subprocess.DEVNULL)
tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
tls.load_cert_chain(folder + "/ca.pem", folder + "/key.pem")
open(folder + "/log", "w").close()
secure = start(tls)
origin = "https://127.0.0.1:%d" % secure
print(start(None), secure, flush=True)
sys.stdin.read()  # until the test closes it
