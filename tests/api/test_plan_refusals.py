"""Choices of a plan that are refused by name, and proposals that lead to no plan: nothing is ordered."""

from typing import Any

import httpx
import pytest

from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.resources.postgres import MasterDb, Tenants
from tests.api.agency_proposals import AgencyProposals, choose, forms, plan_form
from tests.api.conftest import Api, ServeApi


@pytest.fixture
def proposals(agency: Organization, master: MasterDb, tenants: Tenants) -> AgencyProposals:
    return AgencyProposals(agency, master, tenants)


def placed(api: Api) -> list[dict[str, Any]]:
    return api.rows("select * from checkouts order by created_at, plan_key")


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


async def test_without_any_address_nothing_is_ordered(
    api: Api, http: httpx.AsyncClient, proposals: AgencyProposals
) -> None:
    proposal = await proposals.add(name=None, email=None, lead_email=None)
    form = await plan_form(http, proposal, "growth")

    refused = await http.post(f"{proposal}/plans", data=form)

    assert refused.status_code == 409
    assert "We do not know where to write to you" in refused.text
    assert placed(api) == []


async def test_a_tenant_that_is_down_is_a_friendly_503(
    api: Api, http: httpx.AsyncClient, proposals: AgencyProposals
) -> None:
    proposal = await proposals.add()
    api.execute("update organizations set database_name = 'nowhere_at_all'")

    choice = await http.post(f"{proposal}/plans", data={"plan": "growth", "terms": "ZAR-350000-0"})

    assert choice.status_code == 503
    assert choice.headers["retry-after"] == "30"
    assert placed(api) == []
