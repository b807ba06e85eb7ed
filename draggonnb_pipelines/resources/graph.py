"""The Graph API as Facebook pages and Instagram use it: reading, reading lists to their end, writing, token check.

Lives here: the kinds of call, batches, paging, debug_token, and which versions of the API live how long. Does not live
here: what an error means (`graph_errors.py`), the two networks' own calls (`facebook.py`, `instagram.py`), WhatsApp.
Tokens travel in the Authorization header. Source: Meta, Graph API reference and "Versions".
"""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from draggonnb_pipelines.domain.accounts import TokenState
from draggonnb_pipelines.domain.publishing import Account, Found, Limits, fingerprint
from draggonnb_pipelines.errors import ErrorClass, VendorError
from draggonnb_pipelines.resources.exchange import Answer
from draggonnb_pipelines.resources.graph_errors import MISSING_NODE, json_of, limits_of, sort_graph
from draggonnb_pipelines.resources.http import HttpDoor
from draggonnb_pipelines.resources.public_pages import utc_now

MAX_PAGES = 100
_READ_TIMEOUT_SECONDS = 30.0
_BRIEF_TIMEOUT_SECONDS = 5.0
# Meta downloads our media before it answers; one attempt as a whole stays below three minutes all the same.
_FETCH_TIMEOUT_SECONDS = 45.0


class Graph:
    """Calls to one base address such as `https://graph.facebook.com/v25.0`, sorted for one vendor's name."""

    def __init__(self, door: HttpDoor, *, vendor: str, base_url: str, now: Callable[[], datetime] = utc_now) -> None:
        self._door = door
        self._vendor = vendor
        self._base_url = base_url.rstrip("/")
        self._now = now
        self.version = self._base_url.rpartition("/")[2]

    async def read(self, token: str, path: str, *, is_brief: bool = False, **params: Any) -> dict[str, Any]:
        """GET one object; once and for five seconds at most, if it must be brief.

        Raises:
            VendorError: sorted; never an empty result in place of a failed read.
        """
        patience = {"attempts": 1, "read_timeout_seconds": _BRIEF_TIMEOUT_SECONDS} if is_brief else {}
        response = await self._call("GET", path, token, params=params, **patience)
        body = json_of(response)
        if not isinstance(body, dict):
            raise self.error(ErrorClass.RETRY, "the answer is not a JSON object", status=response.status_code)
        return body

    async def read_many(
        self, token: str, paths: Sequence[str]
    ) -> tuple[list[dict[str, Any] | VendorError], Limits | None]:
        """GET several objects with one call; per path its object or what was said instead, and the limits.

        A batch, and not `GET /?ids=`: one object that is refused does not take the others along, and v26 has no `ids`.
        Source: Graph API, "Batch Requests": at most 50; an operation that took too long is null.

        Raises:
            VendorError: the call as a whole, sorted.
        """
        batch = [{"method": "GET", "relative_url": f"{self.version}/{path}"} for path in paths]
        # A POST that changes nothing: it may be sent again.
        response = await self._call("POST", "", token, json={"batch": batch, "include_headers": False}, attempts=4)
        parts = json_of(response)
        if not isinstance(parts, list) or len(parts) != len(paths):
            raise self.error(ErrorClass.RETRY, "a batch came without an answer for each part")
        return [self._part(part, response) for part in parts], limits_of(response, self._now())

    def _part(self, part: Any, whole: Answer) -> dict[str, Any] | VendorError:
        status, text = (part.get("code"), part.get("body")) if isinstance(part, dict) else (None, None)
        if not isinstance(status, int) or not isinstance(text, str):
            return self.error(ErrorClass.RETRY, "a part of a batch was not answered")
        answer = Answer(status, whole.headers, text.encode(errors="replace"))
        refusal = sort_graph(self._vendor, answer, is_irreversible=False, now=self._now())
        body = json_of(answer)
        if refusal is not None or isinstance(body, dict):
            return refusal or body
        return self.error(ErrorClass.RETRY, "a part of a batch is not a JSON object", status=status)

    async def read_list(self, token: str, path: str, **params: Any) -> AsyncIterator[dict[str, Any]]:
        """All items of a list, page after page.

        The address of the next page is taken from `paging.next`, without its host and without the token in it.

        Raises:
            VendorError: a page could not be read, or there are more than MAX_PAGES.
        """
        for _ in range(MAX_PAGES):
            page = await self.read(token, path, **params)
            items = page.get("data")
            if not isinstance(items, list):
                raise self.error(ErrorClass.RETRY, "a list came without data")
            for item in items:
                if isinstance(item, dict):
                    yield item
            paging = page.get("paging")
            following = paging.get("next") if isinstance(paging, dict) else None
            if not isinstance(following, str):
                return
            params = {name: value for name, value in parse_qsl(urlsplit(following).query) if name != "access_token"}
        raise self.error(ErrorClass.RETRY, f"the list does not end within {MAX_PAGES} pages")

    async def find_oldest(
        self,
        items: AsyncIterator[dict[str, Any]],
        *,
        text: str,
        text_field: str,
        time_field: str,
        url_field: str,
        since: datetime,
        taken: frozenset[str],
        owner: str | None = None,
    ) -> Found | None:
        """Of a list from new to old, the oldest item of these words at or after `since` that nobody owns yet.

        Graph tells whole seconds. Where `owner` is given, items whose `from` names somebody else are passed over.
        """
        wanted, found = fingerprint(text), None
        async for item in items:
            at = time_of(item.get(time_field))
            if at is None or not isinstance(item.get("id"), str):
                raise self.error(ErrorClass.RETRY, f"an item came without id or {time_field}")
            if at < since.replace(microsecond=0):
                return found
            author = item.get("from")
            is_foreign = owner is not None and isinstance(author, dict) and author.get("id") != owner
            if item["id"] in taken or is_foreign or fingerprint(_text(item.get(text_field))) != wanted:
                continue
            found = Found(item["id"], _text(item.get(url_field)) or None, at)
        return found

    async def upload(self, token: str, path: str, body: Mapping[str, Any]) -> str:
        """POST something that nobody sees yet; its id. A lost answer is RETRY: it wastes an upload.

        Raises:
            VendorError: sorted. Called once only: the next step of prepare() tries again.
        """
        response = await self._call("POST", path, token, json=body, read_timeout_seconds=_FETCH_TIMEOUT_SECONDS)
        made = _id_in(response, "id")
        if made is None:
            raise self.error(ErrorClass.RETRY, "accepted without an id", status=response.status_code)
        return made

    async def publish(
        self, token: str, path: str, body: Mapping[str, Any], *, id_fields: tuple[str, ...] = ("id",)
    ) -> tuple[str, Limits | None]:
        """POST what becomes public with this call, once; its id by the first field that holds one, and the limits.

        Raises:
            VendorError: sorted; AMBIGUOUS where it may be public.
        """
        response = await self._call(
            "POST", path, token, json=body, is_irreversible=True, read_timeout_seconds=_FETCH_TIMEOUT_SECONDS
        )
        limits = limits_of(response, self._now())
        made = next((found for name in id_fields if (found := _id_in(response, name))), None)
        if made is None:
            raise self.error(ErrorClass.AMBIGUOUS, "accepted without an id", status=response.status_code, limits=limits)
        return made, limits

    async def comment(self, token: str, parent: str, body: Mapping[str, Any]) -> tuple[str, Limits | None]:
        """Like `publish`, below a post of ours.

        Raises:
            VendorError: also RETRY where the post is not found: made moments ago, it may not be visible everywhere.
        """
        try:
            return await self.publish(token, f"{parent}/comments", body)
        except VendorError as error:
            if error.code in MISSING_NODE:
                error.error_class = ErrorClass.RETRY
            raise

    async def delete(self, token: str, path: str) -> None:
        """DELETE a post; one that is gone already is a success.

        Raises:
            VendorError: sorted.
        """
        try:
            await self._call("DELETE", path, token)
        except VendorError as error:
            if error.code not in MISSING_NODE:
                raise

    async def confirm(self, account: Account, node: str, *, time_field: str, url_field: str) -> Found | None:
        """GET one post; None where the vendor says that there is none.

        Raises:
            VendorError: sorted.
        """
        try:
            item = await self.read(account.token, node, fields=f"id,{time_field},{url_field}")
        except VendorError as error:
            if error.code in MISSING_NODE:
                return None
            raise
        return Found(node, _text(item.get(url_field)) or None, time_of(item.get(time_field)))

    async def check(self, account: Account, *, app_token: str) -> TokenState:
        """What GET /debug_token says of the account's token. Source: Facebook Login, "debug_token".

        Args:
            app_token: `{app id}|{app secret}`.

        Raises:
            VendorError: sorted; a refusal of the app's own token is CONFIG, so that no account is blamed for it.
        """
        try:
            data = (await self.read(app_token, "debug_token", input_token=account.token)).get("data")
        except VendorError as error:
            if error.error_class is ErrorClass.AUTH:
                raise self.error(ErrorClass.CONFIG, "the app's id or secret is refused", code=error.code) from error
            raise
        if not isinstance(data, dict) or not isinstance(data.get("is_valid"), bool):
            raise self.error(ErrorClass.RETRY, "debug_token came without is_valid")
        scopes, reason = data.get("scopes"), data.get("error")
        return TokenState(
            is_valid=data["is_valid"],
            expires_at=_epoch(data.get("expires_at")),
            data_access_expires_at=_epoch(data.get("data_access_expires_at")),
            scopes=tuple(scope for scope in scopes if isinstance(scope, str)) if isinstance(scopes, list) else (),
            reason=_reason(reason) if isinstance(reason, dict) else None,
        )

    def error(self, error_class: ErrorClass, message: str, **details: Any) -> VendorError:
        """An error of our own reading, in this vendor's name."""
        return VendorError(self._vendor, error_class, message, **details)

    async def _call(
        self, method: str, path: str, token: str, *, is_irreversible: bool = False, **request: Any
    ) -> Answer:
        def sort(response: Answer) -> VendorError | None:
            return sort_graph(self._vendor, response, is_irreversible=is_irreversible, now=self._now())

        return await self._door.call(
            self._vendor,
            method,
            f"{self._base_url}/{path}",
            idempotent=not is_irreversible,
            sort=sort,
            headers={"Authorization": f"Bearer {token}"},
            **{"attempts": 1 if method == "POST" else 4, "read_timeout_seconds": _READ_TIMEOUT_SECONDS, **request},
        )


def time_of(value: Any) -> datetime | None:
    """Graph's `2026-11-23T08:00:00+0000`, in UTC."""
    try:
        return datetime.fromisoformat(value).astimezone(UTC)
    except (TypeError, ValueError):
        return None


def _epoch(value: Any) -> datetime | None:
    """Seconds since 1970; 0 is Meta's word for never."""
    return datetime.fromtimestamp(value, UTC) if isinstance(value, int) and 0 < value < 10**11 else None


def _reason(error: dict[str, Any]) -> str:
    numbers = [str(error[name]) for name in ("code", "subcode") if isinstance(error.get(name), int)]
    return f"{' '.join(_text(error.get('message')).split())[:200] or 'not valid'} (code {'/'.join(numbers) or 'none'})"


def _id_in(response: Answer, name: str) -> str | None:
    body = json_of(response)
    return _text(body.get(name)) or None if isinstance(body, dict) else None


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
