"""Fault scripts: what a route does next, step by step.

Lives here: the scripts, how a request finds its step, and the faults that mean the same for every vendor. Does not
live here: a vendor's own ways to fail (Claude's refusal, WhatsApp's undeliverable), which the vendor's file plays.
"""

import re
from dataclasses import dataclass, field
from typing import Any

from vendor_sandbox.wire import path_pattern

TRANSPORT_KINDS = frozenset(
    {
        "latency",
        "status",
        "accept_then_drop",
        "accept_then_status",
        "accept_then_hang",
        "drop_before_accept",
        "slow_body",
        "cut_body",
        "rate_limit",
        "expired_token",
    }
)
CLAUDE_KINDS = frozenset(
    {"rubbish", "truncated", "refusal", "overloaded", "spend_limit", "pause_turn", "search_error", "expired", "errored"}
    | {"content_too_long"}
)
WHATSAPP_KINDS = frozenset({"undeliverable", "no_status"})
FACEBOOK_KINDS = frozenset({"graph_error"})
INSTAGRAM_KINDS = frozenset({"container_error", "container_expired", "container_slow", "fetch_failed"})
LINKEDIN_KINDS = frozenset({"ghost_duplicate", "daily_limit", "image_failed", "image_slow"})
X_KINDS = frozenset(
    {"duplicate_content", "user_suspended", "usage_capped", "media_failed", "media_lost", "partial_errors"}
)
# What any network makes of a post's counts; `counts_half`: of every second post it says nothing.
COUNTS_KINDS = frozenset({"counts_null", "counts_text", "counts_half", "counts_last_year"})
PAYFAST_KINDS = frozenset({"declined"})
GITHUB_KINDS = frozenset({"secondary_limit", "branch_moved", "tree_truncated"})
VERCEL_KINDS = frozenset({"build_failed"})
N8N_KINDS = frozenset({"review_pending"})
SMTP_KINDS = frozenset({"drop_after_data", "drop_before_data"})
KINDS = (
    TRANSPORT_KINDS
    | CLAUDE_KINDS
    | WHATSAPP_KINDS
    | SMTP_KINDS
    | FACEBOOK_KINDS
    | INSTAGRAM_KINDS
    | LINKEDIN_KINDS
    | X_KINDS
    | COUNTS_KINDS
    | PAYFAST_KINDS
    | GITHUB_KINDS
    | VERCEL_KINDS
    | N8N_KINDS
)


@dataclass
class Script:
    """The steps of one route. With `repeat` a step that was used goes to the end of the line."""

    method: str
    pattern: re.Pattern[str]
    route: str
    steps: list[dict[str, Any]] = field(default_factory=list)
    repeat: bool = False


class FaultScripts:
    """All scripts; `take` hands out each step once, in order."""

    def __init__(self) -> None:
        self._scripts: list[Script] = []

    def add(self, route: str, steps: list[dict[str, Any]], *, repeat: bool = False) -> None:
        """Append steps to a route such as `POST /anthropic/v1/messages`, `GET shop.example/about`, `SMTP DATA`.

        `{name}` in a path stands for one segment, `*` for anything; a method of `*` for every method.

        Raises:
            ValueError: names what is wrong with the route or the step.
        """
        method, _, target = route.strip().partition(" ")
        if not method or not target:
            raise ValueError(f"route {route!r}: give a method and a path, such as 'POST /anthropic/v1/messages'")
        expanded: list[dict[str, Any]] = []
        for step in steps:
            kind = step.get("kind")
            if kind not in KINDS:
                raise ValueError(f"kind {kind!r} is unknown; there are: {', '.join(sorted(KINDS))}")
            expanded.extend(dict(step) for _ in range(int(step.get("times", 1))))
        self._scripts.append(Script(method.upper(), path_pattern(target.strip()), route, expanded, repeat))

    def take(self, method: str, target: str, *, content: bytes | str = b"") -> dict[str, Any] | None:
        """Use up the next step for this request, or None. A step's `match` must occur in the target or the content."""
        if not self._scripts:
            return None
        for script in self._scripts:
            if script.method not in ("*", method.upper()) or not script.pattern.match(target):
                continue
            for index, step in enumerate(script.steps):
                if not _matches(step.get("match"), target, content):
                    continue
                del script.steps[index]
                if script.repeat or step.get("repeat"):
                    script.steps.append(step)
                return step
        return None

    def clear(self) -> None:
        self._scripts.clear()

    def listing(self) -> list[dict[str, Any]]:
        """What is still to come."""
        return [{"route": s.route, "steps": s.steps, "repeat": s.repeat} for s in self._scripts if s.steps]


def _matches(wanted: str | None, target: str, content: bytes | str) -> bool:
    if not wanted:
        return True
    text = content if isinstance(content, str) else content.decode("utf-8", "replace")
    return wanted in target or wanted in text
