"""Supabase's Management API on the wire: what its answers hold, which class a refusal has.

Lives here: the types that the adapter returns, the error table, how long a 429 lasts. Does not live here: the calls
(`supabase_management.py`), a project's own Auth (`supabase_auth.py`).
Sources: api.supabase.com/api/v1 (OpenAPI of June 2026), supabase.com/docs "Management API rate limits"; the wording of
quota and SQL refusals as users of the API report it.
"""

import json
import re
from collections.abc import Callable
from datetime import datetime
from typing import Any, TypeVar

from pydantic import AliasChoices, BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from draggonnb_pipelines.errors import ErrorClass, VendorError
from draggonnb_pipelines.resources.exchange import Answer

VENDOR = "supabase"
# No organization's token is meant to be refreshed here: a token that does not work is the operator's matter.
_BY_STATUS = {
    401: ErrorClass.CONFIG,
    402: ErrorClass.PERMISSION,
    403: ErrorClass.PERMISSION,
    429: ErrorClass.THROTTLED,
}
# Postgres undid it as a whole, and it may work in a moment: serialization, deadlock, locks, resources, shutdown.
_TRANSIENT_SQL = re.compile(r"40001|40P01|55P03|53\d{3}|57P0\d|08\d{3}")
_SQLSTATE = re.compile(r"\bERROR: {1,3}([0-9A-Z]{5}): ")
_CONSTRAINT = re.compile(r'unique constraint \\?"(\w{1,63})')
_QUOTA = re.compile(r"maximum limits|project limit|exceeded? .{0,40}(quota|limit)", re.IGNORECASE)

T = TypeVar("T")
Sort = Callable[[Answer], VendorError | None]


class _Wire(BaseModel):
    model_config = ConfigDict(frozen=True)


class Organization(_Wire):
    """Who pays for projects."""

    slug: str
    name: str


class Region(_Wire):
    """Where a project may be: `kind` is "specific" or "smartGroup" (the vendor chooses inside)."""

    code: str
    name: str
    kind: str = Field(validation_alias="type")


class Project(_Wire):
    """A project; `status` in the vendor's words, such as COMING_UP or ACTIVE_HEALTHY."""

    ref: str = Field(pattern=r"^[a-z]{20}$")
    name: str
    region: str
    status: str
    created_at: datetime = Field(validation_alias=AliasChoices("created_at", "inserted_at"))

    @property
    def is_healthy(self) -> bool:
        return self.status == "ACTIVE_HEALTHY"


class ServiceHealth(_Wire):
    """One service of a project."""

    name: str
    status: str

    @property
    def is_healthy(self) -> bool:
        return self.status == "ACTIVE_HEALTHY"


class ApiKey(_Wire):
    """A key. `value` is masked for secret keys unless they were asked for with `reveal`."""

    id: str | None = None
    name: str
    kind: str | None = Field(default=None, validation_alias="type")
    value: str | None = Field(default=None, validation_alias="api_key", repr=False)


class RecordedMigration(_Wire):
    """One row of the project's history of migrations."""

    version: str
    name: str | None = None


class DatabaseAddress(_Wire):
    """Where a project's database is reached, without the password, which the API never tells."""

    kind: str = Field(validation_alias="database_type")
    host: str = Field(validation_alias="db_host")
    port: int = Field(validation_alias="db_port")
    user: str = Field(validation_alias="db_user")
    database: str = Field(validation_alias="db_name")


def sorter(*, unknown: ErrorClass) -> Sort:
    """The verdict on an answer.

    Args:
        unknown: what a 5xx or 408 means: AMBIGUOUS where something may have been made, else RETRY.
    """

    def sort(response: Answer) -> VendorError | None:
        status = response.status_code
        if 200 <= status < 300:
            return None
        message = _message(response)
        error_class, code, words = _verdict(status, message, unknown)
        return VendorError(
            VENDOR,
            error_class,
            ", ".join(filter(None, (f"HTTP {status}", words))),
            status=status,
            code=code,
            retry_after_seconds=_window_seconds(response) if status == 429 else None,
        )

    return sort


def read(kind: type[T] | Any, response: Answer, *, missing: ErrorClass = ErrorClass.RETRY, below: str = "") -> Any:
    """The answer's body (or what stands `below` a key of it) as a type of this module, or a list of one.

    Raises:
        VendorError: of the class `missing`; the answer is a success that does not hold what it must.
    """
    try:
        body = json.loads(response.content)
        return TypeAdapter(kind).validate_python(body[below] if below else body)
    except (ValueError, RecursionError, KeyError, TypeError, ValidationError):
        # Without the cause: it would quote the body, which may hold keys.
        raise VendorError(VENDOR, missing, "an answer that cannot be read", status=response.status_code) from None


def _verdict(status: int, message: str, unknown: ErrorClass) -> tuple[ErrorClass, str | None, str | None]:
    """Class, code and words for a person. The vendor's words are left out: they may quote rows, names and addresses."""
    sqlstate = _SQLSTATE.search(message)
    if sqlstate and status in (400, 500):
        state = sqlstate[1]
        constraint = _CONSTRAINT.search(message) if state == "23505" else None
        words = f"SQLSTATE {state}" + (f", {constraint[1]}" if constraint else "")
        return ErrorClass.RETRY if _TRANSIENT_SQL.fullmatch(state) else ErrorClass.INPUT, state, words
    if status in (400, 402, 403) and _QUOTA.search(message):
        return ErrorClass.CONFIG, "quota", "the organization's quota of projects is used up"
    if status >= 500 or status == 408:
        return unknown, None, None
    return _BY_STATUS.get(status, ErrorClass.INPUT), None, None


def _message(response: Answer) -> str:
    try:
        body = json.loads(response.content)
    except (ValueError, RecursionError):
        return ""
    message = body.get("message") if isinstance(body, dict) else None
    return message[:2000] if isinstance(message, str) else ""


def _window_seconds(response: Answer) -> float | None:
    """A 429 lasts until the window ends: X-RateLimit-Reset is in seconds from now. A Retry-After is the door's."""
    reset = response.headers.get("x-ratelimit-reset", "").strip()
    is_plain = reset.isascii() and reset.isdigit() and "retry-after" not in response.headers
    return float(reset) if is_plain else None
