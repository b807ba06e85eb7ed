"""What a payment that is believed does: an organization begins, a period is paid, a charge is settled, an end is noted.

Lives here: one master transaction per payment, with the locks in one order: payment, order or checkout, subscription.
Not here: whether it is believed (`payments.py`), the decisions (`domain/subscriptions.py`).

It is the same whatever the order of arrival: the first payment that comes begins everything, whichever period it is
for; a cancellation waits for it.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any
from uuid import UUID, uuid5

from psycopg.types.json import Jsonb

from draggonnb_pipelines.domain.inbox import webhook_secret_context
from draggonnb_pipelines.domain.itn import CANCELLED, COMPLETE
from draggonnb_pipelines.domain.payfast import rand, south_african_day
from draggonnb_pipelines.domain.slugs import free_slug
from draggonnb_pipelines.domain.subscriptions import (
    Step,
    Subscription,
    after_cancellation,
    after_payment,
    after_trial_start,
    unnamed_period,
)
from draggonnb_pipelines.errors import NeedsReview
from draggonnb_pipelines.resources.postgres import Connection
from draggonnb_pipelines.resources.stack import Stack
from draggonnb_pipelines.sql import load_queries
from draggonnb_pipelines.workflows.billing.subscription_changes import (
    SUBSCRIPTIONS,
    keep_token,
    lock_subscription,
    possible_amounts,
    token_sha256,
    write_change,
)
from draggonnb_pipelines.workflows.organizations import ORGANIZATIONS

PAYMENTS = load_queries("payments")
ACTOR = "payfast"
CANCELLATION_PATIENCE = timedelta(days=3)
_SLUG_ATTEMPTS = 5


@dataclass(frozen=True)
class Effect:
    """What came of one payment.

    Args:
        organization_id: whom it concerns, if it had an effect now.
        waits: why it has none yet.
        woken: payments that waited for this one.
    """

    organization_id: UUID | None = None
    waits: str | None = None
    woken: tuple[UUID, ...] = ()


async def apply_payment(stack: Stack, payment_id: UUID, token: str | None) -> Effect:
    """Give a verified payment its effect, once; nothing where another process has been quicker.

    Args:
        token: PayFast's token of the subscription, as the notice has it.

    Raises:
        NeedsReview: money came, or an end was said, for which there is no place; nothing was changed.
    """
    async with stack.master.connection() as conn, conn.transaction():
        payment = await PAYMENTS.lock_payment(conn, id=payment_id)
        if payment is None or payment["state"] != "verified":
            return Effect()
        return await _Application(stack, conn, payment, token).apply()


@dataclass
class _Application:
    stack: Stack
    conn: Connection
    payment: Mapping[str, Any]
    token: str | None

    async def apply(self) -> Effect:
        payment, conn = self.payment, self.conn
        is_money, m_payment_id = payment["payment_status"] == COMPLETE, payment["m_payment_id"]
        if is_money and (order := await PAYMENTS.lock_charge_order(conn, m_payment_id=m_payment_id)):
            return await self._repeated() or await self._charge(order)
        checkout = await PAYMENTS.lock_checkout(conn, m_payment_id=m_payment_id)
        # Behind the checkout's lock: a twin of this payment in another process has ended by now.
        if is_money and (repeated := await self._repeated()):
            return repeated
        if checkout and checkout["subscription_id"] is None:
            return await (self._first(checkout) if is_money else self._too_early())
        subscription = await self._subscription(checkout)
        if is_money:
            return await self._period(subscription)
        return await self._cancellation(subscription)

    async def _repeated(self) -> Effect | None:
        """The same money told of before: by PayFast's history, or by a notice that named less."""
        twin = await PAYMENTS.applied_like_it(
            self.conn, pf_payment_id=self.payment["pf_payment_id"], id=self.payment["id"]
        )
        if twin is None:
            return None
        if twin["m_payment_id"] != self.payment["m_payment_id"]:
            raise NeedsReview(
                f"PayFast's payment {self.payment['pf_payment_id']} was booked for {twin['m_payment_id']} already: "
                "look there which of the two was paid"
            )
        meant = await PAYMENTS.meant(self.conn, m_payment_id=self.payment["m_payment_id"], token_sha256=None)
        if self.token and meant["subscription_id"]:
            await keep_token(self.stack, self.conn, meant["subscription_id"], self.token)
        await PAYMENTS.refuse(
            self.conn, id=self.payment["id"], state="rejected", reason=f"a repeat of payment {twin['id']}",
            checks=Jsonb({"repeat": True}), m_payment_id=None, pf_payment_id=None, payment_status=None,
            amount_gross_cents=None, told_at=self.stack.now(),
        )  # fmt: skip
        return Effect()

    async def _too_early(self) -> Effect:
        if self.stack.now() - self.payment["received_at"] > CANCELLATION_PATIENCE:
            raise NeedsReview("cancelled at PayFast before anything was paid: look there whether a payment is missing")
        return Effect(waits="the first payment has not come yet")

    async def _subscription(self, checkout: Mapping[str, Any] | None) -> Subscription:
        found = checkout["subscription_id"] if checkout else None
        if found is None:
            found = await SUBSCRIPTIONS.id_by_token(self.conn, token_sha256=token_sha256(self.token))
        if found is None:
            raise NeedsReview("PayFast sent it, but no subscription of ours is meant")
        subscription = await self._of_a_client(found)
        if self.token:
            await self._refuse_anothers_token(subscription.id)
            await keep_token(self.stack, self.conn, subscription.id, self.token)
            known = await SUBSCRIPTIONS.token_of(self.conn, id=subscription.id)
            if bytes(known["payfast_token_sha256"]) != token_sha256(self.token):
                if self.payment["payment_status"] == CANCELLED:
                    raise NeedsReview("another agreement of this checkout was cancelled; the paid one goes on")
                raise NeedsReview(
                    "paid twice: this checkout has a subscription already; cancel the second agreement at PayFast "
                    "(Dashboard, Subscriptions) and refund this payment"
                )
        return subscription

    async def _of_a_client(self, subscription_id: UUID) -> Subscription:
        """The subscription, locked; only its end may come after its client's."""
        subscription = await lock_subscription(self.conn, subscription_id)
        is_money = self.payment["payment_status"] == COMPLETE
        if is_money and await PAYMENTS.has_left(self.conn, organization_id=subscription.organization_id):
            raise NeedsReview(
                "the client has left: cancel its agreement at PayFast (Dashboard, Subscriptions), refund this payment"
            )
        return subscription

    async def _refuse_anothers_token(self, subscription_id: UUID | None) -> None:
        """A token belongs to one subscription for ever."""
        if self.token is None:
            return
        owner = await SUBSCRIPTIONS.id_by_token(self.conn, token_sha256=token_sha256(self.token))
        if owner not in (None, subscription_id):
            raise NeedsReview("PayFast's token is that of another client's subscription")

    async def _first(self, checkout: Mapping[str, Any]) -> Effect:
        """The organization, its subscription and its place in the queue begin together."""
        if self.token is None and not self.payment["found_in_history"]:
            raise NeedsReview("paid, but PayFast names no subscription: refund it, or charge by hand")
        of_proposal = {name: checkout[name] for name in ("seller_id", "proposal_id", "id")}
        if checkout["proposal_id"] and await PAYMENTS.paid_checkout_of_proposal(self.conn, **of_proposal):
            raise NeedsReview(
                "paid twice: another checkout of the same proposal is paid; cancel this agreement at PayFast "
                "(Dashboard, Subscriptions) and refund this payment"
            )
        await self._refuse_anothers_token(None)
        organization_id, subscription_id = (uuid5(checkout["id"], noun) for noun in ("organization", "subscription"))
        slug = await self._begin_organization(checkout, organization_id)
        now = self.stack.now()
        await PAYMENTS.begin_subscription(
            self.conn, id=subscription_id, organization_id=organization_id, checkout_id=checkout["id"],
            plan_key=checkout["plan_key"], m_payment_id=checkout["m_payment_id"],
            amount_cents=checkout["recurring_cents"], approved_at=checkout["approved_at"], now=now,
        )  # fmt: skip
        if self.token:
            await keep_token(self.stack, self.conn, subscription_id, self.token)
        await PAYMENTS.begin_provisioning(
            self.conn, organization_id=organization_id, subscription_id=subscription_id,
            owner_name=checkout["contact_name"], owner_email=checkout["contact_email"],
            owner_phone=checkout["contact_phone"],
        )  # fmt: skip
        await PAYMENTS.checkout_paid(self.conn, id=checkout["id"], subscription_id=subscription_id, now=now)
        subscription = await lock_subscription(self.conn, subscription_id)
        begun = Step("started", details={"plan": checkout["plan_key"], "trial_days": checkout["trial_days"]})
        await self._period(subscription, begun)
        siblings = PAYMENTS.wake_siblings(
            self.conn, m_payment_id=checkout["m_payment_id"], id=self.payment["id"], now=now
        )
        woken = tuple([row["id"] async for row in siblings])
        # Last: the log has one writer at a time.
        await ORGANIZATIONS.audit(
            self.conn, actor=ACTOR, action="organization.created", resource=f"organization:{slug}", metadata="{}"
        )
        return Effect(organization_id, woken=woken)

    async def _begin_organization(self, checkout: Mapping[str, Any], organization_id: UUID) -> str:
        vault = self.stack.vault
        wrapped = vault.new_data_key(organization_id)
        key = vault.tenant_key(organization_id, wrapped)
        token, secret = (key.derive_token(use, str(organization_id)) for use in ("webhook", "webhook-hmac"))
        for _ in range(_SLUG_ATTEMPTS):
            taken = {row["slug"] async for row in PAYMENTS.all_slugs(self.conn)}
            slug = free_slug(checkout["company"], taken)
            made = await PAYMENTS.begin_organization(
                self.conn, id=organization_id, slug=slug, name=checkout["company"], plan_key=checkout["plan_key"],
                timezone=checkout["timezone"], data_key_wrapped=wrapped,
                webhook_token_sha256=hashlib.sha256(token.encode()).digest(),
                webhook_secret_sealed=vault.seal(secret.encode(), webhook_secret_context(organization_id)),
            )  # fmt: skip
            if made:
                return slug
        raise NeedsReview("no slug could be had for this company")

    async def _period(self, before: Subscription, *steps: Step) -> Effect:
        """A month is paid, or a trial has begun with a payment of nothing."""
        gross = self.payment["amount_gross_cents"]
        agreed = await SUBSCRIPTIONS.agreed(self.conn, subscription_id=before.id)
        if gross == 0 and agreed["first_cents"] == 0:
            ends = self.payment["billing_date"] or await self._charged_on() + timedelta(days=agreed["trial_days"])
            after = after_trial_start(before, ends, agreed["trial_days"])
            return await self._done("other", before, after, ends, *steps)
        day = self.payment["billing_date"] or await self._unnamed_period(before)
        if await PAYMENTS.period_paid(self.conn, subscription_id=before.id, billing_date=day):
            # What PayFast charges once the next month is due is for that, whichever day it names.
            if before.paid_until is None or await self._charged_on() < before.paid_until:
                raise NeedsReview(f"the period from {day} is paid already: refund this payment at PayFast")
            day = await self._unnamed_period(before)
        if gross not in await possible_amounts(self.conn, before, day):
            raise NeedsReview(f"R{rand(gross)} was paid for {day}, which is not what is charged for that period")
        today = south_african_day(self.stack.now())
        after = after_payment(before, day, today, agreed["trial_days"])
        paid = Step("paid", self._payment_name, {"amount_cents": gross, "period_from": f"{day}"})
        return await self._done("period", before, after, day, *steps, paid)

    async def _cancellation(self, before: Subscription) -> Effect:
        after = after_cancellation(before, self.stack.now())
        return await self._done("cancellation", before, after, None, Step("cancelled"))

    async def _charge(self, order: Mapping[str, Any]) -> Effect:
        """The notice, or the history, of a charge that we asked for; it settles the order too."""
        if self.payment["amount_gross_cents"] != order["amount_cents"]:
            raise NeedsReview(f"R{rand(order['amount_cents'])} was to be charged, another amount was")
        if before := await PAYMENTS.charge_taken(self.conn, m_payment_id=self.payment["m_payment_id"]):
            raise NeedsReview(
                f"charged twice: PayFast's payment {before} was for this order; refund this one at PayFast"
            )
        subscription = await self._of_a_client(order["subscription_id"])
        if self.token:
            known = await SUBSCRIPTIONS.token_of(self.conn, id=subscription.id)
            if known["payfast_token_sha256"] is None or bytes(known["payfast_token_sha256"]) != token_sha256(
                self.token
            ):
                raise NeedsReview("a charge of ours on another agreement's card")
        await PAYMENTS.charge_order_paid(self.conn, id=order["id"], now=self.stack.now())
        charged = Step("charged", f"{order['id']}", {"amount_cents": order["amount_cents"]})
        return await self._done("charge", subscription, subscription, None, charged)

    async def _done(
        self, kind: str, before: Subscription, after: Subscription, day: date | None, *steps: Step
    ) -> Effect:
        now = self.stack.now()
        await write_change(self.conn, before, after, steps, actor=ACTOR, now=now)
        await PAYMENTS.applied(
            self.conn, id=self.payment["id"], kind=kind, organization_id=after.organization_id,
            subscription_id=after.id, billing_date=day, now=now, reason=None,
        )  # fmt: skip
        return Effect(after.organization_id)

    @property
    def _payment_name(self) -> str:
        return self.payment["pf_payment_id"] or str(self.payment["id"])

    async def _charged_on(self) -> date:
        in_history = await PAYMENTS.day_in_history(self.conn, pf_payment_id=self.payment["pf_payment_id"])
        return in_history or south_african_day(self.payment["received_at"])

    async def _unnamed_period(self, subscription: Subscription) -> date:
        first, charged_on = subscription.trial_ends_on or subscription.started_on, await self._charged_on()
        if first is None:
            return charged_on
        days = [row["billing_date"] async for row in PAYMENTS.paid_days(self.conn, subscription_id=subscription.id)]
        return unnamed_period(first, days, charged_on)
