"""Where the certificates of an SNP guest's report come from: each source through a mount, in the order configured, and
what is said when none will do. The reports and certificates are the lab's chip's."""
import base64
import http.server
import json
import os
import re
import ssl
import subprocess
import threading
import time
import urllib.request

import pytest
from devices import Tsm
from lab import BUILD, Mount, run, skrfs


class Services:
    """What stands for Azure's certificate cache and AMD's service: paths to (status, body), over TLS."""

    def __init__(self, folder):
        self.routes, self.asked = {}, []
        self.ca = folder / "services.pem"
        key = folder / "services.key"
        run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
            "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", self.ca)
        services = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                services.asked.append(self.path)
                status, body = services.routes.get(self.path.split("?")[0], (404, b"unknown"))
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *arguments):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.ca, key)
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.url = f"https://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def stop(self):
        self.server.shutdown()
        self.server.server_close()


def der(pem):
    return base64.b64decode("".join(line for line in pem.splitlines() if "-----" not in line))


class Guest:
    """An SNP guest of the lab's chip whose host gives no certificates unless a test wants it."""

    def __init__(self, lab, folder, services):
        self.lab, self.folder, self.services, self.mounts = lab, folder, services, []
        self.double = Tsm(lab, folder / "tsm", "sev_guest")
        self.context = folder / "context"
        self.context.mkdir()
        self.thim = self.certificates()
        self.chip = json.loads((lab.dir / "hardware.json").read_text())["chip"]
        self.anchors = folder / "anchors.pem"
        self.anchors.write_text(open(lab.ca).read() + services.ca.read_text())
        policy = folder / "policy.json"
        policy.write_text(json.dumps({"version": "1.0.0", "anyOf": [{"authority": lab.attestation, "allOf": [
            {"claim": "x-ms-attestation-type", "equals": "sevsnpvm"}]}]}))
        self.key = {"name": f"certs-{os.getpid()}-{time.monotonic_ns()}", "mode": "0400"}
        lab.create(self.key["name"], policy=policy)

    def certificates(self):
        """THIM's document of now."""
        request = urllib.request.Request(self.lab.imds + "/metadata/THIM/amd/certification", headers={"Metadata": "true"})
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=10) as answer:
            return json.loads(answer.read())

    def old_certificates(self):
        self.lab.fault("thim", do="stale-vcek")
        return self.certificates()

    def put_context(self, document):
        (self.context / "host-amd-cert-base64").write_bytes(base64.b64encode(json.dumps(document).encode()))

    def put_endorsement(self, change=0):
        cose = bytearray(subprocess.run([BUILD / "tests/tools/uvm_endorsement", self.lab.dir], check=True, capture_output=True).stdout)
        cose[-1] ^= change
        (self.context / "reference-info-base64").write_bytes(base64.b64encode(cose))

    def want_container(self):
        """The key is for a container whose utility VM is Microsoft's, as ACI's policies have it."""
        policy = self.folder / "aci.json"
        policy.write_text(json.dumps({"version": "1.0.0", "anyOf": [{"authority": self.lab.attestation, "allOf": [
            {"claim": "x-ms-attestation-type", "equals": "sevsnpvm"},
            {"claim": "x-ms-compliance-status", "equals": "azure-compliant-uvm"}]}]}))
        self.key = {**self.key, "name": self.key["name"] + "-aci"}
        self.lab.create(self.key["name"], policy=policy)

    def serve_kds(self, status=200):
        self.services.routes[f"/vcek/v1/Milan/{self.chip}"] = (status, der(self.thim["vcekCert"]))
        self.services.routes["/vcek/v1/Milan/cert_chain"] = (status, self.thim["certificateChain"].encode())

    def serve_cache(self, status=200):
        path = f"/SevSnpVM/certificates/{self.chip}/{self.thim['tcbm'].lstrip('0').lower()}"
        self.services.routes[path] = (status, (self.thim["vcekCert"] + self.thim["certificateChain"]).encode())

    def conf(self, order, name="c.conf", **more):
        listed = order.split()
        tee = {"kind": "snp", **self.double.tee, "context": self.context, "certificates": order, **more}
        for source in {"cache", "kds"} & set(listed):
            tee[source + "-url"] = self.services.url
        return self.lab.config(self.folder / name, {"mine": self.key, "twin": self.key}, tee=tee,
                               network={"ca-file": self.anchors, "deadline": "20s"})

    def mount(self, order, **more):
        number = len(self.mounts)
        made = Mount(self.conf(order, f"m{number}.conf", **more), self.folder / f"m{number}", env=self.double.env)
        self.mounts.append(made)
        return made

    def stop(self):
        for made in self.mounts:
            made.stop()
            print(made.log())
        self.double.stop()


@pytest.fixture
def guest(lab, tmp_path):
    os.chmod(tmp_path, 0o755)
    services = Services(tmp_path)
    made = Guest(lab, tmp_path, services)
    yield made
    made.stop()
    services.stop()


def reads(made, source):
    assert made.read("mine").startswith(b"-----BEGIN PRIVATE KEY-----")
    why = made.why("mine")
    assert re.search(rf"get the chip's certificates.*from {source}\b", why), why


def thim_asked(guest):
    return guest.lab.counters()["thim"]


def test_what_the_machine_has_comes_first(guest):
    """Nobody afar is asked for what the security context has."""
    guest.put_context(guest.thim)
    before = thim_asked(guest)
    made = guest.mount("context report thim cache kds")
    reads(made, "context")
    assert made.read("twin") == made.read("mine")
    assert thim_asked(guest) == before and guest.services.asked == []


def test_the_hosts_table(guest):
    before = thim_asked(guest)
    reads(guest.mount("report thim"), "report")
    assert thim_asked(guest) == before


def test_the_order_is_the_configured_one(guest):
    guest.put_context(guest.thim)
    reads(guest.mount("thim report context"), "thim")


def test_certificates_from_before_a_firmware_update(guest):
    """What the guest was started with fits no more: the next source is asked, once for all keys."""
    guest.put_context(guest.old_certificates())
    before = thim_asked(guest)
    made = guest.mount("context thim")
    reads(made, "thim")
    assert made.read("twin")
    assert thim_asked(guest) == before + 1


def test_the_host_learns_of_its_update_late(guest):
    """Its certificates are of another TCB at first: a new report is asked for, and the reader waits for it."""
    calls = guest.double.seen()["calls"]
    guest.lab.fault("thim", do="stale-vcek", times=2)
    made = guest.mount("thim")
    reads(made, "thim")
    assert guest.double.seen()["calls"] == calls + 2
    assert "do not fit" in made.why("mine")


def test_files_in_pem_and_der(guest):
    pem, leaf = guest.folder / "chain.pem", guest.folder / "leaf.der"
    pem.write_text(guest.thim["vcekCert"] + guest.thim["certificateChain"])
    leaf.write_bytes(der(guest.thim["vcekCert"]))
    guest.serve_kds()
    reads(guest.mount("file", certificates_file=pem), "file")
    assert guest.services.asked == []
    reads(guest.mount("file kds", certificates_file=leaf), "file")
    assert guest.services.asked == ["/vcek/v1/Milan/cert_chain"]


def test_azures_cache(guest):
    guest.serve_cache()
    guest.serve_kds()
    guest.lab.fault("thim", status=404, times=-1)
    reads(guest.mount("thim cache kds"), "cache")
    assert len(guest.services.asked) == 1 and "api-version=2020-10-15-preview" in guest.services.asked[0]


def test_amd_is_asked_last_and_once(guest):
    guest.serve_cache(500)
    guest.serve_kds()
    made = guest.mount("context cache kds")
    reads(made, "kds")
    assert made.read("twin")
    asked = [path for path in guest.services.asked if path.startswith("/vcek/")]
    assert len(asked) == 2 and "ucodeSPL=" in asked[0] and asked[1] == "/vcek/v1/Milan/cert_chain"


def test_what_each_lacks_is_told(guest):
    """The reader gets EAGAIN, the reasons stand in why, and AMD's service is not stormed however often one tries."""
    guest.put_context(guest.old_certificates())
    guest.serve_kds(429)
    made = guest.mount("context cache kds")
    for _ in range(2):
        assert made.error("keys/mine") == "EAGAIN"
    why = made.why("mine")
    assert "no certificates fit this machine's report" in why
    for source in ("context: ", "cache: ", "kds: "):
        assert source in why, why
    assert len([path for path in guest.services.asked if path.startswith("/vcek/")]) == 1


def test_a_wrong_order_is_a_wrong_configuration(guest):
    conf = guest.conf("thim amd")
    done = skrfs("attest", "--config", conf, check=False, env=guest.double.env)
    assert done.returncode != 0
    assert "certificates" in done.stderr and "kds" in done.stderr


def test_a_container_shows_what_its_utility_vm_is(guest):
    """Endorsements go along from the security context; without them the key is refused, and it is said what lacks."""
    guest.put_context(guest.thim)
    guest.want_container()
    made = guest.mount("context")
    assert made.error("keys/mine") == "EKEYREJECTED"
    why = made.why("mine")
    assert "no endorsements of a utility VM" in why, why
    guest.put_endorsement()
    claims = json.loads(skrfs("attest", "--config", guest.conf("context"), env=guest.double.env).stdout)
    assert claims["x-ms-compliance-status"] == "azure-compliant-uvm"
    reads(guest.mount("context"), "context")


def test_a_forged_endorsement_is_refused(guest):
    guest.put_context(guest.thim)
    guest.put_endorsement(change=1)
    made = guest.mount("context")
    assert made.error("keys/mine") == "EKEYREJECTED"
    assert "the attestation service has a policy that refuses this machine's evidence" in made.why("mine")
