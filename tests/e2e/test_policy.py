"""Release policies: verdicts on captured policies and tokens as the service would give them, and against a second
opinion on thousands of made ones; policies from the machine's own claims; what lint, explain and test say."""
import base64
import json
import os
import pathlib
import random
import subprocess
import sys

import pytest

from lab import BUILD, Lab, SKRFS, SOURCE, run, skrfs
from policy_rules import verdict

VECTORS = pathlib.Path(os.environ.get("SKRFS_VECTORS", SOURCE.parent / "shared/vectors"))
SEED = 20261125
CASES = 20000
MET, NOT_MET, NO_POLICY = 0, 5, 2  # exit codes


def vector(name):
    path = VECTORS / name
    if not path.exists():
        pytest.skip(f"captured sample {path} is not here")
    return path


# ---- made policies and claims, judged twice ----

ISSUERS = ["https://a.weu.attest.azure.net", "https://b.eus.attest.azure.net", "https://a.weu.attest.azure.net/"]
NAMES = ["t", "n", "s", "tee.t", "tee.n", "tee.deep.s", "dot.ted", "dot.ted.x", "gone", "list", "none", "x-ms-isolation-tee.t", "ü"]
VALUES = [True, False, "true", "false", "True", 0, 1, 2, -3, 7, "0", "1", "2", "-3", "07", "1.0", 1.0, 2.5, "2.5", "1e1", 10, "x", "X", "", " x",
          "azure-compliant-cvm", 9223372036854775807, "9223372036854775807", -9223372036854775808]


def made_value(dice):
    return dice.choice(VALUES)


def made_claims(dice):
    claims = {"iss": dice.choice(ISSUERS)}
    for name in ("t", "n", "s", "dot.ted"):
        if dice.random() < 0.8:
            claims[name] = made_value(dice)
    if dice.random() < 0.7:
        claims["tee"] = {name: made_value(dice) for name in ("t", "n") if dice.random() < 0.8}
        if dice.random() < 0.5:
            claims["tee"]["deep"] = {"s": made_value(dice)}
    if dice.random() < 0.3:
        claims["dot"] = dice.choice([{"ted": made_value(dice)}, {"ted": {"x": made_value(dice)}}, 7, {"ted.x": made_value(dice)}])
    if dice.random() < 0.1:
        claims["dot.ted"] = {"x": made_value(dice)}
    claims.update({"list": [1, "x"], "none": None, "ü": "x", "x-ms-isolation-tee": {"t": made_value(dice)}})
    if dice.random() < 0.03:
        del claims["iss"]
    return claims


def made_claim(dice, claims):
    name = dice.choice(NAMES)
    operator = dice.choices(["equals", "notEquals", "less", "lessOrEquals", "greater", "greaterOrEquals", "exists"], [8, 2, 1, 1, 1, 1, 2])[0]
    value = dice.choice([True, False, "true", "false"]) if operator == "exists" else made_value(dice)
    # Half of the time the value is one that the token has there, in one form or the other.
    actual = claims.get(name)
    if operator != "exists" and isinstance(actual, (bool, int, str)) and dice.random() < 0.6:
        value = dice.choice([actual, str(actual).lower() if isinstance(actual, bool) else str(actual)])
    if dice.random() < 0.1:
        return {"claim": name, "condition": operator, "value": value}
    return {"claim": name, operator: value}


def made_list(dice, claims, depth):
    name = dice.choice(["anyOf", "anyOf", "allOf", "allOf", "anyof", "allof"])
    count = 1 if depth > 5 else dice.choice([1, 1, 2, 2, 3, 4])
    return {name: [made_list(dice, claims, depth + 1) if dice.random() < 0.3 and depth < 6 else made_claim(dice, claims) for _ in range(count)]}


def made_policy(dice, claims):
    authorities = [{"authority": dice.choice(ISSUERS + ["https://other"]), **made_list(dice, claims, 0)} for _ in range(dice.choice([1, 1, 1, 2, 3]))]
    return {"version": dice.choice(["1.0.0"] * 8 + ["1.0", "0.2"]), dice.choice(["anyOf"] * 9 + ["anyof"]): authorities}


def damage(dice, policy):
    """One thing put wrong, or seldom right again, somewhere in it."""
    nodes = []

    def collect(node):
        if isinstance(node, dict):
            nodes.append(node)
            for member in list(node.values()):
                collect(member)
        elif isinstance(node, list):
            for member in node:
                collect(member)

    collect(policy)
    node = dice.choice(nodes)
    name = dice.choice(list(node))
    how = dice.randrange(6)
    if how == 0:
        del node[name]
    elif how == 1:
        node[name] = dice.choice([None, [], {}, [7], 7, "", {"claim": "t", "equals": 1}])
    elif how == 2:
        node[dice.choice(["equals", "exists", "anyOf", "allof", "claim", "value", "authority", "version", "x"])] = dice.choice(["true", [], 1, None])
    elif how == 3:
        node[name.upper()] = node.pop(name)
    elif how == 4:
        node["claim"] = "t" * dice.choice([255, 256])
    else:
        node[name] = [node[name]]


def test_verdicts_agree_with_a_second_opinion(tmp_path):
    dice = random.Random(SEED)
    print(f"seed {SEED}, {CASES} cases")
    lines, wanted, pairs = [], [], []
    for _ in range(CASES):
        claims = made_claims(dice)
        policy = made_policy(dice, claims)
        if dice.random() < 0.15:
            damage(dice, policy)
        pairs.append((policy, claims))
        wanted.append(verdict(policy, claims))
        lines.append(json.dumps(policy, ensure_ascii=False) + "\t" + json.dumps(claims, ensure_ascii=False) + "\n")
    (tmp_path / "pairs").write_text("".join(lines))
    with open(tmp_path / "pairs") as pairs_file, open(tmp_path / "verdicts", "w") as verdicts:
        subprocess.run([BUILD / "tests/tools/policy_verdicts"], stdin=pairs_file, stdout=verdicts, check=True, timeout=120)
    said = (tmp_path / "verdicts").read_text().splitlines()
    assert len(said) == CASES
    for number, (line, want) in enumerate(zip(said, wanted)):
        got = None if line.startswith("refused: ") else line == "met"
        assert got == want, f"case {number}: {line!r}, the second opinion is {want}: {lines[number]}"
    # The made ones are worth something only when each verdict occurs often.
    assert min(wanted.count(True), wanted.count(False), wanted.count(None)) > CASES // 20, [wanted.count(v) for v in (True, False, None)]
    for number in dice.sample(range(CASES), 40):
        policy, claims = tmp_path / "policy.json", tmp_path / "claims.json"
        policy.write_text(json.dumps(pairs[number][0]))
        claims.write_text(json.dumps(pairs[number][1]))
        done = skrfs("policy", "test", policy, "--claims", claims, "--json", check=False)
        assert done.returncode == {True: MET, False: NOT_MET, None: NO_POLICY}[wanted[number]], (number, done.stderr, lines[number])
        if wanted[number] is not None:
            assert json.loads(done.stdout)["met"] == wanted[number]


# ---- captured policies and tokens ----

TOKENS = {
    "guest-docs": "azure-rest/maa-azureguest-snp.claims.json",
    "guest-sample": "cvm/maa-azureguest-sample-claims.json",
    "guest-weu": "cvm/maa-azureguest-token-weu.jwt",
    "snp-docs": "azure-rest/maa-sevsnpvm.claims.json",
    "snp-aci": "containers-sgx-tdx/tokens/sev-snp-jwt.txt",
    "snp-aci-again": "cvm/maa-sevsnpvm-token.jwt",
    "tdx": "containers-sgx-tdx/tokens/tdx-claims.json",
    "sgx": "containers-sgx-tdx/sgx/oe-sdk.post.attest.response.jwt.body.json",  # header and payload, one behind the other
}
POLICIES = {
    "many": "azure-rest/policy-multi-authority-nested.json",
    "aci": "azure-rest/policy-aci-nested-anyof.json",
    "sgx": "containers-sgx-tdx/policies/sgx-skr-policy-mrsigner-svn.json",
    "import": "containers-sgx-tdx/policies/skr-aci.importkeyconfig.json",
    "encfs": "containers-sgx-tdx/policies/encfs-sidecar-args.json",
}
# Verdicts as the files are. "encfs" has no policy in it, whatever the token.
AS_THEY_ARE = {
    ("many", "guest-weu"): (MET, "its issuer is among the authorities (with a slash there), a compliant CVM on SEV-SNP"),
    ("many", "guest-docs"): (NOT_MET, "issued by the test ring, which is no authority"),
    ("many", "guest-sample"): (NOT_MET, "the same token"),
    ("many", "snp-docs"): (NOT_MET, "a private provider's token"),
    ("many", "snp-aci"): (NOT_MET, "issued by the test ring"),
    ("many", "snp-aci-again"): (NOT_MET, "the same token"),
    ("many", "tdx"): (NOT_MET, "a private provider's token"),
    ("many", "sgx"): (NOT_MET, "a private provider's token"),
    **{("aci", token): (NOT_MET, "the authority is a placeholder") for token in TOKENS},
    **{("sgx", token): (NOT_MET, "no token here is of sharedeus2.eus2") for token in TOKENS},
    **{("import", token): (NOT_MET, "the authority is a placeholder") for token in TOKENS},
    **{("encfs", token): (NO_POLICY, "names a key, has no policy") for token in TOKENS},
}
# Verdicts where the (first) authority is the token's issuer: what the conditions come to, and the claim at fault.
FILLED_IN = {
    ("many", "guest-docs"): (MET, None),  # x-ms-isolation-tee: sevsnpvm, azure-compliant-cvm
    ("many", "guest-sample"): (MET, None),  # likewise
    ("many", "guest-weu"): (MET, None),  # likewise
    ("many", "snp-docs"): (NOT_MET, "x-ms-isolation-tee.x-ms-attestation-type is absent"),  # claims are at the top
    ("many", "snp-aci"): (NOT_MET, "x-ms-isolation-tee.x-ms-attestation-type is absent"),
    ("many", "snp-aci-again"): (NOT_MET, "x-ms-isolation-tee.x-ms-attestation-type is absent"),
    ("many", "tdx"): (NOT_MET, "x-ms-isolation-tee.x-ms-attestation-type is absent"),
    ("many", "sgx"): (NOT_MET, "x-ms-isolation-tee.x-ms-attestation-type is absent"),
    ("aci", "snp-docs"): (MET, None),  # top level: azure-compliant-cvm, sevsnpvm
    ("aci", "snp-aci"): (NOT_MET, "x-ms-compliance-status is absent"),  # attested without endorsements
    ("aci", "snp-aci-again"): (NOT_MET, "x-ms-compliance-status is absent"),
    ("aci", "guest-docs"): (NOT_MET, "x-ms-compliance-status is absent"),  # it is below x-ms-isolation-tee
    ("aci", "guest-sample"): (NOT_MET, "x-ms-compliance-status is absent"),
    ("aci", "guest-weu"): (NOT_MET, "x-ms-compliance-status is absent"),
    ("aci", "tdx"): (NOT_MET, "x-ms-attestation-type is 'tdxvm'"),  # compliant, of another kind
    ("aci", "sgx"): (NOT_MET, "x-ms-compliance-status is absent"),
    **{("sgx", token): (NOT_MET, "x-ms-sgx-mrsigner is absent") for token in TOKENS},  # the enclave's token has the old sgx-mrsigner
    ("import", "snp-docs"): (NOT_MET, "x-ms-sevsnpvm-hostdata is '0000"),  # hostdata is a placeholder
    ("import", "snp-aci"): (NOT_MET, "x-ms-sevsnpvm-hostdata is '73973b78"),
    ("import", "snp-aci-again"): (NOT_MET, "x-ms-sevsnpvm-hostdata is '73973b78"),
    **{("import", token): (NOT_MET, "x-ms-sevsnpvm-hostdata is absent") for token in ("guest-docs", "guest-sample", "guest-weu", "tdx", "sgx")},
}


def claims_of(token):
    text = vector(TOKENS[token]).read_text().strip()
    if not text.startswith("{"):
        payload = text.split(".")[1]
        return json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    documents, decoder = [], json.JSONDecoder()
    while text:
        document, end = decoder.raw_decode(text)
        documents.append(document)
        text = text[end:].lstrip()
    return documents[-1]


def token_file(token, folder):
    """The captured file, or the payload in it where it holds two documents."""
    if token != "sgx":
        return vector(TOKENS[token])
    path = folder / "claims.json"
    path.write_text(json.dumps(claims_of(token)))
    return path


@pytest.mark.parametrize("pair", AS_THEY_ARE, ids="-".join)
def test_captured_policies_and_tokens(pair, tmp_path):
    code, reason = AS_THEY_ARE[pair]
    done = skrfs("policy", "test", vector(POLICIES[pair[0]]), "--token", token_file(pair[1], tmp_path), check=False)
    assert done.returncode == code, (reason, done.stdout, done.stderr)
    if code == NO_POLICY:
        assert "is no release policy but the arguments of an encrypted file system" in done.stderr
        return
    assert ("\nmet: " in done.stdout) == (code == MET)
    assert "expired" in done.stderr and "signature is not verified" in done.stderr


def test_the_table_is_whole():
    names = [policy for policy in POLICIES if policy != "encfs"]
    assert set(AS_THEY_ARE) == {(policy, token) for policy in POLICIES for token in TOKENS}
    assert set(FILLED_IN) == {(policy, token) for policy in names for token in TOKENS}


@pytest.mark.parametrize("pair", FILLED_IN, ids="-".join)
def test_captured_policies_with_their_authority_filled_in(pair, tmp_path):
    code, reason = FILLED_IN[pair]
    policy, claims = json.loads(vector(POLICIES[pair[0]]).read_text()), claims_of(pair[1])
    if pair[0] == "import":
        policy["key"]["authority"]["endpoint"] = claims["iss"].removeprefix("https://")
    else:
        policy["anyOf"][0]["authority"] = claims["iss"] + "/"
        assert verdict(policy, claims) == (code == MET)
    path = tmp_path / "policy.json"
    path.write_text(json.dumps(policy))
    done = skrfs("policy", "test", path, "--token", token_file(pair[1], tmp_path), check=False)
    assert done.returncode == code, (reason, done.stdout, done.stderr)
    assert reason is None or f"not met: claim {reason}" in done.stdout, done.stdout


def test_lint_of_captured_policies():
    findings = {name: json.loads(skrfs("policy", "lint", "--json", vector(path), check=False).stdout) for name, path in POLICIES.items()}
    assert findings["many"] == []

    def has(name, level, line, text):
        return any((found["level"], found["line"]) == (level, line) and text in found["text"] for found in findings[name])

    assert has("aci", "warning", 18, "placeholder") and has("aci", "warning", 18, "can be debugged")
    assert has("sgx", "error", 17, "only 'equals'") and has("sgx", "warning", 13, "is hexadecimal") and has("sgx", "warning", 5, "can be debugged")
    assert has("import", "error", 1, "key import configuration") and has("import", "warning", 22, "placeholder")
    assert has("encfs", "error", 1, "encrypted file system's side-car")


def test_lint_fails_from_a_level_on(tmp_path):
    policy = tmp_path / "policy.json"
    policy.write_text(skrfs("policy", "new", "-a", "https://sharedweu.weu.attest.azure.net").stdout)
    assert skrfs("policy", "lint", "--level", "note", policy).stdout == ""
    policy.write_text("// for all\n" + policy.read_text())
    assert ":1:1: note: a comment" in skrfs("policy", "lint", policy).stdout
    assert skrfs("policy", "lint", "--level", "warning", policy).returncode == 0
    assert skrfs("policy", "lint", "--level", "note", policy, check=False).returncode == 2
    policy.write_text(policy.read_text().replace("sharedweu.weu", "sharedweu.eus"))
    assert skrfs("policy", "lint", policy).returncode == 0
    done = skrfs("policy", "lint", "--level", "warning", policy, check=False)
    assert done.returncode == 2 and "did you mean 'sharedeus.eus.attest.azure.net'?" in done.stdout
    assert skrfs("policy", "lint", "--level", "loud", policy, check=False).returncode == 2


def test_explain_in_plain_words():
    said = skrfs("policy", "explain", vector(POLICIES["many"])).stdout
    assert said.startswith("A key under this policy is released when any of these attestation services says")
    assert said.count("it runs inside AMD SEV-SNP") == 1 and "(Azure Attestation in West Europe, the shared one)" in said
    assert "warning: line 18: looks like a placeholder" in skrfs("policy", "explain", vector(POLICIES["aci"])).stderr
    done = skrfs("policy", "explain", vector(POLICIES["sgx"]))
    assert "the enclave's security version is more than '1'" in done.stdout and "a vault would refuse it" in done.stderr
    done = skrfs("policy", "explain", vector(POLICIES["import"]))
    assert "the host cannot debug it" in done.stdout and "key import configuration" in done.stderr
    assert skrfs("policy", "explain", vector(POLICIES["encfs"]), check=False).returncode == 2


@pytest.mark.parametrize("token, tee, words", [
    ("snp-aci", "snp", "hostdata,measurement"),
    ("snp-docs", "snp", "hostdata,x-ms-compliance-status"),
    ("tdx", "tdx", "mrtd,rtmr0"),
    ("guest-weu", "sevsnpvm", "vmid,measurement,secureboot"),
])
def test_new_from_a_token_is_met_by_it(token, tee, words, tmp_path):
    policy = tmp_path / "policy.json"
    done = skrfs("policy", "new", "--token", vector(TOKENS[token]), "--bind", words)
    policy.write_text(done.stdout)
    assert "does not meet" not in done.stderr
    written = json.loads(done.stdout)
    claims = claims_of(token)
    assert written["anyOf"][0]["authority"] == claims["iss"]
    assert any(name.endswith(("is-debuggable", "attributes_debug")) for name in (c["claim"] for c in written["anyOf"][0]["allOf"]))
    assert verdict(written, claims) is True
    assert skrfs("policy", "test", policy, "--token", vector(TOKENS[token])).returncode == MET
    # Of zeros a host data says nothing: that is the token's, and lint says so.
    found = skrfs("policy", "lint", policy).stdout
    assert found == "" or (token in ("snp-docs", "tdx") and "all zeros" in found), found
    assert skrfs("policy", "new", "--token", vector(TOKENS[token]), "--tee", tee, "--bind", words).stdout == done.stdout
    other = "sgx" if tee != "sgx" else "snp"
    assert f"--tee says {other}" in skrfs("policy", "new", "--token", vector(TOKENS[token]), "--tee", other, check=False).stderr


def test_lint_tells_of_each_file_that_cannot_be_read(tmp_path):
    wrong, none = tmp_path / "wrong.json", tmp_path / "none.json"
    wrong.write_text("{}")
    done = skrfs("policy", "lint", wrong, none, check=False)
    assert done.returncode == 2 and "2 of 2 policies" in done.stderr
    assert f"{none}: error: " in done.stdout and "cannot be opened" in done.stdout
    done = skrfs("policy", "lint", "--json", none, check=False)
    assert done.returncode == 15 and json.loads(done.stdout)[0]["line"] == 0


def test_new_says_what_is_missing(tmp_path):
    authority = ("-a", "https://sharedweu.weu.attest.azure.net")
    claims = tmp_path / "claims.json"
    claims.write_text('{"x-ms-isolation-tee":{"x-ms-attestation-type":"sevsnpvm"}}')
    for arguments, why in [
            (("--tee", "snp"), "any container group would do"),
            (("--tee", "sgx", "--claim", "x-ms-sgx-mrsigner=" + "ab" * 32), "any enclave of that signer"),
            (("--bind", "hostdata"), "--bind takes values out of a token"),
            (("--here", "--token", "x"), "is enough"),
            (("--tee", "sevsnpvm", "--claims", claims, "--bind", ""), "--bind wants words"),
            (("--tee", "arm"), "sevsnpvm, tdxvm, snp, tdx or sgx"),
            (("--claim", "a=1", "--claim", "a=2"), "asked for twice"),
    ]:
        done = skrfs("policy", "new", *authority, *arguments, check=False)
        assert done.returncode == 2 and why in done.stderr and done.stdout == "", (arguments, done.stderr)
    if (VECTORS / TOKENS["snp-aci"]).exists():
        done = skrfs("policy", "new", "--token", VECTORS / TOKENS["snp-aci"], "--bind", "hostdata")
        assert "the token itself does not meet this policy: claim x-ms-compliance-status is absent" in done.stderr


def test_odd_files_are_refused(tmp_path):
    policy, token = tmp_path / "policy.json", tmp_path / "token"
    policy.write_text(skrfs("policy", "new", "-a", "https://sharedweu.weu.attest.azure.net").stdout)
    for text in ("", "{", "a.b", "a.b.c", "[]", "..", "eyJ9.e30.x", "\0" * 9, "{}{}"):
        token.write_text(text)
        done = skrfs("policy", "test", policy, "--token", token, check=False)
        assert done.returncode == 2 and "neither a token nor its claims" in done.stderr, (text, done)
    token.write_text("{}")
    done = skrfs("policy", "test", policy, "--claims", token, check=False)
    assert done.returncode == NOT_MET and "the token names no issuer" in done.stdout
    assert "against which token?" in skrfs("policy", "test", policy, check=False).stderr
    assert skrfs("policy", "test", tmp_path / "none", "--claims", token, check=False).returncode == 15


# ---- this machine, in the lab ----

def test_here(lab, keys, mount, tmp_path):
    conf, policy = ("--config", lab.conf), tmp_path / "policy.json"
    written = skrfs("policy", "new", "--here", "--bind", "vmid,measurement", *conf)
    policy.write_text(written.stdout)
    assert skrfs("policy", "lint", "--level", "note", policy).stdout == ""
    done = skrfs("policy", "test", policy, "--here", *conf)
    assert "\nmet: " in done.stdout and "signature" not in done.stderr and "expired" not in done.stderr
    lab.create("bound", policy=policy)

    claims = json.loads(skrfs("attest", *conf).stdout)
    other = tmp_path / "other.json"
    other.write_text(policy.read_text().replace(claims["x-ms-azurevm-vmid"], "0" * 8))
    done = skrfs("policy", "test", other, "--here", "--json", *conf, check=False)
    said = json.loads(done.stdout)
    assert done.returncode == NOT_MET and said["reason"].startswith("claim x-ms-azurevm-vmid is ")
    failing = [node for node in said["authorities"][0]["conditions"][0]["all_of"] if not node["holds"]]
    assert [(node["claim"], node["wanted"], node["actual"]) for node in failing] == [("x-ms-azurevm-vmid", "0" * 8, claims["x-ms-azurevm-vmid"])]
    lab.create("elsewhere", policy=other)

    # What was foretold is what the vault does.
    served = mount({"bound": {"name": "bound"}, "elsewhere": {"name": "elsewhere"}})
    assert served.read("bound").startswith(b"-----BEGIN")
    assert served.error("keys/elsewhere") == "EKEYREJECTED"
    assert "x-ms-azurevm-vmid" in served.why("elsewhere")


def test_here_on_tdx(tmp_path):
    lab = Lab(tmp_path / "lab", "--no-throttle", "--tee", "tdx")
    try:
        policy = tmp_path / "policy.json"
        policy.write_text(skrfs("policy", "new", "--here", "--bind", "mrtd,vmid", "--config", lab.conf).stdout)
        names = [claim["claim"] for claim in json.loads(policy.read_text())["anyOf"][0]["allOf"]]
        assert "x-ms-isolation-tee.tdx_mrtd" in names and "x-ms-isolation-tee.tdx_td_attributes_debug" in names
        assert skrfs("policy", "lint", "--level", "warning", policy).stdout == ""
        assert skrfs("policy", "test", policy, "--here", "--config", lab.conf).returncode == MET
        # A policy for the other kind of confidential VM says at once what is wrong.
        policy.write_text(skrfs("policy", "new", "--config", lab.conf).stdout)
        done = skrfs("policy", "test", policy, "--here", "--config", lab.conf, check=False)
        assert done.returncode == NOT_MET and "x-ms-isolation-tee.x-ms-attestation-type is 'tdxvm', wants 'sevsnpvm'" in done.stdout
    finally:
        lab.down()


def test_token_from_standard_input(lab, tmp_path):
    token = skrfs("attest", "--token", "--config", lab.conf).stdout
    path = tmp_path / "token"
    path.write_text(token)
    assert skrfs("policy", "test", lab.policy, "--token", path).returncode == MET
    with open(path) as standard_input:
        done = subprocess.run([SKRFS, "policy", "test", lab.policy, "--token", "-"], stdin=standard_input, capture_output=True, text=True, timeout=60)
    assert done.returncode == MET and "signature is not verified" in done.stderr


def test_the_vault_takes_only_what_is_served(lab, tmp_path):
    policy = tmp_path / "policy.json"
    document = json.loads(lab.policy.read_text())
    document["anyOf"][0]["allOf"][0] = {"claim": "x-ms-isolation-tee.x-ms-sevsnpvm-vmpl", "less": 1}
    policy.write_text(json.dumps(document))
    done = skrfs("key", "create", "less", "--config", lab.conf, "--vault", "vault", "--policy", policy, check=False)
    assert done.returncode == 2 and "operator 'less' is not served" in done.stderr
    # A client that does not look is refused by the vault itself, in the old form too.
    old = {"version": "1.0", "anyOf": [{"authority": lab.attestation, "allOf": [{"claim": "secureboot", "condition": "equals", "value": "true"}]}]}
    for refused, why in ((document, "only 'equals'"), (old, "the old preview's")):
        data = base64.urlsafe_b64encode(json.dumps(refused).encode()).decode().rstrip("=")
        body = tmp_path / "body"
        body.write_text(json.dumps({"kty": "RSA-HSM", "attributes": {"exportable": True}, "release_policy": {"data": data}}))
        answer = run(sys.executable, SOURCE / "tests/lab_client.py", lab.dir, "vault", "POST", "/keys/less/create?api-version=7.4", "--token", "--body", body).stdout
        assert answer.startswith("400\n") and "BadParameter" in answer and why in answer, answer
