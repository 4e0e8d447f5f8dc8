"""Seeds of the lab's targets: requests to its services (fuzz_lab_requests.c says how they are written)."""
import json
import struct

from seeds_azure import POLICY, SEPARATOR, b64, dump

API = "api-version=7.4"
TENANT, CLIENT = "1ab00000-0000-4000-8000-00000000000a", "1ab00000-0000-4000-8000-0000000000e2"


def call(service, method, path, query="-", body=b"", *headers):
    body = body if isinstance(body, bytes) else dump(body)
    return "\n".join([f"{service} {method} {path} {query}", *headers]).encode() + b"\n\n" + body


def calls(*each):
    return SEPARATOR.join(each)


def vault(method, path, body=b"", service="v", query=API):
    return call(service, method, path, query, body, "Authorization: " + ("@vault@" if service == "v" else "@hsm@"))


EXPORTABLE = {"kty": "RSA-HSM", "key_size": 2048, "attributes": {"exportable": True}, "release_policy": {"data": b64(dump(POLICY))}}
OPEN = {"version": "1.0.0", "anyOf": [{"authority": "https://maa.skrfs.localhost:2", "allOf": [{"claim": "x-ms-attestation-type", "equals": "sevsnpvm"}]}]}
RELEASABLE = {**EXPORTABLE, "release_policy": {"data": b64(dump(OPEN)), "contentType": "application/json"}}


def vaults(parts):
    make = vault("POST", "/keys/k/create", EXPORTABLE)
    yield "create", calls(make, vault("GET", "/keys/k"), vault("GET", "/keys"), vault("GET", "/keys/k/versions"), vault("GET", "/keys/k/"))
    yield "rotate", calls(make, vault("POST", "/keys/k/rotate"), vault("GET", "/keys/k/versions", query=API + "&maxresults=1"), vault("POST", "/keys/x/rotate"))
    yield "delete", calls(make, vault("DELETE", "/keys/k"), vault("GET", "/deletedkeys"), vault("GET", "/deletedkeys/k"), make, vault("POST", "/deletedkeys/k/recover"),
                          vault("GET", "/keys/k"), vault("DELETE", "/keys/k"), vault("DELETE", "/deletedkeys/k"), vault("GET", "/deletedkeys/k"))
    yield "update", calls(make, vault("PATCH", "/keys/k", {"attributes": {"enabled": False, "nbf": 1, "exp": 4102444800}, "tags": {"a": "b"}, "key_ops": ["wrapKey"]}),
                          vault("PATCH", "/keys/k", {"release_policy": {"data": b64(dump(OPEN)), "immutable": True}}),
                          vault("PATCH", "/keys/k", {"release_policy": {"data": b64(dump(POLICY))}}), vault("PATCH", "/keys/k", b"no"))
    releasable = vault("POST", "/keys/k/create", RELEASABLE)
    for enc in ("RSA_AES_KEY_WRAP_256", "RSA_AES_KEY_WRAP_384", "CKM_RSA_AES_KEY_WRAP", "other"):
        yield f"release-{enc}", calls(releasable, vault("POST", "/keys/k/release", {"target": "@attested@", "nonce": "n", "enc": enc}))
    yield "release-plain", calls(releasable, vault("POST", "/keys/k/release", {"target": "@attested@"}), vault("POST", "/keys/k/x/release", {"target": "@attested@"}))
    yield "release-refused", calls(make, vault("POST", "/keys/k/release", {"target": "@attested@"}), vault("POST", "/keys/k/release", {"target": "a.b.c"}),
                                   vault("POST", "/keys/k/release", b"no"), vault("POST", "/keys/k/release", {"nonce": 5}), vault("POST", "/keys/x/release", {"target": ""}),
                                   vault("POST", "/keys/k/release", {"target": "@attested@"}, query="api-version=7.2"))
    for kind in ("EC", "EC-HSM", "oct-HSM", "RSA", "oct", "?"):
        for service in "vh":
            body = {**RELEASABLE, "kty": kind, "crv": "P-256"} if kind.startswith("EC") else {**RELEASABLE, "kty": kind}
            if kind == "oct-HSM":
                body["key_size"] = 256
            yield f"create-{service}-{kind.replace('?', 'odd')}", calls(vault("POST", "/keys/k/create", body, service),
                                                                       vault("POST", "/keys/k/release", {"target": "@attested@"}, service))
    for number, body in enumerate([{}, {"kty": 5}, {**EXPORTABLE, "key_size": 7}, {**EXPORTABLE, "release_policy": None}, {**EXPORTABLE, "attributes": {}},
                                   {**EXPORTABLE, "release_policy": {"data": "?"}}, {**EXPORTABLE, "attributes": {"exportable": 5}}, {"kty": "EC-HSM", "crv": "P-1"},
                                   {**EXPORTABLE, "key_ops": ["what"]}, {**EXPORTABLE, "key_ops": "x"}, {**EXPORTABLE, "tags": []}, {**EXPORTABLE, "release_policy": {}},
                                   {**EXPORTABLE, "attributes": {"exportable": True, "exp": "x"}}, {**EXPORTABLE, "attributes": {"exportable": True, "nbf": -1}},
                                   {**EXPORTABLE, "release_policy": {"data": b64(b"{}")}}, {**EXPORTABLE, "tags": {"a": 5}}, {**EXPORTABLE, "release_policy": 5}, [],
                                   {**EXPORTABLE, "attributes": 5}, {**EXPORTABLE, "release_policy": {"data": b64(dump(POLICY)), "contentType": 5}},
                                   {**EXPORTABLE, "release_policy": {"data": b64(dump(POLICY)), "immutable": 5}}]):
        yield f"create-odd-{number}", vault("POST", "/keys/k/create", body)
    for name in ("rsa", "ec-0", "ec-1", "ec-2", "ec-3"):
        jwk = json.loads(parts[f"{name}.jwk"])
        yield f"import-{name}", calls(*[vault("PUT", f"/keys/k{number}", {"key": {**jwk, "kty": jwk["kty"] + hsm}, "attributes": {"exportable": True},
                                                                       "release_policy": {"data": b64(dump(POLICY))}}, service)
                                        for number, (service, hsm) in enumerate([("v", ""), ("h", "-HSM"), ("v", "-HSM")])])
    rsa, ec = json.loads(parts["rsa.jwk"]), json.loads(parts["ec-0.jwk"])
    for number, jwk in enumerate([{**rsa, "d": "AAAA"}, {**rsa, "n": "?"}, {**rsa, "p": rsa["q"]}, {**ec, "x": "AA"}, {**ec, "crv": "P-1"}, {**ec, "d": None}, {"kty": "oct"}, 5,
                                  {"kty": "oct-HSM", "k": b64(bytes(32))}, {"kty": "oct-HSM", "k": b64(bytes(5))}, {"kty": "oct-HSM", "k": 5}, {"kty": "OKP"}]):
        yield f"import-odd-{number}", calls(*[vault("PUT", "/keys/k", {"key": jwk, "hsm": True, "attributes": {"exportable": True},
                                                                    "release_policy": {"data": b64(dump(POLICY))}}, service) for service in "vh"])
    yield "tokens", calls(call("v", "GET", "/keys", API), call("v", "GET", "/keys", API, b"", "Authorization: Bearer a.b.c"), call("h", "GET", "/keys", API),
                          call("v", "GET", "/keys", API, b"", "Authorization: @hsm@"), call("v", "GET", "/keys", API, b"", "Authorization: Basic x"))
    yield "paths", calls(*[vault(method, path) for method, path in (("GET", "/"), ("GET", "/keysx"), ("POST", "/keys"), ("GET", "/keys/a_b"), ("GET", "/keys/" + "n" * 200),
                                                                    ("GET", "/keys/a/b/c/d"), ("GET", "/deletedkeys/a/b"), ("PUT", "/keys/a/release"))])
    yield "versions", calls(vault("GET", "/keys", query="-"), vault("GET", "/keys", query="api-version=9"), vault("GET", "/keys", query=API + "&maxresults=x"),
                            vault("GET", "/keys", query=API + "&$skiptoken=5&maxresults=2"))


def control(parts):
    def fault(**members):
        return call("i", "POST", "/lab/faults", "-", members)
    release = vault("POST", "/keys/k/release", {"target": "@attested@"})
    for deed in ("reset", "half-body", "garbage", "oversize", "no-answer", "other-key", "other-version", "other-nonce", "other-enc", "other-kek", "other-signer", "bad-signature",
                 "expired-leaf", "other-host", "short-cipher", "other-public", "claims-challenge", "deny-token", "wrong-kid", "other-kek-kid", "what"):
        yield f"deed-{deed}", calls(vault("POST", "/keys/k/create", RELEASABLE), fault(at="release", do=deed), release, release)
    yield "deny-claim", calls(vault("POST", "/keys/k/create", RELEASABLE), fault(at="release", do="deny-claim", claim="x-ms-attestation-type"), release, fault(at="get", claim="x"))
    yield "faults", calls(fault(at="get", status=503, code="Busy", message="m", retry_after_s=3, times=2, delay_ms=0), vault("GET", "/keys/k"), fault(at="what"), fault(do="reset"),
                          fault(at="get", status=429, retry_after_ms=5, retry_after_date=True), vault("GET", "/keys/k"), fault(at="get", stall_at=1, cut_at=1),
                          fault(at="get", status=99), fault(at="get", nothing=1), fault(at="thim", do="claims-challenge"), fault(at="get", do="deny-token"),
                          call("i", "DELETE", "/lab/faults"))
    yield "faults-more", calls(fault(at="get", status=302, location="https://x"), vault("GET", "/keys/k"), fault(at="get", times=-1, status=500), fault(at="get", delay_ms=10 ** 12),
                               fault(at="get", retry_after_date=5), fault(at="attest", do="bad-tag"), fault(at="thim", do="stale-vcek"), call("i", "GET", "/metadata/THIM/amd/certification", "-", b"", "Metadata: true"))
    yield "settings", calls(*[call("i", "POST", "/lab/settings", "-", body) for body in
                              ({"token_life_s": 5, "access_life_s": 5, "clock_skew_s": -5, "throttle": True, "release_role": False, "identity": False, "compliance": "x"},
                               {"reset": True}, {"what": 1}, {"throttle": 5}, {"token_life_s": -1}, {"clock_skew_s": 10 ** 15}, [], b"no")],
                            call("i", "GET", "/lab/counters"), call("i", "GET", "/lab/what"), call("i", "POST", "/lab/counters"))
    yield "throttled", calls(call("i", "POST", "/lab/settings", "-", {"throttle": True, "release_role": False}), *[vault("POST", "/keys/k/create", EXPORTABLE)] * 11)
    yield "no-role", calls(vault("POST", "/keys/k/create", RELEASABLE), call("i", "POST", "/lab/settings", "-", {"release_role": False, "identity": False}), release,
                           call("i", "GET", "/metadata/identity/oauth2/token", "api-version=2018-02-01&resource=https://vault.azure.net", b"", "Metadata: true"))


def metadata(parts):
    token, meta = "/metadata/identity/oauth2/token", "Metadata: true"
    query = "api-version=2018-02-01&resource=https://vault.azure.net"
    yield "imds", calls(call("i", "GET", token, query, b"", meta), call("i", "GET", token, query), call("i", "GET", token, query, b"", meta, "X-Forwarded-For: x"),
                        call("i", "GET", token, "api-version=1&resource=x", b"", meta), call("i", "GET", token, "api-version=2018-02-01", b"", meta),
                        call("i", "GET", token, "api-version=2018-02-01&resource=https://x", b"", meta), call("i", "GET", token, "-", b"", meta), call("i", "PUT", token, query, b"", meta))
    for name in ("client_id", "object_id", "msi_res_id", "mi_res_id"):
        yield f"imds-{name}", call("i", "GET", token, f"{query}&{name}=nobody", b"", meta)
    yield "imds-two", call("i", "GET", token, f"{query}&client_id=a&object_id=b", b"", meta)
    yield "app-service", calls(call("i", "GET", "/msi/token", "api-version=2019-08-01&resource=https://vault.azure.net", b"", "X-IDENTITY-HEADER: @header@"),
                               call("i", "GET", "/msi/token", "api-version=2019-08-01&resource=https://vault.azure.net", b"", "X-IDENTITY-HEADER: x"))
    yield "thim", calls(call("i", "GET", "/metadata/THIM/amd/certification", "-", b"", meta), call("i", "GET", "/metadata/THIM/amd/certification", "platformId=x&tcbVersion=y", b"", meta),
                        call("i", "GET", "/what", "-", b"", meta))
    for number, body in enumerate([{"report": b64(parts["td-report"])}, {"report": "?"}, {}, b"no", {"report": b64(b"short")}]):
        yield f"tdquote-{number}", call("i", "POST", "/acc/tdquote", "-", body, meta)


def attestation(parts):
    yield "attest", call("m", "POST", "/attest/SevSnpVm", "api-version=2022-08-01", b"@evidence@", "Content-Type: application/json")
    for kind in ("AzureGuest", "SevSnpVm", "TdxVm", "SgxEnclave", "OpenEnclave", "Tee/OpenEnclave", "What"):
        for version in ("2020-10-01", "2022-08-01", "2018-09-01-preview", "9"):
            yield f"attest-{kind.replace('/', '-')}-{version}", call("m", "POST", f"/attest/{kind}", f"api-version={version}", {"report": "AAAA", "quote": "AAAA", "Quote": "AAAA", "AttestationInfo": "e30"}, "Content-Type: application/json")
    yield "attest-odd", calls(call("m", "GET", "/attest/SevSnpVm", "api-version=2022-08-01"), call("m", "POST", "/attest/SevSnpVm"), call("m", "POST", "/attest/SevSnpVm", "api-version=2022-08-01", b"no", "Content-Type: application/json; charset=utf-8"))
    yield "certs", calls(call("m", "GET", "/certs"), call("m", "GET", "/.well-known/openid-configuration"), call("m", "GET", "/what"))
    for path in ("/policies/SevSnpVm", "/policies/What", "/certificates"):
        yield f"policies{path.replace('/', '-')}", calls(call("m", "GET", path, "api-version=2022-08-01", b"", "Authorization: @maa@"), call("m", "GET", path, "api-version=2022-08-01"),
                                                         call("m", "GET", path, "-", b"", "Authorization: @vault@"), call("m", "PUT", path, "-", b"", "Authorization: @maa@"))
    yield "nowhere", call("x", "GET", "/")
    yield "hosts", calls(*[call(host, "GET", "/certs") for host in ("maa.skrfs.localhost:2", "LAB.vault.skrfs.localhost", "lab.hsm.skrfs.localhost", "login.skrfs.localhost", "evil")])


def login(parts):
    path, form = f"/{TENANT}/oauth2/v2.0/token", "Content-Type: application/x-www-form-urlencoded"
    grant = f"grant_type=client_credentials&client_id={CLIENT}&scope=https%3A%2F%2Fvault.azure.net%2F.default"
    assertion = "&client_assertion_type=urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer&client_assertion="
    cp1 = "&claims=%7B%22access_token%22%3A%7B%22xms_cc%22%3A%7B%22values%22%3A%5B%22cp1%22%5D%7D%7D%7D"
    nbf = "&claims=%7B%22access_token%22%3A%7B%22nbf%22%3A%7B%22essential%22%3Atrue%2C%22value%22%3A%221604106651%22%7D%7D%7D"
    bodies = {"secret": grant + "&client_secret=@secret@", "federated": grant + assertion + "@federated@", "claims": grant + "&client_secret=@secret@" + cp1,
              "nbf": grant + "&client_secret=@secret@" + nbf, "odd-claims": grant + "&client_secret=@secret@&claims=%7B", "wrong": grant + "&client_secret=x",
              "two": grant + "&client_secret=@secret@" + assertion + "x", "none": grant, "grant": grant.replace("client_credentials", "password"), "client": grant.replace(CLIENT, "x"),
              "scope": grant.replace("%2F.default", ""), "resource": grant.replace("vault.azure", "what"), "empty": "", "escape": "a=%zz&b=%4", "twice": grant + "&client_id=x",
              "plus": "a+b=c+d&&=x&y", "assertion": grant + assertion + "a.b.c", "assertion-type": grant + "&client_assertion_type=x&client_assertion=y"}
    for name, body in bodies.items():
        yield f"login-{name}", call("l", "POST", path, "-", body.encode(), form)
    yield "login-v1", calls(call("l", "POST", f"/{TENANT}/oauth2/token", "-", (grant.replace("scope=", "resource=").replace("%2F.default", "") + "&client_secret=@secret@").encode(), form))
    yield "login-paths", calls(call("l", "GET", f"/{TENANT}/v2.0/.well-known/openid-configuration"), call("l", "GET", f"/{TENANT}/discovery/v2.0/keys"),
                               call("l", "GET", "/common/discovery/instance", "api-version=1.1&authorization_endpoint=https://x"), call("l", "POST", "/other/oauth2/v2.0/token", "-", b"", form),
                               call("l", "GET", path), call("l", "POST", path, "-", b"a=b"), call("l", "GET", "/"))


def requests(parts):
    for maker in (vaults, control, metadata, attestation, login):
        yield from maker(parts)


def event(pcr, kind, digests, data):
    return struct.pack("<III", pcr, kind, len(digests)) + b"".join(digests) + struct.pack("<I", len(data)) + data


def logs(parts):
    log = parts["event-log"]
    yield "whole", log
    sha1, sha256 = struct.pack("<H", 4) + bytes(20), struct.pack("<H", 11) + bytes(32)
    size = struct.unpack_from("<I", log, 28)[0]
    head = log[:32 + size]
    yield "head", head
    yield "events", head + event(0, 1, [sha256], b"x") + event(7, 4, [sha256], b"") + event(9, 5, [sha256], b"far")
    yield "two-banks", head + event(1, 1, [sha1, sha256], b"x")
    yield "odd-bank", head + event(1, 1, [struct.pack("<H", 99) + bytes(20)], b"x")
    yield "no-bank", head + event(1, 1, [], b"x")
    yield "cut", log[:-5]
    yield "high-pcr", head + event(99, 1, [sha256], b"x")
    yield "locality", head + event(0, 3, [struct.pack("<H", 11) + bytes(32)], b"StartupLocality\0\3")
    yield "long", head + struct.pack("<III", 0, 1, 1) + sha256 + struct.pack("<I", 2 ** 31)


def cose(parts):
    yield "lab", parts["endorsement"]
    for number in (0, 10, 200, 800, 1300):
        yield f"changed-{number}", parts["endorsement"][:number] + b"\xff" + parts["endorsement"][number + 1:]


def evidence(parts):
    for kind in range(4):
        yield f"snp-{kind}", bytes([kind]) + dump({"report": b64(dump({"SnpReport": b64(parts["snp-report"]), "VcekCertChain": b64(parts["vcek-issuers.pem"])})),
                                                   "quote": b64(parts["sgx-quote"]), "nonce": 2 ** 64 - 1})
    for name, body in {"tdx": {"quote": b64(parts["td-quote"])}, "runtime": {"quote": b64(parts["td-quote"]), "runtimeData": {"data": b64(b"{}"), "dataType": "JSON"},
                                                                           "initTimeData": {"data": b64(b"x"), "dataType": "Binary"}, "draftPolicyForAttestation": "x"}}.items():
        yield name, bytes([1]) + dump(body)
    for number, data in enumerate([5, {}, {"data": "?"}, {"data": "AAAA"}, {"data": "AAAA", "dataType": "What"}, {"data": b64(b"no"), "dataType": "JSON"}]):
        yield f"data-{number}", bytes([1]) + dump({"quote": b64(parts["td-quote"]), "runtimeData": data})
    for number, nonce in enumerate(['12345678901234567890', '"text"', '-5', 'null', '1e5', '[]']):
        yield f"nonce-{number}", bytes([1]) + b'{"quote":"AAAA","nonce" : ' + nonce.encode() + b"}"


MAKERS = {"lab_requests": requests, "lab_eventlog": logs, "lab_cose": cose, "lab_proof": evidence}
