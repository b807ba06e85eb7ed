"""Facebook pages: posts with text, links, photos or a video, first comments, reading back, undo.

Lives here: which call puts what on a page. Does not live here: errors, limits and paging (`graph.py`,
`graph_errors.py`), Instagram (`instagram.py`), the ledger that decides when to call
(`workflows/publishing/publishing.py`). Facebook takes no idempotency key: after a lost answer only `find` tells.
Source: Meta, Pages API and Graph reference.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime
from typing import Any

from draggonnb_pipelines.domain.accounts import TokenState
from draggonnb_pipelines.domain.metrics import Readings
from draggonnb_pipelines.domain.publishing import Account, Found, Part, Payload, Platform, Prepared, Published
from draggonnb_pipelines.errors import ErrorClass
from draggonnb_pipelines.resources import facebook_metrics
from draggonnb_pipelines.resources.graph import Graph
from draggonnb_pipelines.resources.http import HttpDoor
from draggonnb_pipelines.resources.public_pages import utc_now

VENDOR = "facebook"
_FIELDS = "id,message,created_time,permalink_url"
_PAGE_SIZE = 100
_LINK = re.compile(r"https?://[^\s<>\"']+[^\s<>\"'.,;:!?)\]}]")


class FacebookPages:
    """The pages of all clients; each call brings the account whose page it is about.

    Args:
        base_url: Graph with its version.
        web_url: where posts are seen by their id; Graph does not name the address when it publishes.
        app_id, app_secret: of our app, for the token check.
    """

    platform = Platform.FACEBOOK

    def __init__(
        self,
        door: HttpDoor,
        *,
        base_url: str,
        app_id: str,
        app_secret: str,
        web_url: str = "https://www.facebook.com",
        now: Callable[[], datetime] = utc_now,
    ) -> None:
        self._graph = Graph(door, vendor=VENDOR, base_url=base_url, now=now)
        self._app_token = f"{app_id}|{app_secret}"
        self._web_url = web_url.rstrip("/")

    def needs_preparation(self, payload: Payload) -> bool:
        """Only several photos do: they are uploaded unpublished, and one call makes a post of them."""
        return payload.part is Part.POST and len(payload.media) > 1

    async def prepare(self, account: Account, payload: Payload, progress: Mapping[str, Any]) -> Prepared:
        """Upload the next photo that is missing in `progress["photos"]`.

        Raises:
            VendorError: sorted; nothing is public.
        """
        if any(media.is_video for media in payload.media):
            raise self._graph.error(ErrorClass.INPUT, "a post takes one video, or photos, not both")
        photos = [*progress.get("photos", ())]
        if len(photos) < len(payload.media):
            media = payload.media[len(photos)]
            body = {"url": media.url, "published": False} | _alt_text(media.alt_text)
            photos.append(await self._graph.upload(account.token, f"{account.external_id}/photos", body))
        return Prepared({"photos": photos}, is_ready=len(photos) == len(payload.media))

    async def publish(self, account: Account, payload: Payload, progress: Mapping[str, Any]) -> Published:
        """Put it on the page with one call; replies and comments go below their parent.

        The id of a video post is the video's, which is what Graph answers.

        Raises:
            VendorError: sorted; AMBIGUOUS means that it may be public.
        """
        if payload.part is not Part.POST:
            words = {"message": payload.text}
            post_id, limits = await self._graph.comment(account.token, f"{payload.parent_id}", words)
        else:
            edge, body = self._request(account, payload, progress)
            post_id, limits = await self._graph.publish(account.token, edge, body, id_fields=("post_id", "id"))
        return Published(post_id, f"{self._web_url}/{post_id}", limits)

    async def find(
        self,
        account: Account,
        payload: Payload,
        progress: Mapping[str, Any],
        *,
        since: datetime,
        taken: frozenset[str],
    ) -> Found | None:
        """The oldest post of the page (comment of the page below the parent) with this text that nobody owns yet.

        Raises:
            VendorError: the window could not be read to its end, so nothing is known.
        """
        token, text_field, owner = account.token, "message", None
        if payload.part is not Part.POST:
            owner = account.external_id
            items = self._graph.read_list(
                token,
                f"{payload.parent_id}/comments",
                fields=f"{_FIELDS},from",
                order="reverse_chronological",
                filter="stream",
                limit=_PAGE_SIZE,
            )
        else:
            is_video = any(media.is_video for media in payload.media)
            edge, text_field = ("videos", "description") if is_video else ("published_posts", "message")
            items = self._graph.read_list(
                token,
                f"{account.external_id}/{edge}",
                fields=_FIELDS.replace("message", text_field),
                since=int(since.timestamp()),
                limit=_PAGE_SIZE,
            )
        return await self._graph.find_oldest(
            items,
            text=payload.text,
            text_field=text_field,
            time_field="created_time",
            url_field="permalink_url",
            since=since,
            taken=taken,
            owner=owner,
        )

    async def confirm(self, account: Account, platform_post_id: str) -> Found | None:
        """That very post, video or comment; None where Facebook says that there is none.

        Raises:
            VendorError: sorted.
        """
        return await self._graph.confirm(
            account, platform_post_id, time_field="created_time", url_field="permalink_url"
        )

    async def delete(self, account: Account, platform_post_id: str) -> None:
        """Take it off the page; one that is gone already is a success.

        Raises:
            VendorError: sorted.
        """
        await self._graph.delete(account.token, platform_post_id)

    async def check(self, account: Account) -> TokenState:
        """Whether the page's token is good, until when and for what.

        Raises:
            VendorError: sorted.
        """
        return await self._graph.check(account, app_token=self._app_token)

    async def read_metrics(self, account: Account, post_ids: Sequence[str], *, on: date) -> Readings:
        """The numbers of posts by the names that are live on a day; what was not told is in the readings.

        Raises:
            VendorError: nothing was learned about any of them.
        """
        return await facebook_metrics.read_metrics(self._graph, account, post_ids, on=on)

    def _request(self, account: Account, payload: Payload, progress: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
        """The edge and the body of the one irreversible call that makes a post."""
        page, text, media = account.external_id, payload.text, payload.media
        if not media:
            # Without `link` a post made by a program shows no preview of the page that it names.
            link = _LINK.search(text)
            return f"{page}/feed", {"message": text} | ({"link": link[0]} if link else {})
        if len(media) == 1 and media[0].is_video:
            return f"{page}/videos", {"file_url": media[0].url, "description": text}
        if len(media) == 1:
            return f"{page}/photos", {"url": media[0].url, "caption": text} | _alt_text(media[0].alt_text)
        photos = progress.get("photos", ())
        if len(photos) != len(media):
            raise self._graph.error(ErrorClass.RETRY, "the photos are not uploaded yet")
        return f"{page}/feed", {"message": text, "attached_media": [{"media_fbid": photo} for photo in photos]}


def _alt_text(alt_text: str | None) -> dict[str, str]:
    return {"alt_text_custom": alt_text} if alt_text else {}
