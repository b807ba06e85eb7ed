"""Connections that lie idle: what the server ended meanwhile is not lent again."""

import contextlib

import psycopg

from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.resources.postgres import MasterDb, Tenants, dsn_for


def end_all(server_dsn: str, dsn: str) -> int:
    """The server ends every session of a database, as a restart does."""
    with psycopg.connect(dsn) as conn:
        name = conn.info.dbname
    ended = (
        "select pg_terminate_backend(pid, 5000) from pg_stat_activity where datname = %s and pid <> pg_backend_pid()"
    )
    with psycopg.connect(server_dsn, autocommit=True) as conn:
        return conn.execute(ended, (name,)).rowcount


async def test_of_the_master_database_a_dead_connection_is_not_lent_again(
    master: MasterDb, master_dsn: str, postgres_dsn: str
):
    async with contextlib.AsyncExitStack() as held:
        for _ in range(3):
            await held.enter_async_context(master.connection())
    ended = end_all(postgres_dsn, master_dsn)

    async with contextlib.AsyncExitStack() as held:
        answers = [await (await held.enter_async_context(master.connection())).execute("select 1") for _ in range(3)]

    assert ended >= 3
    assert [await answer.fetchone() for answer in answers] == [{"?column?": 1}] * 3


async def test_of_a_tenants_database_neither(
    tenants: Tenants, agency: Organization, outsider: Organization, postgres_dsn: str
):
    async with tenants.open(agency), tenants.open(agency), tenants.open(outsider) as tenant:
        [kept] = await (await tenant.conn.execute("select pg_backend_pid() as pid")).fetchall()
    ended = end_all(postgres_dsn, dsn_for(postgres_dsn, str(agency.database_name)))

    async with tenants.open(agency) as first, tenants.open(agency) as second, tenants.open(outsider) as other:
        answers = [await (await one.conn.execute("select 1 as one")).fetchone() for one in (first, second)]
        [still] = await (await other.conn.execute("select pg_backend_pid() as pid")).fetchall()

    assert ended >= 2
    assert answers == [{"one": 1}] * 2
    assert still == kept
