"""Many clients with posts to publish, on a database server of their own that a test may crash.

Lives here: the server, the sandbox, clients and accounts, approving posts, and the hands that make time pass or turn a
clock. Not here: the publishers (`publish_crew.py`), and what must come of it all (`publish_ledger.py`).
"""

import asyncio
import atexit
import contextlib
import json
import random
import shutil
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4, uuid5

import psutil
import psycopg
from psycopg.rows import DictRow, dict_row

from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.domain.publishing import Platform
from draggonnb_pipelines.resources.embedded_postgres import embedded_server
from draggonnb_pipelines.resources.migrations import ensure_database, ensure_tenant_template, migrate
from draggonnb_pipelines.resources.postgres import MasterDb, dsn_for
from draggonnb_pipelines.resources.stack import open_stack
from draggonnb_pipelines.resources.vault import Vault
from draggonnb_pipelines.sql import MASTER_MIGRATIONS
from draggonnb_pipelines.workflows.organizations import NewOrganization, create_organization
from tests.conftest import MASTER_KEYS
from tests.sandbox_process import Sandbox, sandbox_process
from tests.stories.publish_worker import settings_of
from tests.workflows.publish_work import PLATFORM_IDS, SQUARE, account_id_of, connect

OUTSIDER = "outsider"
SETTLE_SECONDS = 2.0
MASTER = "chaos_master"
PATIENCE_SECONDS = 120  # a crashed server is back within seconds, on a machine that is not busy
_POSTS = UUID("0f4b3a52-6f5e-4f0e-8d53-6a4f6a5f7c10")
# Retries, looks and pauses that wait for minutes: they are up now. Of an unknown row a whole settle time is left.
TIME_PASSES = """
with retried as (
    update content_queue set due_at = now() where status = 'scheduled' and due_at > now()
), looked as (
    update content_queue set due_at = now() + make_interval(secs => %(settle)s)
    where status = 'unknown' and due_at > now() + make_interval(secs => %(settle)s + 0.5)
)
update social_accounts set paused_until = null where paused_until > now() + interval '2 seconds'
"""
AGENDA_PASSES = (
    "update publishing_agenda set next_due_at = now() where next_due_at > now() and next_due_at <> 'infinity'"
)
# A clock that jumps ahead makes everything that was written before it older, and the other way round.
CLOCK_JUMPS = """
with moved as (
    update content_queue
    set due_at = due_at - %(jump)s, lease_until = lease_until - %(jump)s,
        attempt_started_at = attempt_started_at - %(jump)s, first_attempt_at = first_attempt_at - %(jump)s
    where status in ('scheduled', 'claimed', 'calling', 'unknown')
)
update social_accounts set paused_until = paused_until - %(jump)s
"""
APPROVE = """
insert into social_posts (id, content, variants, media, platform_ids, status, scheduled_for, content_hash)
values (%s, %s, %s, %s, %s, 'draft', now(), '') on conflict do nothing
"""
AGREE = (
    "update social_posts set status = 'approved', approved_hash = content_hash, approved_at = now()"
    " where id = %s and status = 'draft'"
)
NOTE = """
insert into publishing_agenda (organization_id, next_due_at, notes) values (%s, now(), 1)
on conflict (organization_id) do update set next_due_at = now(), notes = publishing_agenda.notes + 1
"""


ALIVE = """
select run_id from unnest(%s::text[]) as asked (run_id)
where hashtextextended(run_id, 17) in (select (classid::bigint << 32) | objid::bigint from pg_locks
                                       where locktype = 'advisory' and objsubid = 1 and granted)
"""


@dataclass(frozen=True)
class Expected:
    """One thing that the public must see, once."""

    platform: str
    account: str
    text: str


@dataclass
class World:
    """The clients by slug, and what each of them has asked to be published."""

    sandbox: Sandbox
    master_dsn: str
    organizations: dict[str, Organization]
    settings: dict[str, Any] = field(default_factory=dict)
    server: Path | None = None
    posts: int = 0
    expected: list[Expected] = field(default_factory=list)

    @property
    def clients(self) -> list[str]:
        """Those who publish."""
        return sorted(set(self.organizations) - {OUTSIDER})

    def ask(self, slug: str | None, *statements: tuple[str, Any]) -> list[dict[str, Any]]:
        """Statements in one transaction of a client's database (None: the master's); again while the server is away."""
        name = self.organizations[slug].database_name if slug else None
        dsn = dsn_for(self.master_dsn, name) if name else self.master_dsn
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            try:
                with psycopg.Connection[DictRow].connect(dsn, row_factory=dict_row) as conn:
                    cursor = conn.cursor()
                    for statement, values in statements:
                        cursor.execute(statement.encode(), values)
                    return cursor.fetchall() if cursor.description else []
            except psycopg.OperationalError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.1)

    def approve(self, slug: str) -> None:
        """One more post of a client, due now: for one network, or in every fifth case for all, some with a sequel."""
        number, self.posts = self.posts, self.posts + 1
        text = f"{slug}, no. {number}: fresh beans from the roastery, today until noon."
        platforms = PLATFORM_IDS if number % 5 == 4 else (PLATFORM_IDS[number % 4],)
        variants: dict[str, dict[str, Any]] = {platform: {"text": text} for platform in platforms}
        if "x" in variants and number % 3 == 0:
            variants["x"]["thread"] = [f"{text} And more of it."]
        if "facebook" in variants and number % 3 == 0:
            variants["facebook"]["first_comment"] = f"{text} Come early."
        media = [SQUARE] if "instagram" in platforms else []
        post_id = uuid5(_POSTS, text)
        values = (post_id, text, json.dumps(variants), json.dumps(media), list(platforms))
        self.ask(None, (NOTE, (self.organizations[slug].id,)))
        self.ask(slug, (APPROVE, values), (AGREE, (post_id,)))
        for platform, variant in variants.items():
            words = [variant["text"], *variant.get("thread", ()), *filter(None, [variant.get("first_comment")])]
            account = account_id_of(self.organizations[slug], Platform(platform))
            self.expected += [Expected(platform, account, one) for one in words]

    def states(self, slugs: Sequence[str]) -> Counter[str]:
        """How many rows of these clients' queues stand where. What a dead run was calling for is unknown already."""
        query = "select status, run_id, count(*) as n from content_queue group by 1, 2"
        rows = [row for slug in slugs for row in self.ask(slug, (query, None))]
        callers = {row["run_id"] for row in rows if row["status"] == "calling"}
        alive = {row["run_id"] for row in self.ask(None, (ALIVE, (list(callers),)))}
        found: Counter[str] = Counter()
        for row in rows:
            is_cut_off = row["status"] == "calling" and row["run_id"] not in alive
            found["unknown" if is_cut_off else row["status"]] += row["n"]
        return found

    def is_done(self, slugs: Sequence[str]) -> bool:
        """Every post is on the queue, and every row of it has come to an end."""
        waiting = "select count(*) as n from social_posts where status in ('draft', 'approved')"
        if any(self.ask(slug, (waiting, None)) != [{"n": 0}] for slug in slugs):
            return False
        return not set(self.states(slugs)) & {"scheduled", "claimed", "calling", "unknown"}

    def time_passes(self, slugs: Sequence[str]) -> None:
        for slug in slugs:
            self.ask(slug, (TIME_PASSES, {"settle": SETTLE_SECONDS}))
        self.ask(None, (AGENDA_PASSES, None))

    def clock_jumps(self, slug: str, jump: timedelta) -> None:
        """The database's clock jumps, while runs have rows in hand."""
        self.ask(slug, (CLOCK_JUMPS, {"jump": jump}))

    def crash_server(self, chance: random.Random) -> None:
        """SIGKILL one of the server's own processes: it throws all connections out and recovers from its log."""
        assert self.server is not None
        postmaster = psutil.Process(int((self.server / "pg" / "postmaster.pid").read_text().split()[0]))
        backends: list[psutil.Process] = []
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not backends:
            assert time.monotonic() < deadline, "nobody is connected to the server"
            backends = [child for child in postmaster.children() if _serves_a_client(child)]
        chance.choice(backends).kill()


@contextlib.contextmanager
def publishing_world(clients: int) -> Iterator[World]:
    """Clients with an account on each network, on a server and with a sandbox of their own; removed at the end.

    The outsider has accounts too, and nothing to publish.
    """
    directory = Path(f"/var/tmp/draggonnb-chaos-{uuid4().hex[:8]}")
    # Besides the removal below: at the very end the server's wheel makes the directory anew, for its lock.
    atexit.register(shutil.rmtree, directory, ignore_errors=True)
    try:
        with embedded_server(directory) as server_dsn, sandbox_process() as sandbox:
            _recover_quickly(server_dsn)
            ensure_tenant_template(server_dsn)
            ensure_database(server_dsn, MASTER)
            master_dsn = dsn_for(server_dsn, MASTER)
            migrate(master_dsn, MASTER_MIGRATIONS)
            values = {
                "master_dsn": master_dsn,
                "sandbox_port": sandbox.port,
                "publish_settle_seconds": SETTLE_SECONDS,
            }
            organizations = asyncio.run(
                _create(values, [OUTSIDER, *(f"c{number:02}-roastery" for number in range(1, clients + 1))])
            )
            yield World(sandbox, master_dsn, organizations, values, directory)
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def _recover_quickly(server_dsn: str) -> None:
    """After a crash the server syncs all files of all clients one by one; one call for the file system is as good."""
    with contextlib.closing(psycopg.connect(server_dsn, autocommit=True)) as conn:
        conn.execute("alter system set recovery_init_sync_method = 'syncfs'")
        conn.execute("select pg_reload_conf()")


async def _create(values: dict[str, Any], slugs: Sequence[str]) -> dict[str, Organization]:
    made = {}
    dsn = values["master_dsn"]
    async with MasterDb(dsn, max_connections=2) as master, open_stack(settings_of(values)) as stack:
        for slug in slugs:
            new = NewOrganization(slug, slug.title(), f"sales@{slug}.example", "+27821234567")
            created = await create_organization(
                new, master=master, vault=Vault(MASTER_KEYS), server_dsn=dsn, prefix="chaos_"
            )
            made[slug] = created.organization
            await connect(stack, created.organization)
    return made


def _serves_a_client(process: psutil.Process) -> bool:
    """Its title ends with what its client does; the server's own workers have no client."""
    with contextlib.suppress(psutil.NoSuchProcess, psutil.ZombieProcess, IndexError):
        return "[local]" in process.cmdline()[0]
    return False
