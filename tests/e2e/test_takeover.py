"""A courier that was taken over, by what it says: the vault's genuine answers to other questions, altered ones, tokens of others,
refusals of its own. Each lie fails as it must, and afterwards the mount gives the right bytes."""
import time

import pytest
from takeover import DEADLINE, InPlaceOf, Liar


@pytest.fixture
def liar(world, tmp_path):
    """The courier of the world is a liar until it is stopped."""
    with InPlaceOf(world.mount, "courier") as place:
        double = Liar(world.mount.conf, place.sock, tmp_path)
        try:
            assert world.fresh("rsa") == "", "the double is as good as the real one while it is honest"
            yield double
        finally:
            double.stop()


# Content: what the answers say.

GENUINE_OF_ANOTHER = [
    ("rsa", "other-key takeover-other", "EIO", "not 'rsa'"),
    ("rsa", "other-vault 1", "EIO|ENOENT|EKEYREJECTED", ""),
    ("pinned", "other-version {second}", "EIO", "version"),
    ("rotated", "other-version {first}", "EIO", "another version than the current one"),
    ("pinned", "no-version x", "EIO", "version"),
    ("rsa", "other-nonce 00112233445566778899aabbccddeeff", "EIO", "nonce"),
    ("rsa", "other-enc x", "EIO", "enc"),
    ("rsa", "first-jws x", "EIO", "nonce"),
    ("oct", "first-jws x", "EIO", "not"),
]
ALTERED = [("altered-jws", "EIO"), ("altered-signature", "EIO"), ("shorter-jws", "EIO"), ("unsigned", "EIO"), ("rubbish", "EIO")]
SAID = [("not-found", "ENOENT"), ("rejected", "EKEYREJECTED"), ("denied", "EIO"), ("revoked", "EIO"), ("text", "EKEYREJECTED"), ("much-later", "EAGAIN|ETIMEDOUT"),
        ("silent", "ETIMEDOUT")]


@pytest.mark.parametrize("name, how, wanted, why", GENUINE_OF_ANOTHER, ids=lambda value: value.split(" ")[0] or "any")
def test_genuine_answer_to_another_question(world, liar, other_keys, name, how, wanted, why):
    """The vault's own answers, signed by it, wrapped to the right key: for another key, version, nonce, or of before."""
    first, second = other_keys
    liar.tell(how.format(first=first, second=second))
    assert world.fresh(name) in wanted.split("|"), world.mount.why(name)
    assert why in world.mount.why(name), world.mount.why(name)
    liar.tell("honest")
    assert world.fresh(name) == ""


@pytest.mark.parametrize("how, wanted", ALTERED)
def test_altered_answer(world, liar, how, wanted):
    liar.tell(how)
    assert world.fresh("rsa") == wanted, world.mount.why("rsa")
    liar.tell("honest")
    assert world.fresh("rsa") == ""


@pytest.mark.parametrize("how, wanted", SAID)
def test_what_a_courier_says(world, liar, how, wanted):
    """It can say that a key cannot be had, in the network's name; not that the rules deny it or that it was wiped."""
    liar.tell(how)
    begun = time.monotonic()
    assert world.fresh("rsa") in wanted.split("|"), world.mount.why("rsa")
    assert time.monotonic() - begun < DEADLINE + 10
    log = world.mount.log()
    assert "\nkeeper: opened 'rsa' by nobody" not in log and "\033" not in log
    assert "\033" not in world.mount.why("rsa") and "\r" not in world.mount.why("rsa")
    liar.tell("honest")
    assert world.fresh("rsa") == ""


@pytest.mark.parametrize("how", ["altered-inner-key", "altered-cipher", "altered-tag", "clear-token", "first-sealed"])
def test_token_of_another(world, tmp_path, how):
    """A new keeper attests anew: what it gets back is altered, or sealed to the wrapping key of its predecessor."""
    with InPlaceOf(world.mount, "courier") as place:
        double = Liar(world.mount.conf, place.sock, tmp_path)
        try:
            if how == "first-sealed":
                # It has to see one first: that of the keeper before.
                world.restart_keeper()
                assert world.fresh("rsa") == ""
            double.tell(how)
            world.restart_keeper()
            assert world.mount.error("keys/rsa") in ("EIO", "EKEYREJECTED"), world.mount.why("rsa")
            double.tell("honest")
            assert world.fresh("rsa") == ""
        finally:
            double.stop()


def test_wrapped_to_another_keepers_key(world, liar):
    """A token of a keeper that is no more: the vault wraps to its key, which is not this one's."""
    world.restart_keeper()
    liar.tell("first-token x")
    assert world.mount.error("keys/rsa") == "EIO", world.mount.why("rsa")
    liar.tell("honest")
    assert world.fresh("rsa") == ""


@pytest.mark.parametrize("how", ["token-for-ever", "token-of-old", "claims"])
def test_lies_about_a_token(world, tmp_path, how):
    """What it says of a token's end and claims costs attestations at most."""
    with InPlaceOf(world.mount, "courier") as place:
        double = Liar(world.mount.conf, place.sock, tmp_path, how)
        try:
            world.restart_keeper()
            assert world.fresh("rsa") in ("", "EIO", "EAGAIN", "ETIMEDOUT"), world.mount.why("rsa")
            double.tell("honest")
            world.restart_keeper()
            assert world.fresh("rsa") == ""
        finally:
            double.stop()
