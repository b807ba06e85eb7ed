"""The stack ledger: whatever is made for a client is written down before the call that makes it, and after it.

Lives here: planning a resource, the one way to make it once (`ensure`), and reading the ledger. Not here: what the
vendors are asked (the steps' modules), who is set up when (`provisioning.py`).

No vendor here takes an idempotency key. So each step looks before it creates and adopts only what carries our mark;
what a killed call left is looked for until its answer must have come, and only then made again.
"""

import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from psycopg.types.json import Jsonb

from draggonnb_pipelines.domain.provisioning import Client, Resource
from draggonnb_pipelines.errors import DraggonnbError, ErrorClass, NeedsReview, VendorError
from draggonnb_pipelines.resources.stack import Stack
from draggonnb_pipelines.resources.vault import TenantKey
from draggonnb_pipelines.sql import load_queries

PROVISIONING = load_queries("provisioning")
SECRETS = "stack_resources"


class NotYet(DraggonnbError):
    """Nothing is wrong: the step goes on in `seconds`, in this run or in another one."""

    def __init__(self, reason: str, seconds: float) -> None:
        super().__init__(reason)
        self.reason = reason
        self.seconds = seconds


class NameTaken(DraggonnbError):
    """Something of that name is there and is not ours. It is never adopted; a person decides."""

    def __init__(self, vendor: str, name: str, why: str) -> None:
        super().__init__(
            f"{vendor}: {name!r} is there already and is not ours: {why}. Rename or remove it there, or abort"
        )


@dataclass(frozen=True)
class Made:
    """What a vendor has now: its id, where people look at it, what later steps need."""

    vendor_id: str
    url: str | None = None
    details: Mapping[str, Any] = field(default_factory=dict)
    secrets: Mapping[str, str] | None = field(default=None, repr=False)


@dataclass(frozen=True)
class Ledger:
    """The rows of one client, in one run."""

    stack: Stack
    client: Client
    run_id: str

    async def plan(
        self,
        step: str,
        vendor: str,
        name: str,
        *,
        mark: str | None = None,
        details: Mapping[str, Any] | None = None,
        secrets: Mapping[str, str] | None = None,
        monthly_cents: int = 0,
    ) -> Resource:
        """Write the intent, or find what an earlier run wrote: then its secrets stand and these are forgotten."""
        organization_id = self.client.organization.id
        async with self.stack.master.connection() as conn:
            await PROVISIONING.plan_resource(
                conn,
                organization_id=organization_id,
                step=step,
                name=name,
                vendor=vendor,
                mark=mark or self.client.mark,
                details=Jsonb(dict(details or {})),
                secrets_sealed=self._seal(secrets),
                monthly_cents=monthly_cents,
                run_id=self.run_id,
            )
            row = await PROVISIONING.resource(conn, organization_id=organization_id, step=step, name=name)
        return self._resource(row)

    async def ensure(
        self,
        resource: Resource,
        *,
        find: Callable[[Resource], Awaitable[Made | None]],
        make: Callable[[Resource], Awaitable[Made]],
    ) -> Resource:
        """The thing exists once at the vendor and is written down, whatever happened before. Repeatable at any time.

        Args:
            find: what the vendor has that carries our mark; None if surely nothing. Raises `NameTaken` for a
                stranger's, and a VendorError where the vendor could not be read to the end.
            make: the call that creates it.

        Raises:
            NotYet: an earlier call may still arrive at the vendor.
            NameTaken, VendorError: as `find` and `make` raise them; the row says why.
        """
        found = await self._look(resource, find)
        if found is None:
            self._let_settle(resource)
            resource = await self.begin(resource)
            found = await self._make(resource, find, make)
        return await self.ready(resource, found)

    async def put(self, resource: Resource, put: Callable[[Resource], Awaitable[Made]]) -> Resource:
        """As `ensure`, for a call that may be repeated at will: whatever an earlier one did, this makes it so.

        Raises:
            DraggonnbError: as `put` raises it; the row says why.
        """
        try:
            made = await put(resource if resource.is_ready else await self.begin(resource))
        except NotYet:
            raise
        except DraggonnbError as error:
            await self.trouble(resource, _state_after(error), str(error))
            raise
        return await self.ready(resource, made)

    async def _make(
        self,
        resource: Resource,
        find: Callable[[Resource], Awaitable[Made | None]],
        make: Callable[[Resource], Awaitable[Made]],
    ) -> Made:
        try:
            return await make(resource)
        except NotYet:
            raise
        except DraggonnbError as error:
            # A name that is taken may be taken by our own call before, whose answer was lost.
            may_be_there = (ErrorClass.AMBIGUOUS, ErrorClass.DUPLICATE)
            if not isinstance(error, VendorError) or error.error_class not in may_be_there:
                await self.trouble(resource, _state_after(error), str(error))
                raise
            if found := await self._look(resource, find):
                return found
            if error.error_class is ErrorClass.DUPLICATE:
                taken = NameTaken(error.vendor, resource.name, error.message)
                await self.trouble(resource, _state_after(taken), str(taken))
                raise taken from error
            await self.trouble(resource, "unknown", str(error))
            seconds = self.stack.settings.provision_settle_seconds
            raise NotYet(f"{error.vendor} may have made {resource.name}: it is looked for again", seconds) from error

    async def _look(self, resource: Resource, find: Callable[[Resource], Awaitable[Made | None]]) -> Made | None:
        """What the vendor has. Where it cannot be read, a call that may still arrive stays open, and is waited for."""
        try:
            return await find(resource)
        except NotYet:
            raise
        except DraggonnbError as error:
            is_open = resource.state in ("calling", "unknown")
            state = _state_after(error)
            await self.trouble(resource, "unknown" if is_open and state == "failed" else state, str(error))
            raise

    def _let_settle(self, resource: Resource) -> None:
        """A call whose answer nobody has seen must have had its effect by now before it is made again."""
        if resource.attempted_at is None or resource.state not in ("calling", "unknown"):
            return
        settled = resource.attempted_at + timedelta(seconds=self.stack.settings.provision_settle_seconds)
        left = (settled - self.stack.now()).total_seconds()
        if left > 0:
            raise NotYet(f"an earlier call for {resource.name} may still arrive at {resource.vendor}", left)

    async def begin(self, resource: Resource) -> Resource:
        """Commit that a call begins now.

        Raises:
            NotYet: another run has begun one meanwhile.
        """
        async with self.stack.master.connection() as conn:
            begun = await PROVISIONING.begin_call(
                conn, id=resource.id, attempts=resource.attempts, now=self.stack.now(), run_id=self.run_id
            )
        if begun is None:
            poll = self.stack.settings.provision_poll_seconds
            raise NotYet(f"another run is at work on {resource.name}", poll)
        return await self.resource(resource.step, resource.name)

    async def ready(self, resource: Resource, made: Made) -> Resource:
        """Write down what was made, or found."""
        async with self.stack.master.connection() as conn:
            await PROVISIONING.resource_ready(conn, id=resource.id, now=self.stack.now(), **self._values(made))
        return await self.resource(resource.step, resource.name)

    async def note(self, resource: Resource, made: Made) -> Resource:
        """Write down what is known before the thing is of use: its id, its address."""
        async with self.stack.master.connection() as conn:
            await PROVISIONING.resource_noted(conn, id=resource.id, **self._values(made))
        return await self.resource(resource.step, resource.name)

    async def trouble(self, resource: Resource, state: str, reason: str) -> None:
        """Write down why it is not ready; a ready one stays so."""
        async with self.stack.master.connection() as conn:
            await PROVISIONING.resource_troubled(conn, id=resource.id, state=state, reason=reason[:500])

    async def resource(self, step: str, name: str) -> Resource:
        """One row.

        Raises:
            LookupError: it was never planned.
        """
        async with self.stack.master.connection() as conn:
            row = await PROVISIONING.resource(conn, organization_id=self.client.organization.id, step=step, name=name)
        if row is None:
            raise LookupError(f"{self.client.slug} has no {step} {name}")
        return self._resource(row)

    async def resources(self) -> list[Resource]:
        """All rows of the client, the oldest first."""
        async with self.stack.master.connection() as conn:
            rows = [row async for row in PROVISIONING.resources_of(conn, organization_id=self.client.organization.id)]
        return [self._resource(row) for row in rows]

    def _values(self, made: Made) -> dict[str, Any]:
        return {
            "vendor_id": made.vendor_id,
            "url": made.url,
            "details": Jsonb(dict(made.details)),
            "secrets_sealed": self._seal(made.secrets),
        }

    @property
    def _key(self) -> TenantKey:
        return self.stack.tenants.key(self.client.organization)

    def _seal(self, secrets: Mapping[str, str] | None) -> bytes | None:
        if secrets is None:
            return None
        text = json.dumps(dict(secrets)).encode()
        # With the client's own key: erasing that key makes these unreadable too.
        return self._key.seal(text, SECRETS)

    def _resource(self, row: Mapping[str, Any]) -> Resource:
        sealed = row["secrets_sealed"]
        secrets = json.loads(self._key.open(sealed, SECRETS)) if sealed else {}
        return Resource(**{name: value for name, value in row.items() if name != "secrets_sealed"}, secrets=secrets)


def _state_after(error: DraggonnbError) -> str:
    return "needs_review" if isinstance(error, NameTaken | NeedsReview) else "failed"
