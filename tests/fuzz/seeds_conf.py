"""Seeds of the configuration's target: each option, rightly and wrongly."""

BASE = "[attestation]\nurl = https://sharedweu.weu.attest.azure.net\n[vault prod]\nurl = https://contoso.vault.azure.net\n"
HSM = "[vault hsm]\nurl = https://contoso.managedhsm.azure.net\n"
GOOD = {
    "vault": ["identity = system", "identity = client-id:11111111-2222-4333-8444-555555555555", "identity = object-id:x", "identity = resource-id:/subscriptions/x",
              "identity = workload\ntenant = t\nclient = c", "identity = secret-file:/etc/s\ntenant = contoso.onmicrosoft.com\nclient = c", "identity = certificate-file:/etc/c",
              "identity = secret-file:x", "identity = what", "identity = client-id:", "resource = https://vault.azure.net", "resource = x y", "tenant = a/b", "client = ?"],
    "key k": ["version = 0123456789abcdef0123456789abcdef", "version = ?", "name = other-name", "name = a_b", "format = der", "format = raw", "format = what", "vault = prod",
              "vault = prid", "vault = nothing-like-it", "enc = CKM_RSA_AES_KEY_WRAP", "enc = x", "owner = root\ngroup = root", "owner = 0\ngroup = 0", "owner = nobody-here",
              "group = nobody-here", "owner = 4294967295", "mode = 0400", "mode = 0440", "mode = 0777", "mode = 1777", "mode = 9", "mode = rw", "mode = 0000",
              "allow = user:root exe:/bin/cat\n   group:root", "allow = user:root &  exe:/bin/cat", "allow = what", "deny = user:0\n  nope:1", "hide = yes", "hide = perhaps",
              "hours = mon-fri 08:00-18:00", "hours = x", "reads = 5", "reads = 0", "reads = x", "until = 2h", "until = unit:x.service", "until = ?", "refresh = 1h30m",
              "refresh = never", "refresh = -1", "refresh = 5 parsecs", "stale = 0", "stale = 10m", "stale = 99999999999999999999h"],
    "network": ["ca-file = /etc/ca.pem", "ca-file = relative", "proxy = http://127.0.0.1:3128", "proxy = https://proxy:1", "proxy = ftp://x", "proxy = http://user@x",
                "connect-timeout = 5s", "connect-timeout = 1ms", "deadline = 30s", "deadline = 2h", "deadline ="],
    "imds": ["url = http://127.0.0.1:80", "url = http://[::1]:80", "url = http://localhost", "url = http://169.254.169.254", "url = http://10.0.0.1", "url = https://127.0.0.1",
             "url = http://[fe80::1]", "url = http://[::2]", "url = http://[x", "url = http://127.0.0.1:99999", "url = http://127.0.0.1/path"],
    "login": ["cloud = china", "cloud = usgov", "cloud = mars", "authority = https://login.microsoftonline.com", "authority = http://x", "tenant = t", "client = c",
              "token-file = /var/run/token", "managed = imds", "managed = app-service", "managed = arc", "managed = what", "managed = auto", "arc-dir = /var/x", "arc-dir = x"],
    "tee": ["kind = auto", "kind = azure-cvm", "kind = snp\ndevice = /dev/sev-guest\ntsm = /sys\ncontext = none", "kind = tdx\ntsm = /sys", "kind = sgx\nattestation = /dev/attestation",
            "kind = what", "kind = tdx\ndevice = /dev/sev", "context = /ctx", "context = x", "certificates = thim cache kds", "certificates = thim thim", "certificates = thin",
            "certificates = context report\n  file", "certificates-file = /c\ncertificates = file", "certificates-file = /c\ncertificates = thim", "certificates = file",
            "certificates =", "cache-url = https://c", "cache-url = http://c", "kds-url = https://k\ncertificates = kds", "kds-url = https://k\ncertificates = thim",
            "init-data = /i", "allow-debug = yes", "allow-debug = x", "kind = azure-cvm\nallow-debug = yes", "certificates = " + "x" * 40],
    "tpm": ["tcti = device:/dev/tpmrm0", "tcti = swtpm:path=/x", "tcti = mssim:host=x", "tcti =", "event-log = none", "event-log = /log", "event-log = log"],
    "mount": ["path = /run/skrfs", "path = x", "path = /", "allow-other = yes", "allow-other = no"],
    "audit": ["journal = yes", "journal = no", "journal = auto", "journal = x", "file = /var/log/a", "file = a", "required = yes\nfile = /a", "required = yes\njournal = no",
              "max-size = 10M", "max-size = x", "keep = 5", "keep = x", "keep = 0"],
    "lab": ["dir = /lab", "dir = x"],
}


def conf(parts):
    for section, lines in GOOD.items():
        for number, line in enumerate(lines):
            name = f"{section.split()[0]}-{number}"
            if section == "vault":
                yield name, BASE + line + "\n[key k]\n"
            else:
                yield name, BASE + f"[{section}]\n{line}\n" + ("[key k]\n" if section != "key k" else "")
    yield "attestation-url", "[attestation]\nurl = https://a/b\n"
    for number, url in enumerate(["http://a", "https://", "https://a:0", "https://a:443", "https://[::1]:5", "https://u@a", "https://a b", "https://A.example", "https://a?q",
                                  "https://" + "a" * 300, "https://a_b", "https://-a", "https://127.0.0.1", "ftp://a", ""]):
        yield f"url-{number}", f"[attestation]\nurl = {url}\n"
        yield f"vault-url-{number}", f"[vault v]\nurl = {url}\n[key k]\n"
    yield "hsm-raw", BASE + HSM + "[key k]\nvault = hsm\nformat = raw\n[key l]\nvault = prod\n"
    yield "two-vaults", BASE + HSM + "[key k]\n"
    yield "no-vault", "[attestation]\nurl = https://a\n[key k]\n"
    yield "own-hsm", BASE + "[vault own]\nurl = https://hsm.example\nresource = https://managedhsm.azure.net\n[key k]\nvault = own\nformat = raw\n"
    for number, text in enumerate(["[attestaton]\n", "[xyzzy]\n", "[key]\n", "[tpm x]\n", "[key a/b]\n", "[key .a]\n", "[key k\n", "[]\n", "url = x\n", "[tpm]\nurl = x\n", "[tpm]\ntct = x\n",
                                   "[tpm]\nzzzzzz = 1\n", "[tpm]\ntcti = a\ntcti = b\n", "[tpm]\n[tpm]\n", "[tpm]\ntcti\n", "[tpm]\n = x\n", "[tpm]\n  tcti = x\n", "; c\n# d\n[tpm] ; e\ntcti = a ; f\n",
                                   "[key k]\nallow = user:0\n\n  user:1\n", "[tpm]\ntcti = a\n  b\n", "\xef\xbb\xbf[tpm]\n", "[tpm]\r\ntcti = a\r\n", "[tpm]\ntcti = \x01\n", "[tpm]\ntcti = " + "x" * 5000 + "\n",
                                   "[key " + "k" * 120 + "]\n", "[vault a b]\n", "[tpm]\ntcti = \"a\"\n", "[tpm]\ntcti: a\n", "x" * 3000 + "\n"]):
        yield f"text-{number}", BASE + text
    yield "many-keys", BASE + "".join(f"[key k{number}]\nowner = root\ngroup = root\n" for number in range(40))


MAKERS = {"conf": conf}
