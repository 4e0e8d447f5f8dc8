"""Where keys are after use: nowhere in the readable memory of any process of the mount, in no page cache and in no pipe. Looked
for is every run of 16 octets of the keys in all their encodings, of the keys that they came wrapped with, and of the wrapping key."""
import mmap
import subprocess

import pytest
from lab import wait_for
from scan import TOOLS, tapped
from watched import KINDS, Watched, read_way, ways


@pytest.fixture(scope="module")
def world(lab_session, tmp_path_factory):
    """Mounts by kind of TEE, made once: world(kind)."""
    made = {}

    def make(kind="cvm"):
        if kind not in made:
            made[kind] = Watched(lab_session, tmp_path_factory.mktemp(kind) / "w", kind)
            made[kind].learn().watch_cache()
        return made[kind]

    yield make
    for one in made.values():
        one.stop()


@pytest.mark.parametrize("kind", KINDS)
def test_every_encoding_of_every_key(world, kind):
    """Read one after the other; the wrapping keys too are nowhere."""
    one = world(kind)
    assert len(one.needles.records) > 10000
    one.check("all encodings")
    lengths = [len(key) for key in tapped(one.tap)]
    assert lengths.count(32) >= 3, "no key came wrapped"
    assert lengths.count(128) >= 2 or kind == "cvm", "no RSA key was made to wrap to"


@pytest.mark.parametrize("way", ways())
def test_ways_to_read(world, way):
    one = world("cvm")
    for name in one.keys:
        assert read_way(way, one.mount.key(name)) == one.secrets[name]
    wait_for(f"no page is cached after {way}", lambda: not one.cached())


def test_nothing_is_left_of_them(world):
    """After all of the above, and each of them once more in one go."""
    one = world("cvm")
    for way in ways():
        subprocess.run([TOOLS / "read_ways", way, one.mount.key("rsa")], capture_output=True, timeout=60)
    one.settle("all ways to read")


def test_the_kernel_has_pages_as_long_as_a_mapping_lives(world):
    """What the search of the page cache can see: the same pages while they are in use."""
    one = world("cvm")
    with open(one.mount.key("rsa"), "rb") as file:
        mapped = mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ, flags=mmap.MAP_PRIVATE)
    assert mapped[:] == one.secrets["rsa"]
    assert one.cached() == {one.mount.key("rsa"): 1}
    mapped.close()
    wait_for("no page is cached", lambda: not one.cached())


def test_programs_that_read(world, tmp_path):
    """Tools' own ways: copies, searches, checksums, tar, cat into a pipe that nobody reads to the end."""
    one = world("cvm")
    key = one.mount.key("rsa")
    for command in ("cat {}", "cp {} /dev/stdout", "dd if={} bs=16 status=none", "dd if={} iflag=direct bs=64k status=none",
                    "tar -cf - -C {d} rsa", "grep -c PRIVATE {}", "sha256sum {}", "openssl pkey -in {} -noout", "head -c 40 {}",
                    "cat {} | head -c 10", "tail -c 30 {}", "python3 -c 'import shutil; shutil.copyfile(\"{}\", \"/dev/null\")'"):
        done = subprocess.run(["sh", "-c", command.format(key, d=key.parent)], capture_output=True, timeout=60)
        assert done.returncode == 0, (command, done.stderr)
    one.settle("programs")
