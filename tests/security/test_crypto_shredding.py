"""A client's key is erased: nothing that was sealed for it opens any more, in the database or in a dump of it."""

import asyncio
import re
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import uuid4

import pytest

from draggonnb_pipelines.domain.inbox import parsed_context, raw_context
from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.errors import TenantUnavailable
from draggonnb_pipelines.resources.backup_files import matching_program
from draggonnb_pipelines.resources.database_names import drop_tenant_database
from draggonnb_pipelines.resources.postgres import MasterDb, Tenants, dsn_for
from draggonnb_pipelines.resources.vault import SealBroken, Vault, data_key_context
from draggonnb_pipelines.sql import load_queries
from draggonnb_pipelines.workflows.operations.key_rotation import reseal_all
from tests.conftest import MASTER_KEYS, MakeOrganization

OFFBOARDING = load_queries("offboarding")
ORGANIZATIONS = load_queries("organizations")
SECRET = b"the roast of the year is Yirgacheffe"
NEW = "new:ZGVmZ2hpamtsbW5vcHFyc3R1dnd4eXp7fH1+f4CBgoM="
# An envelope of a client's key, as pg_dump writes binary values.
ENVELOPE = re.compile(rb"\\\\x(010f74656e616e742d[0-9a-f]{50,})")


async def fill(master: MasterDb, tenants: Tenants, client: Organization) -> None:
    """One value in each column that is sealed with a client's key."""
    key = tenants.key(client)
    raw, parsed = (key.seal(SECRET, context(client.id)) for context in (raw_context, parsed_context))
    async with master.connection() as conn:
        await conn.execute(
            "insert into inbox (organization_id, topic, source, delivery_id, raw_sealed, parsed_sealed)"
            " values (%s, 'leads', 'web_form', 'd-1', %s, %s)",
            [client.id, raw, parsed],
        )
        await conn.execute(
            "insert into stack_resources (organization_id, step, name, vendor, mark, secrets_sealed)"
            " values (%s, 'supabase_project', 'db', 'supabase', 'mark', %s)",
            [client.id, key.seal(SECRET, "stack_resources")],
        )
    async with tenants.open(client) as tenant:
        account = uuid4()
        await tenant.conn.execute(
            "insert into social_accounts (id, platform_id, external_id, credentials) values (%s, 'x', '1', %s)",
            [account, key.seal(SECRET, f"social_account:{client.id}:{account}")],
        )
        await tenant.conn.execute(
            "insert into n8n_webhooks (webhook_type, webhook_url, token_sealed)"
            " values ('leads', 'https://n8n.example', %s)",
            [key.seal(SECRET, "n8n_webhooks:token")],
        )


async def dump(dsn: str, path: Path) -> bytes:
    """Plain SQL, as whoever steals a backup would read it."""
    program = await matching_program("pg_dump", dsn)
    command = [program, "--dbname", dsn, "--file", path]
    await asyncio.to_thread(subprocess.run, command, check=True, capture_output=True)
    return await asyncio.to_thread(path.read_bytes)


def envelopes(*dumps: bytes) -> list[bytes]:
    return [bytes.fromhex(found.decode()) for text in dumps for found in ENVELOPE.findall(text)]


@pytest.fixture
async def client(make_organization: MakeOrganization, master_dsn: str) -> AsyncIterator[Organization]:
    """Erased by the test: then master does not name its database any more."""
    made = await make_organization("kloof-coffee")
    yield made
    assert made.database_name
    await drop_tenant_database(master_dsn, made.database_name, made.id)


async def erase_key(master: MasterDb, client: Organization) -> None:
    async with master.connection() as conn:
        await OFFBOARDING.shred(conn, organization_id=client.id)


async def organization_of(master: MasterDb, slug: str) -> Organization:
    async with master.connection() as conn:
        return Organization(**await ORGANIZATIONS.get_organization(conn, slug=slug))


async def data_key_of(master: MasterDb, slug: str) -> bytes:
    wrapped = (await organization_of(master, slug)).data_key_wrapped
    assert wrapped is not None
    return wrapped


async def test_without_the_clients_key_nothing_sealed_opens_in_the_database_or_in_a_dump(
    master: MasterDb,
    tenants: Tenants,
    master_dsn: str,
    vault: Vault,
    tmp_path: Path,
    client: Organization,
    outsider: Organization,
) -> None:
    await fill(master, tenants, client)
    await fill(master, tenants, outsider)
    assert client.database_name
    tenant_dump = await dump(dsn_for(master_dsn, client.database_name), tmp_path / "tenant.sql")

    await erase_key(master, client)
    vault.forget(client.id)

    master_dump = await dump(master_dsn, tmp_path / "master.sql")
    sealed = envelopes(tenant_dump, master_dump)
    theirs = vault.tenant_key(outsider.id, await data_key_of(master, "outsider"))
    # 2 inbox bodies, 1 stack secret and 2 tenant values are the client's; the outsider has its own 3 in master.
    assert len(sealed) == 5 + 3
    opened = 0
    for envelope in sealed:
        for context in (raw_context(outsider.id), parsed_context(outsider.id), "stack_resources"):
            try:
                opened += theirs.open(envelope, context) == SECRET
            except SealBroken:
                continue
        with pytest.raises(SealBroken):
            vault.open(envelope, raw_context(client.id))
    assert opened == 3
    assert SECRET not in tenant_dump + master_dump
    with pytest.raises(TenantUnavailable, match="its data key was erased"):
        tenants.key(await organization_of(master, "kloof-coffee"))


async def test_a_dump_from_before_the_erasure_opens_until_the_master_key_of_that_time_is_given_up(
    master: MasterDb,
    tenants: Tenants,
    master_dsn: str,
    vault: Vault,
    tmp_path: Path,
    client: Organization,
) -> None:
    await fill(master, tenants, client)
    before = await dump(master_dsn, tmp_path / "before.sql")
    wrapped = await data_key_of(master, "kloof-coffee")
    assert wrapped.hex().encode() in before

    await erase_key(master, client)
    rotating = Vault(f"{NEW},{MASTER_KEYS}")
    await reseal_all(master, rotating)

    [raw, *_] = envelopes(before)
    assert vault.tenant_key(client.id, wrapped).open(raw, raw_context(client.id)) == SECRET
    with pytest.raises(SealBroken, match="which DRAGGONNB_MASTER_KEYS does not hold"):
        Vault(NEW).open(wrapped, data_key_context(client.id))
    assert (await organization_of(master, "kloof-coffee")).data_key_wrapped is None
