"""While a client's database is being moved its webhooks are taken in and its pages ask for patience; nobody else's."""

from uuid import uuid4

import httpx

from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.resources.database_names import rename
from draggonnb_pipelines.resources.postgres import MasterDb, Tenants
from draggonnb_pipelines.sql import load_queries
from tests.api.conftest import Api, token_of
from tests.api.post_reviews import PostReviews
from tests.conftest import MakeOrganization

INBOX = load_queries("inbox")
HOLD = "update organizations set held_since = case when %s then now() end where slug = 'kloof-coffee'"


async def test_a_held_clients_deliveries_wait_in_the_inbox_until_it_is_held_no_more(
    api: Api, http: httpx.AsyncClient, master: MasterDb, make_organization: MakeOrganization, outsider: Organization
) -> None:
    client = await make_organization("kloof-coffee")
    name = str(client.database_name)
    api.execute(HOLD, True)
    await rename(api.master_dsn, [(name, f"{name}_left")])
    try:
        answers = [
            await http.post(f"/webhook/{one.slug}/leads", json={"email": "a@b.example"}, headers=token_of(one))
            for one in (client, outsider)
        ]
        during = await _given_out(master)
    finally:
        await rename(api.master_dsn, [(f"{name}_left", name)])
    api.execute(HOLD, False)
    after = await _given_out(master)

    assert [answer.status_code for answer in answers] == [202, 202]
    assert (during, after) == ({outsider.id}, {client.id})


async def test_a_held_clients_page_asks_for_patience_and_anothers_is_shown(
    api: Api,
    http: httpx.AsyncClient,
    master: MasterDb,
    tenants: Tenants,
    make_organization: MakeOrganization,
    outsider: Organization,
) -> None:
    client = await make_organization("kloof-coffee")
    tokens = [await PostReviews(one, master, tenants).add() for one in (client, outsider)]
    name = str(client.database_name)
    api.execute(HOLD, True)
    await rename(api.master_dsn, [(name, f"{name}_left")])
    try:
        held, other = [await http.get(f"/reviews/{token}") for token in tokens]
    finally:
        await rename(api.master_dsn, [(f"{name}_left", name)])
    api.execute(HOLD, False)
    after = await http.get(f"/reviews/{tokens[0]}")

    assert (held.status_code, held.headers["retry-after"]) == (503, "30")
    assert "We will be back in a moment" in held.text
    assert (other.status_code, after.status_code) == (200, 200)


async def _given_out(master: MasterDb) -> set[object]:
    """Whose rows a sensor's tick gives to runs."""
    async with master.connection() as conn:
        rows = INBOX.dispatch_batch(
            conn, topic="leads", lane="ordinary", crowd_rows=100, shards=1, shard=0, row_limit=10, batch_id=uuid4(),
            lease_seconds=60,
        )  # fmt: skip
        ids = [row["id"] async for row in rows]
        found = await conn.execute("select organization_id from inbox where id = any(%s)", [ids])
        return {row["organization_id"] for row in await found.fetchall()}
