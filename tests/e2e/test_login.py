"""Logging in with each kind of managed identity, and what is said when one may not or is not there."""
import pytest

GROUP = "/subscriptions/1ab00000-0000-4000-8000-00000000000c/resourceGroups/lab/providers/Microsoft.ManagedIdentity/userAssignedIdentities/"
ID = "1ab00000-0000-4000-8000-0000000000"
MAY = ["system", f"client-id:{ID}b2", f"object-id:{ID}b1", f"resource-id:{GROUP}releaser"]


@pytest.mark.parametrize("identity", MAY)
def test_an_identity_that_may_release(keys, mount, identity):
    made = mount({"rsa": keys["rsa"], "ec": keys["ec"]}, vault_vault={"identity": identity}, vault_hsm={"identity": identity})
    assert made.read("rsa").startswith(b"-----BEGIN")
    assert made.read("ec").startswith(b"-----BEGIN")


def test_an_identity_without_the_role(keys, mount):
    made = mount({"rsa": keys["rsa"]}, vault_vault={"identity": f"client-id:{ID}d2"})
    assert made.error("keys/rsa") == "EKEYREJECTED"
    assert "Key Vault Crypto Service Release User" in made.log()
    assert "request id" in made.log()


def test_an_identity_that_is_not_there(keys, mount):
    made = mount({"rsa": keys["rsa"]}, vault_vault={"identity": f"client-id:{ID}ff"})
    assert made.error("keys/rsa") == "EKEYREJECTED"
    assert "identity" in made.log().lower()
