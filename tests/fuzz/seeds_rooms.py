"""Seeds of the targets of json, crypto, release, courier, tee and conf."""
import base64
import json
import struct

from seeds_azure import KEY, KID, b64, dump

DER, PEM, JWK, RAW, OPENSSH, PUB_PEM, PUB_DER, PUB_JWK = range(8)
RSA, EC, OCT = range(3)


def key_decode(parts):
    for name, format_ in (("pem", PEM), ("der", DER), ("jwk", JWK)):
        for kind in ["rsa", "ec-0", "ec-1", "ec-2", "ec-3"]:
            yield f"{name}-{kind}", bytes([format_]) + parts[f"{kind}.{name}"]
    yield "openssh", bytes([OPENSSH]) + parts["rsa.openssh"]
    yield "public-pem", bytes([PEM]) + b"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n"
    yield "no-pem", bytes([PEM]) + b"no key"
    yield "password", bytes([PEM]) + b"-----BEGIN ENCRYPTED PRIVATE KEY-----\nMAMCAQA=\n-----END ENCRYPTED PRIVATE KEY-----\n"
    yield "password-old", bytes([PEM]) + (b"-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,"
                                          b"00112233445566778899AABBCCDDEEFF\n\nMAMCAQA=\n-----END RSA PRIVATE KEY-----\n")
    yield "der-more", bytes([DER]) + parts["ec-0.der"] + b"x"
    rsa, ec = json.loads(parts["rsa.jwk"]), json.loads(parts["ec-0.jwk"])
    changes = {
        "hsm": {**rsa, "kty": "RSA-HSM"}, "ec-hsm": {**ec, "kty": "EC-HSM"}, "no-kty": {"k": "AAAA"}, "odd-kty": {"kty": "OKP"},
        "no-d": {name: value for name, value in rsa.items() if name != "d"}, "wrong-d": {**rsa, "d": rsa["d"][:-4] + "AAAA"},
        "curve": {**ec, "crv": "P-224"}, "secp256k1": {**json.loads(parts["ec-3.jwk"]), "crv": "secp256k1"},
        "short-x": {**ec, "x": "AAAA"}, "off-curve": {**ec, "x": ec["y"]}, "no-base64": {**ec, "d": "a?b="}, "one-digit": {**ec, "d": "a"},
        "tail-bits": {"kty": "oct", "k": "AAF"}, "oct": {"kty": "oct-HSM", "k": "AAECAwQFBgcICQoLDA0ODw"}, "oct-none": {"kty": "oct"},
        "number": {"kty": 5, "k": True, "x": None, "o": {"a": [1, "x\\\"]}"]}, "kty2": "é"}, "empty-d": {**ec, "d": ""},
    }
    for name, value in changes.items():
        yield f"jwk-{name}", bytes([JWK]) + json.dumps(value, indent=1 if name == "hsm" else None).encode()
    for number, text in enumerate(['{"kty":"oct","k":"AA","k":"AA"}', '{"kty":"oct","k":"A\\u0041"}', '{"kty":"oct"', '{"kty" "oct"}', '[]', '{"a":1,}',
                                   '{"a":"' + "x" * 70 + '","kty":"oct","k":"AAAA"} x', '{"a":tru}', '{"a":"\n"}', '{"":"", "b":"\\q"}', '{}', '{"a":[[[[{}]]]]}',
                                   '{"a":-1.5e+3,"b":false,"c":null}', '{"a" : }', '{"kty":"oct","k":"AAAA"} ', '{5:1}', '{"a":{"b":"}"}, "kty":"oct", "k":"_-8"}']):
        yield f"jwk-text-{number}", bytes([JWK]) + text.encode()


def key_encode(parts):
    for kind, type_ in (("rsa", RSA), ("ec-0", EC), ("ec-1", EC), ("ec-2", EC), ("ec-3", EC)):
        for format_ in range(8):
            yield f"{kind}-as-{format_}", bytes([type_, format_]) + parts[f"{kind}.der"]
    for format_ in range(8):
        yield f"oct-as-{format_}", bytes([OCT, format_]) + bytes(range(32))
        yield f"ec-no-key-{format_}", bytes([EC, format_]) + b"no key"
    yield "rsa-as-ec", bytes([EC, PEM]) + parts["rsa.der"]
    yield "ec-as-rsa", bytes([RSA, JWK]) + parts["ec-0.der"]


def chain_server(parts):
    leaf, root = parts["server.pem"], parts["server.pem"][parts["server.pem"].rindex(b"-----BEGIN"):]
    now = int(parts["now"])
    cases = {"good": (now, "localhost"), "early": (1, "localhost"), "late": (now * 2, "localhost"), "host": (now, "evil.example"),
             "vault": (now, "lab.vault.skrfs.localhost"), "wild": (now, "x.vault.skrfs.localhost"), "address": (now, "127.0.0.1"), "none": (now, ""),
             "upper": (now, "LOCALHOST"), "dot": (now, "localhost.")}
    for name, (time, host) in cases.items():
        yield name, f"{time} {host}\n".encode() + root + b"\0" + leaf
    yield "other-anchor", f"{now} localhost\n".encode() + parts["vcek.pem"] + b"\0" + leaf
    yield "no-anchor", f"{now} localhost\n".encode() + b"no" + b"\0" + leaf
    yield "self", f"{now} localhost\n".encode() + root + b"\0" + root
    yield "authority", f"{now} localhost\n".encode() + parts["vcek.pem"] + b"\0" + parts["vcek.pem"]
    yield "release", f"{now} lab.vault.skrfs.localhost\n".encode() + root + b"\0" + parts["release.pem"]


def chains(parts):
    yield "vcek", parts["vcek.pem"]
    yield "server", parts["server.pem"]
    yield "turned", parts["vcek-issuers.pem"][::1] + parts["vcek.pem"]
    yield "key", parts["ec-0.pem"]
    yield "nine", parts["vcek.pem"][:parts["vcek.pem"].index(b"-----END")] * 1 + b"-----END CERTIFICATE-----\n" * 2
    yield "many", parts["server.pem"] * 4
    yield "none", b"# no certificate\n"


def chain_der(parts):
    yield "vcek", parts["vcek.der"]
    yield "server", parts["server.der"]
    yield "more", parts["server.der"] + b"x"


def answer_payload(**changes):
    hsm = {"schema_version": "1.0", "header": {"kid": "kek", "alg": "dir", "enc": "RSA_AES_KEY_WRAP_256"}, "ciphertext": b64(bytes(272))}
    header = changes.pop("header", {})
    hsm = {**hsm, **changes.pop("hsm", {})}
    hsm["header"] = {**hsm["header"], **header} if isinstance(header, dict) else header
    jwk = {"kid": KID, "kty": "EC", "crv": "P-256", "x": b64(bytes(31) + b"\1"), "y": b64(bytes(31) + b"\2"), "key_hsm": b64(dump(hsm)),
           **changes.pop("jwk", {})}
    request = {"api-version": "7.4", "enc": "RSA_AES_KEY_WRAP_256", "kid": KID.rsplit("/", 1)[0], "nonce": "the-nonce", **changes.pop("request", {})}
    return dump({"request": request, "response": {"key": {"key": jwk, "attributes": changes.pop("attributes", {"enabled": True})}}, **changes})


def answers():
    rsa = {"kty": "RSA", "n": KEY["key"]["n"], "e": b64(b"\0\1\0\1")}
    yield "good", answer_payload()
    yield "rsa", answer_payload(jwk=rsa)
    yield "oct", answer_payload(jwk={"kty": "oct-HSM"})
    yield "odd-kty", answer_payload(jwk={"kty": "OKP"})
    yield "expires", answer_payload(attributes={"exp": 4102444800})
    yield "expires-odd", answer_payload(attributes={"exp": "soon"})
    yield "expires-null", answer_payload(attributes={"exp": None})
    yield "nonce", answer_payload(request={"nonce": "another"})
    yield "no-nonce", answer_payload(request={"nonce": None})
    yield "enc", answer_payload(request={"enc": "CKM_RSA_AES_KEY_WRAP"})
    yield "enc-inner", answer_payload(header={"enc": "RSA_AES_KEY_WRAP_384"})
    yield "kek", answer_payload(header={"kid": "other"})
    yield "alg", answer_payload(header={"alg": "RSA"})
    yield "no-header", answer_payload(header=5)
    yield "schema", answer_payload(hsm={"schema_version": "2.0"})
    yield "short", answer_payload(hsm={"ciphertext": b64(bytes(264))})
    yield "odd", answer_payload(hsm={"ciphertext": b64(bytes(273))})
    yield "no-cipher", answer_payload(hsm={"ciphertext": None})
    yield "no-hsm", answer_payload(jwk={"key_hsm": "e30"})
    yield "hsm-text", answer_payload(jwk={"key_hsm": "?"})
    yield "curve", answer_payload(jwk={"crv": "P-1"})
    yield "long-x", answer_payload(jwk={"x": b64(b"\1" * 40)})
    yield "no-e", answer_payload(jwk={**rsa, "e": None})
    for number, kid in enumerate(["https://other.vault.azure.net/keys/disk-data/0", KID.rsplit("/", 1)[0] + "/", "https://prod.vault.azure.net/keys/other/0",
                                  "https://prod.vault.azure.net/secrets/x/0", "http://prod.vault.azure.net/keys/disk-data/0", KID + "/x", KID.upper(),
                                  "https://prod.vault.azure.net:443/keys/disk-data/0", "https://prod.vault.azure.net/keys//0", KID + "x" * 500,
                                  "https://prod.vault.azure.net/keys/disk-data/a?b", "https://prod.vault.azure.net/keys/" + "n" * 140 + "/0"]):
        yield f"kid-{number}", answer_payload(jwk={"kid": kid})
        yield f"asked-kid-{number}", answer_payload(request={"kid": kid})
    yield "no-request", answer_payload(request={}, response=[])
    yield "empty", b"{}"
    yield "text", b"no"


def answer_signed(parts):
    header = b'{"alg":"RS256","kid":"x","x5t#S256":"y","x5c":@chain@}'
    for name, payload in answers():
        if name in ("good", "rsa", "nonce", "empty", "text", "kek"):
            yield name, header + b"\0" + payload
    good = answer_payload()
    for number, text in enumerate(['{"alg":"RS256","x5c":[@leaf@]}', '{"alg":"RS256","x5c":[@root@]}', '{"alg":"RS256","x5c":[@root@,@leaf@]}', '{"alg":"none","x5c":@chain@}',
                                   '{"alg":"RS256","crit":["exp"],"x5c":@chain@}', '{"alg":"RS256","x5c":[]}', '{"alg":"RS256","x5c":[5]}', '{"alg":"RS256","x5c":["?"]}',
                                   '{"alg":"RS256","x5c":["AAAA"]}', '{"alg":"RS256"}', '{}', 'no', '{"alg":"RS256","x5c":[@leaf@,@leaf@,@leaf@,@leaf@,@leaf@,@leaf@,@leaf@,@leaf@,@leaf@]}']):
        yield f"header-{number}", text.encode() + b"\0" + good


def json_members(parts):
    yield "all", b'{"a":{"a":"text","b":[1,-2,true,null,"AAAA"]},"b":"AA-_","c":7,"d":[],"e":{}}'
    yield "array", b'[{"a":"AAAA"},{"a":5},{"a":null},[[["a"]]],"x"]'
    yield "text", b'"a"'
    yield "number", b"12"
    yield "padded", b'{"a":"AA==","b":"A","c":"AA+/"}'
    yield "long", b'{"a":"' + b"A" * 200 + b'"}'
    yield "nul", b'{"a":"x\\u0000y"}'


def json_texts(parts):
    for number, text in enumerate([b"", b" ", b"{", b"[1,2", b'{"a":1,"a":2}', b'"\\ud800"', b'"\xff"', b"1e400", b"-", b"[" * 70 + b"]" * 70, b'{"a":1}x', b"9" * 40, b"tru",
                                   b'{"a" 1}', b"1.5", b'"a\nb"', b"\xef\xbb\xbf{}", b"nul\0l"]):
        yield f"text-{number}", text


def field(data):
    data = data if isinstance(data, bytes) else data.encode()
    return struct.pack("<I", len(data)) + data


def packet(kind, message, identity=0, total=None, offset=0):
    return struct.pack("<IIQII", 0x46524b53, kind, identity, len(message) if total is None else total, offset) + message


def pack(what, how, *packets):
    return bytes([what, how]) + b"".join(struct.pack("<H", len(each)) + each for each in packets)


STEPS = struct.pack("<I", 1) + field("a step") + struct.pack("<QQB", 5, 3, 1) + field("what it did\n")
GOOD, FAILED = b"\1" + STEPS, b"\0"


def failure(kind=5, errnum=0, retry=1, wait=10 ** 9, text="no\tnetwork"):
    return FAILED + struct.pack("<IIIBQ", kind, errnum, 503, retry, wait) + field(text) + struct.pack("<I", 0)


def key_message(type_=0, curve=0):
    point = (field(bytes(255) + b"\1"), field(b"\1\0\1"), field(b""), field(b"")) if type_ == 0 else (field(b""), field(b""), field(bytes(32)), field(bytes(32)))
    return GOOD + field(KID) + bytes([type_, curve]) + b"".join(point) + b"\1\1" + struct.pack("<QQQQ", 1, 2, 3, 4) + field("RSA-HSM") + \
        field("wrapKey") + field("{}") + b"\0"


ANSWERS = {0: GOOD + b"".join(field(part) for part in (b"a.b.c", bytes(256), bytes(12), bytes(16), b"cipher")),
           1: GOOD + struct.pack("<Q", 1700000000) + field("{}"), 2: GOOD + field("a.b.c"), 3: key_message()}
KINDS = {0: 3, 1: 4, 2: 5, 3: 6}  # of requests: attest, inspect, release, key show
LEFT = struct.pack("<Q", 10 ** 10)


def name_part(version=None, vault=0, name="disk-data"):
    return struct.pack("<Q", vault) + field(name) + bytes([version is not None]) + field(version or "")


def requests():
    hardware = b"".join(field(part) for part in (b"report", b"{}", b"", b"", b"table", b"", b"uvm", b"", b"", b""))
    evidence = LEFT + struct.pack("<I", 2) + field("00" * 32) + field("") * 6 + field(bytes(256)) + field("") * 3 + hardware
    yield 3, evidence
    yield 3, evidence[:-3]
    yield 3, evidence.replace(struct.pack("<I", 2) + field("00" * 32), struct.pack("<I", 9) + field("00" * 32))
    yield 4, LEFT + field("a.b.c")
    yield 5, LEFT + name_part() + field("nonce") + struct.pack("<I", 0) + field("a.b.c")
    yield 5, LEFT + name_part("1") + field("nonce") + b"\0" + field("a.b.c")
    yield 5, LEFT + name_part("1") + field("nonce") + b"\7" + field("a.b.c")
    yield 6, LEFT + name_part()
    yield 6, LEFT + name_part("0123456789abcdef0123456789abcdef")
    yield 6, LEFT + name_part("x" * 40, 7, "n" * 200)
    yield 6, LEFT
    yield 9, b"x"


def courier_ends(parts):
    for what, message in ANSWERS.items():
        kind = KINDS[what] | 0x80
        yield f"answer-{what}", pack(what << 1, 0, packet(kind, message))
        yield f"failure-{what}", pack(what << 1, 0, packet(kind, failure()))
        yield f"short-{what}", pack(what << 1, 0, packet(kind, message[:-1]))
        yield f"fragments-{what}", pack(what << 1, 0, packet(kind, message[:9], total=len(message)), packet(kind, message[9:], total=len(message), offset=9))
    good, kind = ANSWERS[2], 0x85
    yield "hostile", pack(4, 0, b"x", packet(kind, good, identity=9), packet(0x83, good), packet(kind, good[:4], total=20), packet(kind, good, total=1 << 30),
                          packet(kind, good[4:8], total=20, offset=9), packet(1, b"short"), packet(1, struct.pack("<Q", 0)), packet(1, struct.pack("<Q", 8)),
                          packet(1, struct.pack("<Q", 7)), packet(kind, good), packet(kind, good))
    yield "silent", pack(4, 0)
    yield "half-closed", pack(4, 2)
    yield "half-closed-answer", pack(4, 2, packet(kind, good[:4], total=len(good)))
    yield "empty", pack(4, 0, packet(kind, b""))
    for how in (0, 1):
        yield f"requests-{how}", pack(1, how, *[packet(kind, message, identity=number) for number, (kind, message) in enumerate(requests(), 1)])
    kind, message = list(requests())[0]
    yield "request-fragments", pack(1, 0, packet(2, b""), packet(kind, message[:50], 1, len(message)), packet(kind, message[:9], 2, len(message)),
                                    packet(kind, message[50:], 1, len(message), 50), packet(4, message[9:], 2, len(message), 9),
                                    packet(kind, message[60:], 2, len(message), 60), packet(kind, b"x", 3, 9, 3), packet(kind, message, 1), b"junk")
    yield "request-many", pack(1, 0, *[packet(kind, message[:20], number, len(message)) for number in range(1, 300)])


def courier_answer(parts):
    for what, message in ANSWERS.items():
        yield f"whole-{what}", message
    yield "key-ec", key_message(1, 1)
    yield "key-odd", key_message(9, 9)
    for kind in range(20):
        yield f"failure-kind-{kind}", failure(kind)
    yield "failure-errno", failure(errnum=5000)
    yield "failure-final", failure(retry=0, wait=0)
    yield "failure-long-wait", failure(wait=2 ** 63)
    yield "many-steps", b"\1" + struct.pack("<I", 1000)
    yield "odd-outcome", b"\2" + STEPS


def courier_request(parts):
    for number, (kind, message) in enumerate(requests()):
        yield f"request-{number}", packet(kind, message, 1)
        yield f"message-{number}", message


def unwrap(parts):
    for enc in range(3):
        for what in range(4):
            yield f"good-{what}-{enc}", bytes([what, enc, 40]) + bytes(range(40))
    yield "small", bytes([0, 0, 7]) + b"7 octet"
    yield "none", bytes([0, 0, 0])
    yield "block", bytes([0, 0, 1, 7, 5, 0, 1])
    yield "cipher", bytes([0, 0, 20]) + bytes(20) + struct.pack("<HB", 270, 1)
    yield "sealed-changed", bytes([3, 0, 20]) + bytes(20) + struct.pack("<HB", 25, 1)
    yield "raw-long", bytes([1, 0, 255]) + bytes(300)


def kwp(parts):
    import binascii
    # RFC 5649, section 6
    kek = binascii.unhexlify("5840df6e29b02af1ab493b705bf16ea1ae8338f4dcc176a8")
    yield "rfc-20", b"\1" + kek + binascii.unhexlify("138bdeaa9b8fa7fc61f97742e72248ee5ae6ae5360d1ae6a5f54f373fa543b6a")
    yield "rfc-7", b"\1" + kek + binascii.unhexlify("afbeb0f07dfbf5419200f2ccb50bb24f")
    yield "odd", b"\0" + bytes(16) + bytes(9)
    yield "kek-7", b"\3" + bytes(7) + bytes(16)
    yield "short", b"\0" + bytes(16) + bytes(8)


def policies(parts):
    """Conditions that contradict each other, or the kind of token that the others ask for."""
    inner, type_, status = "x-ms-isolation-tee.", "x-ms-attestation-type", "x-ms-compliance-status"
    compliance, guest = {"claim": inner + status, "equals": "azure-compliant-cvm"}, {"claim": type_, "equals": "azurevm"}
    snp, tdx, sgx = ({"claim": type_, "equals": kind} for kind in ("sevsnpvm", "tdxvm", "sgx"))
    inner_snp = {"claim": inner + type_, "equals": "sevsnpvm"}
    inner_tdx = {"claim": inner + type_, "equals": "tdxvm"}
    launch, mrsigner = {"claim": "x-ms-sevsnpvm-launchmeasurement", "equals": "00"}, {"claim": "x-ms-sgx-mrsigner", "equals": "00"}
    cases = [[snp, tdx], [snp, compliance], [compliance, launch], [guest, launch], [snp, inner_snp], [inner_snp, inner_tdx], [guest, mrsigner], [sgx, compliance], [sgx, launch], [compliance, compliance],
             [{"anyOf": [snp, tdx]}, mrsigner], [{"anyOf": [snp, sgx]}, snp], [{"anyOf": [snp]}, {"anyOf": [tdx, sgx]}], [{"allOf": [snp, {"anyOf": [compliance]}]}], [tdx, inner_tdx], [inner_tdx, launch],
             [{"claim": "nothing-known", "equals": "x"}], [{"claim": status, "equals": "azure-compliant-uvm"}, compliance], [{"claim": inner + "x-ms-sevsnpvm-is-debuggable", "equals": "true"}],
             [{"claim": "x-ms-sevsnpvm-is-debuggable", "equals": True}, snp], [{"claim": "x-ms-sgx-is-debuggable", "equals": False}], [{"claim": "secureboot", "equals": True}], [{"claim": "x-ms-ver", "exists": True}],
             [{"claim": "x-ms-sevsnpvm-guestsvn", "greaterOrEquals": 2}, snp], [{"claim": "x-ms-sgx-svn", "greaterOrEquals": "2"}], [{"claim": "x-ms-sevsnpvm-hostdata", "equals": "zz"}, snp],
             [{"not": snp}], [{"claim": type_, "equals": "SevSnpVm"}], [{"claim": type_, "equals": "other"}], [{"claim": "x-ms-sevsnpvm-vmpl", "equals": "0"}], [{"claim": "X-MS-ATTESTATION-TYPE", "equals": "sevsnpvm"}],
             [{"claim": "x-ms-sevsnpvm-launchmeasurment", "equals": "00"}], [{"claim": "sevsnpvm-launchmeasurement", "equals": "00"}], [{"claim": type_, "in": ["sevsnpvm", "tdxvm"]}], [{"claim": type_, "notEquals": "sgx"}]]
    for number, conditions in enumerate(cases):
        for how in ("allOf", "anyOf"):
            yield f"logic-{how}-{number}", dump({"version": "1.0.0", "anyOf": [{"authority": "https://a.weu.attest.azure.net", how: conditions}]})


MAKERS = {"policy": policies, "key_decode": key_decode, "key_encode": key_encode, "chain_server": chain_server, "chain_pem": chains, "chain_der": chain_der,
          "answer_payload": lambda parts: answers(), "answer_signed": answer_signed, "json_members": json_members, "json": json_texts,
          "courier_ends": courier_ends, "courier_answer": courier_answer, "courier_request": courier_request, "unwrap": unwrap, "kwp_unwrap": kwp}
