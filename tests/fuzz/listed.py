"""The table of README.md: which parser of outside bytes is fuzzed by which targets."""
import collections
import pathlib
import re

HERE = pathlib.Path(__file__).resolve().parent
Row = collections.namedtuple("Row", "file targets sender functions")
LINE = re.compile(r"^\| `(src/[^`]+)` \| ([^|]+) \| ([^|]+) \|([^|]*)\|$")


def rows():
    found = []
    for line in (HERE / "README.md").read_text().split("\n"):
        match = LINE.match(line)
        if match:
            name, targets, sender, rest = (part.strip() for part in match.groups())
            functions, _, reason = rest.partition(": ")
            if rest and not reason:
                raise SystemExit(f"README.md: '{rest}' is not 'FUNCTION...: reason' nor 'LINES: reason'")
            found.append(Row(name, targets.split(), sender, functions.split()))
    return found


def registered():
    """The targets that the build makes."""
    found = {}
    for path in sorted(HERE.glob("*/meson.build")):
        for line in path.read_text().split("\n"):
            match = re.search(r"'(\w+)': \[files\('(\w+\.c)'", line)
            if match and not line.lstrip().startswith("#"):
                found[match.group(1)] = path.parent / match.group(2)
    return found
