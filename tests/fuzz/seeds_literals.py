"""Texts that the unit tests hand to a parser, as candidates for tests/tools/fuzz-distill: string literals of their sources."""
import pathlib
import re

UNIT = pathlib.Path(__file__).resolve().parents[1] / "unit"
LITERAL = re.compile(r'"(?:[^"\\\n]|\\.)*"(?:\s*(?:"(?:[^"\\\n]|\\.)*"|[A-Z_]{2,}(?=\s*")))*')
ONE = re.compile(r'"((?:[^"\\\n]|\\.)*)"|([A-Z_]{2,})')
ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "0": "\0", '"': '"', "\\": "\\"}
# Target: the sources, and octets that the target reads first.
SOURCES = {
    "policy": ("policy/*.c", b""), "policy_strip": ("policy/*.c", b""), "conf": ("conf/*.c", b""), "mystikos": ("client/test_mystikos.c", b""),
    "rules": ("access/*.c", b""), "limits": ("access/*.c", b""), "cli_mounts": ("cli/*.c", b""), "cli_status": ("cli/*.c", b""),
    "challenge": ("azure/*.c", b""), "vault_key": ("azure/*.c", b""), "imds_token": ("azure/*.c", b""), "url": ("http/*.c", b""), "json": ("json/*.c", b""),
    "json_members": ("json/*.c", b""), "cli_words": ("cli/*.c", b""), "lab_login": ("lab/test_entra.c", b""),
}


def unescape(text):
    return re.sub(r"\\(x[0-9a-fA-F]{2}|.)", lambda found: chr(int(found[1][1:], 16)) if found[1][0] == "x" else ESCAPES.get(found[1], found[1]), text)


def defines(text):
    """Macros that are one string."""
    joined = text.replace("\\\n", " ")
    return {name: "".join(unescape(part) for part, _ in ONE.findall(value) if part)
            for name, value in re.findall(r"^#define ([A-Z_]{2,})\s+(\".*)$", joined, re.M)}


def literals(pattern):
    for path in sorted(UNIT.glob(pattern)):
        text = path.read_text()
        macros = defines(text)
        for found in LITERAL.findall(text):
            value = "".join(unescape(part) if part else macros.get(name, "") for part, name in ONE.findall(found))
            if 0 < len(value) <= 4096:
                yield value.encode("latin-1", "replace")


def candidates(target):
    pattern, prefix = SOURCES.get(target, ("", b""))
    return sorted({prefix + value for value in literals(pattern)}) if pattern else []
