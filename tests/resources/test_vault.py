"""Sealing: what opens, what must not, and what survives a rotation of keys."""

import base64
import pickle
import random
import uuid

import pytest

from draggonnb_pipelines.errors import OperatorError
from draggonnb_pipelines.resources.vault import SealBroken, TenantKey, Vault, data_key_context

OLD = "old:" + base64.b64encode(bytes(range(32))).decode()
NEW = "new:" + base64.b64encode(bytes(range(100, 132))).decode()
ACME = uuid.UUID("00000000-0000-0000-0000-00000000000a")
OUTSIDER = uuid.UUID("00000000-0000-0000-0000-00000000000b")


@pytest.fixture
def vault() -> Vault:
    return Vault(OLD)


def test_what_was_sealed_opens_and_the_envelope_has_the_documented_form(vault: Vault) -> None:
    sealed = vault.seal(b"postgresql://secret", "organization:1:dsn")

    assert vault.open(sealed, "organization:1:dsn") == b"postgresql://secret"
    assert sealed[:5] == b"\x01\x03old"
    assert len(sealed) == 2 + 3 + 12 + len(b"postgresql://secret") + 16
    assert b"secret" not in sealed


def test_a_known_envelope_still_opens(vault: Vault) -> None:
    stored = bytes.fromhex(
        "01036f6c64d9014d636d7b8ca8d28e02aa15b8c2c67742e194cff6ce9426a279c62f6abe2a4e79e871a43f17e37cb6fc4e0363deac"
    )

    assert vault.open(stored, "organization:1:dsn") == b"kept since version 1"


def test_values_of_any_size_come_back_and_no_two_envelopes_are_equal(vault: Vault) -> None:
    dice = random.Random(20261123)
    key = vault.tenant_key(ACME, vault.new_data_key(ACME))

    for size in [0, 1, 15, 16, 17, *(dice.randrange(100_000) for _ in range(60))]:
        plain, context = dice.randbytes(size), f"inbox:{dice.random()}:é"
        for sealer in (vault, key):
            first, second = sealer.seal(plain, context), sealer.seal(plain, context)
            assert first != second
            assert sealer.open(first, context) == sealer.open(second, context) == plain


def test_a_database_driver_may_hand_back_a_memoryview(vault: Vault) -> None:
    key = vault.tenant_key(ACME, memoryview(vault.new_data_key(ACME)))  # pyright: ignore[reportArgumentType]

    assert key.open(memoryview(key.seal(b"x", "c")), "c") == b"x"  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize("context", ["", "inbox:2", "inbox:1 ", "INBOX:1"])
def test_another_context_does_not_open_it(vault: Vault, context: str) -> None:
    sealed = vault.seal(b"x", "inbox:1")

    with pytest.raises(SealBroken):
        vault.open(sealed, context)


def test_no_single_changed_bit_and_no_cut_goes_unnoticed(vault: Vault) -> None:
    key = vault.tenant_key(ACME, vault.new_data_key(ACME))

    for sealer in (vault, key):
        sealed = sealer.seal(b"amount=100", "payment:1")
        changed = [
            sealed[:at] + bytes([sealed[at] ^ (1 << bit)]) + sealed[at + 1 :]
            for at in range(len(sealed))
            for bit in range(8)
        ]
        cut = [sealed[:length] for length in range(len(sealed))]
        for broken in [*changed, *cut, sealed + b"\0"]:
            with pytest.raises(SealBroken):
                sealer.open(broken, "payment:1")


def test_an_unknown_key_is_named_and_nothing_else(vault: Vault) -> None:
    sealed = Vault(NEW).seal(b"very private", "c")

    with pytest.raises(SealBroken, match=r"'new'.*DRAGGONNB_MASTER_KEYS") as caught:
        vault.open(sealed, "c")
    assert "private" not in str(caught.value)


def test_a_rotation_opens_the_old_and_seals_with_the_new(vault: Vault) -> None:
    before = vault.seal(b"x", "c")
    rotating = Vault(f"{NEW},{OLD}")

    assert rotating.open(before, "c") == b"x"
    assert not rotating.is_current(before)
    after = rotating.reseal(before, "c")
    assert rotating.is_current(after)
    assert Vault(NEW).open(after, "c") == b"x"
    with pytest.raises(SealBroken):
        Vault(NEW).open(before, "c")


def test_tenants_data_outlives_the_rotation_of_the_master_key(vault: Vault) -> None:
    wrapped = vault.new_data_key(ACME)
    key = vault.tenant_key(ACME, wrapped)
    sealed, token = key.seal(b"lead", "inbox:1"), key.derive_token("proposal", "p1")

    rewrapped = Vault(f"{NEW},{OLD}").reseal(wrapped, data_key_context(ACME))
    same = Vault(NEW).tenant_key(ACME, rewrapped)

    assert same.open(sealed, "inbox:1") == b"lead"
    assert same.derive_token("proposal", "p1") == token


def test_an_outsider_opens_nothing_of_a_tenant(vault: Vault) -> None:
    wrapped = vault.new_data_key(ACME)
    key = vault.tenant_key(ACME, wrapped)
    outsider = vault.tenant_key(OUTSIDER, vault.new_data_key(OUTSIDER))
    sealed = key.seal(b"lead", "inbox:1")

    with pytest.raises(SealBroken, match="not under the key of organization"):
        outsider.open(sealed, "inbox:1")
    with pytest.raises(SealBroken):
        vault.open(sealed, "inbox:1")
    with pytest.raises(SealBroken):
        vault.tenant_key(OUTSIDER, wrapped)


def test_a_shredded_tenant_stays_unreadable_for_whoever_holds_the_master_key(vault: Vault) -> None:
    wrapped = vault.new_data_key(ACME)
    sealed = vault.tenant_key(ACME, wrapped).seal(b"lead", "inbox:1")

    vault.forget(ACME)
    successor = vault.tenant_key(ACME, vault.new_data_key(ACME))

    for reader in (successor, vault):
        with pytest.raises(SealBroken):
            reader.open(sealed, "inbox:1")


def test_unwrapped_keys_are_remembered_bounded_and_forgotten(vault: Vault, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("draggonnb_pipelines.resources.vault.UNWRAPPED_KEYS_KEPT", 2)
    tenants = [uuid.UUID(int=n) for n in range(3)]
    wrapped = {tenant: vault.new_data_key(tenant) for tenant in tenants}
    first, second, third = (vault.tenant_key(tenant, wrapped[tenant]) for tenant in tenants)

    assert vault.tenant_key(tenants[2], wrapped[tenants[2]]) is third
    assert vault.tenant_key(tenants[1], wrapped[tenants[1]]) is second
    assert vault.tenant_key(tenants[0], wrapped[tenants[0]]) is not first
    vault.forget(tenants[1])
    assert vault.tenant_key(tenants[1], wrapped[tenants[1]]) is not second


def test_tokens_are_stable_and_differ_by_tenant_purpose_and_subject() -> None:
    key = TenantKey(ACME, bytes(range(32)))

    assert key.derive_token("proposal", "p1") == "XbOEooBHmvENOBimYaa74QRmjYYThy7jz9_uR4vVWhs"
    others = {
        key.derive_token("proposal", "p2"),
        key.derive_token("proposalp", "1"),
        key.derive_token("invoice", "p1"),
        TenantKey(OUTSIDER, bytes(range(1, 33))).derive_token("proposal", "p1"),
    }
    assert len(others) == 4
    assert "XbOEooBHmvENOBimYaa74QRmjYYThy7jz9_uR4vVWhs" not in others
    assert {len(token) for token in others} == {43}


@pytest.mark.parametrize(
    "setting",
    [
        "",
        "k1",
        ":AAAA",
        "k1:",
        "k 1:" + OLD[4:],
        "k1:not base64!",
        "k1:" + base64.b64encode(bytes(range(16))).decode(),
        "k1:" + base64.b64encode(bytes(32)).decode(),
        f"{OLD},",
        f"{OLD},{OLD}",
        "k" * 33 + ":" + OLD[4:],
    ],
)
def test_a_malformed_setting_is_named_without_quoting_the_key(setting: str) -> None:
    with pytest.raises(OperatorError, match="DRAGGONNB_MASTER_KEYS") as caught:
        Vault(setting)

    assert OLD[4:] not in str(caught.value)
    assert "openssl rand -base64 32" in caught.value.remedy


def test_keys_do_not_leak_through_repr_or_pickle(vault: Vault) -> None:
    key = vault.tenant_key(ACME, vault.new_data_key(ACME))

    assert repr(vault) == "Vault(current_key_id='old', keys=1)"
    assert repr(key) == f"TenantKey(organization_id={ACME})"
    for secret in (vault, key):
        with pytest.raises(TypeError, match="never pickled"):
            pickle.dumps(secret)
