"""How often the sandbox's posts were seen and liked: numbers that grow with a post's age, the same whenever asked.

Lives here: the counts behind every network's insights. Does not live here: any network's words for them.
"""

import hashlib
import math
from datetime import UTC, datetime, timedelta
from typing import Any

from vendor_sandbox.social import SocialPost
from vendor_sandbox.state import Sandbox
from vendor_sandbox.wire import Call

HALF_LIFE_HOURS = 14.0


def numbers_of(sandbox: Sandbox, post: SocialPost) -> dict[str, int]:
    """views, reach, reactions, comments, shares, saves, quotes, clicks and video_views of a post, by its age now.

    They never fall, reach is at most views, and `social_numbers` in the settings of the sandbox overrides single ones:
    {"<post id>": {"reach": 10}}.
    """
    now = datetime.now(UTC) + timedelta(seconds=sandbox.settings.social_clock_ahead_seconds)
    hours = max((now - post.at).total_seconds(), 0.0) / 3600
    grown = 1 - math.exp(-math.log(2) * hours / HALF_LIFE_HOURS)
    views = _between(post.id, "views", 300, 4000) * grown
    counts = {"views": views, "reach": views * _share(post.id, "reach", 0.55, 0.9)}
    for name, low, high in (
        ("reactions", 0.01, 0.06),
        ("comments", 0.001, 0.01),
        ("shares", 0.001, 0.012),
        ("saves", 0.0, 0.01),
        ("quotes", 0.0, 0.002),
        ("clicks", 0.005, 0.03),
        ("video_views", 0.2, 0.6),
    ):
        counts[name] = views * _share(post.id, name, low, high)
    return {name: int(value) for name, value in counts.items()} | sandbox.social.numbers.get(post.id, {})


def _share(post_id: str, name: str, low: float, high: float) -> float:
    digest = hashlib.sha256(f"{post_id}/{name}".encode()).digest()
    return low + (high - low) * int.from_bytes(digest[:4], "big") / 2**32


def _between(post_id: str, name: str, low: int, high: int) -> int:
    return int(_share(post_id, name, low, high))


def told(call: Call, counts: dict[str, int]) -> dict[str, Any]:
    """The counts under a network's names, as it tells them now: the faults `counts_null` and `counts_text` spoil them.

    There is always a count more than the documents name.
    """
    if call.fault_kind == "counts_null":
        return dict.fromkeys(counts, None)
    if call.fault_kind == "counts_text":
        return {name: str(count) for name, count in counts.items()}
    return counts | {"sparkle_count": 7}
