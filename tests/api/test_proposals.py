"""The public proposal page: who sees it, what it says, and how an acceptance is recorded once."""

import asyncio
import base64
import hashlib
import logging
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any, LiteralString

import httpx
import pytest
from psycopg.types.json import Jsonb

from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.domain.proposals import ProposalContent
from draggonnb_pipelines.resources.postgres import MasterDb, Tenants
from draggonnb_pipelines.workflows.leads.proposal_page import render_proposal
from tests.api.conftest import Api
from tests.proposal_content import proposal_content

ACCEPT = {"name": "Front Desk", "email": "front@kloof.example", "agree": "yes"}


class Proposals:
    """Proposals of one lead in a tenant, and their links in master."""

    def __init__(self, organization: Organization, master: MasterDb, tenants: Tenants) -> None:
        self.organization = organization
        self._master = master
        self._tenants = tenants
        self.lead_id = uuid.uuid4()

    async def tenant(self, query: LiteralString, **values: Any) -> list[dict[str, Any]]:
        async with self._tenants.open(self.organization) as tenant:
            cursor = await tenant.conn.execute(query, values)
            return await cursor.fetchall() if cursor.description else []

    async def add(self, version: int = 1, status: str = "draft", valid_days: int = 30) -> str:
        """A stored version with a link; returns its token."""
        content: ProposalContent = proposal_content(version=version)
        html = render_proposal(content)
        token, proposal_id = f"token-{version}-{uuid.uuid4()}", uuid.uuid4()
        await self.tenant(
            """with c as (insert into contacts (name, email, email_normalized) values ('N', %(mail)s, %(mail)s)
                          on conflict do nothing returning id)
               insert into leads (id, contact_id, source, received_at)
               select %(lead)s, id, 'web_form', now() from c on conflict do nothing""",
            mail=f"{self.lead_id}@a.example",
            lead=self.lead_id,
        )
        await self.tenant(
            """insert into proposals (id, lead_id, version, prompt_hash, request_hash, title, content, html,
                                      html_sha256, plan_key, status)
               values (%(id)s, %(lead)s, %(version)s, 'p', %(hash)s, 'T', %(content)s, %(html)s, %(sha)s, 'growth',
                       %(status)s)""",
            id=proposal_id,
            lead=self.lead_id,
            version=version,
            hash=f"r{version}",
            content=Jsonb(content.model_dump(mode="json")),
            html=html,
            sha=hashlib.sha256(html.encode()).hexdigest(),
            status=status,
        )
        async with self._master.connection() as conn:
            await conn.execute(
                """insert into proposal_links (token_sha256, organization_id, proposal_id, lead_id, version, expires_at)
                   values (%s, %s, %s, %s, %s, %s)""",
                (
                    hashlib.sha256(token.encode()).digest(),
                    self.organization.id,
                    proposal_id,
                    self.lead_id,
                    version,
                    datetime.now(UTC) + timedelta(days=valid_days),
                ),
            )
        return token

    async def statuses(self) -> list[str]:
        return [row["status"] for row in await self.tenant("select status from proposals order by version")]


@pytest.fixture
def proposals(agency: Organization, master: MasterDb, tenants: Tenants) -> Proposals:
    return Proposals(agency, master, tenants)


async def test_the_page_is_the_stored_one_with_a_form(api: Api, http: httpx.AsyncClient, proposals: Proposals) -> None:
    token = await proposals.add()

    page = await http.get(f"/proposals/{token}")

    assert page.status_code == 200
    assert "Put a coffee subscription on the home page" in page.text
    assert f'action="/proposals/{token}/accept"' in page.text
    assert api.rows("select viewed_at is not null as viewed from proposal_links") == [{"viewed": True}]


async def test_the_page_lets_nothing_run_and_nobody_keep_or_frame_it(
    http: httpx.AsyncClient, proposals: Proposals
) -> None:
    page = await http.get(f"/proposals/{await proposals.add()}")

    style = page.text.split("<style>")[1].split("</style>")[0]
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert page.headers["content-security-policy"] == (
        f"default-src 'none'; style-src 'sha256-{digest}'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    )
    assert page.headers["cache-control"] == "no-store"
    assert page.headers["referrer-policy"] == "no-referrer"
    assert page.headers["x-robots-tag"] == "noindex, nofollow"
    assert "<script" not in page.text
    assert "style=" not in page.text


async def test_a_head_request_is_answered_but_is_not_a_view(
    api: Api, http: httpx.AsyncClient, proposals: Proposals
) -> None:
    answer = await http.head(f"/proposals/{await proposals.add()}")

    assert answer.status_code == 200
    assert api.rows("select viewed_at from proposal_links") == [{"viewed_at": None}]


async def test_an_unknown_token_gets_a_friendly_404(http: httpx.AsyncClient, proposals: Proposals) -> None:
    await proposals.add()

    page, accept = await http.get("/proposals/unknown"), await http.post("/proposals/unknown/accept", data=ACCEPT)

    assert (page.status_code, accept.status_code) == (404, 404)
    assert "We cannot find this proposal" in page.text
    assert await proposals.statuses() == ["draft"]


async def test_an_expired_proposal_is_410_and_cannot_be_accepted(
    api: Api, http: httpx.AsyncClient, proposals: Proposals
) -> None:
    token = await proposals.add(valid_days=30)
    api.clock.moment = datetime.now(UTC) + timedelta(days=31)

    page, accept = await http.get(f"/proposals/{token}"), await http.post(f"/proposals/{token}/accept", data=ACCEPT)

    assert (page.status_code, accept.status_code) == (410, 410)
    assert "no longer valid" in page.text
    assert "coffee subscription" not in page.text
    assert await proposals.statuses() == ["draft"]


async def test_an_acceptance_is_recorded_in_both_databases_and_told_to_the_team(
    api: Api, http: httpx.AsyncClient, proposals: Proposals, outsider: Organization, tenants: Tenants
) -> None:
    token = await proposals.add()

    answer = await http.post(f"/proposals/{token}/accept", data=ACCEPT)
    page = await http.get(f"/proposals/{token}")

    assert (answer.status_code, answer.headers["location"]) == (303, f"/proposals/{token}#decision")
    assert "Accepted on" in page.text
    assert "what happens next" in page.text
    assert "<form" not in page.text
    assert await proposals.statuses() == ["accepted"]
    (link,) = api.rows("select * from proposal_links")
    assert (link["accepted_by_name"], link["accepted_by_email"]) == ("Front Desk", "front@kloof.example")
    (row,) = await proposals.tenant("select accepted_at from proposals")
    assert row["accepted_at"] == link["accepted_at"]
    notices = await proposals.tenant("select type, message from notifications")
    assert notices == [{"type": "proposal_accepted", "message": "Proposal accepted: T (version 1)"}]
    audit = "select action, resource, metadata from audit_log where action = 'proposal.accepted'"
    expected = [
        {"action": "proposal.accepted", "resource": f"proposal:{link['proposal_id']}", "metadata": {"version": 1}}
    ]
    assert await proposals.tenant(audit) == expected
    assert api.rows(audit) == expected
    assert await proposals.tenant("select * from verify_audit()") == []
    async with tenants.open(outsider) as tenant:
        assert await (await tenant.conn.execute("select * from notifications")).fetchall() == []


async def test_twenty_clicks_at_once_are_one_acceptance(
    api: Api, http: httpx.AsyncClient, proposals: Proposals
) -> None:
    token = await proposals.add()

    answers = await asyncio.gather(*(http.post(f"/proposals/{token}/accept", data=ACCEPT) for _ in range(20)))

    assert {answer.status_code for answer in answers} == {303}
    count = "select count(*) as n from audit_log where action = 'proposal.accepted'"
    assert (await proposals.tenant(count), api.rows(count)) == ([{"n": 1}], [{"n": 1}])
    assert await proposals.tenant("select count(*) as n from notifications") == [{"n": 1}]


async def test_of_two_versions_accepted_at_once_exactly_one_is(http: httpx.AsyncClient, proposals: Proposals) -> None:
    tokens = [await proposals.add(version=1), await proposals.add(version=2)]

    answers = await asyncio.gather(*(http.post(f"/proposals/{token}/accept", data=ACCEPT) for token in tokens))

    assert sorted(answer.status_code for answer in answers) == [303, 409]
    assert sorted(await proposals.statuses()) == ["accepted", "draft"]


async def test_a_superseded_version_says_so_and_is_not_accepted(
    api: Api, http: httpx.AsyncClient, proposals: Proposals
) -> None:
    token = await proposals.add(status="superseded")

    page, accept = await http.get(f"/proposals/{token}"), await http.post(f"/proposals/{token}/accept", data=ACCEPT)

    assert (page.status_code, accept.status_code) == (200, 409)
    assert "A newer version has replaced this one" in page.text
    assert "<form" not in page.text
    assert await proposals.statuses() == ["superseded"]
    assert api.rows("select accepted_at from proposal_links") == [{"accepted_at": None}]


async def test_a_form_that_is_not_filled_in_comes_back_with_what_is_missing(
    http: httpx.AsyncClient, proposals: Proposals
) -> None:
    token = await proposals.add()

    answer = await http.post(f"/proposals/{token}/accept", data={"name": '"><b>x', "email": "nope"})

    assert answer.status_code == 422
    assert "Please tick the box to accept." in answer.text
    assert "is not an e-mail address" in answer.text
    assert 'value="&#34;&gt;&lt;b&gt;x"' in answer.text
    assert await proposals.statuses() == ["draft"]


async def test_a_crash_between_the_two_databases_is_made_good_by_the_next_click(
    api: Api, http: httpx.AsyncClient, proposals: Proposals
) -> None:
    token = await proposals.add()
    await proposals.tenant("update proposals set status = 'accepted', accepted_at = '2026-11-20T10:00:00Z'")

    answer = await http.post(f"/proposals/{token}/accept", data=ACCEPT)

    assert answer.status_code == 303
    assert api.rows("select accepted_at, accepted_by_name from proposal_links") == [
        {"accepted_at": datetime(2026, 11, 20, 10, tzinfo=UTC), "accepted_by_name": "Front Desk"}
    ]


async def test_a_tenant_that_is_down_is_a_friendly_503(api: Api, http: httpx.AsyncClient, proposals: Proposals) -> None:
    token = await proposals.add()
    api.execute("update organizations set database_name = 'nowhere_at_all'")

    page = await http.get(f"/proposals/{token}")

    assert page.status_code == 503
    assert "We will be back in a moment" in page.text
    assert page.headers["retry-after"] == "30"


async def test_a_clients_page_is_gone_with_its_key(api: Api, http: httpx.AsyncClient, proposals: Proposals) -> None:
    token = await proposals.add()
    api.execute("update organizations set data_key_wrapped = null")

    assert (await http.get(f"/proposals/{token}")).status_code == 404


async def test_no_log_line_shows_who_accepted(
    http: httpx.AsyncClient, proposals: Proposals, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    token = await proposals.add()

    await http.post(f"/proposals/{token}/accept", data=ACCEPT)

    def lines_so_far() -> str:
        return "\n".join(r.getMessage() for r in caplog.records if not r.name.startswith(("httpx", "httpcore")))

    for _ in range(100):  # the server writes its line after the answer has left
        if "accept 303" in lines_so_far():
            break
        await asyncio.sleep(0.02)
    lines = lines_so_far()
    assert "POST /proposals/{token}/accept 303" in lines
    assert token not in lines
    assert "Front" not in lines
    assert "front@" not in lines
