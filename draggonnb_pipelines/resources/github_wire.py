"""GitHub on the wire: what its answers hold, which class a refusal has, how long a limit lasts.

Lives here: the types that the adapter returns and the error table. Does not live here: the calls (`github.py`,
`github_commits.py`).
Sources: GitHub's OpenAPI description, version 2022-11-28; docs.github.com "Rate limits for the REST API" and
"Troubleshooting the REST API"; the wording of refusals as users of the API report it.
"""

import re
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any

from pydantic import AliasPath, Field

from draggonnb_pipelines.errors import ErrorClass, VendorError
from draggonnb_pipelines.resources.answers import Rule, Sort, Wire, json_of, judge, refusal, seconds_until, text_of
from draggonnb_pipelines.resources.exchange import Answer

VENDOR = "github"
API_VERSION = "2022-11-28"
NOT_FAST_FORWARD = "not_fast_forward"
ARCHIVED = "archived"
# "If the response has neither header, wait for at least one minute", docs.github.com on secondary limits.
SECONDARY_LIMIT_SECONDS = 60.0
RIGHTS = (
    "github.com/settings/personal-access-tokens: it needs Administration, Contents, Secrets, Variables and Workflows,"
    " read and write, for all repositories of the owner"
)
ERRORS = (
    Rule(401, ErrorClass.AUTH, words=f"the token is not accepted; {RIGHTS}"),
    Rule(403, ErrorClass.THROTTLED, "secondary rate limit|abuse detection", "secondary_limit"),
    Rule(403, ErrorClass.THROTTLED, "rate limit exceeded", "rate_limit"),
    Rule(403, ErrorClass.PERMISSION, "was archived so is read-only", ARCHIVED),
    Rule(403, ErrorClass.PERMISSION, words=RIGHTS),
    Rule(404, ErrorClass.INPUT, words="not there, or not visible to the token"),
    Rule(409, ErrorClass.DUPLICATE, "already exists", "exists"),
    Rule(409, ErrorClass.RETRY, "repository is empty", "empty"),
    Rule(409, ErrorClass.RETRY),
    Rule(422, ErrorClass.DUPLICATE, "name already exists on this account", "exists"),
    Rule(422, ErrorClass.INPUT, "not a fast.forward", NOT_FAST_FORWARD),
    Rule(429, ErrorClass.THROTTLED),
)
_SAFE = re.compile(r"\W+")

# (method, path below the API's address, **arguments of the door) -> answer.
Call = Callable[..., Awaitable[Answer]]


class Repository(Wire):
    """A repository. `full_name` is "owner/name"; `template` that of the repository it was made from."""

    id: int
    full_name: str
    description: str | None = None
    default_branch: str = "main"
    is_archived: bool = Field(default=False, validation_alias="archived")
    topics: frozenset[str] = frozenset()
    is_template: bool | None = None
    template: str | None = Field(default=None, validation_alias=AliasPath("template_repository", "full_name"))
    url: str = Field(validation_alias="html_url")


class Branch(Wire):
    """A branch and the commit at its head."""

    name: str
    sha: str = Field(validation_alias=AliasPath("commit", "sha"))


class PublicKey(Wire):
    """With which a repository's secrets are sealed: `key` is base64 of 32 bytes."""

    key_id: str
    key: str


def sorter(*, unknown: ErrorClass, now: Callable[[], datetime]) -> Sort:
    """The verdict on an answer.

    Args:
        unknown: what a 5xx or 408 means: AMBIGUOUS where something may have been made, else RETRY.
    """

    def sort(response: Answer) -> VendorError | None:
        status = response.status_code
        if 200 <= status < 300:
            return None
        body = json_of(response)
        said = " ".join((text_of(body, "message"), *(text_of(fault, "message") for fault in _faults(body))))
        is_limit = status in (403, 429) and _is_limited(response)
        rule = (
            Rule(status, ErrorClass.THROTTLED, code="rate_limit")
            if is_limit
            else judge(ERRORS, status, said, unknown=unknown)
        )
        seconds = _limit_seconds(response, now()) if rule.error_class is ErrorClass.THROTTLED else None
        return refusal(VENDOR, response, rule, _field(body), retry_after_seconds=seconds)

    return sort


def _is_limited(response: Answer) -> bool:
    return "retry-after" in response.headers or response.headers.get("x-ratelimit-remaining", "").strip() == "0"


def _limit_seconds(response: Answer, now: datetime) -> float | None:
    """A Retry-After is the door's to read; else the primary limit ends at a moment, the secondary after a minute."""
    if "retry-after" in response.headers:
        return None
    if response.headers.get("x-ratelimit-remaining", "").strip() == "0":
        left = seconds_until(response.headers.get("x-ratelimit-reset"), now.timestamp())
        if left is not None:
            return left
    return SECONDARY_LIMIT_SECONDS


def _faults(body: dict[str, Any]) -> list[dict[str, Any]]:
    faults = body.get("errors")
    return [fault for fault in faults if isinstance(fault, dict)] if isinstance(faults, list) else []


def _field(body: dict[str, Any]) -> str | None:
    """Which field is wrong and how, without its value."""
    for fault in _faults(body):
        parts = (_SAFE.sub(" ", text_of(fault, name))[:60] for name in ("resource", "field", "code"))
        return " ".join(filter(None, parts)) or None
    return None
