#!/usr/bin/env python3
"""Compares the options of every verb's --help with the verb's man page, both ways, and the list of verbs with
skrfs(8). Argument: the built program."""
import pathlib
import re
import subprocess
import sys

HELP_VERB = re.compile(r"^  (\S+(?: \S+)?)  +\S", re.M)
HELP_OPTION = re.compile(r"^  (?:-(\w), |    )--([\w-]+)(?: (\S+))?", re.M)
HELP_PAGE = re.compile(r"^More in ([\w.-]+)\((\d)\)\.$", re.M)
MAN_OPTION = re.compile(r"^\.It Fl (?:(\w) , Fl )?-([\w-]+)(?: Ar (\S+))?$", re.M)


def help_of(program, *words):
    return subprocess.run([program, *words, "--help"], capture_output=True, text=True, check=True, timeout=20).stdout


def section(page, verb):
    """The part of a page below `.Ss VERB`."""
    found = re.search(r"^\.Ss %s\n(.*?)(?=^\.S[hs] |\Z)" % re.escape(verb), page, re.S | re.M)
    return found.group(1) if found else None


def compare(verb, said, written, problems):
    for option in sorted(said - written, key=str):
        problems.append(f"{verb}: --{option[1]} is not in the man page, or with another letter or value: {option}")
    for option in sorted(written - said, key=str):
        problems.append(f"{verb}: --{option[1]} is in the man page and not in --help: {option}")


def main():
    program = sys.argv[1]
    manual = pathlib.Path(sys.argv[2] if len(sys.argv) > 2 else "man")
    overview = help_of(program)
    verbs = HELP_VERB.findall(overview.split("Verbs:\n")[1].split("\n\n")[0])
    problems, count = [], 0
    main_page = (manual / "skrfs.8").read_text()
    listed = re.findall(r"^\.It Cm (.+)$", section(main_page, "Verbs") or "", re.M)
    if verbs != listed:
        problems.append(f"skrfs(8) lists {listed}, --help lists {verbs}")
    for verb in verbs:
        text = help_of(program, *verb.split())
        page = HELP_PAGE.search(text)
        path = manual / ".".join(page.groups())
        part = section(path.read_text(), verb)
        if part is None:
            problems.append(f"{path}: no '.Ss {verb}'")
            continue
        said = {option for option in HELP_OPTION.findall(text) if option[1] != "help"}
        compare(verb, said, set(MAN_OPTION.findall(part)), problems)
        count += len(said)
    print("\n".join(problems) or f"{len(verbs)} verbs, {count} options: --help and the man pages agree")
    return 1 if problems or len(verbs) < 10 or count < 20 else 0


if __name__ == "__main__":
    sys.exit(main())
