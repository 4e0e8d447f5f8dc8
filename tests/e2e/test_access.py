"""Who may read: owner, group, mode, and rules by user, group and executable; at open and again at read."""
import array
import os
import shutil
import socket
import subprocess
import sys

import pytest
from lab import run, wait_for


def cat(path, uid=0, gid=0, groups=None, program="/bin/cat"):
    """True when this user can read the file with this program."""
    identity = ["setpriv", "--reuid", str(uid), "--regid", str(gid)]
    identity += ["--groups", ",".join(map(str, groups))] if groups else ["--clear-groups"]
    done = subprocess.run([*identity, program, str(path)], capture_output=True)
    assert done.returncode == 0 or b"Permission denied" in done.stderr, done.stderr
    return done.returncode == 0


CASES = [
    # settings, caller, may read
    ({"mode": "0400"}, {}, True),
    ({"mode": "0400"}, {"uid": 1000}, False),
    ({"mode": "0400", "owner": "1000"}, {"uid": 1000}, True),
    ({"mode": "0440", "group": "50"}, {"uid": 1000, "gid": 50}, True),
    ({"mode": "0440", "group": "50"}, {"uid": 1000, "gid": 1000, "groups": [7, 50]}, True),
    ({"mode": "0440", "group": "50"}, {"uid": 1000, "gid": 1000, "groups": [7]}, False),
    ({"mode": "0444"}, {"uid": 1000}, True),
    ({"mode": "0444", "allow": "user:1000"}, {"uid": 1000}, True),
    ({"mode": "0444", "allow": "user:1000"}, {"uid": 1001}, False),
    ({"mode": "0444", "allow": "user:1000"}, {"uid": 0}, False),
    ({"mode": "0444", "deny": "user:1000"}, {"uid": 1000}, False),
    ({"mode": "0444", "deny": "user:1000"}, {"uid": 1001}, True),
    ({"mode": "0444", "allow": "group:50"}, {"uid": 1000, "gid": 1, "groups": [50]}, True),
    ({"mode": "0444", "allow": "group:50", "deny": "user:1000"}, {"uid": 1000, "gid": 50}, False),
    ({"mode": "0400", "allow": "user:1000"}, {"uid": 1000}, False),
]


def test_cases(lab, keys, mount):
    made = mount({f"k{i}": {**keys["oct"], **case[0]} for i, case in enumerate(CASES)}, "-o", "allow_other")
    for i, (settings, caller, wanted) in enumerate(CASES):
        assert cat(made.key(f"k{i}"), **caller) == wanted, (settings, caller, made.log())


def test_by_executable(keys, mount, tmp_path):
    mine = tmp_path / "reader"
    shutil.copy("/bin/cat", mine)
    made = mount({"k": {**keys["oct"], "mode": "0444", "allow": f"exe:{mine}"}, "below": {**keys["oct"], "mode": "0444", "allow": f"exe:{tmp_path}/*"}}, "-o", "allow_other")
    assert cat(made.key("k"), uid=1000, program=str(mine))
    assert cat(made.key("below"), uid=1000, program=str(mine))
    assert not cat(made.key("k"), uid=1000)
    assert not cat(made.key("k"))
    assert not cat(made.key("below"))
    # Another file put at the path while the first one runs is another program; a deleted one is unknown.
    assert "exe" in made.log()


def test_denied_before_any_traffic(lab, keys, mount):
    made = mount({"k": {**keys["oct"], "mode": "0400"}}, "-o", "allow_other")
    before = lab.counters()
    for path in ("keys/k", "formats/k/raw", "versions/k/" + "0" * 32):
        assert not cat(made.path / path, uid=1000)
    assert lab.counters() == before
    assert made.status()["keys"][0]["releases"] == 0
    # What is open to nobody answers access(2) as it answers open(2).
    done = run("setpriv", "--reuid", "1000", "--regid", "1000", "--clear-groups", "test", "-r", made.key("k"), check=False)
    assert done.returncode == 1


def test_a_descriptor_handed_to_a_stranger_stops_working(keys, mount):
    made = mount({"k": {**keys["oct"], "mode": "0400"}}, "-o", "allow_other")
    descriptor = os.open(made.key("k"), os.O_RDONLY)
    assert os.pread(descriptor, 8, 0)
    child = os.fork()
    if child == 0:
        try:
            os.setgid(65534)
            os.setuid(65534)
            os.pread(descriptor, 8, 0)
        except PermissionError:
            os._exit(13)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 13
    assert os.pread(descriptor, 8, 0)
    os.close(descriptor)


def test_without_allow_other_nobody_else_enters(keys, mount):
    made = mount({"k": {**keys["oct"], "mode": "0444"}}, mount={"allow_other": "no"})
    assert not cat(made.key("k"), uid=1000)
    assert cat(made.key("k"))


def test_each_denial_is_logged_and_names_its_reason(keys, mount):
    made = mount({"k": {**keys["oct"], "mode": "0444", "allow": "user:1000"}, "m": {**keys["oct"], "mode": "0400"}}, "-o", "allow_other")
    assert not cat(made.key("k"), uid=1001)
    assert not cat(made.key("m"), uid=1001)
    lines = [line for line in made.log().split("\n") if "denied" in line]
    assert any("'k'" in line and "uid 1001" in line and "allow" in line for line in lines), lines
    assert any("'m'" in line and "0400" in line for line in lines), lines
