"""A rotation of the master keys: all of it, killed in the middle, beside writers, and beside who lacks the key."""

import base64
import uuid
from collections import Counter
from datetime import timedelta
from pathlib import Path

import psycopg
import pytest
from pydantic import SecretStr

from draggonnb_pipelines.domain.inbox import webhook_secret_context
from draggonnb_pipelines.domain.itn import RAW_CONTEXT
from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.errors import OperatorError
from draggonnb_pipelines.resources.postgres import MasterDb, Tenants, sealed_dsn_context, server_dsn_context
from draggonnb_pipelines.resources.stack import open_stack
from draggonnb_pipelines.resources.vault import SealBroken, Vault
from draggonnb_pipelines.workflows.billing.subscription_changes import token_context
from draggonnb_pipelines.workflows.operations import key_rotation
from draggonnb_pipelines.workflows.operations.backups import back_up_all
from draggonnb_pipelines.workflows.operations.key_rotation import (
    backups_by_key,
    other_holders,
    reseal_all,
    rows_by_key,
)
from tests.conftest import MASTER_KEYS, MakeOrganization
from tests.workflows.backup_work import BY, at, settings_of

NEW = "new:" + base64.b64encode(bytes(range(100, 132))).decode()
BOTH = Vault(f"{NEW},{MASTER_KEYS}")
OLD = Vault(MASTER_KEYS)
DSN = "postgresql://postgres@db.example/postgres"
ITN = b"m_payment_id=1"
PAYMENTS = 7
SERVER = uuid.UUID(int=2)


@pytest.fixture
async def client(
    master: MasterDb, make_organization: MakeOrganization, monkeypatch: pytest.MonkeyPatch
) -> Organization:
    """A client with one value in each sealed column, and seven payments; batches are of three rows."""
    monkeypatch.setattr(key_rotation, "BATCH_ROWS", 3)
    client, hosted = await make_organization("kloof-coffee"), uuid.uuid4()
    subscription = uuid.uuid4()
    async with master.connection() as conn:
        await conn.execute(
            "insert into organizations (id, slug, name, dsn_sealed) values (%s, 'hosted', 'Hosted', %s)",
            [hosted, OLD.seal(DSN.encode(), sealed_dsn_context(hosted))],
        )
        await conn.execute(
            "insert into database_servers (id, name, dsn_sealed) values (%s, 'pg-2', %s)",
            [SERVER, OLD.seal(DSN.encode(), server_dsn_context(SERVER))],
        )
        await conn.execute(
            "insert into subscriptions (id, organization_id, plan_key, m_payment_id, amount_cents,"
            " payfast_token_sha256, payfast_token_sealed) values (%s, %s, 'starter', 'm1', 150000, sha256('t'), %s)",
            [subscription, client.id, OLD.seal(b"token", token_context(subscription))],
        )
        for number in range(PAYMENTS):
            await conn.execute(
                "insert into payments (raw_sealed, raw_sha256, source_ip) values (%s, sha256(%s), '127.0.0.1')",
                [OLD.seal(ITN, RAW_CONTEXT), str(number).encode()],
            )
    return client


async def sealed(master: MasterDb, query: str) -> list[dict]:
    async with master.connection() as conn:
        return await (await conn.execute(query.encode())).fetchall()


ALL = Counter(
    {
        "database_servers.dsn_sealed": 1,
        "organizations.data_key_wrapped": 1,
        "organizations.dsn_sealed": 1,
        "organizations.webhook_secret_sealed": 1,
        "subscriptions.payfast_token_sealed": 1,
        "payments.raw_sealed": PAYMENTS,
    }
)


async def test_everything_rests_on_the_new_key_afterwards_and_opens_with_it_alone(
    master: MasterDb, client: Organization, master_dsn: str, tenants: Tenants
) -> None:
    assert await rows_by_key(master) == {"test": ALL}
    token = tenants.key(client).derive_token("webhook", str(client.id))
    looked_at: list[int] = []

    done = await reseal_all(master, BOTH, on_progress=looked_at.append)

    assert (done.resealed, done.unopened, sum(looked_at)) == (ALL.total(), Counter(), ALL.total())
    assert await rows_by_key(master) == {"new": ALL}
    new = Vault(NEW)
    [row] = await sealed(master, "select * from organizations where slug = 'kloof-coffee'")
    assert new.open(row["webhook_secret_sealed"], webhook_secret_context(client.id))
    rewrapped = new.tenant_key(client.id, row["data_key_wrapped"])
    assert rewrapped.derive_token("webhook", str(client.id)) == token
    [hosted] = await sealed(master, "select id, dsn_sealed from organizations where slug = 'hosted'")
    assert new.open(hosted["dsn_sealed"], sealed_dsn_context(hosted["id"])) == DSN.encode()
    [server] = await sealed(master, "select id, dsn_sealed from database_servers where name = 'pg-2'")
    assert new.open(server["dsn_sealed"], server_dsn_context(server["id"])) == DSN.encode()
    [paid] = await sealed(master, "select id, payfast_token_sealed from subscriptions")
    assert new.open(paid["payfast_token_sealed"], token_context(paid["id"])) == b"token"
    raws = await sealed(master, "select raw_sealed from payments")
    assert [new.open(row["raw_sealed"], RAW_CONTEXT) for row in raws] == [ITN] * PAYMENTS
    with pytest.raises(SealBroken):
        OLD.tenant_key(client.id, row["data_key_wrapped"])


async def test_a_second_rotation_finds_nothing_to_do(master: MasterDb, client: Organization) -> None:
    await reseal_all(master, BOTH)
    before = await sealed(master, "select id, raw_sealed from payments order by id")

    again = await reseal_all(master, BOTH)

    assert (again.resealed, again.unopened) == (0, Counter())
    assert await sealed(master, "select id, raw_sealed from payments order by id") == before


async def test_a_rotation_that_was_killed_goes_on_where_it_was(master: MasterDb, client: Organization) -> None:
    class Killed(Exception):
        pass

    seen = 0

    def die(rows: int) -> None:
        nonlocal seen
        seen += rows
        if seen >= 7:
            raise Killed

    with pytest.raises(Killed):
        await reseal_all(master, BOTH, on_progress=die)
    halfway = await rows_by_key(master)
    assert (halfway["new"].total(), halfway["test"]) == (8, Counter({"payments.raw_sealed": 4}))

    rest = await reseal_all(master, BOTH)

    assert rest.resealed == 4
    assert await rows_by_key(master) == {"new": ALL}


async def test_a_value_that_is_written_meanwhile_is_never_overwritten(master: MasterDb, client: Organization) -> None:
    """Between the read and the write of a batch, another process stores another token."""
    [row] = await sealed(master, "select id from subscriptions")
    fresh = BOTH.seal(b"another token", token_context(row["id"]))
    real = BOTH.reseal

    class Slow(Vault):
        def reseal(self, sealed: bytes, context: str) -> bytes:
            if context == token_context(row["id"]):
                with psycopg.connect(master.dsn, autocommit=True) as conn:
                    conn.execute("update subscriptions set payfast_token_sealed = %s", [fresh])
            return real(sealed, context)

    done = await reseal_all(master, Slow(f"{NEW},{MASTER_KEYS}"))

    assert done.resealed == ALL.total() - 1
    [kept] = await sealed(master, "select payfast_token_sealed from subscriptions")
    assert Vault(NEW).open(kept["payfast_token_sealed"], token_context(row["id"])) == b"another token"


async def test_what_no_key_opens_is_counted_and_left_and_the_rest_is_resealed(
    master: MasterDb, client: Organization
) -> None:
    lost = Vault("lost:" + base64.b64encode(bytes(range(50, 82))).decode()).seal(ITN, RAW_CONTEXT)
    moved = OLD.seal(ITN, "another place")
    async with master.connection() as conn:
        for number, raw in enumerate((lost, moved, b"no envelope")):
            await conn.execute(
                "insert into payments (raw_sealed, raw_sha256) values (%s, sha256(%s))", [raw, f"x{number}".encode()]
            )

    done = await reseal_all(master, BOTH)

    assert (done.resealed, done.unopened) == (ALL.total(), Counter({"payments.raw_sealed": 3}))
    one = Counter({"payments.raw_sealed": 1})
    assert await rows_by_key(master) == {"new": ALL, "lost": one, "test": one, "?": one}


async def test_a_process_without_the_new_key_stops_it_before_anything_is_changed(
    master: MasterDb, master_dsn: str, client: Organization
) -> None:
    async with MasterDb(master_dsn, max_connections=1, name=BOTH.session_name):
        async with MasterDb(master_dsn, max_connections=1, name=OLD.session_name):
            held = await other_holders(master)
            with pytest.raises(OperatorError, match="1 database sessions are of processes that do not hold the key"):
                await reseal_all(master, BOTH)
        assert await rows_by_key(master) == {"test": ALL}
        done = await reseal_all(master, BOTH)

    old, new = OLD.fingerprints["test"], BOTH.fingerprints["new"]
    assert sorted(held) == sorted([(new, old), (old,)])
    assert done.resealed == ALL.total()


def test_a_fingerprint_tells_keys_apart_and_is_no_part_of_the_key() -> None:
    other = Vault("test:" + base64.b64encode(bytes(range(32))).decode())

    assert OLD.fingerprints["test"] != other.fingerprints["test"]
    assert BOTH.session_name == f"draggonnb keys {BOTH.fingerprints['new']} {OLD.fingerprints['test']}"
    assert bytes.fromhex(other.fingerprints["test"]) not in bytes(range(32))
    many = Vault(",".join(f"k{n}:{base64.b64encode(bytes(range(n, n + 32))).decode()}" for n in range(8)))
    assert len(many.session_name) == 63


async def test_a_backup_during_a_rotation_needs_both_keys_and_one_after_it_the_new_one(
    client: Organization, master: MasterDb, master_dsn: str, tmp_path: Path
) -> None:
    """A value that only k1 opens is in the dump, whatever its file is sealed with."""
    settings = settings_of(master_dsn, tmp_path, 1).model_copy(
        update={"master_keys": SecretStr(f"{NEW},{MASTER_KEYS}")}
    )
    async with open_stack(settings) as stack:
        await back_up_all(stack, [], by=BY)
    during = await backups_by_key(master)
    await reseal_all(master, BOTH)
    async with open_stack(settings) as stack:
        await back_up_all(at(stack, stack.now() + timedelta(days=1)), [], by=BY)

    assert during == {"new": 1, "test": 1}
    assert await backups_by_key(master) == {"new": 2, "test": 1}
