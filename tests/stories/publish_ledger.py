"""What became of many posts: what the public sees, by the sandbox's own memory, against what was asked for.

The clients' ledgers must say the same: each row published, with the id that the public knows it by, and counted once.
"""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from tests.stories.publish_world import Expected, World
from tests.workflows.publish_work import PLATFORM_IDS

ROWS = """
select q.id, q.platform_id, a.external_id, q.payload ->> 'text' as text, q.part, q.status, q.attempts, q.reads,
       q.platform_post_id, q.error_class, q.last_error, q.question
from content_queue q join social_accounts a on a.id = q.account_id
"""
USED = """
select coalesce(sum(used), 0)::int as used, coalesce(sum(reserved), 0)::int as reserved
from usage_counters where metric = 'posts_monthly'
"""
STEPS = "select step || ': ' || outcome as name, count(*) as n from publish_attempts group by 1"


@dataclass
class Ledger:
    """All counts; `odd` names what is not as it should be."""

    expected: int = 0
    public: int = 0
    lost: list[Expected] = field(default_factory=list)
    doubled: list[Expected] = field(default_factory=list)
    strange: list[Expected] = field(default_factory=list)
    rows: Counter[str] = field(default_factory=Counter)
    odd: list[dict[str, Any]] = field(default_factory=list)
    usage: list[str] = field(default_factory=list)
    calls: int = 0
    resent: int = 0
    steps: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)


def judge(world: World) -> Ledger:
    """Look at everything that is public, and at every client's rows."""
    seen = [item for platform in PLATFORM_IDS for item in world.sandbox.public(platform)]
    public = Counter(Expected(item["kind"], item["account"], item["text"]) for item in seen if not item["deleted"])
    ids = {Expected(item["kind"], item["account"], item["text"]): item["id"] for item in seen}
    asked = set(world.expected)
    ledger = Ledger(expected=len(world.expected), public=public.total())
    ledger.lost = [one for one in world.expected if not public[one]]
    ledger.doubled = [one for one, count in public.items() if count > 1]
    ledger.strange = [one for one in public if one not in asked]
    for slug in world.clients:
        _read_client(world, slug, ids, ledger)
    for platform in PLATFORM_IDS:
        for entry in world.sandbox.journal(platform):
            if entry["fault"]:
                ledger.faults[entry["fault"]] += 1
    return ledger


def _read_client(world: World, slug: str, ids: dict[Expected, str], ledger: Ledger) -> None:
    rows = world.ask(slug, (ROWS, None))
    for row in rows:
        ledger.rows[row["status"]] += 1
        ledger.calls += row["attempts"]
        ledger.resent += max(row["attempts"] - 1, 0)
        known_as = ids.get(Expected(row["platform_id"], row["external_id"], row["text"]))
        if row["status"] != "published" or row["platform_post_id"] != known_as:
            ledger.odd.append({"slug": slug, "public id": known_as, **row})
    [used] = world.ask(slug, (USED, None))
    posts = sum(row["part"] == 0 and row["status"] == "published" for row in rows)
    if (used["used"], used["reserved"]) != (posts, 0):
        held = world.ask(slug, ("select key from usage_reservations where state = 'held'", None))
        ledger.usage.append(
            f"{slug}: {posts} posts are published, {used['used']} counted, {used['reserved']} held: {held}"
        )
    for step in world.ask(slug, (STEPS, None)):
        ledger.steps[step["name"]] += step["n"]
