"""`draggonnb billing`: an operator's look at a subscription, and orders that reach PayFast once."""

import asyncio
import hashlib
from collections.abc import Callable
from datetime import date
from uuid import uuid4

import pytest
from typer.testing import CliRunner

from draggonnb_pipelines.cli import app
from draggonnb_pipelines.resources.http import HttpDoor
from draggonnb_pipelines.resources.vault import Vault
from tests.cli.conftest import Cli
from tests.conftest import MASTER_KEYS
from tests.payfast_till import buy, checkout, payfast
from tests.sandbox_process import Sandbox

SLUG = "kloof-coffee"


@pytest.fixture
def token(cli: Cli, tenant: Callable[[str], str], sandbox: Sandbox) -> str:
    """PayFast's token of a client that is active on Starter, paid for a month that has just begun."""
    tenant(SLUG)
    asyncio.run(_buy(sandbox))
    [paid] = sandbox.public("payfast")
    key, subscription_id = paid["token"], uuid4()
    sealed = Vault(MASTER_KEYS).seal(key.encode(), f"subscription:{subscription_id}:payfast-token")
    cli.execute(
        "insert into subscriptions (id, organization_id, plan_key, status, m_payment_id, amount_cents, started_on,"
        " paid_until, payfast_token_sha256, payfast_token_sealed)"
        " select %s, id, 'starter', 'active', 'sub-1', 150000, %s, %s, %s, %s from organizations where slug = %s",
        subscription_id, date.fromisoformat(paid["billing_date"]), _run_date(sandbox, key),
        hashlib.sha256(key.encode()).digest(), sealed, SLUG,
    )  # fmt: skip
    return key


async def _buy(sandbox: Sandbox) -> None:
    async with HttpDoor(user_agent="test") as door:
        await buy(sandbox, payfast(door, f"{sandbox.url}/payfast"), checkout())


def _run_date(sandbox: Sandbox, token: str) -> date:
    async def fetch() -> date | None:
        async with HttpDoor(user_agent="test") as door:
            return (await payfast(door, f"{sandbox.url}/payfast").fetch(token)).run_date

    found = asyncio.run(fetch())
    assert found is not None
    return found


def test_a_subscription_is_paused_shown_and_taken_up_again(cli: Cli, token: str, sandbox: Sandbox) -> None:
    port = {"DRAGGONNB_SANDBOX_PORT": str(sandbox.port)}

    paused = cli.ok("billing", "pause", SLUG, "--months", "2", "--key", "holiday", **port)
    again = cli.ok("billing", "pause", SLUG, "--months", "2", "--key", "holiday", **port)
    shown = cli.ok("billing", "show", SLUG, **port)
    back = cli.ok("billing", "resume", SLUG, **port)

    [first, second] = cli.rows("select id, verb, state from subscription_orders order by created_at")
    assert paused == again == f"done: pause for kloof-coffee, order {first['id']}\n"
    assert back == f"done: unpause for kloof-coffee, order {second['id']}\n"
    assert (first["state"], second["state"]) == ("done", "done")
    for words in ("starter, R1500.00 a month", "paused", "paid until", "operator"):
        assert words in shown
    assert token not in shown
    assert sum(entry["route"].endswith("/pause") for entry in sandbox.journal("payfast")) == 1


def test_a_plan_is_changed_and_the_subscription_cancelled_for_good(cli: Cli, token: str, sandbox: Sandbox) -> None:
    port = {"DRAGGONNB_SANDBOX_PORT": str(sandbox.port)}

    unknown = cli("billing", "change-plan", SLUG, "platinum", **port)
    cli.ok("billing", "change-plan", SLUG, "growth", **port)
    cancelled = cli.ok("billing", "cancel", SLUG, "--yes", **port)
    too_late = cli("billing", "pause", SLUG, **port)

    assert (unknown.code, unknown.err.splitlines()[0]) == (1, "error: not ordered: no plan is called 'platinum'")
    assert cancelled.startswith("done: cancel for kloof-coffee, order ")
    assert too_late.err.startswith("error: not ordered: the subscription is cancelled; a new one begins with a new")
    [row] = cli.rows("select plan_key, status, amount_cents from subscriptions")
    assert row == {"plan_key": "growth", "status": "cancelled", "amount_cents": 350000}
    [change] = cli.rows("select details from subscription_events where kind = 'plan_changed'")
    assert change["details"]["difference_cents"] == 200000


def test_what_is_no_amount_in_rand_and_a_card_that_is_not_kept_are_refused_by_name(
    cli: Cli, token: str, sandbox: Sandbox
) -> None:
    port = {"DRAGGONNB_SANDBOX_PORT": str(sandbox.port)}

    said = {}
    for amount in ("USD 150", "€150", "-150", "1,500.00", "150.001", "4.99"):
        ended = cli("billing", "charge", "--item", "Extra posts", "--", SLUG, amount, **port)
        said[amount] = ended.err.splitlines()[0]
        assert ended.code == 1
    unkept = cli("billing", "charge", SLUG, "150.00", "--item", "Extra posts", **port)

    refusal = "is no amount in rand, such as 150.00: PayFast takes ZAR only"
    assert said == {
        **{amount: f"error: {amount!r} {refusal}" for amount in ("USD 150", "€150", "-150", "1,500.00", "150.001")},
        "4.99": "error: not ordered: a charge is between R5.00 and R999999.99, not 499 cents",
    }
    assert unkept.code == 1
    assert unkept.err.startswith("error: not ordered: PayFast charges this agreement by itself, next on ")
    assert cli.rows("select id from subscription_orders") == []
    assert [one["amount_cents"] for one in sandbox.public("payfast")] == [150000]


def test_the_card_link_is_one_line_and_names_the_token(cli: Cli, token: str, sandbox: Sandbox) -> None:
    port = {"DRAGGONNB_SANDBOX_PORT": str(sandbox.port)}

    link = cli.ok("billing", "card-link", SLUG, **port)

    base = f"{sandbox.url}/payfast/eng/recurring/update/{token}"
    assert link == f"{base}?return=https%3A%2F%2Fkloof-coffee.draggonnb.app\n"


def test_without_a_subscription_there_is_nothing_to_order(cli: Cli, tenant: Callable[[str], str]) -> None:
    tenant("bare-shop")

    for verb in (["show"], ["pause"], ["resume"], ["cancel", "--yes"], ["card-link"]):
        ended = cli("billing", verb[0], "bare-shop", *verb[1:])
        assert (ended.code, ended.err.splitlines()[0]) == (1, "error: bare-shop has no subscription")
    assert cli("billing", "show", "nobody").err.startswith("error: no organization has the slug 'nobody'")
    assert cli.rows("select id from subscription_orders") == []


def test_a_payment_for_which_there_is_no_place_is_shown_with_its_question_and_settled_once(
    cli: Cli, sandbox: Sandbox
) -> None:
    port = {"DRAGGONNB_SANDBOX_PORT": str(sandbox.port)}
    ids = [str(uuid4()), str(uuid4())]
    for number, (payment, state) in enumerate(zip(ids, ("needs_review", "rejected"), strict=True)):
        cli.execute(
            "insert into payments (id, raw_sealed, raw_sha256, state, reason, pf_payment_id, amount_gross_cents)"
            " values (%s, 'sealed', sha256(%s), %s, 'the period is paid already', '77', 150000)",
            payment, str(number).encode(), state,
        )  # fmt: skip

    shown = cli.ok("billing", "payments", **port)
    all_of_them = cli.ok("billing", "payments", "--refused", **port)
    nameless = cli("billing", "settle", ids[0], "--as", "refunded", "--note", " ", **port)
    settled = cli.ok("billing", "settle", ids[0], "--as", "refunded", "--note", "Refund 17", **port)
    other = cli("billing", "settle", ids[0], "--as", "applied-by-hand", "--note", "or not", **port)
    again = cli.ok("billing", "recheck", ids[1], **port)

    for words in (ids[0], "R1500.00, 77", "the period is paid already"):
        assert words in shown
    assert (ids[1] in shown, ids[1] in all_of_them) == (False, True)
    assert nameless.err.startswith("error: a payment is refunded or applied-by-hand, with a note of 1 to 1000")
    assert settled == f"payment {ids[0]} is settled: refunded\n"
    assert other.err.startswith(f"error: payment {ids[0]} is settled as refunded: it waits for no answer")
    assert again == f"payment {ids[1]} is checked again by the next run\n"
    states = cli.rows("select state, settled_as, settled_note from payments order by state")
    assert states == [
        {"state": "received", "settled_as": None, "settled_note": None},
        {"state": "settled", "settled_as": "refunded", "settled_note": "Refund 17"},
    ]
    log = cli.rows("select action from audit_log where action like 'payment.%%' order by id")
    assert [row["action"] for row in log] == ["payment.settled", "payment.checked_again"]


@pytest.mark.parametrize("verb", ["show", "pause", "resume", "cancel", "change-plan", "charge", "card-link"])
def test_every_verb_explains_itself(verb: str) -> None:
    done = CliRunner().invoke(app, ["billing", verb, "--help"])

    assert done.exit_code == 0
    assert "The organization's slug" in done.output
