#!/usr/bin/env python3
"""Each fuzz target has a corpus of small files and is in the table of tests/fuzz/README.md; each file of the table exists."""
import pathlib
import sys

SOURCE = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(SOURCE / "tests" / "fuzz"))
sys.dont_write_bytecode = True
import listed  # noqa: E402
import samples  # noqa: E402

LARGEST = 64 * 1024
ALL = 4 * 1024 * 1024


def problems():
    targets, rows, corpus = listed.registered(), listed.rows(), SOURCE / "tests" / "fuzz" / "corpus"
    in_table = {name for row in rows for name in row.targets}
    for name, source in targets.items():
        inputs = list((corpus / name).glob("*")) if (corpus / name).is_dir() else []
        if not source.is_file():
            yield f"{name}: {source} is not there"
        if not inputs:
            yield f"{name}: no corpus in tests/fuzz/corpus/{name}"
        if name not in in_table:
            yield f"{name}: not in the table of tests/fuzz/README.md"
        for path in inputs:
            if path.stat().st_size > LARGEST:
                yield f"{path.relative_to(SOURCE)}: larger than {LARGEST} octets"
    for name in sorted(in_table - set(targets)):
        yield f"tests/fuzz/README.md: no target is called '{name}'"
    for name in sorted(set(samples.SAMPLES) - set(targets)):
        yield f"tests/fuzz/samples.py: no target is called '{name}'"
    for folder in corpus.iterdir():
        if folder.name not in targets:
            yield f"{folder.relative_to(SOURCE)}: the corpus of no target"
    sources = {path for path in SOURCE.glob("tests/fuzz/*/*.c")} - {path for path in targets.values()}
    for path in sorted(path for path in sources if path.name.startswith("fuzz_")):
        yield f"{path.relative_to(SOURCE)}: not registered in {path.parent.name}/meson.build"
    for row in rows:
        if not (SOURCE / row.file).is_file():
            yield f"tests/fuzz/README.md: {row.file} is not there"
        if not row.sender:
            yield f"tests/fuzz/README.md: {row.file}: who sends it?"
    total = sum(path.stat().st_size for path in corpus.glob("*/*"))
    if total > ALL:
        yield f"tests/fuzz/corpus: {total} octets in all, {ALL} are allowed"


def main():
    found = list(problems())
    for problem in found:
        print(problem)
    print(f"{len(listed.registered())} targets, {len(listed.rows())} parsers, {len(found)} findings")
    return 1 if found or len(listed.registered()) < 40 else 0


if __name__ == "__main__":
    sys.exit(main())
