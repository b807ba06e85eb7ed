"""The welcome: one person in Auth and in the client's database, one mail, one link that works."""

import asyncio
import dataclasses
import re
from typing import Any

import httpx
import psycopg
import pytest

from draggonnb_pipelines.domain.provisioning import stable_id
from draggonnb_pipelines.errors import ErrorClass, NeedsReview, VendorError
from draggonnb_pipelines.resources.postgres import dsn_for
from draggonnb_pipelines.workflows.provisioning.onboarding_email import onboarding_email
from draggonnb_pipelines.workflows.provisioning.stack_ledger import NotYet
from tests.sandbox_process import Sandbox
from tests.supabase_calls import management
from tests.workflows.client_desk import OWNER, Desk, cut_at_each_reading, cut_off, settled
from tests.workflows.lead_work import tenant_rows
from tests.workflows.outbox import after

USERS = "POST /supabase/projects/{ref}/auth/v1/admin/users"
ROUTES = (
    USERS,
    "PATCH /supabase/v1/projects/{ref}/config/auth",
    "POST /supabase/projects/{ref}/auth/v1/admin/generate_link",
)
PEOPLE = "select auth_user_id::text as auth_id, email, full_name, phone_e164, role from users order by email"


pytestmark = pytest.mark.usefixtures("supabase_sandbox")


async def auth_people(postgres_dsn: str, ref: str) -> list[tuple[str, str]]:
    """Id and address of everybody in the project's Auth."""
    async with await psycopg.AsyncConnection.connect(dsn_for(postgres_dsn, f"supabase_{ref}")) as conn:
        rows = await (await conn.execute("select id::text, email from auth.users order by email")).fetchall()
    return [(row[0], row[1]) for row in rows]


def link_in(mail: dict[str, Any]) -> str:
    [link] = re.findall(r"http\S+/verify\S+", mail["text"])
    return link


async def opened(link: str) -> str:
    async with httpx.AsyncClient() as browser:
        return (await browser.get(link)).headers["location"]


def minted(sandbox: Sandbox) -> int:
    return len([entry for entry in sandbox.journal() if entry["path"].endswith("/admin/generate_link")])


async def assert_one_welcome(desk: Desk, sandbox: Sandbox, postgres_dsn: str, ref: str) -> None:
    assert await auth_people(postgres_dsn, ref) == [(str(stable_id(desk.client, OWNER)), OWNER)]
    [mail] = sandbox.public("mail")
    assert mail["recipient"] == OWNER
    assert "#access_token=" in await opened(link_in(mail)), "the link of the mail that was sent is the one that works"
    people = await tenant_rows(desk.stack, desk.client.organization, PEOPLE)
    assert [(one["auth_id"], one["email"]) for one in people] == [(str(stable_id(desk.client, OWNER)), OWNER)]


async def test_the_owner_gets_one_mail_whose_link_leads_into_the_app(
    desk: Desk, sandbox: Sandbox, postgres_dsn: str
) -> None:
    ref = await desk.with_project(sandbox)

    resource = await onboarding_email(desk.ledger)
    again = await onboarding_email(desk.ledger)

    [mail] = sandbox.public("mail")
    assert mail["transmissions"] == 1
    assert mail["subject"] == "Welcome: Kloof Coffee is ready for you to sign in"
    assert "Hello The owner," in mail["text"]
    app = f"{sandbox.url}/vercel/sites/kloof-coffee.draggonnb.app"
    assert app in mail["text"]
    assert link_in(mail).replace("&", "&amp;") in mail["html"]
    assert (resource.name, resource.state, resource.vendor_id) == ("welcome_mail", "ready", mail["message_id"])
    assert again == resource
    assert minted(sandbox) == 1
    assert (await opened(link_in(mail))).startswith(f"{app}#access_token=")
    assert await auth_people(postgres_dsn, ref) == [(str(stable_id(desk.client, OWNER)), OWNER)]
    assert await tenant_rows(desk.stack, desk.client.organization, PEOPLE) == [
        {
            "auth_id": str(stable_id(desk.client, OWNER)),
            "email": OWNER,
            "full_name": "The owner",
            "phone_e164": "+27821234567",
            "role": "owner",
        }
    ]
    assert await tenant_rows(desk.stack, desk.agency, "select * from notification_deliveries") == []
    bells = await tenant_rows(desk.stack, desk.client.organization, "select * from notifications")
    assert bells == [], "the link acts for its reader: it stands in the mail alone"


async def test_the_projects_auth_mails_by_our_server_and_leads_into_the_app(desk: Desk, sandbox: Sandbox) -> None:
    ref = await desk.with_project(sandbox)

    await onboarding_email(desk.ledger)

    auth = management(sandbox, "GET", f"/projects/{ref}/config/auth").json()
    assert {
        name: value for name, value in auth.items() if name.startswith("smtp_") and name != "smtp_max_frequency"
    } == {
        "smtp_host": "127.0.0.1",
        "smtp_port": str(sandbox.smtp_port),
        "smtp_user": "",
        "smtp_pass": "",
        "smtp_admin_email": "hello@draggonnb.example",
        "smtp_sender_name": "DraggonnB",
    }
    assert auth["site_url"] == f"{sandbox.url}/vercel/sites/kloof-coffee.draggonnb.app"
    assert auth["disable_signup"] is True


async def test_a_first_person_whom_the_database_does_not_know_becomes_its_owner(desk: Desk, sandbox: Sandbox) -> None:
    await desk.with_project(sandbox)
    client = dataclasses.replace(desk.client, owner_email="new@kloof-coffee.example", owner_phone="none that works")

    await onboarding_email(dataclasses.replace(desk, client=client).ledger)

    people = await tenant_rows(desk.stack, desk.client.organization, PEOPLE)
    assert people[0] == {
        "auth_id": str(stable_id(desk.client, "new@kloof-coffee.example")),
        "email": "new@kloof-coffee.example",
        "full_name": "The owner",
        "phone_e164": None,
        "role": "owner",
    }
    assert [(one["auth_id"], one["email"]) for one in people[1:]] == [(None, OWNER)]


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "accept_then_status", "status": 502},
        {"kind": "accept_then_drop"},
        {"kind": "status", "status": 503},
    ],
    ids=lambda fault: fault["kind"],
)
async def test_calls_with_lost_answers_leave_one_person_and_one_mail(
    desk: Desk, sandbox: Sandbox, postgres_dsn: str, fault: dict[str, Any]
) -> None:
    ref = await desk.with_project(sandbox)
    for route in ROUTES:
        sandbox.faults(route, fault)

    await settled(desk, onboarding_email)
    await settled(desk, onboarding_email)

    await assert_one_welcome(desk, sandbox, postgres_dsn, ref)


async def test_runs_that_are_stopped_after_a_call_was_taken_leave_one_person_and_one_mail(
    desk: Desk, sandbox: Sandbox, postgres_dsn: str
) -> None:
    ref = await desk.with_project(sandbox)
    for route in ROUTES:
        sandbox.faults(route, {"kind": "accept_then_hang"})
        assert await cut_off(desk, onboarding_email, after=1.5)
        sandbox.clear_faults()

    await settled(desk, onboarding_email)

    await assert_one_welcome(desk, sandbox, postgres_dsn, ref)


async def test_a_mail_whose_answer_was_lost_is_the_same_mail_with_the_same_link(
    desk: Desk, sandbox: Sandbox, postgres_dsn: str
) -> None:
    ref = await desk.with_project(sandbox)
    sandbox.faults("SMTP DATA", {"kind": "drop_after_data"})

    with pytest.raises(NotYet):
        await onboarding_email(desk.ledger)
    await settled(desk, onboarding_email)

    assert minted(sandbox) == 1
    assert [mail["transmissions"] for mail in sandbox.public("mail")] == [2]
    await assert_one_welcome(desk, sandbox, postgres_dsn, ref)


async def test_a_run_that_is_stopped_while_the_mail_goes_out_sends_the_same_one_when_its_lease_is_over(
    desk: Desk, sandbox: Sandbox, postgres_dsn: str
) -> None:
    ref = await desk.with_project(sandbox)
    sandbox.faults("SMTP DATA", {"kind": "drop_after_data", "seconds": 3})
    assert await cut_off(desk, onboarding_email, after=1.5)
    await asyncio.sleep(0)

    with pytest.raises(NotYet):
        await onboarding_email(desk.ledger)
    await settled(desk.at(after(minutes=5)()), onboarding_email)

    assert minted(sandbox) == 1
    assert len({mail["message_id"] for mail in sandbox.public("mail")}) == 1
    await assert_one_welcome(desk, sandbox, postgres_dsn, ref)


async def test_while_the_mail_server_is_away_the_mail_waits_with_its_link(
    desk: Desk, sandbox: Sandbox, postgres_dsn: str
) -> None:
    ref = await desk.with_project(sandbox)
    sandbox.faults("SMTP CONNECT", {"kind": "drop_before_accept", "times": 2})

    for _ in range(2):
        with pytest.raises(NotYet):
            await onboarding_email(desk.ledger)
    await settled(desk, onboarding_email)

    assert minted(sandbox) == 1
    await assert_one_welcome(desk, sandbox, postgres_dsn, ref)


async def test_an_address_that_is_refused_is_for_a_person_and_a_corrected_one_gets_its_mail(
    desk: Desk, sandbox: Sandbox
) -> None:
    await desk.with_project(sandbox)
    sandbox.faults("SMTP RCPT", {"kind": "status", "status": 550})

    with pytest.raises(NeedsReview, match="welcome"):
        await onboarding_email(desk.ledger)
    [(_, state, _)] = [row for row in await desk.rows("onboarding_email") if row[0] == "welcome_mail"]
    corrected = dataclasses.replace(desk.client, owner_email="right@kloof-coffee.example")
    resource = await onboarding_email(dataclasses.replace(desk, client=corrected).ledger)

    assert state == "needs_review"
    assert resource.state == "ready"
    assert [mail["recipient"] for mail in sandbox.public("mail")] == ["right@kloof-coffee.example"]


async def test_runs_that_are_cut_anywhere_leave_one_welcome(desk: Desk, sandbox: Sandbox, postgres_dsn: str) -> None:
    ref = await desk.with_project(sandbox)
    cuts = await cut_at_each_reading(desk, onboarding_email)
    await settled(desk, onboarding_email)

    assert cuts > 3

    await assert_one_welcome(desk, sandbox, postgres_dsn, ref)


async def test_a_key_that_auth_refuses_makes_nothing(desk: Desk, sandbox: Sandbox, postgres_dsn: str) -> None:
    ref = await desk.with_project(sandbox)
    sandbox.faults(USERS, {"kind": "expired_token"})

    with pytest.raises(VendorError) as raised:
        await onboarding_email(desk.ledger)

    assert raised.value.error_class in (ErrorClass.AUTH, ErrorClass.PERMISSION)
    assert await auth_people(postgres_dsn, ref) == []
    assert sandbox.public("mail") == []
    assert await desk.rows("onboarding_email") == [("owner", "failed", None), ("welcome_mail", "intent", None)]
