"""Choosing a plan: what the page offers, and one checkout for a choice at the terms that were shown."""

import asyncio
import hashlib
import logging
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.resources.postgres import MasterDb, Tenants
from tests.api.agency_proposals import ACCEPTED_AT, AgencyProposals, choose, forms, mark_paid, plan_form
from tests.api.conftest import Api, ServeApi

CHECKOUTS = "select * from checkouts order by created_at, plan_key"


@pytest.fixture
def proposals(agency: Organization, master: MasterDb, tenants: Tenants) -> AgencyProposals:
    return AgencyProposals(agency, master, tenants)


def placed(api: Api) -> list[dict[str, Any]]:
    return api.rows(CHECKOUTS)


async def test_an_accepted_proposal_leads_to_the_plans_with_price_limits_and_trial(
    api: Api, http: httpx.AsyncClient, proposals: AgencyProposals
) -> None:
    api.execute("update plans set trial_days = 14 where key = 'growth'")
    proposal = await proposals.add()

    decision = await http.get(proposal)
    page = await http.get(f"{proposal}/plans")

    assert f'<a href="{proposal}/plans">Choose your plan</a>' in decision.text
    assert page.status_code == 200
    assert re.findall(r"<h2[^>]*>(.*)</h2>", page.text) == ["Starter", "Growth", "Scale"]
    assert re.findall(r"<span>(R[^<]*)</span> per month", page.text) == [
        *("R\u00a01\u00a0500", "R\u00a03\u00a0500", "R\u00a07\u00a0500")
    ]
    assert "All taxes included" in page.text
    assert "500 AI texts a month" in page.text
    assert "250\u00a0000 API calls a month" in page.text
    assert page.text.count("days are free") == 1
    assert [fields for _, fields in forms(page)] == [
        {"plan": "starter", "terms": "ZAR-150000-0"},
        {"plan": "growth", "terms": "ZAR-350000-14"},
        {"plan": "scale", "terms": "ZAR-750000-0"},
    ]
    assert "form-action 'self';" in page.headers["content-security-policy"]
    assert placed(api) == []


async def test_a_choice_becomes_a_checkout_at_the_price_that_was_shown(
    api: Api, http: httpx.AsyncClient, proposals: AgencyProposals, outsider: Organization
) -> None:
    path = await choose(http, await proposals.add())

    [row] = placed(api)
    token = path.removeprefix("/checkouts/")
    assert row["token_sha256"] == hashlib.sha256(token.encode()).digest()
    assert re.fullmatch(r"DRG-[A-Za-z0-9_-]{20}", row["m_payment_id"])
    assert (row["plan_key"], row["amount_cents"], row["recurring_cents"], row["trial_days"]) == (
        *("growth", 350000, 350000, 0),
    )
    assert (row["company"], row["contact_name"], row["contact_email"]) == (
        *("Kloof Street Coffee", "Front Desk Dlamini", "desk@kloof.example"),
    )
    assert (row["seller_id"], row["state"], row["approved_at"]) == (proposals.organization.id, "open", ACCEPTED_AT)
    assert row["expires_at"] - row["created_at"] == timedelta(days=7)
    assert row["contact_phone"].startswith("+2782")
    # Nobody is a client yet.
    assert api.rows("select slug from organizations order by slug") == [{"slug": "draggonnb"}, {"slug": "outsider"}]
    assert api.rows("select 1 from subscriptions union all select 1 from provisionings") == []


async def test_thirty_clicks_at_once_at_two_servers_are_one_checkout(
    api: Api, serve_api: ServeApi, http: httpx.AsyncClient, proposals: AgencyProposals
) -> None:
    proposal = await proposals.add()
    form = await plan_form(http, proposal, "growth")

    with serve_api() as second:
        async with httpx.AsyncClient(base_url=second.url, timeout=20) as other:
            clicks = [(http if n % 2 else other).post(f"{proposal}/plans", data=form) for n in range(30)]
            answers = await asyncio.gather(*clicks)

    assert {answer.status_code for answer in answers} == {303}
    assert len({answer.headers["location"] for answer in answers}) == 1
    assert [(row["plan_key"], row["state"]) for row in placed(api)] == [("growth", "open")]


async def test_another_plan_of_the_same_proposal_is_another_checkout(
    api: Api, http: httpx.AsyncClient, proposals: AgencyProposals
) -> None:
    proposal = await proposals.add()

    growth, starter, growth_again = [await choose(http, proposal, plan) for plan in ("growth", "starter", "growth")]

    assert growth_again == growth != starter
    assert [(row["plan_key"], row["state"]) for row in placed(api)] == [("growth", "open"), ("starter", "open")]


async def test_a_price_that_changed_since_the_page_is_refused_and_shown_not_charged(
    api: Api, http: httpx.AsyncClient, proposals: AgencyProposals
) -> None:
    proposal = await proposals.add()
    form = await plan_form(http, proposal, "growth")
    api.execute(
        "insert into plan_prices (plan_key, effective_from, amount_cents) values ('growth', '2026-02-01', 390050)"
    )

    refused = await http.post(f"{proposal}/plans", data=form)

    assert refused.status_code == 409
    assert "Growth has other terms now than the page that you chose it on." in refused.text
    assert "R\u00a03\u00a0900,50" in refused.text
    assert placed(api) == []
    # The page that says so can be clicked again, at what it shows.
    again = next(fields for _, fields in forms(refused) if fields["plan"] == "growth")
    assert (await http.post(f"{proposal}/plans", data=again)).status_code == 303
    assert [row["amount_cents"] for row in placed(api)] == [390050]


async def test_a_choice_at_a_new_price_ends_the_checkout_at_the_old_one(
    api: Api, http: httpx.AsyncClient, proposals: AgencyProposals
) -> None:
    proposal = await proposals.add()
    old = await choose(http, proposal)
    api.execute(
        "insert into plan_prices (plan_key, effective_from, amount_cents) values ('growth', '2026-02-01', 390000)"
    )

    new = await choose(http, proposal)

    assert new != old
    assert [(row["amount_cents"], row["state"]) for row in placed(api)] == [(350000, "superseded"), (390000, "open")]
    gone = await http.get(old)
    assert gone.status_code == 410
    assert "This checkout was replaced" in gone.text
    assert f'href="{proposal}/plans"' in gone.text


async def test_a_trial_that_changed_since_the_page_is_refused_too(
    api: Api, http: httpx.AsyncClient, proposals: AgencyProposals
) -> None:
    api.execute("update plans set trial_days = 14")
    proposal = await proposals.add()
    form = await plan_form(http, proposal, "growth")
    api.execute("update plans set trial_days = 0")

    assert (await http.post(f"{proposal}/plans", data=form)).status_code == 409
    assert placed(api) == []


async def test_prices_change_at_the_agencys_midnight(
    api: Api, http: httpx.AsyncClient, proposals: AgencyProposals
) -> None:
    api.execute(
        "insert into plan_prices (plan_key, effective_from, amount_cents) values ('growth', '2026-12-01', 390000)"
    )
    proposal = await proposals.add()

    api.clock.moment = datetime(2026, 11, 30, 21, 59, tzinfo=UTC)
    before = await plan_form(http, proposal, "growth")
    api.clock.moment = datetime(2026, 11, 30, 22, 1, tzinfo=UTC)
    after = await plan_form(http, proposal, "growth")

    assert (before["terms"], after["terms"]) == ("ZAR-350000-0", "ZAR-390000-0")


async def test_the_leads_own_name_stands_in_where_a_crash_lost_who_accepted(
    api: Api, http: httpx.AsyncClient, proposals: AgencyProposals
) -> None:
    await choose(http, await proposals.add(name=None, email=None, company=None))

    [row] = placed(api)
    assert (row["company"], row["contact_name"], row["contact_email"]) == ("The Lead", "The Lead", "lead@kloof.example")


async def test_a_proposal_that_is_paid_for_leads_to_what_became_of_it_and_orders_nothing_more(
    api: Api, http: httpx.AsyncClient, proposals: AgencyProposals, master: MasterDb
) -> None:
    proposal = await proposals.add()
    growth, starter = [await choose(http, proposal, plan) for plan in ("growth", "starter")]
    form = await plan_form(http, proposal, "scale")
    await mark_paid(master, placed(api)[0]["id"])

    page = await http.get(f"{proposal}/plans")
    choice = await http.post(f"{proposal}/plans", data=form)
    other = await http.get(starter)

    assert (page.status_code, page.headers["location"]) == (303, f"{growth}/thanks")
    assert (choice.status_code, choice.headers["location"]) == (303, growth)
    assert (other.status_code, other.headers["location"]) == (303, f"{growth}/thanks")
    assert [row["state"] for row in placed(api)] == ["paid", "open"]


async def test_no_log_line_shows_a_token_or_a_client(
    http: httpx.AsyncClient, proposals: AgencyProposals, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    proposal = await proposals.add()

    path = await choose(http, proposal)
    await http.get(f"{path}/thanks")

    def lines() -> str:
        return "\n".join(r.getMessage() for r in caplog.records if not r.name.startswith(("httpx", "httpcore")))

    for _ in range(100):  # the server writes its line after the answer has left
        if "/thanks 200" in lines():
            break
        await asyncio.sleep(0.02)
    assert "POST /proposals/{token}/plans 303" in lines()
    assert "GET /checkouts/{token}/thanks 200" in lines()
    assert not [secret for secret in (proposal[11:], path[11:], "Front", "kloof.example") if secret in lines()]
