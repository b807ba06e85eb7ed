"""What happens to clients who pay and are set up: PayFast that does not answer, forgeries, Supabase and n8n gone.

Not here: leads, posts and messages (`vendors.py`).
"""

import asyncio
import uuid
from typing import Any

from draggonnb_pipelines.domain.provisioning import project_name
from draggonnb_pipelines.resources.stack import Stack
from faults.catalogue import fault
from faults.scene import Scene
from faults.telling import Told, Voice, listen, mail, verb
from tests.payfast_till import buy, checkout, control
from tests.workflows.billing_work import open_checkout
from tests.workflows.paid_clients import open_client

SET_UP_SECONDS = 120.0
RETRIED = "nothing: it is asked again, by the mark of what may be there already"
MADE = """
select (select count(*) from organizations) as organizations, (select count(*) from subscriptions) as subscriptions,
       (select count(*) from payments where state <> 'rejected') as payments
"""
PAYMENT = "select p.state from payments p join checkouts c on c.m_payment_id = p.m_payment_id where c.id = %s"
STATE = "select p.state, p.last_error from provisionings p join organizations o on o.id = p.organization_id"


@fault(
    "postback-unanswered",
    done="a client pays while PayFast's postback answers 503",
    operator="nothing: the notice waits, and is asked about again",
)
def postback_unanswered(scene: Scene) -> Told:
    [before] = scene.rows(None, MADE)
    scene.sandbox.faults("POST /payfast/eng/query/validate", {"kind": "status", "status": 503}, repeat=True)
    row = scene.do(lambda stack: _pay(scene, stack))
    scene.begins()
    query = "select state || ': ' || reason as said from payments where state = 'received' and reason is not null"
    voice = Voice("its row of `payments`", lambda: next((row["said"] for row in scene.rows(None, query)), None))
    told = listen(scene, voice, seconds=120)
    scene.sandbox.clear_faults()
    paid = lambda: scene.rows(None, PAYMENT, row["id"]) == [{"state": "applied"}]  # noqa: E731
    scene.system.wait_until("the payment is applied", paid, seconds=120)
    [after] = scene.rows(None, MADE)
    assert {name: after[name] - before[name] for name in after} == dict.fromkeys(after, 1), (before, after)
    return told


@fault(
    "notice-forged",
    done="somebody sends a payment's notice, signed as PayFast does, which PayFast did not send",
    operator="looks at PayFast under Transaction History, if a client says that it has paid",
)
def notice_forged(scene: Scene) -> Told:
    [before] = scene.rows(None, MADE)
    row = scene.do(lambda stack: open_checkout(stack, scene.system.clients[scene.agency].organization))
    pairs = [("m_payment_id", row["m_payment_id"]), ("pf_payment_id", str(uuid.uuid4().int)[:7])]
    pairs += [("payment_status", "COMPLETE"), ("amount_gross", "1500.00"), ("merchant_id", "10000100")]
    url = f"{scene.system.settings.base_url}/webhooks/payfast"
    sent = asyncio.run(control(scene.sandbox, "itn", url=url, fields=pairs))
    assert sent.json() == {"statuses": [200]}, sent.text
    told = listen(scene, mail(scene, "A payment notice was refused"), seconds=120)
    [after] = scene.rows(None, MADE)
    assert before == after, (before, after)
    return told


@fault("supabase-500", done="Supabase answers 500 while a client that paid is set up", operator=RETRIED)
def supabase_500(scene: Scene) -> Told:
    step = {"kind": "accept_then_status", "status": 500, "times": 1}
    scene.sandbox.faults("POST /supabase/v1/projects", step)
    scene.sandbox.faults("GET /supabase/v1/projects/*", {"kind": "status", "status": 500, "times": 8})
    return _set_up(scene, "bokaap-beans", "supabase", [("supabase", "name", project_name("bokaap-beans"))])


@fault("n8n-down", done="n8n refuses connections while a client that paid is set up", operator=RETRIED)
def n8n_down(scene: Scene) -> Told:
    scene.sandbox.faults("* /n8n/*", {"kind": "drop_before_accept"}, repeat=True)
    return _set_up(scene, "hout-bay-surf", "n8n", [("supabase", "name", project_name("hout-bay-surf"))])


async def _pay(scene: Scene, stack: Stack) -> dict[str, Any]:
    row = await open_checkout(stack, scene.system.clients[scene.agency].organization)
    order = checkout(
        f"{scene.system.settings.base_url}/webhooks/payfast",
        m_payment_id=row["m_payment_id"],
        amount_cents=row["amount_cents"],
        recurring_amount_cents=row["recurring_cents"],
        custom_str=(str(row["id"]),),
    )
    await buy(scene.sandbox, stack.payfast, order)
    return row


def _set_up(scene: Scene, slug: str, about: str, once: list[tuple[str, str, str]]) -> Told:
    """A paid client; what is said while its vendor fails; and that it has everything, once, after that."""
    scene.do(lambda stack: open_client(stack, slug))
    scene.begins()
    try:
        told = listen(scene, verb(scene, f"tenant show {slug}", f"{about}: ", code=0), seconds=120)
    finally:
        scene.sandbox.clear_faults()
    # Its waits of minutes are cut short, as those of posts are.
    hurry = "update provisionings set not_before = now() where state = 'waiting' and not_before > now()"

    def is_set_up() -> bool:
        scene.rows(None, hurry)
        return scene.rows(None, f"{STATE} where o.slug = %s", slug)[0]["state"] == "done"

    scene.system.wait_until(f"{slug} is set up", is_set_up, seconds=SET_UP_SECONDS)
    for kind, key, value in once:
        found = [one for one in scene.sandbox.public(kind) if one[key] == value]
        assert len(found) == 1, f"{len(found)} at {kind} of {slug}"
    return told
