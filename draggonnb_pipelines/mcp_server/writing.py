"""The tools that change something, which exist only where the operator allowed it.

Lives here: the two steps of each: called without `confirm` it shows what would be done and a phrase; called with that
phrase it does it, as `mcp:<client>` in the audit log. Not here: what is done (`workflows/`), the phrases
(`confirmations.py`). A tool's docstring is what the client's model reads of it.
"""

from collections.abc import Sequence
from typing import Annotated, Any
from uuid import UUID

from mcp.server.mcpserver import Context
from pydantic import Field

from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.errors import OperatorError
from draggonnb_pipelines.mcp_server.answers import Change, Confirm, Shown, Slug
from draggonnb_pipelines.mcp_server.confirmations import Confirmations
from draggonnb_pipelines.mcp_server.fences import Fence, visible
from draggonnb_pipelines.mcp_server.reading import MCP, organization_of
from draggonnb_pipelines.resources.postgres import TenantDb
from draggonnb_pipelines.resources.stack import Stack
from draggonnb_pipelines.workflows.messages.acknowledgements import ALERTS, acknowledge_in
from draggonnb_pipelines.workflows.operations.inbox_replays import replay_rows
from draggonnb_pipelines.workflows.publishing.publish_questions import QUESTIONS, Answer, act_on_row, refuse_misfit

AT_ONCE = 200
CLIENT_CHARS = 60
Ids = Annotated[
    list[UUID] | None,
    Field(min_length=1, max_length=AT_ONCE, description="Rows that are dead or done; without them, all dead ones."),
]
Event = Annotated[str | None, Field(pattern=r"^[a-z_]{2,60}$", description="Only alerts of this event.")]
Url = Annotated[str | None, Field(max_length=2000, description="With published: the address of the post.")]


class Writing:
    """The writing half of the desk, over one opened installation."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self._confirmations = Confirmations()

    async def replay_inbox(
        self, context: Context[Any, Any], organization: Slug, ids: Ids = None, confirm: Confirm = None
    ) -> Change:
        """Put an organization's dead deliveries (or finished ones by id) back to the start of the queue. Their effects
        do not repeat. At most 200 at once, the oldest first. Without confirm it only shows which."""
        owner, actor = await organization_of(self._stack, organization), actor_of(context)
        async with self._stack.master.connection() as conn:
            found = MCP.finished_deliveries(conn, organization_id=owner.id, ids=ids, row_limit=AT_ONCE)
            rows = [row async for row in found]
        if strangers := set(ids or ()) - {row["id"] for row in rows}:
            raise OperatorError(
                f"ids: {owner.slug} has no delivery to replay: {', '.join(sorted(map(str, strangers)))}",
                remedy="inbox_list shows them; what is dead or done and still has its body can be",
            )
        if not rows:
            raise OperatorError(
                f"{owner.slug} has no dead delivery that can be replayed", remedy="inbox_list shows what there is"
            )
        words = f"replay {len(rows)} deliveries of {owner.slug}"
        state = [[row["id"], row["state"], row["finished_at"]] for row in rows]
        about = [(row["id"], f"{row['topic']} of {row['received_at']:%Y-%m-%d}: {row['last_error']}") for row in rows]
        if confirm is None:
            return self._preview(words, actor, state, about)
        self._confirmations.require(confirm, words, actor, state)
        chosen = [row["id"] for row in rows]
        replayed = await replay_rows(self._stack.master, chosen, resource=f"organization:{owner.slug}", by=actor)
        return _done(f"{len(replayed)} deliveries wait again", [one for one in about if one[0] in replayed])

    async def answer_alert(
        self, context: Context[Any, Any], organization: Slug, alert_id: UUID, confirm: Confirm = None
    ) -> Change:
        """Say of one alert that it is being seen to: nobody else is told. Without confirm it only shows the alert."""
        owner, actor = await organization_of(self._stack, organization), actor_of(context)
        async with self._stack.tenants.open(owner) as tenant:
            alert = await ALERTS.one_alert(tenant.conn, id=alert_id)
            if alert is None:
                raise OperatorError(f"alert_id: {owner.slug} has no alert {alert_id}", remedy="open_alerts shows them")
            if alert["acknowledged_at"] is not None:
                raise OperatorError(
                    f"alert_id: somebody sees to it since {alert['acknowledged_at']:%Y-%m-%d %H:%M} UTC",
                    remedy="open_alerts shows what is open",
                )
            return await self._see_to(tenant, [alert], f"see to alert {alert_id} of {owner.slug}", actor, confirm)

    async def acknowledge(
        self, context: Context[Any, Any], organization: Slug, event: Event = None, confirm: Confirm = None
    ) -> Change:
        """Say of all open alerts of an organization, or of those of one event, that they are being seen to. At most
        200 at once, the oldest first. Without confirm it only shows which."""
        owner, actor = await organization_of(self._stack, organization), actor_of(context)
        async with self._stack.tenants.open(owner) as tenant:
            alerts = [row async for row in ALERTS.open_alerts(tenant.conn, event=event, row_limit=AT_ONCE)]
            if not alerts:
                raise OperatorError(
                    f"{owner.slug} has no open alert{f' of {event}' if event else ''}",
                    remedy="open_alerts shows what is open",
                )
            words = f"see to {len(alerts)} alerts of {owner.slug}"
            return await self._see_to(tenant, alerts, words, actor, confirm)

    async def answer_publish_question(
        self,
        context: Context[Any, Any],
        organization: Slug,
        row_id: UUID,
        answer: Answer,
        url: Url = None,
        confirm: Confirm = None,
    ) -> Change:
        """Answer a question of review_posts. published: it is there. not-published: it is not, send it again.
        publish: late or failing, try all the same. drop: never. deleted: what was to be taken back is gone. Without
        confirm it only shows the question."""
        owner, actor = await organization_of(self._stack, organization), actor_of(context)
        row = await self._question(owner, row_id)
        _require_fit(row, row_id, answer)
        words = f"answer {answer} to row {row_id} of {owner.slug}"
        state = [row["status"], row["question"], row["attempts"], url]
        about = [(row_id, f"{row['platform_id']}, due {row['publish_at']:%Y-%m-%d %H:%M} UTC: {row['question']}")]
        if confirm is None:
            return self._preview(words, actor, state, about)
        self._confirmations.require(confirm, words, actor, state)
        return _done(await act_on_row(self._stack, owner.slug, row_id, answer, by=actor, url=url), about)

    async def _question(self, owner: Organization, row_id: UUID) -> dict[str, Any]:
        async with self._stack.tenants.open(owner) as tenant:
            row = await QUESTIONS.one_row(tenant.conn, id=row_id)
        if row is None or row["status"] != "needs_review":
            what = "no row" if row is None else f"{row['status']}, and asks nothing: row"
            raise OperatorError(f"row_id: {owner.slug} has {what} {row_id}", remedy="review_posts shows what asks")
        return row

    async def _see_to(
        self, tenant: TenantDb, alerts: Sequence[dict[str, Any]], words: str, actor: str, confirm: str | None
    ) -> Change:
        state = [[row["id"], row["event"], row["subject"]] for row in alerts]
        about = [(row["id"], f"{row['event']}: {row['subject']}") for row in alerts]
        if confirm is None:
            return self._preview(words, actor, state, about)
        self._confirmations.require(confirm, words, actor, state)
        now = self._stack.now()
        seen = [one for one in about if await acknowledge_in(tenant, one[0], by=actor, actor=actor, now=now)]
        return _done(f"{len(seen)} alerts are seen to; nobody else is told", seen)

    def _preview(self, words: str, actor: str, state: Any, about: Sequence[tuple[UUID, str]]) -> Change:
        return _change(
            False,
            f"Nothing was done. To {words}, call this again with the phrase in confirm.",
            about,
            self._confirmations.phrase(words, actor, state),
        )


def actor_of(context: Context[Any, Any]) -> str:
    """Who asks, for the audit log: `mcp:` and the name that the client gives itself."""
    peer = context.session.client_params
    name = " ".join(visible(peer.client_info.name).split())[:CLIENT_CHARS] if peer else ""
    return f"mcp:{name or 'unnamed'}"


def _require_fit(row: dict[str, Any], row_id: UUID, answer: Answer) -> None:
    """Refused in our words alone: the question may quote a network."""
    try:
        refuse_misfit(row, answer)
    except OperatorError as error:
        raise OperatorError(f"answer: {answer!r} does not fit what row {row_id} asks", remedy=error.remedy) from error


def _done(said: str, about: Sequence[tuple[UUID, str]]) -> Change:
    return _change(True, said, about)


def _change(is_done: bool, said: str, about: Sequence[tuple[UUID, str]], confirm: str | None = None) -> Change:
    fence = Fence()
    shown = [Shown(id=id_, what=fence(what)) for id_, what in about]
    return Change(notice=fence.notice, is_done=is_done, said=said, about=shown, confirm=confirm)
