"""Instagram: pictures, carousels and reels by container, first comments, reading back.

Lives here: the three persisted steps create, poll, publish, and the account's daily quota. Does not live here: errors,
limits and paging (`graph.py`, `graph_errors.py`), the bodies of containers beyond what they need, pages
(`facebook.py`), the ledger that decides when to call (`workflows/publishing/publishing.py`).
A container is published at most once, and its status tells after a lost answer whether it was: that is Instagram's
substitute for an idempotency key. Source: Meta, Instagram Platform, "Content Publishing" and "IG Container".
"""

import asyncio
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime
from typing import Any

from draggonnb_pipelines.domain.accounts import TokenState
from draggonnb_pipelines.domain.metrics import Readings
from draggonnb_pipelines.domain.publishing import Account, Found, Media, Part, Payload, Platform, Prepared, Published
from draggonnb_pipelines.errors import ErrorClass, VendorError
from draggonnb_pipelines.resources import instagram_metrics
from draggonnb_pipelines.resources.graph import Graph
from draggonnb_pipelines.resources.graph_errors import ERROR_CLASSES, MISSING_NODE, QUOTA_WAIT_SECONDS
from draggonnb_pipelines.resources.http import HttpDoor
from draggonnb_pipelines.resources.public_pages import utc_now

VENDOR = "instagram"
MAX_RESTARTS = 3
MAX_POLLS = 20  # with the waits between them about a quarter of an hour
LONGEST_WAIT_SECONDS = 60.0
FETCH_AGAIN_SECONDS = 60.0
_PAGE_SIZE = 100
_GONE = MISSING_NODE | {"24/2207006"}
_NOT_FETCHED = "9004/2207052"
_SUBCODE = re.compile(r"\b(22\d{5})\b")


class Instagram:
    """The Instagram accounts of all clients; each call brings the account that it is about.

    Args:
        base_url: Graph with its version.
        app_id, app_secret: of our app, for the token check.
    """

    platform = Platform.INSTAGRAM

    def __init__(
        self,
        door: HttpDoor,
        *,
        base_url: str,
        app_id: str,
        app_secret: str,
        now: Callable[[], datetime] = utc_now,
    ) -> None:
        self._graph = Graph(door, vendor=VENDOR, base_url=base_url, now=now)
        self._app_token = f"{app_id}|{app_secret}"

    def needs_preparation(self, payload: Payload) -> bool:
        """Every post does; a comment does not."""
        return payload.part is Part.POST

    async def prepare(self, account: Account, payload: Payload, progress: Mapping[str, Any]) -> Prepared:
        """One step on the way to a container that is FINISHED: create the items of a carousel, create the container,
        or look how far they are. To be called again after a publish() that was refused with RETRY: a container that
        expired or failed meanwhile is replaced.

        `progress`: `items` and `container` (ids), `polls`, `restarts`, `fetch_failures`.

        Raises:
            VendorError: THROTTLED at the account's quota; INPUT where the medium is refused, or after MAX_RESTARTS
                containers that failed; DUPLICATE where the container is public already; else sorted.
        """
        if not payload.media:
            raise self._graph.error(ErrorClass.INPUT, "a post needs a picture or a video")
        if waits_for := [progress["container"]] if "container" in progress else [*progress.get("items", ())]:
            found = await self._look(account, waits_for, progress)
            if found is not None or "container" in progress:
                return found or Prepared(dict(progress), is_ready=True)
            body = {"media_type": "CAROUSEL", "caption": payload.text, "children": waits_for}
            [container] = await self._create(account, [body])
            return Prepared({**progress, "container": container, "polls": 0}, is_ready=False)
        await self._check_quota(account)
        is_carousel = len(payload.media) > 1
        bodies = [_medium(media, is_carousel) for media in payload.media]
        if not is_carousel:
            bodies[0]["caption"] = payload.text
        try:
            made = await self._create(account, bodies)
        except VendorError as error:
            return self._fetch_again(error, progress)
        step = {"items": made} if is_carousel else {"container": made[0]}
        return Prepared({**progress, **step, "polls": 0}, is_ready=False)

    async def publish(self, account: Account, payload: Payload, progress: Mapping[str, Any]) -> Published:
        """Publish the container, or put a comment below its parent, with one call.

        The answer holds no address: `confirm` has it.

        Raises:
            VendorError: sorted; AMBIGUOUS means that it may be public, DUPLICATE that the container is.
        """
        if payload.part is not Part.POST:
            words = {"message": payload.text}
            comment_id, limits = await self._graph.comment(account.token, f"{payload.parent_id}", words)
            return Published(comment_id, None, limits)
        container = progress.get("container")
        if container is None:
            raise self._graph.error(ErrorClass.RETRY, "there is no container yet")
        edge = f"{account.external_id}/media_publish"
        try:
            media_id, limits = await self._graph.publish(account.token, edge, {"creation_id": container})
        except VendorError as error:
            if error.error_class in (ErrorClass.RETRY, ErrorClass.INPUT):
                await self._refuse_if_published(account, container)
            raise
        return Published(media_id, None, limits)

    async def find(
        self,
        account: Account,
        payload: Payload,
        progress: Mapping[str, Any],
        *,
        since: datetime,
        taken: frozenset[str],
    ) -> Found | None:
        """By the container's status, and if it is PUBLISHED the oldest own medium with this caption that nobody owns.

        Raises:
            VendorError: the window could not be read to its end, or a published container is not listed yet.
        """
        if payload.part is not Part.POST:
            return await self._find_comment(account, payload, since=since, taken=taken)
        status = None
        if "container" in progress:
            status, _ = await self._status(account, progress["container"])
            if status in ("IN_PROGRESS", "FINISHED"):
                return None
        fields = "id,caption,timestamp,permalink"
        found = await self._graph.find_oldest(
            self._graph.read_list(account.token, f"{account.external_id}/media", fields=fields, limit=_PAGE_SIZE),
            text=payload.text,
            text_field="caption",
            time_field="timestamp",
            url_field="permalink",
            since=since,
            taken=taken,
        )
        if found is None and status == "PUBLISHED":
            raise self._graph.error(ErrorClass.RETRY, "the container is published, but not listed yet")
        return found

    async def confirm(self, account: Account, platform_post_id: str) -> Found | None:
        """That very post; None where Instagram says that there is none.

        Raises:
            VendorError: sorted.
        """
        return await self._graph.confirm(account, platform_post_id, time_field="timestamp", url_field="permalink")

    async def delete(self, account: Account, platform_post_id: str) -> None:
        """There is no such call: nothing, if the post is gone already.

        Raises:
            VendorError: INPUT, with the post's address for the person who deletes it in the app; else sorted.
        """
        found = await self.confirm(account, platform_post_id)
        if found is not None:
            where = found.url or platform_post_id
            message = f"Instagram has no call to delete a post; delete it in the app: {where}"
            raise self._graph.error(ErrorClass.INPUT, message)

    async def check(self, account: Account) -> TokenState:
        """Whether the account's token is good, until when and for what.

        Raises:
            VendorError: sorted.
        """
        return await self._graph.check(account, app_token=self._app_token)

    async def read_metrics(self, account: Account, post_ids: Sequence[str], *, on: date) -> Readings:
        """The numbers of posts by the names that are live on a day; what was not told is in the readings.

        Raises:
            VendorError: nothing was learned about any of them.
        """
        return await instagram_metrics.read_metrics(self._graph, account, post_ids, on=on)

    async def _create(self, account: Account, bodies: Sequence[Mapping[str, Any]]) -> list[str]:
        """Containers, side by side; all or an error."""
        edge = f"{account.external_id}/media"
        made = await asyncio.gather(
            *(self._graph.upload(account.token, edge, body) for body in bodies), return_exceptions=True
        )
        for result in made:
            if isinstance(result, BaseException):
                raise result
        return [result for result in made if isinstance(result, str)]

    async def _check_quota(self, account: Account) -> None:
        """The account's posts of 24 hours. Meta's pages disagree on how many it may be: its answer counts."""
        edge = f"{account.external_id}/content_publishing_limit"
        data = (await self._graph.read(account.token, edge, fields="quota_usage,config")).get("data")
        quota = data[0] if isinstance(data, list) and data and isinstance(data[0], dict) else {}
        used, config = quota.get("quota_usage"), quota.get("config")
        total = config.get("quota_total") if isinstance(config, dict) else None
        if isinstance(used, int) and isinstance(total, int) and used >= total:
            message = f"{used} of {total} posts in 24 hours are used"
            raise self._graph.error(ErrorClass.THROTTLED, message, retry_after_seconds=QUOTA_WAIT_SECONDS)

    async def _look(self, account: Account, containers: Sequence[str], progress: Mapping[str, Any]) -> Prepared | None:
        """None where all are FINISHED; else what to do next."""
        for container in containers:
            status, reason = await self._status(account, container)
            if status == "PUBLISHED":
                raise self._graph.error(ErrorClass.DUPLICATE, "the container is published already")
            if status == "IN_PROGRESS":
                polls = progress.get("polls", 0) + 1
                if polls >= MAX_POLLS:
                    return self._start_anew(progress, "not ready in time")
                wait = min(LONGEST_WAIT_SECONDS, 2.0 ** min(polls - 1, 6))
                return Prepared({**progress, "polls": polls}, is_ready=False, look_again_seconds=wait)
            if status != "FINISHED":
                return self._start_anew(progress, reason)
        return None

    async def _status(self, account: Account, container: str, *, is_brief: bool = False) -> tuple[str, str]:
        """The container's status and the reason of a bad one: IN_PROGRESS, FINISHED, PUBLISHED, ERROR, EXPIRED, or
        GONE where Instagram knows none."""
        try:
            fields = "id,status_code,status"
            answer = await self._graph.read(account.token, container, is_brief=is_brief, fields=fields)
        except VendorError as error:
            if error.code in _GONE:
                return "GONE", "Instagram does not know the container"
            raise
        status, reason = answer.get("status_code"), answer.get("status")
        if not isinstance(status, str):
            raise self._graph.error(ErrorClass.RETRY, "a container came without status_code")
        return status, " ".join(reason.split())[:200] if isinstance(reason, str) else status

    def _start_anew(self, progress: Mapping[str, Any], reason: str) -> Prepared:
        subcode = _SUBCODE.search(reason)
        restarts = progress.get("restarts", 0) + 1
        is_refused = subcode is not None and ERROR_CLASSES.get(int(subcode[1])) is ErrorClass.INPUT
        if is_refused or restarts > MAX_RESTARTS:
            code = subcode[1] if subcode else None
            raise self._graph.error(ErrorClass.INPUT, f"container {restarts} failed: {reason}", code=code)
        return Prepared({"restarts": restarts}, is_ready=False, look_again_seconds=5.0 * restarts)

    def _fetch_again(self, error: VendorError, progress: Mapping[str, Any]) -> Prepared:
        """An address that Instagram could not fetch is tried once more: at times its own servers are the reason."""
        if error.code != _NOT_FETCHED:
            raise error
        if progress.get("fetch_failures"):
            message = "Instagram cannot fetch the medium from its address"
            raise self._graph.error(
                ErrorClass.INPUT, message, status=error.status, code=error.code, request_id=error.request_id
            ) from error
        return Prepared({**progress, "fetch_failures": 1}, is_ready=False, look_again_seconds=FETCH_AGAIN_SECONDS)

    async def _refuse_if_published(self, account: Account, container: str) -> None:
        """A container that is public already is refused like one that never was."""
        try:
            status, _ = await self._status(account, container, is_brief=True)
        except VendorError as error:
            message = "refused, and the container's status cannot be read"
            raise self._graph.error(ErrorClass.AMBIGUOUS, message, code=error.code) from error
        if status == "PUBLISHED":
            raise self._graph.error(ErrorClass.DUPLICATE, "the container is published already")

    async def _find_comment(
        self, account: Account, payload: Payload, *, since: datetime, taken: frozenset[str]
    ) -> Found | None:
        """Whoever wrote it: `from.id` of a comment is another kind of id than the account's."""
        edge, fields = f"{payload.parent_id}/comments", "id,text,timestamp"
        return await self._graph.find_oldest(
            self._graph.read_list(account.token, edge, fields=fields, limit=50),
            text=payload.text,
            text_field="text",
            time_field="timestamp",
            url_field="permalink",
            since=since,
            taken=taken,
        )


def _medium(media: Media, is_item: bool) -> dict[str, Any]:
    """The body of a container with one medium."""
    item = {"is_carousel_item": True} if is_item else {}
    if media.is_video:
        return {"media_type": "VIDEO" if is_item else "REELS", "video_url": media.url} | item
    return {"image_url": media.url} | ({"alt_text": media.alt_text} if media.alt_text else {}) | item
