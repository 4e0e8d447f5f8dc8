"""Many releases of each key type without one failure: moduli and ciphertexts that contain NUL octets, end in zeros or
begin with them come up one in 256. SKRFS_MANY sets how many of each (default 1000; 10000 takes a while)."""
import os
import subprocess

import pytest
from lab import BUILD

MANY = int(os.environ.get("SKRFS_MANY", "1000"))


@pytest.mark.parametrize("name", ["rsa", "ec", "oct"])
def test_many_releases(lab, keys, tmp_path, name):
    conf = lab.config(tmp_path / "many.conf", {name: keys[name]})
    before = lab.counters()
    done = subprocess.run([BUILD / "tests/tools/many_releases", str(conf), name, str(MANY)], capture_output=True, text=True, timeout=3600)
    print(done.stdout, done.stderr)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    assert f"{MANY} releases, 0 failures, 1 value" in done.stdout
    assert lab.counters()["release"] - before["release"] >= MANY
