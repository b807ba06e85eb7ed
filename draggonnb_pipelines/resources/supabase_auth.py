"""The admin's side of one project's Supabase Auth (GoTrue): people, and links with which they sign in the first time.

Lives here: the adapter on top of the `supabase` package, whose requests go through our HTTP door; the error table.
Does not live here: the project itself (`supabase_management.py`), sending a link (`mail.py`).
Sources: supabase/auth (internal/api, August 2026), supabase-py 2.34.
"""

import json
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import httpx
from pydantic import ValidationError

from draggonnb_pipelines.errors import ErrorClass, VendorError
from draggonnb_pipelines.resources.exchange import Answer
from draggonnb_pipelines.resources.http import HttpDoor

if TYPE_CHECKING:
    from supabase import AsyncClient

VENDOR = "supabase_auth"
PAGE_SIZE = 200
_BY_CODE = {
    **dict.fromkeys(("email_exists", "user_already_exists", "phone_exists", "conflict"), ErrorClass.DUPLICATE),
    **dict.fromkeys(("over_email_send_rate_limit", "over_request_rate_limit"), ErrorClass.THROTTLED),
    **dict.fromkeys(
        ("request_timeout", "hook_timeout", "hook_timeout_after_retry", "unexpected_failure"), ErrorClass.RETRY
    ),
    **dict.fromkeys(("email_address_not_authorized", "email_provider_disabled", "signup_disabled"), ErrorClass.CONFIG),
    **dict.fromkeys(
        ("validation_failed", "bad_json", "email_address_invalid", "weak_password", "user_not_found"), ErrorClass.INPUT
    ),
    **dict.fromkeys(("bad_jwt", "no_authorization"), ErrorClass.AUTH),
    "not_admin": ErrorClass.PERMISSION,
}
# 540: the project is paused.
_BY_STATUS = {
    401: ErrorClass.AUTH,
    403: ErrorClass.PERMISSION,
    408: ErrorClass.RETRY,
    429: ErrorClass.THROTTLED,
    540: ErrorClass.CONFIG,
}


T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class AuthUser:
    """A person who may sign in to a client's project."""

    id: str
    email: str
    is_confirmed: bool


class SupabaseAuth:
    """The Auth of one project. Every verb may be repeated without harm, and nothing here sends mail.

    Args:
        project_url: the project's address, such as https://<ref>.supabase.co.
        key: a secret key of the project (`sb_secret_...`).
    """

    def __init__(self, door: HttpDoor, *, project_url: str, key: str) -> None:
        self._door = door
        self._url = project_url.rstrip("/")
        self._key = key
        self._client: AsyncClient | None = None

    async def create_user(
        self, user_id: uuid.UUID, email: str, *, user_metadata: dict[str, Any] | None = None
    ) -> AuthUser:
        """Make a person under an id of our choice, confirmed and without a known password; whom this id or address
        has already is returned instead, with the id that there is.

        Raises:
            VendorError: sorted.
        """
        if known := await self.get_user(user_id):
            return known
        attributes: Any = {"id": str(user_id), "email": email, "email_confirm": True}
        attributes |= {"user_metadata": user_metadata or {}}
        try:
            return _user((await self._ask(lambda admin: admin.create_user(attributes))).user)
        except VendorError as error:
            if error.error_class is not ErrorClass.DUPLICATE:
                raise
            # Somebody was faster, or the address came in on another way.
            known = await self.get_user(user_id) or await self.find_user(email)
            if known is None:
                raise
            return known

    async def get_user(self, user_id: uuid.UUID) -> AuthUser | None:
        """The person with this id; None where there is none."""
        try:
            return _user((await self._ask(lambda admin: admin.get_user_by_id(str(user_id)))).user)
        except VendorError as error:
            if error.code == "user_not_found":
                return None
            raise

    async def find_user(self, email: str) -> AuthUser | None:
        """The person with exactly this address; None where there is none."""
        wanted, page = email.lower(), 0
        while True:
            page += 1
            # The package's own list has no filter, which Auth matches against parts of addresses.
            query = httpx.QueryParams(page=page, per_page=PAGE_SIZE, filter=wanted)
            response = await self._ask(lambda admin, query=query: admin._request("GET", "admin/users", query=query))
            people = _json(response.content).get("users")
            if not isinstance(people, list):
                raise _unreadable()
            if match := next((person for person in people if person.get("email", "").lower() == wanted), None):
                return AuthUser(match["id"], match["email"], bool(match.get("email_confirmed_at")))
            if len(people) < PAGE_SIZE:
                return None

    async def generate_link(self, kind: str, email: str, *, redirect_to: str) -> str:
        """A link with which the person signs in, once, for a mail of our own. The one before it stops working.

        Args:
            kind: "recovery" (they choose a password) or "magiclink".
            redirect_to: where the link leads to in the end. The project's settings must allow it (`uri_allow_list`):
                where they do not, Auth takes its `site_url` without a word.

        Raises:
            VendorError: INPUT with code "user_not_found", nobody has this address; CONFIG with code "redirect", the
                link would lead elsewhere.
        """
        params: Any = {"type": kind, "email": email, "options": {"redirect_to": redirect_to}}
        link = (await self._ask(lambda admin: admin.generate_link(params))).properties
        if link.redirect_to != redirect_to:
            words = "the project's settings do not allow links that lead there"
            raise VendorError(VENDOR, ErrorClass.CONFIG, words, code="redirect")
        return link.action_link

    async def delete_user(self, user_id: uuid.UUID) -> None:
        """Delete a person; one who is gone is as good."""
        try:
            await self._ask(lambda admin: admin.delete_user(str(user_id)))
        except VendorError as error:
            if error.code != "user_not_found":
                raise

    async def _ask(self, question: Callable[[Any], Awaitable[T]]) -> T:
        """Ask the package's admin client, which is opened with the first question."""
        if self._client is None:
            from supabase import AsyncClientOptions, acreate_client  # half a second: not for whoever never asks

            http_client = httpx.AsyncClient(transport=_Transport(self._door), trust_env=False)
            options = AsyncClientOptions(httpx_client=http_client, auto_refresh_token=False, persist_session=False)
            self._client = await acreate_client(self._url, self._key, options)
        try:
            return await question(self._client.auth.admin)
        except ValidationError:
            raise _unreadable() from None  # the cause would quote the answer


class _Transport(httpx.AsyncBaseTransport):
    """The package's way out: our door, with its time-outs, retries and log, which raises errors sorted already."""

    def __init__(self, door: HttpDoor) -> None:
        self._door = door

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        kept = {name: value for name, value in request.headers.items() if name not in ("host", "content-length")}
        answer = await self._door.call(
            VENDOR,
            request.method,
            str(request.url),
            idempotent=True,  # ids are ours, links replace each other, and nothing is mailed
            sort=_sort,
            headers=kept,
            content=await request.aread(),
        )
        return httpx.Response(answer.status_code, headers=dict(answer.headers), content=answer.content)


def _sort(response: Answer) -> VendorError | None:
    status = response.status_code
    if 200 <= status < 300:
        return None
    body = _json(response.content)
    code = response.headers.get("x-sb-error-code") or body.get("error_code") or body.get("code")
    code = code[:60] if isinstance(code, str) and code.isidentifier() else None
    error_class = _BY_CODE.get(code or "") or _BY_STATUS.get(status)
    error_class = error_class or (ErrorClass.RETRY if status >= 500 else ErrorClass.INPUT)
    words = "the project is paused" if status == 540 else code
    message = ", ".join(filter(None, (f"HTTP {status}", words)))
    return VendorError(VENDOR, error_class, message, status=status, code=code)


def _json(content: bytes) -> dict[str, Any]:
    try:
        body = json.loads(content)
    except (ValueError, RecursionError):
        return {}
    return body if isinstance(body, dict) else {}


def _user(user: Any) -> AuthUser:
    return AuthUser(user.id, user.email or "", user.email_confirmed_at is not None)


def _unreadable() -> VendorError:
    return VendorError(VENDOR, ErrorClass.RETRY, "an answer that cannot be read")
