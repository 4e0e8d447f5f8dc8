#!/usr/bin/env python3
"""Measures functions and files against the house rules: functions' median under 20 lines and none over
100; files under 400 lines as the aim, 800 at most. Exit status 1 when a limit is passed."""
import pathlib
import re
import statistics
import sys

FUNCTION_MAX, MEDIAN_MAX, FILE_AIM, FILE_MAX = 100, 20, 400, 800
HEAD = re.compile(r"^[A-Za-z_][^;={}#]*\)\s*(?:SKRFS_\w+(?:\([^)]*\))?\s*)*\{\s*$")


def functions(path):
    """Yields (name, lines) of each function: from its first line to the closing brace in column one."""
    lines = path.read_text().split("\n")
    head = None
    for number, line in enumerate(lines):
        if head is None:
            if line and (line[0].isalpha() or line[0] == "_") and not line.startswith(("struct ", "enum ", "union ")) or (
                line.startswith(("struct ", "enum ")) and "(" in line
            ):
                text, end = line, number
                while not text.rstrip().endswith(("{", ";", "}")) and end + 1 < len(lines):
                    end += 1
                    text += " " + lines[end].strip()
                if HEAD.match(text):
                    head = (re.search(r"(\w+)\s*\(", text).group(1), number)
        elif line.startswith("}"):
            yield head[0], number - head[1] + 1
            head = None


def main():
    source = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else ".")
    problems, sizes, aims, longest_file = [], [], [], (0, "")
    for path in sorted([*source.glob("src/**/*.[ch]"), *source.glob("include/**/*.h"), *source.glob("tests/**/*.[ch]")]):
        count = len(path.read_text().split("\n")) - 1
        longest_file = max(longest_file, (count, str(path)))
        if count > FILE_MAX:
            problems.append(f"{path}: {count} lines, at most {FILE_MAX}")
        elif count > FILE_AIM:
            aims.append(f"{path}: {count} lines, aim {FILE_AIM}")
        for name, length in functions(path):
            sizes.append((length, name, path))
            if length > FUNCTION_MAX:
                problems.append(f"{path}: {name} has {length} lines, at most {FUNCTION_MAX}")
    median = statistics.median(size for size, _, _ in sizes)
    if median >= MEDIAN_MAX:
        problems.append(f"median function has {median} lines, wanted under {MEDIAN_MAX}")
    length, name, path = max(sizes, key=lambda item: item[0])
    print(f"{len(sizes)} functions: median {median:g} lines, longest {length} ({name}, {path})")
    print(f"longest file {longest_file[0]} lines ({longest_file[1]}); {len(aims)} over the aim of {FILE_AIM}")
    print("\n".join(aims + problems))
    return 1 if problems or len(sizes) < 100 else 0


if __name__ == "__main__":
    sys.exit(main())
