"""What becomes of a post whose time has passed: an outage must not end in a flood of old posts.

Lives here: the decision and its reason, by the organization's `late_posts` and `late_after_minutes`.
Not here: who carries it out (`workflows/`), and times refused when a post is planned (`wall_time.py`).
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from draggonnb_pipelines.domain.wall_time import in_words

LatePolicy = Literal["publish", "ask", "drop"]
_SAYS: dict[LatePolicy, str] = {
    "publish": "published all the same",
    "ask": "a person decides",
    "drop": "not published any more",
}


@dataclass(frozen=True, slots=True)
class LateDecision:
    """What to do with a due post, and why, in words for its log. `late_by` is never negative."""

    action: LatePolicy
    reason: str
    late_by: timedelta


def decide_late(policy: LatePolicy, late_after_minutes: int, publish_at: datetime, now: datetime) -> LateDecision:
    """Decide about one due post.

    Up to and including `late_after_minutes` it counts as punctual and is published, whatever the policy. Which posts
    are due is the database's question: a clock that is a little behind it makes no post early here.

    Args:
        policy: what the organization wants for later ones.
        publish_at, now: aware.
    """
    late_by = max(now - publish_at, timedelta(0))
    limit = timedelta(minutes=late_after_minutes)
    if late_by <= limit:
        return LateDecision("publish", "on time" if late_by < timedelta(minutes=1) else _late(late_by), late_by)
    reason = f"{_late(late_by)}; by the organization's rule for more than {in_words(limit)}: {_SAYS[policy]}"
    return LateDecision(policy, reason, late_by)


def _late(late_by: timedelta) -> str:
    return f"{in_words(late_by)} late"
