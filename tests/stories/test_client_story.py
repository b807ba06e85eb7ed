"""The client's story: an accepted proposal, a plan paid at PayFast, a stack that stands, and a charge that fails;
through the real API, sensors, daemon, code server and runs."""

import io
import os
import re
import shutil
from collections.abc import Mapping
from typing import Any

import pytest
import requests
from playwright.sync_api import sync_playwright
from pypdf import PdfReader

from draggonnb_pipelines.domain.invoices import rand
from draggonnb_pipelines.domain.provisioning import STEPS, WEBHOOKS
from tests.stories.buyer import buy
from tests.stories.system import System, proposal_path

AGENCY = "draggonnb"
OUTSIDER = "outsider"
BOOKS = ("subscriptions", "invoices")
DAILY_BOOKS = ("usage_metrics", "payment_reconciliation")
CHROMIUM = os.environ.get("DRAGGONNB_CHROMIUM") or shutil.which("chromium")
# What must be there once, and of nobody else.
ONCE = """
select (select count(*) from organizations where slug not in ('draggonnb', 'outsider')) as organizations,
       (select count(*) from checkouts) as checkouts, (select count(*) from subscriptions) as subscriptions,
       (select count(*) from provisionings) as provisionings, (select count(*) from payments) as payments,
       (select count(*) from invoices) as invoices, (select count(*) from subscription_events) as events
"""
CLIENT = """
select o.slug, o.status, o.plan_key, s.status as subscription, s.amount_cents, p.state, p.last_step,
       s.paid_until > current_date + 27 as is_paid_ahead, s.grace_until is not null as has_grace
from organizations o join subscriptions s on s.organization_id = o.id join provisionings p on p.organization_id = o.id
where o.slug = %s
"""


def test_an_accepted_proposal_is_paid_set_up_invoiced_and_late_with_its_next_charge(system: System) -> None:
    proposal = _proposal(system, "Bo-Kaap Beans", "bokaap-beans.example")
    untouched = system.table_counts(OUTSIDER)

    thanks = buy(system, proposal, "hello@bokaap-beans.example")
    slug = "bo-kaap-beans"
    _until_set_up(system, slug)

    [first] = system.sandbox.public("payfast")
    assert "Your system is ready" in requests.get(thanks, timeout=10).text
    assert system.master(CLIENT, slug) == [_client(slug, first["amount_cents"])]
    _check_assets(system, slug)
    _check_stack(system, slug)
    _check_welcome(system, slug)
    _check_entries(system, slug)
    assert system.table_counts(OUTSIDER) == untouched

    # PayFast tells of the payment once more. Of a charge that fails no notice comes: the daily look sees it.
    _tell_again(system, first["pf_payment_id"])
    _charge_in_vain(system, first["token"])
    system.launch("keep_books", {"ops": {"keep_the_books": {"config": {"daily": True}}}})

    late = {"subscription": "past_due", "has_grace": True}
    assert system.master(CLIENT, slug) == [_client(slug, first["amount_cents"]) | late]
    assert system.master("select kind from subscription_events order by id") == [
        {"kind": kind} for kind in ("started", "paid", "past_due")
    ]
    assert system.master("select state, deliveries, kind, amount_gross_cents from payments") == [
        {"state": "applied", "deliveries": 2, "kind": "period", "amount_gross_cents": first["amount_cents"]}
    ]
    assert len(system.sandbox.public("payfast")) == 1
    _check_invoice(system, slug, first)
    answered = "select state from inbox where topic = 'content'"
    system.wait_until("the request is answered", lambda: system.master(answered) == [{"state": "done"}], seconds=30)
    _check_mails(system, slug, first["amount_cents"])
    _check_daily_books(system, slug)
    assert system.master(ONCE) == [
        dict.fromkeys(("organizations", "checkouts", "subscriptions", "provisionings", "payments", "invoices"), 1)
        | {"events": 3}
    ]
    # Its use is counted daily as everybody's.
    counted = {table: rows for table, rows in system.table_counts(OUTSIDER).items() if "usage" not in table}
    assert counted == {table: rows for table, rows in untouched.items() if "usage" not in table}
    assert {untouched[f"public.{name}"] for name in ("invoices", "subscription_history", "n8n_webhooks")} == {0}


@pytest.mark.browser
@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed, and DRAGGONNB_CHROMIUM names none")
def test_the_same_way_in_a_browser_ends_at_a_page_that_says_that_the_system_is_ready(system: System) -> None:
    proposal = _proposal(system, "Walmer Dental Studio", "walmer-dental.example")
    before = len(system.sandbox.public("payfast"))
    troubles: list[str] = []

    with sync_playwright() as playwright:
        flags = ["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"]
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=flags)
        page = browser.new_page()
        ours = system.settings.base_url
        page.on("console", lambda entry: troubles.append(entry.text) if ours in entry.location["url"] else None)
        page.on("pageerror", lambda error: troubles.append(str(error)))
        page.goto(proposal)
        page.get_by_label("Your full name").fill("Front desk")
        page.get_by_label("Your e-mail address").fill("hello@walmer-dental.example")
        page.get_by_role("checkbox").check()
        page.get_by_role("button", name="Accept the proposal").click()
        page.get_by_role("link", name="Choose your plan").click()
        page.get_by_role("button", name="Choose Starter").click()
        page.get_by_role("button", name="Pay at PayFast").click()
        page.get_by_role("button", name="Pay").click()
        page.get_by_role("heading", name="We wait for PayFast to confirm").wait_for()
        # Without a click: the page looks again by itself.
        page.get_by_role("heading", name="Your system is ready").wait_for(timeout=90_000)
        browser.close()

    assert troubles == []
    [paid] = system.sandbox.public("payfast")[before:]
    [client] = system.master(CLIENT, "walmer-dental-studio")
    assert client == _client("walmer-dental-studio", paid["amount_cents"]) | {"plan_key": "starter"}


def _proposal(system: System, company: str, host: str) -> str:
    """A lead of the agency, qualified: where its proposal is read and accepted."""
    if AGENCY not in system.clients:
        system.create(AGENCY, OUTSIDER)
    enquiry = {
        "name": "Front desk",
        "email": f"hello@{host}",
        "company": company,
        "website": f"http://{host}",
        "message": "We would like more regular customers, but nobody here has the time.",
        "consent": True,
        "consent_text": "You may contact me about my enquiry.",
    }
    answer = system.post_lead(AGENCY, enquiry, f"form-{host}")
    assert answer.status_code == 202
    query = "select state from inbox where id = %s"
    inbox_id = answer.json()["id"]
    system.wait_until("a proposal", lambda: system.master(query, inbox_id) == [{"state": "done"}], seconds=60)
    found = "select p.id from proposals p join leads l on l.id = p.lead_id where l.company_name = %s"
    [row] = system.tenant(AGENCY, found, company)
    return system.settings.base_url + proposal_path(system, AGENCY, row["id"])


def _until_set_up(system: System, slug: str) -> None:
    query = "select p.state from provisionings p join organizations o on o.id = p.organization_id where o.slug = %s"
    system.wait_until(
        f"the stack of {slug} stands", lambda: system.master(query, slug) == [{"state": "done"}], seconds=90
    )
    open_runs = "select count(*) as n from runs where status in ('QUEUED', 'STARTING', 'STARTED')"
    system.wait_until("the runs have ended", lambda: system.dagster(open_runs) == [{"n": 0}], seconds=30)
    system.meet(slug)


def _client(slug: str, amount_cents: int) -> dict[str, Any]:
    """A client that has paid and has everything."""
    return {
        **{"slug": slug, "status": "active", "plan_key": "growth", "subscription": "active"},
        **{"amount_cents": amount_cents, "state": "done", "last_step": STEPS[-1]},
        **{"is_paid_ahead": True, "has_grace": False},
    }


def _check_assets(system: System, slug: str) -> None:
    """Ten assets of the client, the two of its payment's day, and nothing of anybody else's."""
    found = system.materialized(*STEPS, *BOOKS, *DAILY_BOOKS)
    assert {step: found[step] for step in STEPS} == {step: {slug} for step in STEPS}
    assert [{key.partition("|")[2] for key in found[asset]} for asset in BOOKS] == [{slug}] * 2
    assert [found[asset] for asset in DAILY_BOOKS] == [set(), set()]
    # The clock's own jobs may come in between.
    runs = system.dagster("select distinct pipeline_name as job, status from runs order by 1")
    assert {run["status"] for run in runs} == {"SUCCESS"}
    assert {run["job"] for run in runs} >= {"keep_books", "qualify_leads", "set_up_clients"}


def _check_stack(system: System, slug: str) -> None:
    """Each thing once at its vendor, all of it written down, and the site answers."""
    rows = system.master("select step, name, state, url from stack_resources order by created_at")
    assert {row["state"] for row in rows} == {"ready"}
    assert list(dict.fromkeys(row["step"] for row in rows)) == list(STEPS)
    for vendor, name in (("supabase", f"{slug}-db"), ("vercel", f"draggonnb-{slug}")):
        assert [one["name"] for one in system.sandbox.public(vendor)] == [name]
    repositories = [one["full_name"] for one in system.sandbox.public("github")]
    assert sorted(repositories) == ["draggonnb/client-template", f"draggonnb/draggonnb-{slug}"]
    [site] = [row["url"] for row in rows if row["name"] == f"{slug}.draggonnb.app"]
    assert requests.get(site, timeout=10).status_code == 200


def _check_welcome(system: System, slug: str) -> None:
    """The mail's link signs the first person in, once, and leads into the app."""
    [mail] = [mail for mail in system.sandbox.public("mail") if mail["subject"].startswith("Welcome: ")]
    assert (mail["recipient"], mail["transmissions"]) == ("hello@bokaap-beans.example", 1)
    [link] = re.findall(r"http\S+/verify\S+", mail["text"])
    opened = [requests.get(link, allow_redirects=False, timeout=10).headers["location"] for _ in range(2)]
    app = f"{system.sandbox.url}/vercel/sites/{slug}.draggonnb.app"
    assert opened[0].startswith(f"{app}#access_token=")
    assert opened[1].startswith(f"{app}#error=access_denied")


def _check_entries(system: System, slug: str) -> None:
    """The client's token opens its entries in n8n and in our API, no other one does, and its plan's use can be read."""
    token = {"X-Webhook-Token": system.clients[slug].webhook_token}
    strange = {"X-Webhook-Token": system.clients[AGENCY].webhook_token}
    entries = system.tenant(slug, "select webhook_type, webhook_url, is_active from n8n_webhooks")
    assert {row["webhook_type"]: row["is_active"] for row in entries} == dict.fromkeys(WEBHOOKS, True)
    [entry] = [row["webhook_url"] for row in entries if row["webhook_type"] == "generate-content"]
    own = f"{system.settings.base_url}/webhook/{slug}/generate-content"
    body = {"brief": "Our filter roast is here.", "media": [{"path": "square.jpg", "alt": "A bag of beans"}]}
    refused = [_post(entry, body, {}), _post(entry, body, strange), _post(own, body, {}), _post(own, body, strange)]
    assert [answer.status_code for answer in refused] == [403, 403, 401, 401]
    assert system.master("select count(*) as n from inbox where topic = 'content'") == [{"n": 0}]

    taken = _post(own, body, token | {"X-Delivery-Id": "request-1"})
    again = _post(entry, body, token | {"X-Delivery-Id": "request-1"})
    assert (taken.status_code, again.status_code) == (202, 202)
    assert (again.json()["id"], again.json()["duplicate"]) == (taken.json()["id"], True)

    usage = f"{system.settings.base_url}/api/usage-metrics?organization={slug}"
    assert requests.get(usage, headers=strange, timeout=10).status_code == 401
    told = requests.get(usage, headers=token, timeout=10).json()
    assert (told["organization"], told["plan"], len(told["metrics"])) == (slug, "growth", 5)
    used = {one["metric"]: one["used"] for one in told["metrics"]}
    assert (used["users"], used["api_calls"], used["posts_monthly"]) == (1, 3, 0)


def _post(url: str, body: Mapping[str, Any], headers: Mapping[str, str]) -> requests.Response:
    return requests.post(url, json=body, headers=dict(headers), timeout=20)


def _tell_again(system: System, pf_payment_id: str) -> None:
    answer = _post(f"{system.sandbox.url}/_sandbox/payfast/itn", {"pf_payment_id": pf_payment_id}, {})
    assert answer.json() == {"statuses": [200]}


def _charge_in_vain(system: System, token: str) -> None:
    """Until PayFast gives up."""
    failed = {"token": token, "outcome": "failed", "times": 3}
    answer = _post(f"{system.sandbox.url}/_sandbox/payfast/charge", failed, {}).json()
    assert (answer["pf_payment_ids"], answer["subscription"]["status_text"]) == ([], "LOCKED")


def _check_invoice(system: System, slug: str, paid: Mapping[str, Any]) -> None:
    """One, with a page behind the mail's link, and the same in the client's own database."""
    [invoice] = system.master("select id, series, number, amount_cents from invoices")
    assert (invoice["series"], invoice["number"], invoice["amount_cents"]) == ("DRG", 1, paid["amount_cents"])
    [mail] = [mail for mail in system.sandbox.public("mail") if mail["subject"].startswith("Invoice DRG-000001 ")]
    [link] = re.findall(r"http\S+/invoices/[\w-]+", mail["text"])
    page = requests.get(link, timeout=10)
    assert (page.status_code, page.headers["content-type"]) == (200, "application/pdf")
    text = PdfReader(io.BytesIO(page.content)).pages[0].extract_text()
    assert ("DRG-000001" in text, "Bo-Kaap Beans" in text, paid["pf_payment_id"] in text) == (True, True, True)
    copies = system.tenant(slug, "select id, number, amount_cents, url, payfast_payment_id from invoices")
    assert copies == [
        {
            **{"id": invoice["id"], "number": "DRG-000001", "amount_cents": paid["amount_cents"]},
            **{"url": link, "payfast_payment_id": paid["pf_payment_id"]},
        }
    ]


def _check_mails(system: System, slug: str, amount_cents: int) -> None:
    """What the new client has heard, each thing once."""
    amount = rand(amount_cents).replace("\N{NO-BREAK SPACE}", " ")  # a subject is one plain line
    mails = [mail for mail in system.sandbox.public("mail") if mail["recipient"] == "hello@bokaap-beans.example"]
    assert sorted((mail["subject"], mail["transmissions"]) for mail in mails) == [
        ("Bo-Kaap Beans: your system is running", 1),
        ("First call: Bo-Kaap Beans and DraggonnB", 1),
        (f"Invoice DRG-000001 from DraggonnB: {amount}, paid", 1),
        ("Refused: Our filter roast is here.", 1),  # no account of the client's is connected yet
        ("Welcome: Bo-Kaap Beans is ready for you to sign in", 1),
        ("Your payment did not come in", 1),
    ]
    history = system.tenant(slug, "select status from subscription_history order by status")
    assert [row["status"] for row in history] == ["active", "active", "past_due"]


def _check_daily_books(system: System, slug: str) -> None:
    """The daily run looked at everybody, and the books agree to the cent."""
    found = system.materialized(*DAILY_BOOKS)
    everybody = {AGENCY, OUTSIDER, slug}
    assert [{key.partition("|")[2] for key in found[asset]} for asset in DAILY_BOOKS] == [everybody] * 2
    assert system.master("select count(*) as n from book_findings") == [{"n": 0}]
    checks = system.dagster(
        "select execution_status as status, count(*) as n from asset_check_executions"
        " where check_name = 'books_agree' and execution_status <> 'PLANNED' group by 1"
    )
    assert checks == [{"status": "SUCCEEDED", "n": 3}]
