#!/usr/bin/env python3
"""Looks for what must not be committed: unfinished work, paths of one machine, secrets printed by name."""
import pathlib
import re
import subprocess
import sys

RULES = [
    (re.compile(r"\b(TODO|FIXME|XXX)\b"), "unfinished work"),
    (re.compile(r"(^|[^.A-Za-z0-9_])/(work|home/\w+|farm)/"), "a path of one machine"),
    (re.compile(r"\b(strcpy|strcat|sprintf|gets|alloca)\s*\("), "a function that cannot be bounded"),
]
SKIP = {"tests/lint/words.py"}


def main():
    source = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else ".")
    listed = subprocess.run(["git", "-C", str(source), "-c", f"safe.directory={source.resolve()}", "ls-files", "-z"],
                            capture_output=True, check=True).stdout.decode().split("\0")
    problems = 0
    for name in filter(None, listed):
        path = source / name
        if name in SKIP or not path.is_file() or "corpus/" in name:
            continue
        try:
            text = path.read_text()
        except UnicodeDecodeError:
            continue
        for number, line in enumerate(text.split("\n"), 1):
            for pattern, what in RULES:
                if pattern.search(line):
                    print(f"{name}:{number}: {what}: {line.strip()}")
                    problems += 1
    print(f"{len(listed) - 1} files looked at, {problems} findings")
    return 1 if problems or len(listed) < 50 else 0


if __name__ == "__main__":
    sys.exit(main())
