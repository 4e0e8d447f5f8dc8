import os
import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))

from watched import Watched  # noqa: E402
from lab import Lab, Mount, skrfs  # noqa: E402
from takeover import DEADLINE, World  # noqa: E402


@pytest.fixture(scope="session")
def lab_session(tmp_path_factory):
    """One lab for the session, without throttling; tests that need another start their own."""
    lab = Lab(tmp_path_factory.mktemp("lab") / "lab", "--no-throttle")
    yield lab
    lab.down()


@pytest.fixture
def lab(lab_session):
    lab_session.clear()
    yield lab_session
    lab_session.clear()
    lab_session.settings(reset=True)


def open_to_all(path):
    """The folder can be entered by other users."""
    for folder in [path, *list(path.parents)[:3]]:
        if folder != pathlib.Path("/tmp"):
            os.chmod(folder, 0o755)


@pytest.fixture
def watched(lab, tmp_path):
    """Mounts whose secrets are looked for: watched(kind, **sections)."""
    made = []
    open_to_all(tmp_path)

    def make(*arguments, **more):
        made.append(Watched(lab, tmp_path / f"w{len(made)}", *arguments, **more))
        return made[-1]

    yield make
    for one in made:
        one.stop()


_created = {}


@pytest.fixture
def keys(lab):
    """A standard set of keys in the lab, made once: {configured name: settings}."""
    kinds = {
        "rsa": ("vault", "RSA-HSM", {"size": 2048}),
        "ec": ("hsm", "EC-HSM", {"curve": "P-256"}),
        "oct": ("hsm", "oct-HSM", {"size": 256}),
    }
    if lab.dir not in _created:
        for name, (vault, kty, more) in kinds.items():
            lab.create(name, vault, kty, **more)
        _created[lab.dir] = True
    return {
        "rsa": {"vault": "vault", "name": "rsa"},
        "ec": {"vault": "hsm", "name": "ec"},
        "oct": {"vault": "hsm", "name": "oct", "format": "raw"},
    }


@pytest.fixture
def mount(lab, tmp_path):
    """Makes mounts: mount(keys, **sections) returns a Mount; all are unmounted at the end."""
    mounts = []
    open_to_all(tmp_path)

    def make(keys, *arguments, **sections):
        number = len(mounts)
        conf = lab.config(tmp_path / f"m{number}.conf", keys, **sections)
        made = Mount(conf, tmp_path / f"m{number}", *arguments)
        mounts.append(made)
        return made

    yield make
    for made in mounts:
        made.stop()
        print(made.log())


@pytest.fixture(scope="session")
def other_keys(lab_session):
    """Keys beside the standard ones: another one, and one with two versions."""
    lab_session.create("takeover-other")
    lab_session.create("takeover-rotated")
    first = lab_session.show("takeover-rotated")["kid"].rsplit("/", 1)[1]
    skrfs("key", "rotate", "takeover-rotated", "--config", lab_session.conf, "--vault", "vault")
    second = lab_session.show("takeover-rotated")["kid"].rsplit("/", 1)[1]
    return first, second


@pytest.fixture
def world(lab, keys, mount, other_keys):
    first, _ = other_keys
    made = mount({"rsa": keys["rsa"], "oct": keys["oct"], "other": {"name": "takeover-other"}, "rotated": {"name": "takeover-rotated"},
                  "pinned": {"name": "takeover-rotated", "version": first}}, network={"deadline": f"{DEADLINE}s"})
    made_world = World(lab, made, ["rsa", "oct", "other", "rotated", "pinned"])
    yield made_world
    made_world.works()
    assert made.status(), "status.json"
