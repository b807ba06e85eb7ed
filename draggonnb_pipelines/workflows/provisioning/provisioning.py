"""Setting clients up: which run works on whom, and one step for many clients at once.

Lives here: taking clients, running a step until it is done, waits or fails, letting clients go. Not here: the steps
(a module each, by their names), the ledger that makes them repeatable (`stack_ledger.py`), what Dagster shows
(`provisioning_reports.py`).

Waiting costs nothing: a vendor that takes a minute is asked again from this one event loop, for all clients at once,
and who takes longer than a run's patience is left to a later run.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import psycopg

from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.domain.provisioning import MAX_ATTEMPTS, STEPS, Client, Resource
from draggonnb_pipelines.errors import DraggonnbError, ErrorClass, TenantUnavailable, VendorError
from draggonnb_pipelines.resources.stack import Stack
from draggonnb_pipelines.workflows.billing.invoice_delivery import deliver_invoices
from draggonnb_pipelines.workflows.billing.subscription_changes import SUBSCRIPTIONS, read_subscription
from draggonnb_pipelines.workflows.billing.subscription_notices import copy_to_client
from draggonnb_pipelines.workflows.inbox_batches import reason_of
from draggonnb_pipelines.workflows.provisioning.api_keys import api_keys
from draggonnb_pipelines.workflows.provisioning.environment import environment
from draggonnb_pipelines.workflows.provisioning.github_repo import github_repo
from draggonnb_pipelines.workflows.provisioning.kickoff_call import kickoff_call
from draggonnb_pipelines.workflows.provisioning.n8n_webhooks import n8n_webhooks
from draggonnb_pipelines.workflows.provisioning.onboarding_email import onboarding_email
from draggonnb_pipelines.workflows.provisioning.stack_ledger import PROVISIONING, Ledger, NotYet
from draggonnb_pipelines.workflows.provisioning.supabase_project import supabase_project
from draggonnb_pipelines.workflows.provisioning.tenant_schema import tenant_schema
from draggonnb_pipelines.workflows.provisioning.training_materials import training_materials
from draggonnb_pipelines.workflows.provisioning.vercel_deployment import vercel_deployment
from draggonnb_pipelines.workflows.publishing.agenda import dead_runs, showing_life

log = logging.getLogger(__name__)
CLIENTS_A_RUN = 100
RETRY_SECONDS = (30, 60, 120, 300, 600)
WORK: Mapping[str, Callable[[Ledger], Awaitable[Resource]]] = {
    "supabase_project": supabase_project,
    "tenant_schema": tenant_schema,
    "api_keys": api_keys,
    "github_repo": github_repo,
    "environment": environment,
    "vercel_deployment": vercel_deployment,
    "n8n_webhooks": n8n_webhooks,
    "onboarding_email": onboarding_email,
    "training_materials": training_materials,
    "kickoff_call": kickoff_call,
}
# Organizations that were made by `tenant create` have a database and nothing else of ours: it is kept up to date too.
FOR_EVERYBODY = frozenset({"tenant_schema"})


@dataclass(frozen=True)
class StepEnd:
    """What a step came to for one client: a resource, or why not; `waits` if it goes on by itself."""

    client: Client
    resource: Resource | None = None
    reason: str | None = None
    waits: bool = False


async def take_waiting(stack: Stack, run_id: str) -> list[str]:
    """Take clients that wait, and those that a dead run held; their slugs."""
    await _show_life(stack, run_id)
    async with stack.master.connection() as conn:
        taken = PROVISIONING.take_waiting(conn, run_id=run_id, now=stack.now(), row_limit=CLIENTS_A_RUN)
        return [row["slug"] async for row in taken]


async def run_step(stack: Stack, run_id: str, step: str, slugs: Sequence[str]) -> dict[str, StepEnd]:
    """One step for all of these clients at once, by slug; each one's trouble is its own. After the last step they are
    let go: who is complete is done, and its organization active."""
    await _show_life(stack, run_id)
    async with stack.master.connection() as conn:
        await PROVISIONING.take_named(conn, slugs=list(slugs), run_id=run_id, now=stack.now())
        rows = [row async for row in PROVISIONING.clients_of(conn, slugs=list(slugs))]
        stands = {row["slug"]: row["steps"] async for row in PROVISIONING.steps_done(conn, slugs=list(slugs))}
    before = STEPS[: STEPS.index(step)]
    missing = {row["slug"]: [one for one in before if one not in stands.get(row["slug"], ())] for row in rows}
    permits = asyncio.Semaphore(stack.settings.provision_clients_at_once)
    ends = time.monotonic() + stack.settings.provision_patience_seconds
    work = [_Work(stack, run_id, step, client_of(row), row, missing[row["slug"]]) for row in rows]
    done = await asyncio.gather(*(one.until_it_ends(permits, ends) for one in work))
    ids = [end.client.organization.id for end in done if end.resource]
    async with stack.master.connection() as conn:
        await PROVISIONING.note_progress(conn, organization_ids=ids, run_id=run_id, step=step, steps=list(STEPS))
        if step == STEPS[-1]:
            await PROVISIONING.finish_clients(
                conn, organization_ids=ids, steps=list(STEPS), run_id=run_id, now=stack.now()
            )
    if step == STEPS[-1]:
        await _bring_what_was_paid(stack, slugs)
    return {end.client.slug: end for end in done}


async def _bring_what_was_paid(stack: Stack, slugs: Sequence[str]) -> None:
    """Plan and invoices of who paid before there was a database to put them into; what cannot be brought now comes with
    the daily books."""
    async with stack.master.connection() as conn:
        rows = [row async for row in PROVISIONING.clients_of(conn, slugs=list(slugs))]
        known = SUBSCRIPTIONS.subscriptions_of(conn, slugs=list(slugs))
        subscriptions = {row["slug"]: await read_subscription(conn, row["id"]) for row in [one async for one in known]}
    for row in rows:
        if row["state"] != "done":
            continue
        organization = client_of(row).organization
        try:
            if row["slug"] in subscriptions:
                await copy_to_client(stack, organization, subscriptions[row["slug"]])
            trouble = await deliver_invoices(stack, organization)
        except Exception as error:  # they are set up whatever becomes of one invoice
            trouble = reason_of(error)
        if trouble:
            log.warning("plan and invoices of %s wait for the daily books: %s", row["slug"], trouble)


async def free_dead_runs(stack: Stack) -> None:
    """What runs held that live no more waits for the next one."""
    async with stack.master.connection() as conn:
        held = [row["run_id"] async for row in PROVISIONING.holding_runs(conn)]
    if dead := await dead_runs(stack.master, held):
        async with stack.master.connection() as conn:
            await PROVISIONING.free_clients(conn, run_ids=sorted(dead), max_attempts=MAX_ATTEMPTS)


async def _show_life(stack: Stack, run_id: str) -> None:
    """For as long as the stack is open: other runs leave this run's clients alone."""
    if await dead_runs(stack.master, [run_id]):
        await stack.kept.enter_async_context(showing_life(stack.master, run_id))
        await free_dead_runs(stack)


@dataclass(frozen=True)
class _Work:
    """One step of one client."""

    stack: Stack
    run_id: str
    step: str
    client: Client
    row: Mapping[str, Any]
    missing: Sequence[str] = ()

    @property
    def _comes_again(self) -> bool:
        """Whether a later run takes it up by itself: nobody waits for one that stands already."""
        return self.row["state"] == "running"

    async def until_it_ends(self, permits: asyncio.Semaphore, ends: float) -> StepEnd:
        """Until it is done or fails, or the run's patience is over (`ends`, monotonic seconds)."""
        row = self.row
        if row["run_id"] != self.run_id and not _is_for_everybody(row, self.step):
            return StepEnd(self.client, reason=_not_ours(row))
        if self.missing and self._comes_again:  # chosen in the UI: its turn comes in a run of all steps
            reason = f"{self.step} comes after {self.missing[0]}, which is not done"
            await self._let_go("waiting", reason, 0)
            return StepEnd(self.client, reason=reason, waits=True)
        ledger = Ledger(self.stack, self.client, self.run_id)
        while True:
            try:
                async with permits:
                    return StepEnd(self.client, await WORK[self.step](ledger))
            except NotYet as wait:
                pause = min(wait.seconds, self.stack.settings.provision_poll_seconds)
                if time.monotonic() + pause > ends:
                    await self._let_go("waiting", wait.reason, wait.seconds)
                    return StepEnd(self.client, reason=wait.reason, waits=self._comes_again)
                await asyncio.sleep(pause)
            except Exception as error:  # one client's trouble, of whatever kind, is its own
                throttled = _throttled_seconds(error)
                pause = max(throttled or 0.0, self.stack.settings.provision_poll_seconds)
                if throttled is not None and time.monotonic() + pause <= ends:
                    await asyncio.sleep(pause)
                    continue
                if not isinstance(error, DraggonnbError | psycopg.Error):
                    log.exception("%s of %s broke", self.step, self.client.slug)
                return await self._after(error)

    async def _after(self, error: Exception) -> StepEnd:
        """Trouble that passes is tried again in a later run, a number of times; any other is for a person."""
        reason, attempts = reason_of(error), self.row["attempts"]
        is_over = attempts + 1 >= MAX_ATTEMPTS and _throttled_seconds(error) is None
        if not _passes(error) or is_over:
            await self._let_go("failed", reason, 0)
            return StepEnd(self.client, reason=reason)
        seconds = float(RETRY_SECONDS[min(attempts, len(RETRY_SECONDS) - 1)])
        if isinstance(error, VendorError) and error.retry_after_seconds:
            seconds = max(seconds, error.retry_after_seconds)
        # A quota that all clients share is nobody's failure, however often it is met.
        await self._let_go("waiting", reason, seconds, counts=_throttled_seconds(error) is None)
        if not self._comes_again:
            return StepEnd(self.client, reason=f"{reason}; materialize its partition again")
        return StepEnd(self.client, reason=f"{reason}; tried again in {seconds:.0f} s", waits=True)

    async def _let_go(self, state: str, reason: str, seconds: float, *, counts: bool = False) -> None:
        async with self.stack.master.connection() as conn:
            await PROVISIONING.let_go(
                conn,
                organization_id=self.client.organization.id,
                run_id=self.run_id,
                state=state,
                step=self.step,
                reason=reason[:500],
                not_before=self.stack.now() + timedelta(seconds=seconds),
                counts=counts,
            )


def client_of(row: Mapping[str, Any]) -> Client:
    """From a row of `clients_of`."""
    organization = Organization(**{name: row[name] for name in Organization.__dataclass_fields__})
    return Client(organization, row["plan_key"], row["owner_name"], row["owner_email"], row["owner_phone"])


def _passes(error: Exception) -> bool:
    if isinstance(error, VendorError):
        return error.is_transient or error.error_class is ErrorClass.AMBIGUOUS
    return isinstance(error, TenantUnavailable | psycopg.OperationalError)


def _throttled_seconds(error: Exception) -> float | None:
    """How long the vendor asks everybody to wait; None where it does not."""
    if isinstance(error, VendorError) and error.error_class is ErrorClass.THROTTLED:
        asked = error.retry_after_seconds
        return float(RETRY_SECONDS[0]) if asked is None else asked
    return None


def _is_for_everybody(row: Mapping[str, Any], step: str) -> bool:
    return row["state"] is None and step in FOR_EVERYBODY and row["status"] != "closed"


def _not_ours(row: Mapping[str, Any]) -> str:
    if row["status"] == "closed":
        return "it is closed"
    if row["state"] is None:
        return "it was made by `tenant create`: it has no owner to welcome and no stack to set up"
    if row["state"] in ("aborting", "aborted"):
        return f"it is {row['state']}; nothing is set up for it any more"
    return f"another run is at work on it: {row['run_id']}"
