"""LinkedIn for organizations' pages: posts with text or pictures, comments, reading back, undo, token refresh.

Lives here: the adapter's verbs. Does not live here: versions (`domain/vendor_versions.py`), pictures on their way up
(`linkedin_images.py`), reading back (`linkedin_readback.py`), what posts are counted (`linkedin_metrics.py`), the error
table (`linkedin_wire.py`), little text (`domain/little_text.py`).
Sources: Microsoft Learn, LinkedIn Posts API, Comments API, versioning (view li-lms-2026-05).
"""

import functools
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime
from typing import Any

from draggonnb_pipelines.domain.accounts import TokenPair, TokenState
from draggonnb_pipelines.domain.little_text import escape
from draggonnb_pipelines.domain.metrics import Readings
from draggonnb_pipelines.domain.publishing import Account, Found, Part, Payload, Platform, Prepared, Published
from draggonnb_pipelines.errors import ErrorClass, VendorError
from draggonnb_pipelines.resources.exchange import Answer
from draggonnb_pipelines.resources.http import HttpDoor
from draggonnb_pipelines.resources.linkedin_images import prepare_images
from draggonnb_pipelines.resources.linkedin_metrics import read_linkedin_metrics
from draggonnb_pipelines.resources.linkedin_readback import comment_time, find_comment, find_post, post_time
from draggonnb_pipelines.resources.linkedin_wire import VENDOR, json_of, quoted, sorter, unreadable
from draggonnb_pipelines.resources.public_pages import utc_now
from draggonnb_pipelines.resources.storage import MediaStorage

_COMMENT = re.compile(r"^urn:li:comment:\((?P<on>urn:li:\w+:\d+),(?P<id>\d+)\)$")
_REFRESH_REFUSALS = {
    "invalid_grant": ErrorClass.AUTH,
    "invalid_request": ErrorClass.AUTH,
    "invalid_client": ErrorClass.CONFIG,
    "unauthorized_client": ErrorClass.CONFIG,
}


class LinkedIn:
    """Pages of organizations. An account's `external_id` is the organization's number or its whole URN.

    Args:
        base_url: of the API, above `/rest`.
        web_url: where people read posts and where tokens are refreshed.
        version: sent as `LinkedIn-Version`, such as "202607".
        storage: where the bytes of pictures are read; LinkedIn does not fetch addresses by itself.
    """

    platform = Platform.LINKEDIN

    def __init__(
        self,
        door: HttpDoor,
        *,
        base_url: str,
        web_url: str,
        version: str,
        storage: MediaStorage,
        client_id: str,
        client_secret: str,
        now: Callable[[], datetime] = utc_now,
    ) -> None:
        self._door = door
        self._base = base_url.rstrip("/")
        self._web = web_url.rstrip("/")
        self._version = version
        self._storage = storage
        self._client = {"client_id": client_id, "client_secret": client_secret}
        self._retrying = sorter(unknown=ErrorClass.RETRY, now=now)
        self._publishing = sorter(unknown=ErrorClass.AMBIGUOUS, now=now)

    def needs_preparation(self, payload: Payload) -> bool:
        return payload.part is Part.POST and bool(payload.media)

    async def prepare(self, account: Account, payload: Payload, progress: Mapping[str, Any]) -> Prepared:
        """Upload the next picture, or ask whether all are processed; see `linkedin_images.prepare_images`."""
        if not self.needs_preparation(payload):
            return Prepared(progress, is_ready=True)
        call = functools.partial(self._call, account)
        return await prepare_images(call, self._storage, _urn(account), payload, progress, base_url=self._base)

    async def publish(self, account: Account, payload: Payload, progress: Mapping[str, Any]) -> Published:
        """The one irreversible call. A reply is a comment: LinkedIn has no threads.

        Raises:
            VendorError: sorted. DUPLICATE names the other post in `existing_id`; it may be a ghost that no reader can
                see, so `confirm` comes before trust. AMBIGUOUS: `find` tells.
        """
        if payload.part is not Part.POST:
            return await self._comment(account, payload)
        response = await self._publish(account, "/rest/posts", _post_body(_urn(account), payload, progress))
        urn = response.headers.get("x-restli-id") or response.headers.get("x-linkedin-id")
        if not urn:
            raise VendorError(VENDOR, ErrorClass.AMBIGUOUS, "accepted without an id", status=response.status_code)
        return Published(urn, self._link(urn))

    async def find(
        self,
        account: Account,
        payload: Payload,
        progress: Mapping[str, Any],
        *,
        since: datetime,
        taken: frozenset[str],
    ) -> Found | None:
        """Read LinkedIn back: the oldest own post or comment since then with this text; see `linkedin_readback`.

        Raises:
            VendorError: not everything could be read, so nothing can be said.
        """
        call = functools.partial(self._call, account)
        search = find_post if payload.part is Part.POST else find_comment
        found = await search(call, _urn(account), payload, since=since, taken=taken)
        return found and Found(
            found.platform_post_id, self._link(found.platform_post_id, payload.parent_id), found.published_at
        )

    async def confirm(self, account: Account, platform_post_id: str) -> Found | None:
        """This very post or comment; None where LinkedIn does not have it (404: deleted, or the ghost of a 422)."""
        comment = _COMMENT.match(platform_post_id)
        try:
            response = await self._call(account, "GET", _path(platform_post_id))
        except VendorError as error:
            if error.status == 404:
                return None
            raise
        body = json_of(response)
        made_at = comment_time(body) if comment else post_time(body)
        if made_at is None:
            raise unreadable("the post")
        return Found(platform_post_id, self._link(platform_post_id), made_at)

    async def delete(self, account: Account, platform_post_id: str) -> None:
        """Take a post or comment away; one that is gone is as good."""
        by = f"?actor={quoted(_urn(account))}" if _COMMENT.match(platform_post_id) else ""
        try:
            await self._call(account, "DELETE", _path(platform_post_id) + by, headers={"X-RestLi-Method": "DELETE"})
        except VendorError as error:
            if error.status != 404:
                raise

    async def read_metrics(self, account: Account, post_ids: Sequence[str], *, on: date) -> Readings:
        """What LinkedIn counts of the page's posts; see `linkedin_metrics`."""
        call = functools.partial(self._call, account)
        return await read_linkedin_metrics(call, _urn(account), post_ids, on=on, version=self._version)

    async def check(self, account: Account) -> TokenState:
        """Whether the token still reads this organization's posts, which is what reading back needs. LinkedIn tells no
        date here: a token lives 60 days from its issue.

        Raises:
            VendorError: LinkedIn did not say.
        """
        path = f"/rest/posts?author={quoted(_urn(account))}&q=author&count=1&sortBy=LAST_MODIFIED"
        try:
            await self._call(account, "GET", path, headers={"X-RestLi-Method": "FINDER"})
        except VendorError as error:
            if error.error_class not in (ErrorClass.AUTH, ErrorClass.PERMISSION):
                raise
            return TokenState(is_valid=False, reason=error.message)
        return TokenState(is_valid=True)

    async def refresh(self, refresh_token: str) -> TokenPair:
        """A new access token (60 days). The refresh token stays the same for its 365 days, so a lost answer costs
        nothing and the call is repeated.

        Raises:
            VendorError: AUTH, the person must connect again; CONFIG, our client id or secret; else sorted.
        """
        response = await self._door.call(
            VENDOR,
            "POST",
            f"{self._web}/oauth/v2/accessToken",
            idempotent=True,
            sort=self._sort_refresh,
            data={"grant_type": "refresh_token", "refresh_token": refresh_token, **self._client},
        )
        body = json_of(response)
        access, refresh, seconds = body.get("access_token"), body.get("refresh_token"), body.get("expires_in")
        if not isinstance(access, str) or not access:
            raise unreadable("the new token")
        return TokenPair(
            access,
            refresh if isinstance(refresh, str) and refresh else None,
            float(seconds) if isinstance(seconds, int | float) and not isinstance(seconds, bool) else None,
        )

    async def _comment(self, account: Account, payload: Payload) -> Published:
        parent = payload.parent_id or ""
        on_comment = _COMMENT.match(parent)
        body: dict[str, Any] = {"actor": _urn(account), "object": parent, "message": {"text": payload.text}}
        if on_comment:
            body |= {"object": on_comment["on"], "parentComment": parent}
        response = await self._publish(account, f"/rest/socialActions/{quoted(parent)}/comments", body)
        urn = json_of(response).get("commentUrn")
        if not isinstance(urn, str) or not urn:
            raise VendorError(VENDOR, ErrorClass.AMBIGUOUS, "accepted without an id", status=response.status_code)
        return Published(urn, self._link(urn, parent))

    async def _publish(self, account: Account, path: str, body: dict[str, Any]) -> Answer:
        """A POST that makes something public: once, and who repeats it is the ledger."""
        return await self._call(account, "POST", path, json=body, idempotent=False, sort=self._publishing, attempts=1)

    async def _call(
        self, account: Account, method: str, path: str, *, headers: Mapping[str, str] | None = None, **arguments: Any
    ) -> Answer:
        """`path` from /rest on, encoded already (httpx would encode what Rest.li wants bare), or a whole URL."""
        return await self._door.call(
            VENDOR,
            method,
            path if path.startswith("http") else f"{self._base}{path}",
            headers={
                "Authorization": f"Bearer {account.token}",
                "LinkedIn-Version": self._version,
                "X-Restli-Protocol-Version": "2.0.0",
                **(headers or {}),
            },
            **({"idempotent": True, "sort": self._retrying} | arguments),
        )

    def _link(self, urn: str, parent: str | None = None) -> str:
        comment = _COMMENT.match(urn)
        if not comment:
            return f"{self._web}/feed/update/{urn}"
        above = parent if parent and not _COMMENT.match(parent) else comment["on"]
        return f"{self._web}/feed/update/{above}?commentUrn={quoted(urn)}"

    def _sort_refresh(self, response: Answer) -> VendorError | None:
        error = self._retrying(response)
        word = json_of(response).get("error")
        if error is None or not isinstance(word, str) or word not in _REFRESH_REFUSALS:
            return error
        return VendorError(VENDOR, _REFRESH_REFUSALS[word], word, status=response.status_code, code=word)


def _urn(account: Account) -> str:
    name = account.external_id
    return name if name.startswith("urn:li:") else f"urn:li:organization:{name}"


def _path(urn: str) -> str:
    """Where a post or a comment is read and deleted."""
    comment = _COMMENT.match(urn)
    if comment:
        return f"/rest/socialActions/{quoted(comment['on'])}/comments/{comment['id']}"
    return f"/rest/posts/{quoted(urn)}"


def _post_body(author: str, payload: Payload, progress: Mapping[str, Any]) -> dict[str, Any]:
    body: dict[str, Any] = {
        "author": author,
        "commentary": escape(payload.text),
        "visibility": "PUBLIC",
        "distribution": {"feedDistribution": "MAIN_FEED", "targetEntities": [], "thirdPartyDistributionChannels": []},
        "lifecycleState": "PUBLISHED",
        "isReshareDisabledByAuthor": False,
    }
    if not payload.media:
        return body
    urns = progress.get("images") or []
    if len(urns) != len(payload.media) or progress.get("ready") != len(urns):
        raise ValueError("publish() before prepare() was ready")
    images = [
        {"id": urn} | ({"altText": media.alt_text} if media.alt_text else {})
        for urn, media in zip(urns, payload.media, strict=True)
    ]
    return body | {"content": {"media": images[0]} if len(images) == 1 else {"multiImage": {"images": images}}}
