"""Captured samples as inputs of fuzz targets. They are read where they are kept (SKRFS_VECTORS, default ../shared/vectors
beside the source) and written into a folder of the build, never into the project."""
import base64
import json
import os
import pathlib

SOURCE = pathlib.Path(__file__).resolve().parents[2]


def folder():
    return pathlib.Path(os.environ.get("SKRFS_VECTORS") or SOURCE / ".." / "shared" / "vectors")


def whole(data):
    return data


def behind(prefix):
    """The sample behind octets that a target reads first."""
    return lambda data: prefix + data


def pick(*path):
    """A text member of a JSON document."""

    def take(data):
        value = json.loads(data)
        for name in path:
            value = value[name]
        return value.encode()

    return take


def unbase64(get):
    def take(data):
        text = get(data)
        return base64.urlsafe_b64decode(text.replace(b"+", b"-").replace(b"/", b"_") + b"=" * (-len(text) % 4))

    return take


def unhex(get):
    return lambda data: bytes.fromhex(get(data).decode())


CVM, CON, REST = "cvm/", "containers-sgx-tdx/", "azure-rest/"
SAMPLES = {
    "hcl": [(CVM + "hcl-snp-kinvolk.bin", whole), (CVM + "hcl-tdx-kinvolk.bin", whole), (CVM + "trustee-snp-hcl-report.bin", whole),
            (CVM + "trustee-tdx-hcl-report.bin", whole)],
    "snp": [(CVM + "aci-snp-report.bin", whole), (CVM + "gosevguest-attestation.bin", whole),
            (CON + "snp-turin-v5/turin_attestation_report.bin", whole), (CON + "snp-vlek/test-vlek-report.bin", whole)],
    "td_quote": [(CVM + "trustee-td-quote.bin", whole), (CON + "tdx/quote_v5_sample.dat", whole),
                 (CON + "tdx/tdx_prod_quote_SPR_E4.dat", whole), (CON + "tdx/not-a-tdreport.dat", whole)],
    "sgx_quote": [(CON + "sgx/intel-sdk.enclave.info.release.json", unhex(pick("QuoteHex"))),
                  (CON + "sgx/intel-sdk.enclave.info.debug.json", unhex(pick("QuoteHex")))],
    "oe": [(CON + "sgx/oe-sdk.enclave.info.release.json", unhex(pick("QuoteHex"))),
           (CON + "sgx/oe-sdk.post.attest.body.json", unbase64(pick("Quote")))],
    "chain_pem": [(CVM + "certs-kinvolk.pem", whole), (CVM + "gosevguest-milan-ask-ark.pem", whole),
                  (CON + "snp-turin-v5/turin_vcek.pem", whole)],
    "chain_der": [(CVM + "gosevguest-vcek.der", whole), (CON + "snp-vlek/test-vlek.der", whole)],
    "certs_local": [(CVM + "aci-thim-certs.json", behind(b"\0")), (CVM + "certs-kinvolk.pem", behind(b"\2")),
                    (CVM + "gosevguest-vcek.der", behind(b"\2")), (CVM + "aci-thim-certs.json", behind(b"\3"))],
    "host_answer": [(CVM + "aci-thim-certs.json", whole)],
    "answer": [(REST + "mhsm-ec-p256k-release.jws", whole)],
    "jwt_inspect": [(CVM + "maa-azureguest-token-weu.jwt", whole), (CVM + "maa-sevsnpvm-token.jwt", whole)],
    "cli_claims": [(CVM + "maa-azureguest-token-weu.jwt", whole), (REST + "maa-azureguest-snp.claims.json", whole),
                   (REST + "maa-sevsnpvm.claims.json", whole), (CON + "tokens/tdx-claims.json", whole)],
    "json": [(REST + "maa-azureguest-snp.claims.json", whole), (CVM + "runtime-claims-kinvolk.json", whole)],
    "policy": [(REST + "policy-multi-authority-nested.json", whole), (REST + "policy-aci-nested-anyof.json", whole),
               (CON + "policies/sgx-skr-policy-mrsigner-svn.json", whole), (CON + "policies/skr-aci.importkeyconfig.json", whole),
               (CON + "policies/encfs-sidecar-args.json", whole)],
    "lab_cose": [(CON + "snp-aci-a/body.uvm_reference_info.bin", whole)],
    "lab_proof": [(CON + "snp-aci-cleanroom/maa-request.json", behind(b"\0")), (CON + "sgx/oe-sdk.post.attest.body.json", behind(b"\7"))],
    "tpms_attest": [(CVM + "trustee-snp-tpm-quote.msg", whole)],
    "security_context": [(CON + "snp-aci-a/uvm_host_amd_certificate.json", base64.b64encode)],
}


def write(target, out):
    """Writes the target's samples into the folder `out`; how many are there and how many are known."""
    known = SAMPLES.get(target, [])
    written = 0
    for number, (name, change) in enumerate(known):
        path = folder() / name
        if not path.is_file():
            continue
        pathlib.Path(out).mkdir(parents=True, exist_ok=True)
        (pathlib.Path(out) / f"sample-{number}").write_bytes(change(path.read_bytes()))
        written += 1
    return written, len(known)
