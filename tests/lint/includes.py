#!/usr/bin/env python3
"""Compares every #include with the layer table: the dependency lists in src/<room>/meson.build.

A room may include its own headers and those of the rooms in its list; each external library is
included by its owner alone. Prints each break of the rule; exit status 1 when there was one.
"""
import pathlib
import re
import sys

OWNERS = {
    "openssl/crypto.h": {"base", "crypto"},  # base uses its wipe and constant-time comparison alone
    "openssl/": {"crypto"},
    "jansson.h": {"json"},
    "curl/": {"http"},
    "tss2/": {"tpm"},
    "ini.h": {"conf"},
    "fuse": {"fs"},
    "microhttpd.h": {"lab"},
    "cbor.h": {"lab"},
    "seccomp.h": {"daemon"},
    "systemd/": {"daemon"},
}
INCLUDE = re.compile(r'^\s*#\s*include\s+[<"]([^>"]+)[>"]', re.M)


def rooms(source):
    table = {}
    for build in sorted((source / "src").glob("*/meson.build")):
        room = build.parent.name
        found = re.search(r"static_library\('skrfs-%s'.*?dependencies:\s*\[(.*?)\]" % room, build.read_text(), re.S)
        if not found:
            sys.exit(f"{build}: no static_library('skrfs-{room}', ..., dependencies: [...])")
        table[room] = {name[:-4] for name in re.findall(r"\w+_dep", found.group(1))}
    return table


def owner_of(header):
    for prefix, owners in OWNERS.items():
        if header.startswith(prefix):
            return owners
    return None


def check_file(path, room, allowed, problems):
    for header in INCLUDE.findall(path.read_text()):
        if header == "skrfs/skrfs.h":
            inner = "client"
        elif header.startswith("skrfs/"):
            inner = header.split("/")[1]
        else:
            owners = owner_of(header)
            if owners and room not in owners:
                problems.append(f"{path}: {room} includes <{header}>, which belongs to {', '.join(sorted(owners))}")
            continue
        if inner != room and inner not in allowed:
            problems.append(f"{path}: {room} includes <{header}>, but may not use {inner}")


def main():
    source = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else ".")
    table = rooms(source)
    order = re.findall(r"^subdir\('(\w+)'\)", (source / "src/meson.build").read_text(), re.M)
    problems = []
    if set(order) != set(table):
        problems.append(f"src/meson.build names {sorted(order)}, the folders are {sorted(table)}")
    for room in table:
        for used in table[room] & set(table):
            if order.index(used) > order.index(room):
                problems.append(f"src/{room} uses {used}, which stands above it")
        for top in (source / "src" / room, source / "include/skrfs" / room):
            for path in sorted(top.glob("**/*.[ch]")):
                check_file(path, room, table[room], problems)
    print("\n".join(problems) or f"{len(table)} rooms: every include is in its room's list")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
