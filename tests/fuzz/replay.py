#!/usr/bin/env python3
"""Runs a target over its committed corpus and over the captured samples that are here: replay.py PROGRAM TARGET replay|libfuzzer"""
import os
import pathlib
import subprocess
import sys
import tempfile

import samples

CORPUS = pathlib.Path(__file__).resolve().parent / "corpus"
# libFuzzer's own exit status for a find, 77, is "skipped" to meson. Leaks are looked for where each target is fuzzed: what a
# private key in OpenSSL's secure heap points to seems lost at the end, in every target that has one.
LIBFUZZER = ["-runs=0", "-error_exitcode=1", "-detect_leaks=0"]
NO_LEAKS = {"ASAN_OPTIONS": "detect_leaks=0"}


def main():
    program, target, kind = sys.argv[1:4]
    with tempfile.TemporaryDirectory(prefix="skrfs-samples-") as folder:
        there, known = samples.write(target, folder)
        command = [program] + (LIBFUZZER if kind == "libfuzzer" else []) + [str(CORPUS / target)]
        if there < known:
            print(f"skipped: {known - there} of {known} captured samples are not in {samples.folder()}", flush=True)
        return subprocess.run(command + ([folder] if there else []), env={**os.environ, **NO_LEAKS}).returncode


if __name__ == "__main__":
    status = main()
    sys.exit(status if status >= 0 else 128 - status)
