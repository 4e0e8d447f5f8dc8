"""Seeds of tee's and tpm's targets: what devices and their files say (fuzz_devices.c says how it is written)."""
import base64
import struct

from seeds_azure import SEPARATOR


def device(choice, *answers):
    return SEPARATOR.join([choice.encode(), *[each if isinstance(each, bytes) else each.encode() for each in answers]])


def response(report, status=0, size=1184):
    return struct.pack("<II", status, size) + bytes(24) + report


def tsm(processor, report, *more):
    """provider, generation, privilege level, generation, report, certificates, generation"""
    provider = {"s": "sev_guest", "t": "tdx_guest"}[processor]
    return device(f"t{processor}", provider + "\n", "0\n", "!2" if processor == "t" else "0\n", "1\n", b"@" + report, *(more or ("!2", "1\n")))


def devices(parts):
    snp, td, sgx = parts["snp-report"], parts["td-quote"], parts["sgx-quote"]
    debug = bytearray(snp)
    debug[0x08 + 2] |= 8
    yield "tsm-snp", tsm("s", snp)
    yield "tsm-snp-table", tsm("s", snp, parts["vcek.der"], "1\n")
    yield "tsm-tdx", tsm("t", td)
    yield "tsm-debug", tsm("s", bytes(debug))
    yield "tsm-other", tsm("s", b"x" + snp)
    yield "tsm-short", tsm("s", snp[:900])
    yield "tsm-generation", tsm("s", snp, "!2", "9\n")
    yield "tsm-generation-back", device("ts", "sev_guest\n", "5\n", "0\n", "5\n", b"@" + snp)
    yield "tsm-floor", device("ts", "sev_guest\n", "0\n", "2\n", "2\n", b"@" + snp, "!2", "2\n")
    yield "tsm-provider", device("ts", "arm_cca\n")
    yield "tsm-no-number", device("ts", "sev_guest\n", "many\n")
    yield "tsm-floor-odd", device("ts", "sev_guest\n", "0\n", "low\n")
    for number in (2, 5, 6, 13, 14, 16, 22, 25, 27, 110):
        yield f"tsm-errno-{number}", device("ts", "sev_guest\n", "0\n", "0\n", "1\n", f"!{number}")
        yield f"tsm-errno-{number}-again", device("ts", *["sev_guest\n"], *["0\n", "0\n", "1\n", f"!{number}"] * 6)
    yield "tsm-aux-errno", device("ts", "sev_guest\n", "0\n", "0\n", "1\n", b"@" + snp, "!5")
    yield "tsm-no-provider", device("ts", "!6")
    for number in (2, 5, 6):
        yield f"tsm-tdx-provider-{number}", device("tt", f"!{number}")
    yield "tdx-none", device("t-t", "x")
    yield "tdx-other", device("tt", "sev_guest\n")
    yield "tdx-not-there", device("dt", "")
    yield "tdx-debug", tsm("t", td[:48 + 120] + b"\1" + td[48 + 121:])
    yield "tsm-long-text", device("ts", "x" * 100)
    yield "device", device("ds", "", b"@" + response(snp), parts["vcek.der"])
    yield "device-no-table", device("ds", "", b"@" + response(snp), "")
    yield "device-status", device("ds", "", response(snp, 0x16), "")
    yield "device-key", device("ds", "", response(snp, 0x27), "")
    yield "device-size", device("ds", "", response(snp, 0, 5), "")
    yield "device-too-many", device("ds", struct.pack("<II", 0, 1), "!5", "", b"@" + response(snp))
    for number in (5, 11, 16, 25, 110):
        for firmware, vmm in ((0, 0), (0xff, 0), (0x10, 0), (0, 2), (0, 7)):
            yield f"device-errno-{number}-{firmware}-{vmm}", device("ds", struct.pack("<II", firmware, vmm), f"!{number}")
    yield "legacy", device("dsl", "", b"@" + response(snp), "", b"@" + response(snp))
    yield "legacy-host", device("dsl", "", "!25")
    yield "legacy-refused", device("dsl", "\x10", "!5")
    yield "gramine", device("gx", "dcap\n", b"@" + sgx)
    oe = struct.pack("<IIQ", 1, 2, len(sgx)) + sgx
    yield "gramine-oe", device("gx", "dcap\n", oe)
    yield "gramine-none", device("gx", "none\n")
    yield "gramine-epid", device("gx", "epid\n")
    yield "gramine-empty", device("gx", "\n")
    for number in (2, 5, 13, 20):
        yield f"gramine-type-{number}", device("gx", f"!{number}")
        yield f"gramine-quote-{number}", device("gx", "dcap\n", f"!{number}")
    yield "gramine-init", device("gxi", "dcap\n", "{}", b"@" + sgx)
    yield "init-odd", device("gxi", "dcap\n", "no")
    yield "init-none", device("gxi", "dcap\n", "!2")
    yield "certificates", device("dsf", parts["vcek.pem"], "", b"@" + response(snp), "")
    thim = base64.b64encode(parts["thim"])
    uvm = base64.b64encode(parts["endorsement"])
    yield "context", device("dsc", thim, uvm, "!2", uvm, "!2", "", b"@" + response(snp), "")
    yield "context-none", device("dsc", "!2", "!2", "!2", "!2", "!2", "", b"@" + response(snp), "")
    yield "context-unreadable", device("dsc", "!13")
    yield "context-odd", device("dsc", "?")
    yield "debug-allowed", device("dsb", "", b"@" + response(bytes(debug)), "")


def command(code, body=b"", size=None, tag=0x8001):
    return struct.pack(">HII", tag, 10 + len(body) if size is None else size, code) + body


def relay(parts):
    """Commands, and what the TPM says to them."""
    def pack(commands, responses, stream=0):
        return bytes([len(commands) | stream]) + b"".join(struct.pack("<H", len(each)) + each for each in list(commands) + list(responses))
    ok, loaded, flush = command(0), command(0, struct.pack(">I", 0x80000001)), command(0x165, struct.pack(">I", 0x80000001))
    yield "flush", pack([flush], [ok])
    for code in (0x131, 0x157, 0x167, 0x191, 0x161, 0x176, 0x15b, 0x186):
        yield f"load-{code:x}", pack([command(code), flush], [loaded, ok])
    yield "left", pack([command(0x131), command(0x157)], [loaded, command(0, struct.pack(">I", 0x80000002)), ok, ok])
    yield "left-silent", pack([command(0x131)], [loaded])
    yield "refused", pack([command(0x131)], [command(0x101)])
    yield "short-answer", pack([command(0x131), command(0x131)], [b"x", ok, ok, ok, ok])
    yield "wrong-size", pack([command(0x131)], [command(0, b"abcd", size=99)])
    yield "no-handle", pack([command(0x131)], [command(0)])
    yield "stream", pack([command(0x131), flush], [loaded, ok], 0x80)
    yield "stream-cut", pack([command(0x131)], [loaded[:12]], 0x80)
    yield "stream-short", pack([command(0x131)], [loaded[:5]], 0x80)
    yield "stream-long", pack([command(0x131)], [command(0, size=5000)], 0x80)
    yield "stream-small", pack([command(0x131)], [command(0, size=3)], 0x80)
    yield "silent", pack([command(0x131), command(0x131)], [])
    yield "short", pack([b"x"], [ok])
    yield "lies", pack([command(0x131, size=4000)], [ok])
    yield "many", pack([command(0x131)] * 3, [loaded] * 3)


MAKERS = {"devices": devices, "tpm_relay": relay}
