#!/usr/bin/env python3
"""Counts single test cases: prints "PASSED FAILED SKIPPED".

count.py meson TESTLOG.JSON STATUS   cmocka's cases where a test printed them, else the test itself
count.py junit RESULT.XML STATUS     pytest's cases
A run whose STATUS is not 0 counts at least one failure. What was skipped is named on standard error.
"""
import json
import re
import sys
import xml.etree.ElementTree

CASE = re.compile(r"^\[\s*(OK|FAILED|SKIPPED|ERROR)\s*\] (\w+)", re.M)


def meson(path):
    passed = failed = skipped = 0
    for line in open(path):
        test = json.loads(line)
        found = dict()
        for mark, name in CASE.findall(test.get("stdout", "")):
            if not name.isdigit():
                found[name] = mark
        marks = list(found.values())
        if test["result"] == "OK" and marks:
            passed += sum(mark == "OK" for mark in marks)
            skipped += sum(mark == "SKIPPED" for mark in marks)
            for name in (name for name, mark in found.items() if mark == "SKIPPED"):
                print(f"    skipped: {test['name'].split(' / ')[-1].strip()}: {name}", file=sys.stderr)
        elif test["result"] in ("OK", "EXPECTEDFAIL"):
            passed += 1
        elif test["result"] == "SKIP":
            skipped += 1
            print(f"    skipped: {test['name']}", file=sys.stderr)
        else:
            passed += sum(mark == "OK" for mark in marks)
            failed += max(1, sum(mark in ("FAILED", "ERROR") for mark in marks))
    return passed, failed, skipped


def junit(path):
    passed = failed = skipped = 0
    for suite in xml.etree.ElementTree.parse(path).getroot().iter("testsuite"):
        count = {name: int(suite.get(name, 0)) for name in ("tests", "failures", "errors", "skipped")}
        bad = count["failures"] + count["errors"]
        failed += bad
        skipped += count["skipped"]
        passed += count["tests"] - bad - count["skipped"]
    return passed, failed, skipped


def main():
    passed, failed, skipped = {"meson": meson, "junit": junit}[sys.argv[1]](sys.argv[2])
    if sys.argv[3] != "0" or passed + failed + skipped == 0:
        failed = max(failed, 1)
    print(passed, failed, skipped)


if __name__ == "__main__":
    main()
