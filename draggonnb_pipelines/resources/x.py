"""X: posts, threads and replies; reading them back; tokens.

Lives here: the calls of API v2 that make something public, find it, take it away, and the refresh of tokens. Does not
live here: the media upload (`x_media.py`), what posts are counted (`x_metrics.py`), the error table and quotas
(`x_errors.py`), undoing what X does to a text (`x_posts.py`), how long a text may be (`domain/x_length.py`), when a
token is refreshed and where the pair is stored.
Sources: docs.x.com, OpenAPI 2.167; prices per call of February 2026.
"""

import base64
import unicodedata
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import partial
from typing import Any

from draggonnb_pipelines.domain.accounts import TokenPair, TokenState
from draggonnb_pipelines.domain.metrics import Readings
from draggonnb_pipelines.domain.publishing import Account, Found, Part, Payload, Platform, Prepared, Published
from draggonnb_pipelines.domain.x_urls import find_urls
from draggonnb_pipelines.errors import ErrorClass, VendorError
from draggonnb_pipelines.resources.exchange import Answer
from draggonnb_pipelines.resources.http import HttpDoor
from draggonnb_pipelines.resources.public_pages import utc_now
from draggonnb_pipelines.resources.storage import MediaStorage
from draggonnb_pipelines.resources.x_errors import VENDOR, json_of, limits_of, sort_by
from draggonnb_pipelines.resources.x_media import Uploads, media_ids
from draggonnb_pipelines.resources.x_metrics import read_x_metrics
from draggonnb_pipelines.resources.x_posts import comparable, dicts, is_below, posts_in, texts_of, time_of

PRICE_USD = Decimal("0.015")
PRICE_WITH_URL_USD = Decimal("0.20")
_READ_TIMEOUT_SECONDS = 30.0
_PAGE_SIZE = 100
# The API reads back a user's newest 3,200 posts.
_MAX_PAGES = 33
# New names since 2.167; the answers are read by old and new names.
_READ_FIELDS = {"post.fields": "created_at,entities", "expansions": "referenced_posts"}


class X:
    """API v2 in the name of users of X, each with an OAuth 2 token of their own.

    Args:
        storage: where the media are read from.
        web_url: base of public links.
        client_id, client_secret: of our app, for refreshing tokens.
    """

    platform = Platform.X

    def __init__(
        self,
        door: HttpDoor,
        *,
        base_url: str,
        web_url: str,
        storage: MediaStorage,
        client_id: str,
        client_secret: str,
        now: Callable[[], datetime] = utc_now,
    ) -> None:
        self._door = door
        self._base = base_url.rstrip("/")
        self._web = web_url.rstrip("/")
        self._storage = storage
        basic = base64.b64encode(f"{client_id}:{client_secret}".encode()).decode()
        self._basic = {"Authorization": f"Basic {basic}"}
        self._now = now

    def needs_preparation(self, payload: Payload) -> bool:
        """True if media must be uploaded first."""
        return bool(payload.media)

    async def prepare(self, account: Account, payload: Payload, progress: Mapping[str, Any]) -> Prepared:
        """One step of the upload; nothing is public. See `Uploads.step`.

        Raises:
            VendorError: INPUT, X refuses the file or lost it too often; else sorted, never AMBIGUOUS.
        """
        return await Uploads(partial(self._private_call, account), self._storage).step(payload, progress)

    async def publish(self, account: Account, payload: Payload, progress: Mapping[str, Any]) -> Published:
        """POST /2/tweets, once: the call that cannot be taken back.

        Raises:
            VendorError: sorted. AMBIGUOUS: it may be public, `find` tells. DUPLICATE: X has such a post but does not
                say which, `find` tells.
        """
        body: dict[str, Any] = {"text": payload.text}
        if payload.media:
            body["media"] = {"media_ids": media_ids(progress)}
            if len(body["media"]["media_ids"]) != len(payload.media):
                raise VendorError(VENDOR, ErrorClass.INPUT, "the media are not uploaded yet", code="not-prepared")
        if payload.part is not Part.POST:
            body["reply"] = {"in_reply_to_tweet_id": _parent_of(payload)}
        if payload.made_with_ai:
            body["made_with_ai"] = True
        response = await self._call(
            account,
            "POST",
            "/2/tweets",
            idempotent=False,
            attempts=1,
            sort=sort_by(may_repeat=False, now=self._now, is_post=True),
            json=body,
        )
        data, limits = json_of(response).get("data"), limits_of(response)
        post_id = data.get("id") if isinstance(data, dict) else None
        if not isinstance(post_id, str) or not post_id.isdigit():
            raise VendorError(
                VENDOR, ErrorClass.AMBIGUOUS, "accepted without an id", status=response.status_code, limits=limits
            )
        has_url = bool(find_urls(unicodedata.normalize("NFC", payload.text)))
        return Published(post_id, self._page(post_id), limits, PRICE_WITH_URL_USD if has_url else PRICE_USD)

    async def find(
        self, account: Account, payload: Payload, progress: Mapping[str, Any], *, since: datetime, taken: frozenset[str]
    ) -> Found | None:
        """The oldest post with this text since then that no other work owns; of a reply also below its parent.

        None only after all of the account's timeline since then was read.

        Raises:
            VendorError: sorted; RETRY also where X gave only a part of the timeline.
        """
        wanted = comparable(payload.text)
        oldest: dict[str, Any] | None = None
        async for post in self._timeline(account, since):
            if post["id"] in taken or not is_below(post, payload):
                continue
            at = time_of(post.get("created_at"))
            if (at is None or at >= since) and wanted in texts_of(post, payload.part):
                oldest = post
        return self._found(oldest) if oldest else None

    async def confirm(self, account: Account, platform_post_id: str) -> Found | None:
        """That very post, or None where X does not know it.

        Raises:
            VendorError: sorted.
        """
        params = {"ids": platform_post_id, **_READ_FIELDS}
        body = json_of(await self._private_call(account, "GET", "/2/tweets", params=params))
        for post in posts_in(body):
            if post["id"] == platform_post_id:
                return self._found(post)
        kinds = [str(error.get("type", "")).rpartition("/")[2] for error in dicts(body.get("errors"))]
        if kinds and all(kind == "resource-not-found" for kind in kinds):
            return None
        raise VendorError(VENDOR, ErrorClass.RETRY, "neither the post nor a word that it is gone", status=200)

    async def delete(self, account: Account, platform_post_id: str) -> None:
        """Take the post away; it is a success where it is gone already.

        Raises:
            VendorError: sorted.
        """
        try:
            response = await self._private_call(account, "DELETE", f"/2/tweets/{platform_post_id}")
        except VendorError as error:
            if error.status == 404:
                return
            raise
        data = json_of(response).get("data")
        if not isinstance(data, dict) or data.get("deleted") is not True:
            raise VendorError(VENDOR, ErrorClass.RETRY, "X did not say that the post is deleted", status=200)

    async def read_metrics(self, account: Account, post_ids: Sequence[str], *, on: date) -> Readings:
        """What X counts of the account's posts, see `x_metrics`.

        Raises:
            VendorError: sorted; nothing was learned.
        """
        return await read_x_metrics(partial(self._private_call, account), post_ids, on=on)

    async def check(self, account: Account) -> TokenState:
        """GET /2/users/me: whether the token is good, and this account's. X tells neither expiry nor rights.

        Raises:
            VendorError: sorted; AUTH is no error but the answer.
        """
        try:
            response = await self._private_call(account, "GET", "/2/users/me")
        except VendorError as error:
            if error.error_class is not ErrorClass.AUTH:
                raise
            return TokenState(is_valid=False, reason="X does not take the token (any more)")
        data = json_of(response).get("data")
        user = data.get("id") if isinstance(data, dict) else None
        if not isinstance(user, str):
            raise VendorError(VENDOR, ErrorClass.RETRY, "an answer without a user", status=response.status_code)
        if user != account.external_id:
            return TokenState(is_valid=False, reason="the token belongs to another user of X")
        return TokenState(is_valid=True)

    async def refresh(self, refresh_token: str) -> TokenPair:
        """A new pair for a refresh token, which is spent by that: store the pair before it is used.

        Raises:
            VendorError: AUTH, the token was spent or revoked: the user must connect again. AMBIGUOUS, the answer was
                lost, and with it probably the new pair. CONFIG, our app's own credentials are wrong.
        """
        response = await self._door.call(
            VENDOR,
            "POST",
            f"{self._base}/2/oauth2/token",
            idempotent=False,
            attempts=1,
            sort=self._sort_refresh,
            headers=self._basic,
            data={"grant_type": "refresh_token", "refresh_token": refresh_token},
            read_timeout_seconds=_READ_TIMEOUT_SECONDS,
        )
        body = json_of(response)
        access, refresh, seconds = (body.get(name) for name in ("access_token", "refresh_token", "expires_in"))
        if not (isinstance(access, str) and access and isinstance(refresh, str) and refresh):
            raise VendorError(VENDOR, ErrorClass.AMBIGUOUS, "an answer without a pair of tokens", status=200)
        return TokenPair(access, refresh, float(seconds) if isinstance(seconds, int | float) else None)

    def _sort_refresh(self, response: Answer) -> VendorError | None:
        """RFC 6749 §5.2: 400 is about the token, 401 about our app."""
        error = sort_by(may_repeat=False, now=self._now)(response)
        if error is None or response.status_code not in (400, 401):
            return error
        word = json_of(response).get("error")
        is_ours = response.status_code == 401 or word in ("invalid_client", "unauthorized_client")
        error_class = ErrorClass.CONFIG if is_ours else ErrorClass.AUTH
        code = word if isinstance(word, str) and word.replace("_", "").isalpha() else None
        reason = "X does not take our app's credentials" if is_ours else "the refresh token was spent or revoked"
        return VendorError(VENDOR, error_class, reason, status=response.status_code, code=code)

    async def _timeline(self, account: Account, since: datetime) -> AsyncIterator[dict[str, Any]]:
        """All posts of the account since then, newest first."""
        params = {
            "max_results": str(_PAGE_SIZE),
            # Whole seconds, rounded down: the window may begin a little early but not late.
            "start_time": since.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            # Replies too: without them X reads back only the newest 800 posts.
            "exclude": "retweets",
            **_READ_FIELDS,
        }
        for _ in range(_MAX_PAGES):
            path = f"/2/users/{account.external_id}/tweets"
            body = json_of(await self._private_call(account, "GET", path, params=params))
            meta, posts = body.get("meta"), posts_in(body)
            if not isinstance(meta, dict) or meta.get("result_count") != len(posts) or body.get("errors"):
                raise VendorError(VENDOR, ErrorClass.RETRY, "X gave only a part of the timeline", status=200)
            for post in posts:
                yield post
            token = meta.get("next_token")
            if not token:
                return
            params["pagination_token"] = token
        raise VendorError(VENDOR, ErrorClass.RETRY, "the timeline has more pages than X promises to give")

    async def _private_call(self, account: Account, method: str, path: str, **arguments: Any) -> Answer:
        """A call that makes nothing public, and may be repeated."""
        sort = sort_by(may_repeat=True, now=self._now)
        return await self._call(account, method, path, idempotent=True, sort=sort, **arguments)

    async def _call(self, account: Account, method: str, path: str, **arguments: Any) -> Answer:
        headers = {"Authorization": f"Bearer {account.token}", **arguments.pop("headers", {})}
        return await self._door.call(
            VENDOR,
            method,
            f"{self._base}{path}",
            headers=headers,
            read_timeout_seconds=_READ_TIMEOUT_SECONDS,
            **arguments,
        )

    def _page(self, post_id: str) -> str:
        return f"{self._web}/i/web/status/{post_id}"

    def _found(self, post: dict[str, Any]) -> Found:
        return Found(post["id"], self._page(post["id"]), time_of(post.get("created_at")))


def _parent_of(payload: Payload) -> str:
    if not payload.parent_id:
        raise VendorError(VENDOR, ErrorClass.INPUT, "a reply needs the id of the post that it answers")
    return payload.parent_id
