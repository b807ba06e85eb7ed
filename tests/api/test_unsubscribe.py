"""Ending mails of a kind: looking changes nothing, one click ends it, and nobody else's mails are touched."""

from uuid import UUID

import httpx
import psycopg
import pytest

from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.resources.postgres import Tenants, dsn_for
from draggonnb_pipelines.workflows.messages.unsubscribing import PURPOSE


def delivery(master_dsn: str, organization: Organization) -> UUID:
    """A weekly report that went to the owner."""
    assert organization.database_name
    with psycopg.connect(dsn_for(master_dsn, organization.database_name), autocommit=True) as conn:
        [row] = conn.execute(
            "insert into notification_deliveries (event_key, event, recipient, channel, user_id, status, topic)"
            " select 'weekly_report:1', 'weekly_report', email, 'email', id, 'sent', 'notices' from users returning id"
        ).fetchall()
    return row[0]


def preferences(master_dsn: str, organization: Organization) -> list[tuple[str, ...]]:
    assert organization.database_name
    with psycopg.connect(dsn_for(master_dsn, organization.database_name)) as conn:
        return conn.execute("select event, channel, mode from notification_preferences order by 2").fetchall()


@pytest.fixture
async def link(agency: Organization, tenants: Tenants, master_dsn: str) -> str:
    delivery_id = delivery(master_dsn, agency)
    proof = tenants.key(agency).derive_token(PURPOSE, str(delivery_id))
    return f"/unsubscribe/{agency.slug}.{delivery_id.hex}.{proof}"


async def test_looking_changes_nothing_and_the_page_has_one_button(
    http: httpx.AsyncClient, link: str, agency: Organization, master_dsn: str
) -> None:
    for page in (await http.get(link), await http.get(link)):
        assert page.status_code == 200
        assert "The weekly report" in page.text
        assert f'<form method="post" action="{link}">' in page.text
        assert page.headers["x-robots-tag"] == "noindex, nofollow"
        assert "default-src 'none'" in page.headers["content-security-policy"]
    assert (await http.head(link)).status_code == 200

    assert preferences(master_dsn, agency) == []


async def test_one_click_of_a_mail_program_ends_it_and_may_come_twice(
    http: httpx.AsyncClient, link: str, agency: Organization, outsider: Organization, master_dsn: str
) -> None:
    for _ in range(2):
        answer = await http.post(link, data={"List-Unsubscribe": "One-Click"})
        assert answer.status_code == 200
        assert "You get no more mails of this kind" in answer.text
        assert "<form" not in answer.text

    off = [("weekly_report", "email", "off"), ("weekly_report", "whatsapp", "off")]
    assert preferences(master_dsn, agency) == off
    assert preferences(master_dsn, outsider) == []
    assert "You get no more mails of this kind" in (await http.get(link)).text


async def test_who_guesses_finds_nothing_and_changes_nothing(
    http: httpx.AsyncClient, link: str, agency: Organization, outsider: Organization, master_dsn: str
) -> None:
    slug, _, rest = link.partition(".")
    for address in (
        link[:-1],
        link.replace(agency.slug, outsider.slug),
        "/unsubscribe/x",
        f"{link}.more",
        f"{slug}%00.{rest}",
        f"/unsubscribe/%00.{rest}",
        f"/unsubscribe/%ff.{rest}",
    ):
        for answer in (await http.get(address), await http.post(address)):
            assert answer.status_code == 404
            assert "We cannot find these mails" in answer.text

    assert preferences(master_dsn, agency) == preferences(master_dsn, outsider) == []
