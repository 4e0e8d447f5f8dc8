"""until = unit:NAME: asked of systemd over the system bus, by the witness. The bus is a double that answers as it is told."""
import errno
import os
import subprocess
import time

import pytest
from lab import BUILD, Mount, skrfs, wait_for
from test_taking_back import fails, kill_keeper, opened, revoked, secrets, state

UNIT = "multi-user.target"


class Bus:
    def __init__(self, folder):
        self.units = folder / "units"
        self.path = folder / "bus"
        self.units.write_text("")
        self.process = subprocess.Popen([BUILD / "tests/doubles/bus_manager", self.path, self.units], stdout=subprocess.PIPE)
        assert self.process.stdout.readline() == b"ready\n"

    def tell(self, **units):
        fresh = self.units.with_suffix(".new")
        fresh.write_text("".join(f"{name.replace('_', '-')}.target {value}\n" for name, value in units.items()))
        fresh.rename(self.units)

    def stop(self):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()


@pytest.fixture
def bus(tmp_path_factory):
    made = Bus(tmp_path_factory.mktemp("bus"))
    yield made
    made.stop()


@pytest.fixture
def guarded(lab, keys, bus, tmp_path):
    settings = {"oct": {**keys["oct"], "until": f"unit:{UNIT}"}, "rsa": keys["rsa"]}
    environment = {**os.environ, "DBUS_SYSTEM_BUS_ADDRESS": f"unix:path={bus.path}"}
    with Mount(lab.config(tmp_path / "conf", settings), tmp_path / "mnt", env=environment) as made:
        yield made


@pytest.mark.parametrize("word", ["inactive", "activating", "failed", "deactivating"])
def test_while_it_is_not_active(bus, guarded, word):
    assert guarded.read("oct")
    bus.tell(multi_user=word)
    assert guarded.read("oct")


def test_taken_back_when_it_is_active(lab, bus, guarded):
    with opened(guarded.key("oct")) as file, opened(guarded.key("rsa")) as other:
        assert os.pread(file, 8, 0)
        bus.tell(multi_user="activating", nginx="active")
        time.sleep(4)
        assert os.pread(file, 8, 0), "another unit is none of its business"
        bus.tell(multi_user="active")
        # Nobody opens anything: it is asked for while the key is held.
        wait_for("it is taken back", lambda: "'oct' is gone" in guarded.log())
        assert revoked(os.pread, file, 8, 0)
        assert os.pread(other, 8, 0)
        skrfs("wipe", "rsa", guarded.path)
        assert secrets(guarded) == 0
    before = lab.counters()
    bus.tell(multi_user="inactive")
    assert guarded.error("keys/oct") == "EKEYREVOKED", "gone is gone, whatever the unit does later"
    kill_keeper(guarded)
    assert guarded.error("keys/oct") == "EKEYREVOKED"
    assert UNIT in guarded.why("oct") and "renew" in guarded.why("oct")
    assert state(guarded, "oct")["limits"]["until_unit"] == UNIT
    assert lab.counters() == before
    bus.tell(multi_user="reloading")
    done = skrfs("renew", "oct", guarded.path, check=False)
    assert done.returncode != 0 and "its unit is active" in done.stderr
    bus.tell()
    skrfs("renew", "oct", guarded.path)
    assert guarded.read("oct")


def test_asked_at_each_open(lab, bus, guarded):
    bus.tell(multi_user="active")
    before = lab.counters()
    assert guarded.error("keys/oct") == "EKEYREVOKED"
    assert lab.counters() == before


def test_refused_by_who_is_asked(lab, bus, guarded):
    assert guarded.read("oct")
    bus.tell(multi_user="refused")
    assert guarded.error("keys/oct") == "EAGAIN"
    assert "not for you" in guarded.log() and guarded.error("keys/rsa") == ""
    bus.tell()
    assert guarded.read("oct")


def test_half_a_minute_of_silence(bus, guarded):
    with opened(guarded.key("oct")) as file:
        begun = time.monotonic()
        assert os.pread(file, 8, 0)
        bus.tell(multi_user="silent")
        assert guarded.error("keys/oct") == "EAGAIN"
        assert guarded.error("keys/rsa") == "", "others do not wait for the bus"
        time.sleep(6)
        assert os.pread(file, 8, 0), "what is open stays for a while"
        wait_for("it is wiped", lambda: "wiped 'oct'" in guarded.log(), 60)
        assert 25 < time.monotonic() - begun < 50
        assert revoked(os.pread, file, 8, 0)
    assert state(guarded, "oct")["limits"]["gone"] is None
    bus.tell()
    assert guarded.read("oct"), "it was not taken back for good"


def test_the_bus_breaks(bus, guarded):
    assert guarded.read("oct")
    bus.tell(multi_user="gone")
    for _ in range(3):
        assert guarded.error("keys/oct") == "EAGAIN"
    assert guarded.error("keys/rsa") == ""
    assert "system bus" in guarded.log()
    # Another keeper's witness connects anew.
    bus.tell()
    kill_keeper(guarded)
    assert guarded.read("oct")


def test_without_a_bus(lab, keys, tmp_path):
    settings = {"oct": {**keys["oct"], "until": f"unit:{UNIT}"}, "rsa": keys["rsa"]}
    environment = {**os.environ, "DBUS_SYSTEM_BUS_ADDRESS": f"unix:path={tmp_path}/none"}
    with Mount(lab.config(tmp_path / "conf", settings), tmp_path / "mnt", env=environment) as made:
        before = lab.counters()
        assert fails(errno.EAGAIN, os.open, made.key("oct"), os.O_RDONLY)
        assert lab.counters() == before
        assert "system bus" in made.log() and made.read("rsa")


def test_no_bus_for_who_asks_for_no_unit(keys, mount):
    """The witness of a mount without such keys has no connection."""
    made = mount({"oct": keys["oct"]})
    links = [os.readlink(f"/proc/{made.processes()['witness']}/fd/{fd}") for fd in os.listdir(f"/proc/{made.processes()['witness']}/fd")]
    assert len([link for link in links if link.startswith("socket:")]) == 1
