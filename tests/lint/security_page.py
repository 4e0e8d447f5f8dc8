#!/usr/bin/env python3
"""Holds man/skrfs-security.7 against what it tells of: the lists of system calls against the tables that the filters are made
of, and the tests that it names against the tests there are. Arguments: the program that prints the lists
(tests/tools/sandbox_lists); --write puts its output into the page."""
import pathlib
import re
import subprocess
import sys

SOURCE = pathlib.Path(__file__).resolve().parents[2]
PAGE = SOURCE / "man/skrfs-security.7"
BEGIN = '.\\" What follows is printed by tests/tools/sandbox_lists; tests/lint/security_page.py --write puts it here.\n'
END = '.\\" End of what is printed.\n'
# .It Pa tests/e2e/test_sandbox.py Ns , Fn test_powers and the like: a file, and names of tests in it.
NAMED = re.compile(r"^\.(?:It )?(?:Pa|Xr)? ?(tests/[\w./-]+\.(?:py|c))(.*)$", re.M)


def tests_of(page):
    for path, rest in NAMED.findall(page):
        yield path, re.findall(r"\b(test_\w+|[a-z]\w+_\w+)\b", rest)


def main():
    lists = subprocess.run([sys.argv[1]], capture_output=True, text=True, check=True, timeout=20).stdout
    page = PAGE.read_text()
    before, rest = page.split(BEGIN)
    told, after = rest.split(END)
    if "--write" in sys.argv:
        PAGE.write_text(before + BEGIN + lists + END + after)
        return 0
    problems = []
    if told != lists:
        problems.append(f"{PAGE}: the lists of system calls are not those of src/daemon/sandbox_calls.c: run {sys.argv[0]} PROGRAM --write")
    count = 0
    for path, names in tests_of(before + after):
        file = SOURCE / path
        if not file.exists():
            problems.append(f"{PAGE}: there is no {path}")
            continue
        text = file.read_text()
        for name in names:
            count += 1
            if not re.search(rf"^(?:def|static void) {name}\(", text, re.M):
                problems.append(f"{PAGE}: there is no test {name} in {path}")
    print("\n".join(problems) or f"{lists.count('.Fn ')} entries of system calls agree, {count} tests that the page names are there")
    return 1 if problems or count < 10 else 0


if __name__ == "__main__":
    sys.exit(main())
