"""A client that does not pay is not served, loses nothing, and goes on where it was when it pays."""

import pytest

from draggonnb_pipelines.errors import OperatorError, VendorError
from draggonnb_pipelines.workflows.billing.standing import align_standings, resume, suspend
from draggonnb_pipelines.workflows.publishing.agenda import AGENDA, note_due
from tests.sandbox_process import Sandbox
from tests.workflows.client_desk import Desk
from tests.workflows.lead_work import master_rows
from tests.workflows.stood_up import SLUG, impatient, provision_row, with_entries

STANDINGS = "select details ->> 'standing' as standing from stack_resources where step = 'n8n_webhooks'"


async def status_of(desk: Desk) -> str:
    [row] = await master_rows(desk.stack, "select status from organizations where slug = %s", SLUG)
    return row["status"]


def answering(sandbox: Sandbox) -> int:
    return sum(one["active"] for one in sandbox.public("n8n"))


async def audited(desk: Desk) -> list[str]:
    query = "select action from audit_log where action in ('organization.suspended', 'organization.active') order by id"
    return [row["action"] for row in await master_rows(desk.stack, query)]


async def due(desk: Desk) -> list[str]:
    async with desk.stack.master.connection() as conn:
        rows = AGENDA.agenda_of(conn, slugs=[SLUG], shards=1, shard=0)
        return [row["slug"] async for row in rows]


@pytest.fixture
async def served(desk: Desk) -> Desk:
    await provision_row(desk, "done")
    await with_entries(desk)
    await note_due(desk.stack.master, desk.client.organization.id, desk.stack.now())
    return desk


async def test_suspended_its_entries_are_silent_and_nothing_of_it_is_due(served: Desk, sandbox: Sandbox):
    is_new = await suspend(served.stack, SLUG, by="test", reason="not paid")
    again = await suspend(served.stack, SLUG, by="test", reason="not paid")

    assert (is_new, again) == (True, False)
    assert await status_of(served) == "suspended"
    assert answering(sandbox) == 0
    assert await due(served) == []
    assert await audited(served) == ["organization.suspended"]
    assert [one["archived"] for one in sandbox.public("n8n")] == [False] * 3


async def test_resumed_it_is_served_as_before(served: Desk, sandbox: Sandbox):
    await suspend(served.stack, SLUG, by="test", reason="not paid")

    is_new = await resume(served.stack, SLUG, by="test", reason="paid")
    again = await resume(served.stack, SLUG, by="test", reason="paid")

    assert (is_new, again) == (True, False)
    assert await status_of(served) == "active"
    assert answering(sandbox) == 3
    assert await due(served) == [SLUG]
    assert await audited(served) == ["organization.suspended", "organization.active"]


@pytest.mark.parametrize("kind", ["accept_then_drop", "drop_before_accept"])
async def test_a_silent_n8n_delays_only_the_entries_and_they_follow_later(served: Desk, sandbox: Sandbox, kind: str):
    sandbox.faults("POST /n8n/api/v1/workflows/{id}/unpublish", {"kind": kind}, repeat=True)
    async with impatient(served) as hasty:
        with pytest.raises(VendorError):
            await suspend(hasty.stack, SLUG, by="test", reason="not paid")
        troubles = await align_standings(hasty.stack)
    assert await status_of(served) == "suspended"
    assert list(troubles) == [SLUG]

    sandbox.clear_faults()
    assert await align_standings(served.stack) == {}

    assert answering(sandbox) == 0
    assert {row["standing"] for row in await master_rows(served.stack, STANDINGS)} == {"stopped"}


async def test_a_call_that_was_cut_off_is_made_good_whatever_the_status_is_then(served: Desk, sandbox: Sandbox):
    """Unpublished, killed before that was written down, then paid."""
    sandbox.faults("POST /n8n/api/v1/workflows/{id}/unpublish", {"kind": "accept_then_drop"}, repeat=True)
    async with impatient(served) as hasty:
        with pytest.raises(VendorError):
            await suspend(hasty.stack, SLUG, by="test", reason="not paid")
    assert answering(sandbox) == 2

    await resume(served.stack, SLUG, by="test", reason="paid")

    assert answering(sandbox) == 3


async def test_who_set_the_status_does_not_matter(served: Desk, sandbox: Sandbox):
    async with served.stack.master.connection() as conn:
        await conn.execute("update organizations set status = 'suspended' where slug = %s", (SLUG,))

    assert await align_standings(served.stack) == {}
    asked = len(sandbox.journal("n8n"))
    assert await align_standings(served.stack) == {}

    assert answering(sandbox) == 0
    assert len(sandbox.journal("n8n")) == asked


async def test_a_client_that_is_not_served_yet_is_not_suspended(served: Desk, sandbox: Sandbox):
    async with served.stack.master.connection() as conn:
        await conn.execute("update organizations set status = 'provisioning' where slug = %s", (SLUG,))

    with pytest.raises(OperatorError, match="is provisioning"):
        await suspend(served.stack, SLUG, by="test", reason="not paid")

    assert answering(sandbox) == 3
    assert await audited(served) == []
