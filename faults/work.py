"""What comes in before and during a fault, at a slow steady pace, and the ledger of what is owed for it.

Lives here: leads and messages by webhook, posts that are due, and the sender, which repeats what was not answered with
2xx under the same delivery id, as vendors do. And what became of them: lost is what was taken in and has not all of its
effects; doubled is what the outside world saw twice.
Not here: how a lead or a post is judged (`tests/stories/lead_ledger.py`, `publish_ledger.py`).
"""

import asyncio
import contextlib
import itertools
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import timedelta

import httpx
import psycopg

from draggonnb_pipelines.domain.publishing import Platform
from draggonnb_pipelines.resources.stack import open_stack
from draggonnb_pipelines.workflows.publishing.agenda import note_due
from tests.stories.lead_ledger import WHOLE, count_leads
from tests.stories.publish_ledger import judge
from tests.stories.publish_world import NOTE, Expected, World
from tests.stories.system import System, company_of
from tests.workflows.publish_work import account_id_of, approve

CLIENTS = ("karoo-cycles", "kloof-coffee", "walmer-dental")
PACE_SECONDS = 1.5
SEND_AGAIN_SECONDS = 1.0
TIMEOUT_SECONDS = 10.0
UNTIL_TAKEN_SECONDS = 240.0
SETTLE_SECONDS = 180.0
SWEEP_SECONDS = 20.0  # messages that were left over wait for the next quarter of an hour
# Statuses of messages wait for company, ten minutes at most: nobody is told anything by them.
OPEN_DELIVERIES = """
select topic, state, last_error, count(*) as n from inbox i join organizations o on o.id = i.organization_id
where state in ('received', 'claimed') and topic <> 'whatsapp_status' and o.slug = any(%s) group by 1, 2, 3
"""
OPEN_MESSAGES = """
select status, last_error, count(*) as n from notification_deliveries
where status in ('pending', 'sending', 'unknown') group by 1, 2
"""
TOLD_TWICE = "select event_key, channel, recipient from notification_deliveries group by 1, 2, 3 having count(*) > 1"
_numbers = itertools.count(1)


@dataclass
class Owed:
    """What was sent in: `leads` by client, `messages` as client and title; `posts` are in the world's own list."""

    leads: Counter[str] = field(default_factory=Counter)
    messages: list[tuple[str, str]] = field(default_factory=list)


class Work:
    """The senders, and the ledger over all that they ever sent."""

    def __init__(self, system: System, world: World) -> None:
        self.system, self.world = system, world
        self.owed = Owed()
        self._senders = ThreadPoolExecutor(16)
        self._under_way: list[tuple[str, Future[None]]] = []
        self._known: set[str] = set()
        self._quiet: set[str] = set()

    @contextlib.contextmanager
    def coming_in(self) -> Iterator[None]:
        """A lead every PACE_SECONDS, now and then a post and a message, for each client in turn."""
        end = threading.Event()
        thread = threading.Thread(target=self._come_in, args=(end,), daemon=True)
        thread.start()
        try:
            yield
        finally:
            end.set()
            thread.join()

    def _come_in(self, end: threading.Event) -> None:
        for turn in itertools.count():
            slug = CLIENTS[turn % len(CLIENTS)]
            if slug not in self._quiet:
                self.lead(slug)
                if turn % 4 == 1:
                    self.post(slug)
                if turn % 6 == 5:
                    self.message(slug)
            if end.wait(PACE_SECONDS):
                return

    @contextlib.contextmanager
    def quiet(self, slug: str) -> Iterator[None]:
        """Nothing comes in for this client, and what came in before is done."""
        self._quiet.add(slug)
        try:
            self.settle(slugs=[slug])
            yield
        finally:
            self._quiet.discard(slug)

    def lead(self, slug: str) -> None:
        """An enquiry that no other one resembles, sent until it is taken."""
        number = next(_numbers)
        self.owed.leads[slug] += 1
        self._send(slug, "leads", company_of(slug, number), f"{slug}-lead-{number}")

    def post(self, slug: str) -> None:
        """A post that is approved and due now, on one network or on all; as soon as the database takes it."""
        self._under_way.append((slug, self._senders.submit(self._approve, slug)))

    def _approve(self, slug: str) -> None:
        """Noted in the agenda once more when it is stored: whoever looks between the two would find nothing."""
        self.world.approve(slug)
        self.world.ask(None, (NOTE, (self.world.organizations[slug].id,)))

    def post_soon(self, slug: str, ahead: timedelta) -> str:
        """A post on X that is approved and due only then; its text."""
        organization, text = self.system.clients[slug].organization, f"{slug}, no. {next(_numbers)}: soon."

        async def agree() -> None:
            async with open_stack(self.system.settings) as stack:
                await approve(stack, organization, text, platforms=("x",), late=-ahead)
                await note_due(stack.master, organization.id, stack.now())

        asyncio.run(agree())
        self.world.expected.append(Expected("x", account_id_of(organization, Platform.X), text))
        return text

    def message(self, slug: str) -> None:
        """A message of a client's automation to the client's owner."""
        number = next(_numbers)
        title = f"Only {number} bags are left"
        self.owed.messages.append((slug, title))
        body = {"event": "stock_low", "title": title, "message": "Order today.", "to": {"roles": ["owner"]}}
        self._send(slug, "notifications", body, f"{slug}-message-{number}")

    def _send(self, slug: str, kind: str, body: dict[str, object], delivery_id: str) -> None:
        sent = self._senders.submit(self._until_taken, slug, kind, body, delivery_id)
        self._under_way.append((slug, sent))

    def _until_taken(self, slug: str, kind: str, body: dict[str, object], delivery_id: str) -> None:
        headers = {"X-Webhook-Token": self.system.clients[slug].webhook_token, "X-Delivery-Id": delivery_id}
        deadline, said = time.monotonic() + UNTIL_TAKEN_SECONDS, ""
        with httpx.Client(base_url=self.system.settings.base_url, timeout=TIMEOUT_SECONDS, trust_env=False) as http:
            while time.monotonic() < deadline:
                try:
                    answer = http.post(f"/webhook/{slug}/{kind}", json=body, headers=headers)
                except httpx.HTTPError as error:
                    said = type(error).__name__
                else:
                    if answer.is_success:
                        return
                    said = f"{answer.status_code} {answer.text[:200]}"
                time.sleep(SEND_AGAIN_SECONDS)
        raise AssertionError(f"delivery {delivery_id} was never taken in; last: {said}")

    def count(self) -> int:
        """How many leads, messages and things to be public ever came in."""
        return self.owed.leads.total() + len(self.owed.messages) + len(self.world.expected)

    def settle(self, seconds: float = SETTLE_SECONDS, *, slugs: Sequence[str] = CLIENTS) -> None:
        """Wait until all that was sent for these clients is taken in and done; the product's own waits of minutes are
        cut short.

        Raises:
            AssertionError: something is not; names it.
        """
        deadline = time.monotonic() + seconds
        for slug, sent in list(self._under_way):
            if slug in slugs:
                sent.result(timeout=max(deadline - time.monotonic(), 1) + TIMEOUT_SECONDS)
                self._under_way.remove((slug, sent))
        sweep_at = time.monotonic() + SWEEP_SECONDS
        while still := self._still(slugs):
            if time.monotonic() > deadline:
                raise AssertionError(f"after {seconds:.0f} s still not done: {still}")
            if time.monotonic() > sweep_at and still.startswith("messages"):
                self.system.launch("look_after_clients", {})
                sweep_at = time.monotonic() + SWEEP_SECONDS
            with contextlib.suppress(psycopg.Error):
                self.world.time_passes(slugs)
            time.sleep(1)

    def _still(self, slugs: Sequence[str]) -> str | None:
        """The first thing that is not done."""
        try:
            if rows := self.system.master(OPEN_DELIVERIES, list(slugs)):
                return f"deliveries: {rows}"
            for slug in slugs:
                if rows := self.system.tenant(slug, OPEN_MESSAGES):
                    return f"messages of {slug}: {rows}"
            return None if self.world.is_done(slugs) else f"posts: {dict(self.world.states(slugs))}"
        except psycopg.Error as error:
            return f"a database does not answer: {error}"

    def judge(self) -> tuple[list[str], list[str]]:
        """What is lost and doubled of all that ever came in, a line each; what was named before is not again."""
        lost, doubled = self._leads()
        for more_lost, more_doubled in (self._messages(), self._posts()):
            lost, doubled = lost + more_lost, doubled + more_doubled
        new = [[line for line in lines if line not in self._known] for lines in (lost, doubled)]
        self._known |= {line for lines in new for line in lines}
        return new[0], new[1]

    def _leads(self) -> tuple[list[str], list[str]]:
        ledger = count_leads(self.system, list(CLIENTS))
        lost, doubled = [], []
        for lead in ledger.odd:
            more = [key for key, once in WHOLE.items() if isinstance(once, int) and lead[key] > once]
            doubled += [f"lead {lead['id']} of {lead['slug']}: {lead[key]} {key}" for key in more]
            if not more:
                odd = {key: lead[key] for key, once in WHOLE.items() if lead[key] != once}
                lost.append(f"lead {lead['id']} of {lead['slug']}: {odd}")
        for slug in CLIENTS:
            [row] = self.system.tenant(slug, "select count(*) as n from leads")
            missing = self.owed.leads[slug] - row["n"]
            if missing > 0:
                lost.append(f"{missing} leads of {slug} came in and are nowhere")
            if missing < 0:
                doubled.append(f"{slug} has {-missing} leads more than came in")
        sent, asked = ledger.leads.total(), ledger.figures["messages on WhatsApp"]
        if asked > sent:
            doubled.append(f"{asked} messages on WhatsApp for {sent} leads")
        return lost, doubled

    def _messages(self) -> tuple[list[str], list[str]]:
        mails = self.system.sandbox.public("mail")
        lost, doubled = [], []
        for slug, title in self.owed.messages:
            seen = sum(title in mail["subject"] and mail["recipient"] == f"sales@{slug}.example" for mail in mails)
            if seen != 1:
                (lost if seen == 0 else doubled).append(f"message {title!r} to {slug}: {seen} mails")
        for slug in CLIENTS:
            for row in self.system.tenant(slug, TOLD_TWICE):
                doubled.append(f"message {row['event_key']} to {slug} by {row['channel']}")
        return lost, doubled

    def _posts(self) -> tuple[list[str], list[str]]:
        ledger = judge(self.world)
        lost = [f"post on {one.platform}: {one.text}" for one in ledger.lost]
        lost += ledger.usage
        return lost, [f"post on {one.platform}: {one.text}" for one in (*ledger.doubled, *ledger.strange)]
