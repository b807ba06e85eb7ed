"""Leads that a restored client's database does not know are worked off from their beginning, whoever had them."""

from pathlib import Path

import pytest

from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.resources.stack import Stack, open_stack
from draggonnb_pipelines.workflows.leads.leads import capture_leads, research_companies
from draggonnb_pipelines.workflows.operations.backups import back_up_all
from draggonnb_pipelines.workflows.operations.restores import restore_tenant
from draggonnb_pipelines.workflows.operations.server_restores import restore_server
from tests.conftest import MakeOrganization
from tests.sandbox_process import Sandbox
from tests.workflows.backup_work import BY, dsn_of, rows, settings_of
from tests.workflows.lead_work import claim, deliver, enquiry, work_through
from tests.workflows.operations.test_server_restores import lose

CAPTURE = (capture_leads,)
COMPANIES = "select company from contacts order by 1"
STATES = "select delivery_id, state, stage, attempts from inbox order by 1"


def companies(stack: Stack, client: Organization) -> list[str]:
    return [row["company"] for row in rows(dsn_of(stack, client), COMPANIES)]


async def test_a_lead_that_a_run_has_in_hand_is_taken_from_that_run_and_worked_off_anew(
    backup_stack: Stack, client: Organization, bystander: Organization
):
    await back_up_all(backup_stack, by=BY)
    await deliver(backup_stack, client, enquiry(), "form-1")
    await deliver(backup_stack, bystander, enquiry(), "form-2")
    batch = await claim(backup_stack)
    await capture_leads(backup_stack, batch)

    done = await restore_tenant(backup_stack, client.slug, by=BY)
    await research_companies(backup_stack, batch)
    left = rows(backup_stack.master.dsn, STATES)
    worked = await work_through(backup_stack, "run-2", steps=CAPTURE)

    assert done.replayed_leads == 1
    assert left == [
        {"delivery_id": "form-1", "state": "received", "stage": 0, "attempts": 0},
        {"delivery_id": "form-2", "state": "claimed", "stage": 2, "attempts": 0},
    ]
    assert (worked.problems, companies(backup_stack, client)) == ({}, ["Kloof Street Coffee"])
    assert companies(backup_stack, bystander) == ["Kloof Street Coffee"]


@pytest.mark.parametrize(
    ("state", "stage", "has_lead", "is_replayed"),
    [
        ("received", 3, True, True),
        ("received", 0, True, True),
        ("received", 0, False, False),
        ("dead", 2, True, True),
        ("dead", 0, False, False),
        ("claimed", 0, False, True),
    ],
)
async def test_what_was_captured_or_is_being_captured_begins_anew_and_the_rest_is_left_alone(
    backup_stack: Stack, client: Organization, state: str, stage: int, has_lead: bool, is_replayed: bool
):
    put = """insert into inbox (organization_id, topic, source, delivery_id, parsed_sealed, state, stage, attempts,
                                lead_id, batch_id, lease_until, finished_at, run_id)
             values (%s, 'leads', 'web', 'form-1', 'sealed', %s, %s, 4, case when %s then gen_random_uuid() end,
                     gen_random_uuid(), now() + interval '1 hour', now() + interval '1 hour', 'run-1')"""
    rows(backup_stack.master.dsn, put, client.id, state, stage, has_lead)
    await back_up_all(backup_stack, by=BY)

    done = await restore_tenant(backup_stack, client.slug, by=BY)

    found = rows(backup_stack.master.dsn, "select state, stage, attempts, run_id, batch_id is null as free from inbox")
    anew = {"state": "received", "stage": 0, "attempts": 0, "run_id": None, "free": True}
    as_before = {"state": state, "stage": stage, "attempts": 4, "run_id": "run-1", "free": False}
    assert (done.replayed_leads, found) == (1, [anew]) if is_replayed else (0, [as_before])


async def test_a_lead_that_ends_while_the_restore_is_at_work_is_not_lost(backup_stack: Stack, client: Organization):
    put = """insert into inbox (organization_id, topic, source, delivery_id, parsed_sealed, state, stage, finished_at)
             values ('{0}', 'leads', 'web', '{1}', 'sealed', 'done', 6, now() + interval '1 hour')
             on conflict do nothing"""
    await back_up_all(backup_stack, by=BY)
    rows(backup_stack.master.dsn, put.format(client.id, "form-1"))  # pyright: ignore[reportArgumentType]
    # The moment after the restore has looked for leads the first time.
    late = f"""create function ends_late() returns trigger language plpgsql as $$
               begin {put.format(client.id, "form-2")}; return null; end $$;
               create trigger ends_late after update on inbox execute function ends_late()"""
    rows(backup_stack.master.dsn, late)  # pyright: ignore[reportArgumentType]

    done = await restore_tenant(backup_stack, client.slug, by=BY)

    found = rows(backup_stack.master.dsn, "select delivery_id, state, not_before <= now() as may_go from inbox")
    assert sorted(found, key=str) == [
        {"delivery_id": "form-1", "state": "received", "may_go": True},
        {"delivery_id": "form-2", "state": "received", "may_go": True},
    ]
    assert done.replayed_leads == 2


async def test_a_lead_whose_body_is_gone_is_not_worked_off_again(backup_stack: Stack, client: Organization):
    put = """insert into inbox (organization_id, topic, source, delivery_id, state, stage, finished_at)
             values (%s, 'leads', 'web', 'form-1', 'done', 6, now() + interval '1 hour')"""
    rows(backup_stack.master.dsn, put, client.id)
    await back_up_all(backup_stack, by=BY)

    done = await restore_tenant(backup_stack, client.slug, by=BY)

    assert done.replayed_leads == 0
    assert rows(backup_stack.master.dsn, "select state, stage from inbox") == [{"state": "done", "stage": 6}]


async def test_leads_that_the_masters_backup_knows_and_a_clients_older_one_does_not_come_back_with_the_server(
    master_dsn: str, make_organization: MakeOrganization, sandbox: Sandbox, tmp_path: Path
):
    settings = settings_of(master_dsn, tmp_path, sandbox.port)
    client = await make_organization("kloof-coffee")
    async with open_stack(settings) as stack:
        await back_up_all(stack, by=BY)
        await deliver(stack, client, enquiry(), "form-1")
        await work_through(stack, steps=CAPTURE)
        done = "update inbox set state = 'done', stage = 6, finished_at = now(), lease_until = null"
        rows(master_dsn, done)
        await back_up_all(stack, [], by=BY)
    await lose(settings, [client])

    await restore_server(settings, by=BY)

    async with open_stack(settings) as stack:
        assert rows(master_dsn, "select state, not_before <= now() as may_go from inbox") == [
            {"state": "received", "may_go": True}
        ]
        worked = await work_through(stack, "run-2", steps=CAPTURE)
        assert (worked.problems, companies(stack, client)) == ({}, ["Kloof Street Coffee"])
