"""Choosing a plan: what the page offers, one checkout for a choice, and the choices that are refused by name."""

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
    assert "VAT included" in page.text
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
        *("Kloof Street Coffee", "Thandi Nkosi Dlamini", "thandi@kloof.example"),
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


@pytest.mark.parametrize(
    ("form", "status", "words"),
    [
        ({"plan": "platinum", "terms": "ZAR-1-0"}, 422, "There is no such plan."),
        ({"plan": ""}, 422, "There is no such plan."),
        ({"plan": ["growth", "scale"], "terms": "ZAR-350000-0"}, 422, "There is no such plan."),
        ({"plan": "growth"}, 409, "Growth has other terms now"),
        ({"plan": "growth", "terms": "ZAR--350000-0"}, 409, "Growth has other terms now"),
        ({"plan": "growth", "terms": "USD-350000-0"}, 409, "Growth has other terms now"),
        ({"plan": "starter", "terms": "ZAR-150000-0"}, 409, "Starter is no longer offered."),
        ({"plan": "scale", "terms": "USD-45000-0"}, 409, "Scale is priced in USD, and payments are taken in ZAR only."),
    ],
)
async def test_a_choice_that_cannot_be_had_is_refused_by_name_and_orders_nothing(
    api: Api, http: httpx.AsyncClient, proposals: AgencyProposals, form: dict[str, Any], status: int, words: str
) -> None:
    api.execute("update plans set is_offered = false where key = 'starter'")
    api.execute("update plan_prices set currency = 'USD', amount_cents = 45000 where plan_key = 'scale'")

    proposal = await proposals.add()
    refused = await http.post(f"{proposal}/plans", data=form)

    assert refused.status_code == status
    assert words in refused.text
    assert [fields["plan"] for _, fields in forms(refused)] == ["growth"]
    assert placed(api) == []


@pytest.mark.parametrize(
    ("proposal_is", "code", "words"),
    [
        ({"status": "sent"}, 409, "This proposal was not accepted yet"),
        ({"status": "draft"}, 409, "This proposal was not accepted yet"),
        ({"status": "superseded"}, 409, "A newer version has replaced this proposal"),
        ({"status": "sent", "valid_days": -1}, 410, "This proposal is no longer valid"),
    ],
)
async def test_a_proposal_that_is_not_accepted_leads_to_no_plan(
    api: Api,
    http: httpx.AsyncClient,
    proposals: AgencyProposals,
    proposal_is: dict[str, Any],
    code: int,
    words: str,
) -> None:
    proposal = await proposals.add(**proposal_is)

    page = await http.get(f"{proposal}/plans")
    choice = await http.post(f"{proposal}/plans", data={"plan": "growth", "terms": "ZAR-350000-0"})

    assert (page.status_code, choice.status_code) == (code, code)
    assert words in page.text
    assert words in choice.text
    assert "R\u00a0" not in page.text
    assert placed(api) == []


async def test_a_proposal_of_a_client_sells_nothing(
    api: Api, http: httpx.AsyncClient, agency: Organization, outsider: Organization, master: MasterDb, tenants: Tenants
) -> None:
    proposal = await AgencyProposals(outsider, master, tenants).add()

    decision = await http.get(proposal)
    page = await http.get(f"{proposal}/plans")
    choice = await http.post(f"{proposal}/plans", data={"plan": "growth", "terms": "ZAR-350000-0"})

    assert "/plans" not in decision.text
    assert (page.status_code, choice.status_code) == (403, 403)
    assert "Nothing is sold with this proposal" in choice.text
    assert placed(api) == []


async def test_a_token_that_nobody_has_shows_and_orders_nothing(
    api: Api, http: httpx.AsyncClient, proposals: AgencyProposals
) -> None:
    proposal = await proposals.add()
    path = await choose(http, proposal)
    [before] = placed(api)

    guesses = [proposal[:-1], proposal + "x", "/proposals/x", proposal.upper().replace("/PROPOSALS", "/proposals")]
    checkouts = [path[:-1], f"{path}x", f"/checkouts/{before['id']}", f"/checkouts/{before['m_payment_id']}"]
    answers = [await http.get(f"{guess}/plans") for guess in guesses]
    answers += [await http.post(f"{guess}/plans", data={"plan": "growth"}) for guess in guesses]
    answers += [await http.get(f"{guess}{page}") for guess in checkouts for page in ("", "/thanks", "/cancelled")]

    assert {answer.status_code for answer in answers} == {404}
    assert not any("Kloof" in answer.text or "PayFast tells" in answer.text for answer in answers)
    assert placed(api) == [before]


async def test_guessing_is_slowed_down(serve_api: ServeApi, agency: Organization) -> None:
    with serve_api(api_rate_per_minute=3) as api:
        async with httpx.AsyncClient(base_url=api.url) as http:
            answers = [await http.get(f"/checkouts/guess-{n}") for n in range(5)]

    assert [answer.status_code for answer in answers] == [404, 404, 404, 429, 429]


async def test_the_leads_own_name_stands_in_where_a_crash_lost_who_accepted(
    api: Api, http: httpx.AsyncClient, proposals: AgencyProposals
) -> None:
    await choose(http, await proposals.add(name=None, email=None, company=None))

    [row] = placed(api)
    assert (row["company"], row["contact_name"], row["contact_email"]) == ("The Lead", "The Lead", "lead@kloof.example")


async def test_without_any_address_nothing_is_ordered(
    api: Api, http: httpx.AsyncClient, proposals: AgencyProposals
) -> None:
    proposal = await proposals.add(name=None, email=None, lead_email=None)
    form = await plan_form(http, proposal, "growth")

    refused = await http.post(f"{proposal}/plans", data=form)

    assert refused.status_code == 409
    assert "We do not know where to write to you" in refused.text
    assert placed(api) == []


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


async def test_a_tenant_that_is_down_is_a_friendly_503(
    api: Api, http: httpx.AsyncClient, proposals: AgencyProposals
) -> None:
    proposal = await proposals.add()
    api.execute("update organizations set database_name = 'nowhere_at_all'")

    choice = await http.post(f"{proposal}/plans", data={"plan": "growth", "terms": "ZAR-350000-0"})

    assert choice.status_code == 503
    assert choice.headers["retry-after"] == "30"
    assert placed(api) == []


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
    assert not [secret for secret in (proposal[11:], path[11:], "Thandi", "kloof.example") if secret in lines()]
