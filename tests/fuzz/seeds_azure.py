"""Seeds of azure's targets: answers of the services."""
import base64
import json

TENANT = "72f988bf-86f1-41af-91ab-2d7cd011db47"
OTHER = "11111111-2222-4333-8444-555555555555"
SEPARATOR = b"\n%%\n"
KID = "https://prod.vault.azure.net/keys/disk-data/0123456789abcdef0123456789abcdef"


def b64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def dump(value):
    return json.dumps(value, separators=(",", ":")).encode()


def answer(status, body=b"", *headers):
    body = body if isinstance(body, bytes) else dump(body)
    return "\n".join([f"HTTP/1.1 {status} X", *headers]).encode() + b"\n\n" + body


def script(choice, report, *answers):
    return SEPARATOR.join([choice.encode(), report, *answers])


def error(code, message, inner=None):
    value = {"error": {"code": code, "message": message}}
    if inner:
        value["error"]["innererror"] = {"code": inner}
    return value


TOKEN = answer(200, {"access_token": "eyJ0.eyJh.c2ln", "expires_in": "86399", "token_type": "Bearer"})
LATER = answer(200, {"access_token": "other", "expires_on": "4102444800", "refresh_in": 40000, "token_type": "Bearer"})
CHALLENGE = ('WWW-Authenticate: Bearer authorization="https://login.microsoftonline.com/%s", resource="https://vault.azure.net"' % TENANT)
MOVED = CHALLENGE.replace(TENANT, OTHER)
CLAIMS = ('WWW-Authenticate: Bearer authorization_uri="https://login.microsoftonline.com/%s", error="insufficient_claims", claims="%s", '
          'resource="https://vault.azure.net"' % (TENANT, b64(b'{"access_token":{"nbf":{"essential":true,"value":"1604106651"}}}') + "=="))
POLICY = {"version": "1.0.0", "anyOf": [{"authority": "https://a.weu.attest.azure.net", "allOf": [
    {"claim": "x-ms-isolation-tee.x-ms-compliance-status", "equals": "azure-compliant-cvm"}]}]}
KEY = {"key": {"kid": KID, "kty": "RSA-HSM", "key_ops": ["wrapKey", "unwrapKey"], "n": b64(bytes([0xc1]) + bytes(255)), "e": "AQAB"},
       "attributes": {"enabled": True, "exportable": True, "created": 1700000000, "updated": 1700000001, "nbf": 1, "exp": 4102444800},
       "release_policy": {"contentType": "application/json; charset=utf-8", "data": b64(dump(POLICY)), "immutable": False}}
SHOWN, JWS = answer(200, KEY), answer(200, {"value": "eyJ.eyJ.c2ln"}, "x-ms-request-id: 11-22")


def refusals():
    """Each way in which a release is refused."""
    skr = "AKV.SKR.1002: The target environment attestation statement cannot be verified"
    cases = {
        "policy": error("Forbidden", "Target environment attestation does not meet key release policy requirements", "ForbiddenByPolicy"),
        "role": error("Forbidden", "Caller is not authorized to perform action on resource", "ForbiddenByRbac"),
        "access": error("Forbidden", "The user does not have keys release permission on key vault", "AccessDenied"),
        "network": error("Forbidden", "Client address is not authorized and caller is not a trusted service", "ForbiddenByFirewall"),
        "link": error("Forbidden", "Public network access is disabled", "ForbiddenByConnection"),
        "token": error("Forbidden", skr),
        "disabled": error("Forbidden", "Operation release is not allowed on a disabled key.", "KeyDisabled"),
        "untold": error("Forbidden", "no"),
        "none": {"message": "what"},
    }
    for name, body in cases.items():
        yield f"release-403-{name}", script("r00191", b"", TOKEN, answer(403, body), SHOWN)
        yield f"release-403-{name}-hsm", script("r00193", b"", TOKEN, answer(403, body), answer(403, body))
    for status in (400, 404, 409, 429, 500, 503):
        yield f"release-{status}", script("r00191", b"", TOKEN, *[answer(status, error("Busy", "x" * 20), "Retry-After: 1")] * 4)
    denied = json.loads(json.dumps(KEY))
    denied["release_policy"]["data"] = b64(dump({"version": "1.0.0", "anyOf": [{"authority": "https://a", "allOf": [
        {"claim": "x-ms-attestation-type", "equals": "tdxvm"}]}]}))
    forbidden = answer(403, cases["policy"])
    yield "release-claim", script("r00191", b"", TOKEN, forbidden, answer(200, denied))
    yield "release-old-policy", script("r00191", b"", TOKEN, forbidden, answer(200, {**KEY, "release_policy": {"data": b64(b"no")}}))
    yield "release-no-policy", script("r00191", b"", TOKEN, forbidden, answer(200, {**KEY, "release_policy": None}))
    yield "release-not-exportable", script("r00191", b"", TOKEN, forbidden, answer(200, {**KEY, "attributes": {"enabled": False}}))


def token(**claims):
    return ".".join([b64(b"{}"), b64(dump({"iss": "https://a.weu.attest.azure.net", **claims})), b64(b"sig")]).encode()


def explained():
    """What a 403 comes to with tokens of several kinds, under policies for several."""
    key = {"kty": "RSA", "kid": "k", "key_ops": ["sign", "encrypt"]}
    inner = {"x-ms-isolation-tee": {"x-ms-compliance-status": "azure-compliant-cvm"}}
    tokens = {"met": token(**inner), "met-key": token(**inner, **{"x-ms-runtime": {"keys": [{}, {**key, "key_ops": None, "use": "enc"}]}}),
              "ops": token(**inner, **{"x-ms-runtime": {"keys": [{"kty": "EC"}, key]}}), "old": token(exp=1, **inner), "flat": token(**{"x-ms-attestation-type": "sevsnpvm"}),
              "no-json": b"e30.AAAA.AAAA", "no-claims": b"a.b"}
    flat = {**KEY, "release_policy": {"data": b64(dump({"version": "1.0.0", "anyOf": [{"authority": "https://a.weu.attest.azure.net", "allOf": [
        {"claim": "x-ms-attestation-type", "equals": "tdxvm"}]}]}))}}
    bodies = {"token": error("Forbidden", "AKV.SKR.1002: The target environment attestation statement cannot be verified"),
              "policy": error("Forbidden", "Target environment attestation does not meet key release policy requirements", "ForbiddenByPolicy"), "untold": error("Forbidden", "no")}
    for name, text in tokens.items():
        for kind, body in bodies.items():
            yield f"explain-{name}-{kind}", script("r00191", text, TOKEN, answer(403, body), SHOWN)
            yield f"explain-{name}-{kind}-flat", script("r00193", text, TOKEN, answer(403, body), answer(200, flat))


def logins():
    for kind in range(7):
        yield f"login-{kind}", script(f"r{kind}0192", b"", answer(401, b"", CHALLENGE), TOKEN, JWS, LATER, JWS)
    yield "login-file", script("r50193", b"", TOKEN, JWS)
    yield "login-known", script("r40191", b"", TOKEN, JWS)
    yield "login-moved", script("r40191", b"", TOKEN, answer(401, b"", MOVED), LATER, JWS)
    yield "login-claims", script("r50191", b"", TOKEN, answer(401, b"", CLAIMS), LATER, JWS)
    yield "login-claims-managed", script("r00191", b"", TOKEN, answer(401, b"", CLAIMS), LATER, JWS)
    yield "login-twice", script("r00191", b"", TOKEN, answer(401, b"", CHALLENGE), LATER, answer(401, error("Unauthorized", "AKV10032"), CHALLENGE))
    yield "login-elsewhere", script("r40190", b"", answer(401, b"", CHALLENGE.replace("vault.azure.net", "evil.example")))
    yield "login-odd-tenant", script("r40190", b"", answer(401, b"", CHALLENGE.replace(TENANT, "a/../b")))
    yield "login-no-challenge", script("r40190", b"", answer(401, b""))
    yield "login-no-vault", script("r40190", b"", answer(200, b"{}"))
    yield "login-app-service", script("r11191", b"", TOKEN, JWS)
    for kind in (1, 2, 3):
        yield f"login-app-service-{kind}", script(f"r{kind}1191", b"", TOKEN, JWS)
        yield f"login-arc-{kind}", script(f"r{kind}2191", b"", TOKEN)
    arc = 'WWW-Authenticate: Basic realm=@arc@/%s'
    yield "login-arc", script("r02191", b"", answer(401, b"", arc % "good.key"), TOKEN, JWS)
    yield "login-arc-silent", script("r02191", b"", answer(200, b"{}"))
    yield "login-arc-refuses", script("r02191", b"", answer(401, b"", arc % "good.key"), answer(401, b"no"))
    for name in ("empty.key", "odd.key", "none.key", ".key", "../x.key", "deep/x.key", "good"):
        yield f"login-arc-{name.replace('/', '-')}".replace("..", "up"), script("r02191", b"", answer(401, b"", arc % name))
    yield "login-arc-no-realm", script("r02191", b"", answer(401, b"", "WWW-Authenticate: Bearer x=y"))


def login_refusals():
    words = ["Identity not found", "Multiple user assigned identities exist", "no managed identity endpoint", "why not"]
    for number, text in enumerate(words):
        yield f"managed-400-{number}", script("r00191", b"", answer(400, {"error": "invalid_request", "error_description": text}))
    for status in (404, 410, 429, 500):
        yield f"managed-{status}", script("r00191", b"", *[answer(status, b"x", "Retry-After: 2")] * 8)
    for code in (50034, 53003, 65001, 70011, 700016, 700027, 700211, 700213, 700082, 700024, 7000215, 7000222, 90002, 90014, 1):
        body = {"error": "invalid_client", "error_description": f"AADSTS{code}: words. Trace ID: 1", "error_codes": [code]}
        yield f"entra-{code}", script("r50191", b"", answer(401, body))
        yield f"entra-{code}-workload", script("r40191", b"", answer(401, body))
        yield f"entra-{code}-certificate", script("r60191", b"", answer(400, body))
    for number, body in enumerate([{"access_token": "a b", "expires_in": 1}, {"access_token": "", "expires_in": 1}, {"access_token": "x"},
                                   {"access_token": "x", "expires_on": "never"}, [], {"access_token": "x", "expires_on": -1},
                                   {"access_token": "x", "expires_in": 3599, "refresh_in": "1"}, {"access_token": 5}]):
        yield f"token-{number}", script("r00191", b"", answer(200, body))


def headers():
    for number, line in enumerate(["Retry-After: 3", "Retry-After: Wed, 21 Oct 2099 07:28:00 GMT", "Retry-After: Wed, 21 Oct 2015 07:28:00 GMT",
                                   "Retry-After: soon", "retry-after-ms: 20\nRetry-After: 9", "x-ms-retry-after-ms: 99999999999",
                                   "x-ms-retry-after-ms: -1", "Retry-After: 999999999999", "Retry-After: 9999999999999", "Retry-After:"]):
        yield f"retry-{number}", script("s00191", b"", TOKEN, *[answer(503, b"", line)] * 2, SHOWN)
    yield "interim", script("s00191", b"", TOKEN, b"HTTP/1.1 100 Continue\nRetry-After: 4\nHTTP/1.1 200 OK\nx-ms-request-id: a\tb\n\n" + dump(KEY))
    long = "WWW-Authenticate: Bearer x=" + "y" * 2100
    yield "challenges", script("s40190", b"", answer(401, b"", "WWW-Authenticate: Negotiate", CHALLENGE.lower(), long))
    yield "broken", script("s00191", b"", TOKEN, b"nothing", b"", SHOWN)
    yield "no-colon", script("s00191", b"", TOKEN, b"HTTP/1.1 200 OK\nwhat\n  folded: x  \n\n{}")


def keys():
    yield "show", script("s00191", b"", TOKEN, SHOWN)
    yield "show-404", script("s00191", b"", TOKEN, answer(404, error("KeyNotFound", "no")))
    for op in "ciop":
        yield f"{op}-made", script(f"{op}00191", b"", TOKEN, SHOWN, SHOWN)
        for number in (1001, 1003, 1004, 1005, 1006, 1012, 1016, 1020, 7777):
            yield f"{op}-400-{number}", script(f"{op}00191", b"", TOKEN, answer(400, error("BadParameter", f"AKV.SKR.{number}: words")))
        for status in (403, 409, 429, 500):
            yield f"{op}-{status}", script(f"{op}00191", b"", TOKEN, *[answer(status, error("Forbidden", "no", "ForbiddenByFirewall"))] * 5)
    for op in "ci":
        yield f"{op}-ec", script(f"{op}01191", b"", TOKEN, SHOWN)
    for number, words in enumerate(["a Premium vault", "the attestation service is unreachable", "policy is immutable", "nothing"]):
        yield f"c-words-{number}", script("c00191", b"", TOKEN, answer(400, error("BadParameter", words)))
    entry = {"kid": KID.rsplit("/", 1)[0], "attributes": {"enabled": False}}
    link = "https://prod.vault.azure.net:443/keys?api-version=7.4&$skiptoken=x"
    yield "list", script("l00191", b"", TOKEN, answer(200, {"value": [entry] * 3, "nextLink": link}), answer(200, {"value": [], "nextLink": None}))
    for number, bad in enumerate(["https://evil.example/keys?x", "http://prod.vault.azure.net/keys?x", "https://prod.vault.azure.net/secrets?x"]):
        yield f"list-link-{number}", script("l00191", b"", TOKEN, answer(200, {"value": [entry], "nextLink": bad}))
    yield "list-403", script("l00193", b"", TOKEN, answer(403, error("Forbidden", "no")))
    yield "list-odd", script("l00191", b"", TOKEN, answer(200, {"value": [{"kid": 5}]}))


def attest_snp(parts):
    report, thim, stale = parts["snp-report"], parts["thim"], parts["thim-stale"]
    token = answer(200, {"token": "eyJh.eyJi.c2ln"})
    yield "snp-thim", script("a00232", report, answer(200, thim), token, token)
    yield "snp-thim-stale", script("a00230", report, answer(200, stale), answer(200, stale))
    yield "snp-thim-then", script("a00230", report, answer(200, stale), answer(200, thim), token)
    yield "snp-thim-query", script("a00230", report, answer(200, stale), answer(404, b"no"))
    yield "snp-thim-404", script("a00230", report, answer(404, b"no"))
    yield "snp-thim-odd", script("a00230", report, answer(200, b"{}"))
    yield "snp-thim-429", script("a00230", report, *[answer(429, b"", "Retry-After: 1")] * 9)
    yield "snp-cache", script("a00240", report, answer(200, parts["vcek.pem"]), token)
    yield "snp-cache-json", script("a00240", report, answer(200, thim), token)
    yield "snp-cache-leaf", script("a00240", report, answer(200, parts["vcek.pem"][:parts["vcek.pem"].index(b"-----END")] + b"-----END CERTIFICATE-----\n"))
    yield "snp-cache-500", script("a00240", report, *[answer(500, b"")] * 4)
    yield "snp-kds", script("a00252", report, answer(200, parts["vcek.der"]), answer(200, parts["vcek-issuers.pem"]), token)
    yield "snp-kds-429", script("a00252", report, answer(429, b"", "Retry-After: 90"))
    yield "snp-kds-no-issuers", script("a00250", report, answer(200, parts["vcek.der"]), answer(404, b""))
    yield "snp-kds-broken", script("a00252", report, b"no", b"no")
    yield "snp-kds-no-der", script("a00250", report, answer(200, b"no"))
    yield "snp-any", script("a0029", report, answer(500, b""), answer(200, parts["vcek.pem"]), token)
    yield "snp-local", script("a0022", report)
    other = bytearray(report)
    other[0x1a0:0x1e0] = bytes(64)
    yield "snp-no-chip", script("a0025", bytes(other))
    yield "snp-no-chip-thim", script("a0023", bytes(other), answer(200, thim), answer(200, thim))
    other[0x48] = 4
    yield "snp-vlek", script("a0024", bytes(other))
    for version, chip in ((3, 0x190001), (5, 0x1a0002)):
        other = bytearray(report)
        other[0], other[0x188], other[0x189] = version, chip >> 16, chip & 0xff
        yield f"snp-product-{version}", script("a0025", bytes(other), answer(200, parts["vcek.der"]))
    for status in (400, 401, 403, 404, 413, 429, 500):
        for number, words in enumerate(["OE_MISSING_CERTIFICATE_CHAIN", "PolicyEvaluationError", "InvalidParameter", "InvalidOperation", "?"]):
            if status == 400 or number == 4:
                body = error(words, "words")
                yield f"maa-{status}-{number}", script("a00230", report, answer(200, thim), *[answer(status, body)] * 4)


def attest_others(parts):
    token, sealed = answer(200, {"token": "eyJh.eyJi.c2ln"}), {
        "EncryptedInnerKey": base64.b64encode(bytes(256)).decode(),
        "EncryptionParams": {"Cipher": "AES", "BlockMode": "ChainingModeGCM", "Iv": base64.b64encode(bytes(12)).decode()},
        "AuthenticationData": base64.b64encode(bytes(16)).decode(), "Jwt": base64.b64encode(b"cipher").decode()}
    whole = answer(200, {"token": base64.b64encode(dump(sealed)).decode()})
    yield "cvm-snp", script("a00130", parts["hcl-snp"], answer(200, parts["thim"]), whole)
    yield "cvm-snp-clear", script("a00130", parts["hcl-snp"], answer(200, parts["thim"]), token)
    quote = {"quote": b64(parts["hcl-td-quote"])}
    yield "cvm-tdx", script("a00130", parts["hcl-tdx"], answer(200, quote), whole)
    yield "cvm-tdx-other", script("a00130", parts["hcl-tdx"], answer(200, {"quote": b64(parts["td-quote"])}))
    for status in (400, 404, 503):
        yield f"cvm-tdx-{status}", script("a00130", parts["hcl-tdx"], *[answer(status, b"no")] * 9)
    yield "cvm-tdx-odd", script("a00130", parts["hcl-tdx"], answer(200, {"quote": "?"}))
    yield "cvm-none", script("a00130", b"no")
    yield "tdx", script("a00330", parts["td-quote"], token)
    yield "sgx", script("a00430", parts["sgx-quote"], token)
    oe = (1).to_bytes(4, "little") + (2).to_bytes(4, "little") + len(parts["sgx-quote"]).to_bytes(8, "little") + parts["sgx-quote"]
    yield "sgx-oe", script("a00430", oe, token)
    yield "sgx-short", script("a00430", parts["sgx-quote"][:436] + b"\x04\0\0\0abcd", token)
    yield "no-kind", script("a00030", b"")


def cloud(parts):
    for maker in (refusals, explained, logins, login_refusals, headers, keys):
        yield from maker()
    yield from attest_snp(parts)
    yield from attest_others(parts)


MAKERS = {"cloud": cloud}
