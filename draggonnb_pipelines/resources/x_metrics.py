"""What X counts of posts.

Lives here: GET /2/tweets for up to 100 posts with their `public_metrics`, by the names of this year and of last. Does
not live here: the names of the counts (`domain/metric_registry.py`), the error table (`x_errors.py`), when a post is
measured.
Sources: docs.x.com "Post lookup", "Metrics" and "Partial errors", OpenAPI 2.167 (`tweet.fields` became `post.fields`),
prices per call of February 2026.
"""

from collections.abc import Awaitable, Callable, Sequence
from datetime import date
from decimal import Decimal
from typing import Any

from draggonnb_pipelines.domain.metric_answers import reading_of
from draggonnb_pipelines.domain.metric_registry import live_sources
from draggonnb_pipelines.domain.metrics import Reading, Readings
from draggonnb_pipelines.domain.publishing import Platform
from draggonnb_pipelines.errors import ErrorClass, VendorError
from draggonnb_pipelines.resources.exchange import Answer
from draggonnb_pipelines.resources.metric_batches import in_batches, read_batches
from draggonnb_pipelines.resources.x_errors import BY_TYPE, VENDOR, json_of, limits_of
from draggonnb_pipelines.resources.x_posts import dicts, posts_in

BATCH = 100
# An own post, for each one that comes back; one that is gone costs nothing.
READ_USD = Decimal("0.001")
_FIELDS, _LAST_YEARS_FIELDS = "post.fields", "tweet.fields"
_GONE = "resource-not-found"

Call = Callable[..., Awaitable[Answer]]


async def read_x_metrics(call: Call, post_ids: Sequence[str], *, on: date) -> Readings:
    """The counts of an account's own posts. `limits` is the window of the lookup, which is not that of posting.

    Args:
        call: (method, path, **arguments) with the account's token; RETRY where a server fails.

    Raises:
        VendorError: nothing was learned; sorted.
    """
    return await read_batches(in_batches(post_ids, BATCH), _Lookup(call, on).read)


class _Lookup:
    def __init__(self, call: Call, on: date) -> None:
        self._call = call
        self._sources = live_sources(Platform.X, on)
        self._fields = _FIELDS

    async def read(self, batch: Sequence[str]) -> Readings:
        # One id that is none would fail the whole call.
        ids = [one for one in batch if one.isascii() and one.isdigit()]
        unread = {
            one: VendorError(VENDOR, ErrorClass.INPUT, "no id of a post", code="invalid-id")
            for one in batch
            if one not in ids
        }
        if not ids:
            return Readings((), unread)
        response, calls = await self._ask(ids)
        body = json_of(response)
        posts = {post["id"]: post for post in posts_in(body)}
        troubles = {_post_of(error): error for error in dicts(body.get("errors"))}
        readings: list[Reading] = []
        for one in ids:
            kind = str(troubles.get(one, {}).get("type", "")).rpartition("/")[2]
            if one in posts:
                readings.append(reading_of(one, self._sources, posts[one].get("public_metrics")))
            elif kind == _GONE:
                readings.append(Reading(one, is_gone=True))
            else:
                unread[one] = _trouble(kind)
        cost = READ_USD * sum(one in posts for one in ids)
        return Readings(tuple(readings), unread, calls, cost, limits_of(response))

    async def _ask(self, ids: list[str]) -> tuple[Answer, int]:
        """The answer, and how many calls it took."""
        try:
            return await self._get(ids), 1
        except VendorError as error:
            if error.code != "invalid-request" or self._fields == _LAST_YEARS_FIELDS:
                raise
        # X refuses a parameter that it does not know. If it was not this one, the answer is the same once more.
        self._fields = _LAST_YEARS_FIELDS
        return await self._get(ids), 2

    async def _get(self, ids: list[str]) -> Answer:
        return await self._call("GET", "/2/tweets", params={"ids": ",".join(ids), self._fields: "public_metrics"})


def _post_of(error: dict[str, Any]) -> str:
    return str(error.get("resource_id") or error.get("value"))


def _trouble(kind: str) -> VendorError:
    """Why X did not show one post of a list."""
    refusal = BY_TYPE.get(kind)
    if refusal is None:
        return VendorError(VENDOR, ErrorClass.RETRY, "X left the post out of its answer", status=200)
    return VendorError(VENDOR, refusal.error_class, refusal.words, status=200, code=refusal.code)
