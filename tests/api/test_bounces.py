"""Reports of non-delivery come back by Message-ID, from whoever has the token."""

from collections.abc import Iterator
from typing import Any

import httpx
import psycopg
import pytest
from psycopg.rows import dict_row
from pydantic import SecretStr

from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.resources.mail_message import message_id
from draggonnb_pipelines.resources.postgres import dsn_for
from tests.api.conftest import Api, ServeApi
from tests.domain.test_bounces import report

PATH = "/webhooks/mail/bounces"
TOKEN = "token-of-the-mail-server"
PROOF = {"authorization": f"Bearer {TOKEN}", "content-type": "message/rfc822"}
READER = "Gone@kloof.example"


@pytest.fixture
def api(serve_api: ServeApi) -> Iterator[Api]:
    with serve_api(mail_bounce_token=SecretStr(TOKEN)) as running:
        yield running


@pytest.fixture
def sent(agency: Organization, master_dsn: str) -> str:
    """The Message-ID of a mail that the server has taken."""
    sent_as = message_id("post_rejected:1", READER, f"{agency.slug}.draggonnb.app")
    tenant_rows(
        master_dsn,
        agency,
        "insert into notification_deliveries (event_key, event, recipient, channel, status, message_id, topic)"
        f" values ('post_rejected:1', 'post_rejected', '{READER}', 'email', 'sent', '{sent_as}', 'notices')"
        " returning id",
    )
    return sent_as


def tenant_rows(master_dsn: str, organization: Organization, query: Any) -> list[dict[str, Any]]:
    assert organization.database_name
    dsn = dsn_for(master_dsn, organization.database_name)
    with psycopg.connect(dsn, autocommit=True) as conn, conn.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(query).fetchall()


def state(master_dsn: str, organization: Organization) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    mails = tenant_rows(master_dsn, organization, "select status, last_error from notification_deliveries")
    return mails, tenant_rows(master_dsn, organization, "select address, reason from refused_addresses")


async def test_a_mailbox_that_does_not_exist_closes_the_mail_and_is_not_written_to_again(
    http: httpx.AsyncClient, sent: str, agency: Organization, outsider: Organization, master_dsn: str
) -> None:
    for _ in range(2):
        answer = await http.post(PATH, content=report(about=sent), headers=PROOF)
        assert (answer.status_code, answer.json()) == (200, {"noted": True})

    error = "it came back: 5.1.1"
    assert state(master_dsn, agency) == (
        [{"status": "failed", "last_error": error}],
        [{"address": READER.lower(), "reason": error}],
    )
    assert state(master_dsn, outsider) == ([], [])


async def test_a_mailbox_that_the_reader_forwards_to_is_not_the_readers(
    http: httpx.AsyncClient, sent: str, agency: Organization, master_dsn: str
) -> None:
    body = report(about=sent, recipient="forwarded@elsewhere.example")

    await http.post(PATH, content=body, headers=PROOF)

    assert state(master_dsn, agency) == ([{"status": "failed", "last_error": "it came back: 5.1.1"}], [])


async def test_a_mailbox_that_is_full_closes_the_mail_alone(
    http: httpx.AsyncClient, sent: str, agency: Organization, master_dsn: str
) -> None:
    await http.post(PATH, content=report(about=sent, status="5.2.2"), headers=PROOF)

    assert state(master_dsn, agency) == ([{"status": "failed", "last_error": "it came back: 5.2.2"}], [])


async def test_a_delay_another_organizations_mail_and_rubbish_change_nothing(
    http: httpx.AsyncClient, sent: str, agency: Organization, outsider: Organization, master_dsn: str
) -> None:
    for body in (
        report(about=sent, action="delayed", status="4.4.1"),
        report(about=sent.replace(agency.slug, outsider.slug)),
        report(about=sent.replace(agency.slug, "nobody")),
        b"\x00\xff",
        b"",
    ):
        answer = await http.post(PATH, content=body, headers=PROOF)
        assert (answer.status_code, answer.json()) == (200, {"noted": False})

    assert state(master_dsn, agency) == ([{"status": "sent", "last_error": None}], [])
    assert state(master_dsn, outsider) == ([], [])


async def test_without_the_token_nothing_is_taken(
    http: httpx.AsyncClient, sent: str, agency: Organization, master_dsn: str
) -> None:
    for proof in ({}, {"authorization": "Bearer wrong"}, {"authorization": TOKEN}):
        answer = await http.post(PATH, content=report(about=sent), headers=proof)
        assert answer.status_code == 401

    assert state(master_dsn, agency) == ([{"status": "sent", "last_error": None}], [])


async def test_without_a_token_in_the_settings_there_is_nothing_at_this_address(serve_api: ServeApi) -> None:
    with serve_api() as api:
        async with httpx.AsyncClient(base_url=api.url) as http:
            answer = await http.post(PATH, content=b"", headers=PROOF)

    assert answer.status_code == 404
    assert "DRAGGONNB_MAIL_BOUNCE_TOKEN" in answer.json()["detail"]


async def test_a_body_that_is_too_large_is_refused(http: httpx.AsyncClient) -> None:
    answer = await http.post(PATH, content=b"x" * (1024 * 1024 + 1), headers=PROOF)

    assert answer.status_code == 413
