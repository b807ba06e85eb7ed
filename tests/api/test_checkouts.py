"""The checkout's page, PayFast's page behind it, and what a client is told afterwards: an outside client's way."""

import asyncio
import contextlib
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
import requests
from pydantic import SecretStr

from draggonnb_pipelines.domain.itn import RAW_CONTEXT, parse_itn
from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.domain.payfast_signatures import checkout_signature
from draggonnb_pipelines.domain.provisioning import STEPS
from draggonnb_pipelines.resources.postgres import MasterDb, Tenants
from draggonnb_pipelines.resources.vault import Vault
from tests.api.agency_proposals import AgencyProposals, choose, forms, mark_paid, plan_form
from tests.api.conftest import Api, ServeApi
from tests.conftest import MASTER_KEYS
from tests.payfast_till import PASSPHRASE, press, visit
from tests.sandbox_process import Sandbox, free_port_pair


@pytest.fixture
def api(serve_api: ServeApi, sandbox: Sandbox) -> Iterator[Api]:
    """One that tells PayFast where it is, and whose PayFast is the sandbox's."""
    port = free_port_pair()
    address = f"http://127.0.0.1:{port}"
    with serve_api(port=port, public_base_url=address, sandbox_port=sandbox.port) as running:
        yield running


@pytest.fixture
def proposals(agency: Organization, master: MasterDb, tenants: Tenants) -> AgencyProposals:
    return AgencyProposals(agency, master, tenants)


async def first_notice(api: Api) -> dict[str, Any]:
    """The stored notice, as soon as it is there."""
    for _ in range(250):
        if rows := api.rows("select * from payments"):
            [row] = rows
            return row
        await asyncio.sleep(0.02)
    raise AssertionError("no notice came")


async def test_the_checkout_page_is_a_form_that_payfast_takes_and_may_go_nowhere_else(
    api: Api, http: httpx.AsyncClient, proposals: AgencyProposals, sandbox: Sandbox
) -> None:
    path = await choose(http, await proposals.add())

    page = await http.get(path)
    [(action, fields)] = forms(page)
    payfast_page = await visit("POST", action, data=fields)

    assert page.status_code == 200
    policy = page.headers["content-security-policy"]
    assert f"form-action {sandbox.url}; base-uri 'none'" in policy
    assert "default-src 'none'" in policy
    assert "<script" not in page.text
    assert action == f"{sandbox.url}/payfast/eng/process"
    [row] = api.rows("select * from checkouts")
    assert fields == {
        "merchant_id": "10000100",
        "merchant_key": "46f0cd694581a",
        "return_url": f"{api.url}{path}/thanks",
        "cancel_url": f"{api.url}{path}/cancelled",
        "notify_url": f"{api.url}/webhooks/payfast",
        "name_first": "Front",
        "name_last": "Desk Dlamini",
        "email_address": "desk@kloof.example",
        "m_payment_id": row["m_payment_id"],
        "amount": "3500.00",
        "item_name": "DraggonnB Growth",
        "custom_str1": str(row["id"]),
        "subscription_type": "1",
        "recurring_amount": "3500.00",
        "frequency": "3",
        "cycles": "0",
        "signature": checkout_signature({k: v for k, v in fields.items() if k != "signature"}, PASSPHRASE),
    }
    assert payfast_page.status_code == 200
    assert "Pay DraggonnB Growth" in payfast_page.text
    assert api.rows("select 1 from payments") == []


@pytest.mark.parametrize(
    ("payfast_sandbox", "pages"), [(False, "https://www.payfast.co.za"), (True, "https://sandbox.payfast.co.za")]
)
async def test_the_real_payfast_may_hand_on_to_its_payment_pages(
    serve_api: ServeApi, proposals: AgencyProposals, payfast_sandbox: bool, pages: str
) -> None:
    account = {
        "payfast_merchant_id": "10012345",
        "payfast_merchant_key": SecretStr("k"),
        "payfast_passphrase": SecretStr("p"),
    }
    with serve_api(payfast_sandbox=payfast_sandbox, public_base_url="https://crm.example", **account) as api:
        async with httpx.AsyncClient(base_url=api.url) as http:
            page = await http.get(await choose(http, await proposals.add()))

    [(action, fields)] = forms(page)
    assert action == f"{pages}/eng/process"
    assert fields["notify_url"] == "https://crm.example/webhooks/payfast"
    assert f"form-action {pages} https://payment.payfast.io; base-uri" in page.headers["content-security-policy"]


async def test_a_trial_pays_nothing_now_and_begins_to_be_charged_after_it(
    api: Api, http: httpx.AsyncClient, proposals: AgencyProposals, master: MasterDb
) -> None:
    api.execute("update plans set trial_days = 14 where key = 'growth'")
    api.clock.moment = datetime(2026, 11, 23, 22, 30, tzinfo=UTC)  # in South Africa it is the 24th

    path = await choose(http, await proposals.add())
    page = await http.get(path)

    [(action, fields)] = forms(page)
    assert (fields["amount"], fields["recurring_amount"], fields["billing_date"]) == ("0.00", "3500.00", "2026-12-08")
    assert "the first 14 days are free" in page.text
    assert "From 8 December 2026" in page.text
    assert (await visit("POST", action, data=fields)).status_code == 200
    await mark_paid(master, fields["custom_str1"])
    assert "Nothing is charged in the first 14 days." in (await http.get(f"{path}/thanks")).text


async def test_paying_at_payfast_stores_its_notice_and_leads_back_to_the_truth(
    api: Api, http: httpx.AsyncClient, proposals: AgencyProposals, sandbox: Sandbox
) -> None:
    path = await choose(http, await proposals.add())
    [(action, fields)] = forms(await http.get(path))

    back = await press(sandbox, await visit("POST", action, data=fields), "Pay")
    notice = await first_notice(api)
    thanks = await http.get(back.headers["location"])

    raw = Vault(MASTER_KEYS).open(notice["raw_sealed"], RAW_CONTEXT)
    itn = parse_itn(raw)
    assert (itn.m_payment_id, itn.payment_status) == (fields["m_payment_id"], "COMPLETE")
    assert (itn.amount_gross_cents, itn.field("custom_str1")) == (350000, fields["custom_str1"])
    assert (notice["state"], notice["deliveries"], str(notice["source_ip"])) == ("received", 1, "127.0.0.1")
    # The browser came back, but nobody has believed the notice yet.
    assert back.headers["location"] == f"{api.url}{path}/thanks"
    assert "We wait for PayFast to confirm" in thanks.text
    assert '<meta http-equiv="refresh" content="5">' in thanks.text
    assert api.rows("select state from checkouts") == [{"state": "open"}]
    assert api.rows("select 1 from subscriptions") == []


async def test_turning_back_at_payfast_charges_nothing_and_can_be_taken_up_again(
    api: Api, http: httpx.AsyncClient, proposals: AgencyProposals, sandbox: Sandbox
) -> None:
    path = await choose(http, await proposals.add())
    [(action, fields)] = forms(await http.get(path))

    back = await press(sandbox, await visit("POST", action, data=fields), "Cancel")
    cancelled = await http.get(back.headers["location"])

    assert back.headers["location"] == f"{api.url}{path}/cancelled"
    assert "nothing was charged" in cancelled.text
    assert f'<a href="{path}">Back to the checkout</a>' in cancelled.text
    assert forms(await http.get(path)) == [(action, fields)]
    assert api.rows("select 1 from payments") == []


async def test_looking_at_the_thanks_page_pays_for_nothing(
    api: Api, http: httpx.AsyncClient, proposals: AgencyProposals
) -> None:
    path = await choose(http, await proposals.add())

    thanks = await http.get(f"{path}/thanks")

    assert "If you have not paid yet" in thanks.text
    assert "has confirmed" not in thanks.text
    assert api.rows("select state, paid_at from checkouts") == [{"state": "open", "paid_at": None}]


async def test_a_paid_checkout_shows_how_far_the_system_is_and_cannot_be_paid_again(
    api: Api, http: httpx.AsyncClient, proposals: AgencyProposals, master: MasterDb
) -> None:
    path = await choose(http, await proposals.add())
    organization_id = await mark_paid(master, api.rows("select id from checkouts")[0]["id"])

    again, cancelled = await http.get(path), await http.get(f"{path}/cancelled")
    begun = await http.get(f"{path}/thanks")
    for step, state in ((STEPS[0], "ready"), (STEPS[1], "ready"), (STEPS[2], "ready"), (STEPS[2], "calling")):
        api.execute(
            """insert into stack_resources (organization_id, step, name, vendor, mark, state, ready_at)
               values (%s, %s, gen_random_uuid()::text, 'supabase', 'm', %s, case when %s = 'ready' then now() end)""",
            *(organization_id, step, state, state),
        )
    going = await http.get(f"{path}/thanks")
    api.execute("update provisionings set state = 'failed'")
    failed = await http.get(f"{path}/thanks")
    api.execute("update provisionings set state = 'done', finished_at = now()")
    ready = await http.get(f"{path}/thanks")

    for page in (again, cancelled):
        assert (page.status_code, page.headers["location"]) == (303, f"{path}/thanks")
    assert "PayFast has confirmed your payment of R\u00a03\u00a0500." in begun.text
    assert "Step 1 of 10: your database." in begun.text
    assert "Step 3 of 10: its keys." in going.text
    assert '<progress max="10" value="2"' in going.text
    assert "Please do not pay again." in failed.text
    assert "Your system is ready" in ready.text
    assert [re.findall("http-equiv", page.text) for page in (begun, going, failed, ready)] == [
        *(["http-equiv"], ["http-equiv"], [], [])
    ]


async def test_an_expired_checkout_is_410_and_its_plan_can_be_chosen_again(
    api: Api, http: httpx.AsyncClient, proposals: AgencyProposals
) -> None:
    proposal = await proposals.add()
    old = await choose(http, proposal)
    api.clock.moment = datetime.now(UTC) + timedelta(days=8)

    page, cancelled = await http.get(old), await http.get(f"{old}/cancelled")
    new = await choose(http, proposal)

    assert (page.status_code, cancelled.status_code) == (410, 410)
    assert "This checkout is no longer valid" in page.text
    assert forms(page) == []
    assert f'href="{proposal}/plans"' in page.text
    assert new != old
    assert api.rows("select state from checkouts order by created_at") == [{"state": "expired"}, {"state": "open"}]
    # Whoever paid at its last minute is still told the truth.
    assert "We wait for PayFast to confirm" in (await http.get(f"{old}/thanks")).text


async def test_a_seller_whose_key_is_erased_sells_nothing(
    api: Api, http: httpx.AsyncClient, proposals: AgencyProposals
) -> None:
    path = await choose(http, await proposals.add())
    api.execute("update organizations set data_key_wrapped = null")

    assert (await http.get(path)).status_code == 404


@pytest.fixture
def other_process(api: Api) -> Iterator[str]:
    """The address of a second API on the same databases, in a process of its own."""
    port = free_port_pair()
    environment = {
        "DRAGGONNB_MASTER_DSN": api.master_dsn,
        "DRAGGONNB_MASTER_KEYS": MASTER_KEYS,
        "DRAGGONNB_API_PORT": str(port),
    }
    command = [sys.executable, "-m", "draggonnb_pipelines.api"]
    process = subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL)
    address = f"http://127.0.0.1:{port}"
    try:
        while True:
            with contextlib.suppress(requests.ConnectionError):
                requests.get(f"{address}/proposals/nobody", timeout=5)
                break
            assert process.poll() is None, "the API did not start"
            time.sleep(0.05)
        yield address
    finally:
        process.terminate()
        process.wait(15)


async def test_two_processes_that_are_clicked_at_once_place_one_checkout(
    api: Api, http: httpx.AsyncClient, proposals: AgencyProposals, other_process: str
) -> None:
    proposal = await proposals.add()
    form = await plan_form(http, proposal, "growth")

    addresses = [base + proposal + "/plans" for base in (api.url, other_process) * 8]
    answers = await asyncio.gather(*(http.post(address, data=form) for address in addresses))

    assert {answer.status_code for answer in answers} == {303}
    assert len({answer.headers["location"] for answer in answers}) == 1
    assert api.rows("select plan_key, state from checkouts") == [{"plan_key": "growth", "state": "open"}]
