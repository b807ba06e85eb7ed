"""Vercel on the wire: what its answers hold, which class a refusal has, how long a limit lasts.

Lives here: the types that the adapter takes and returns, and the error table. Does not live here: the calls
(`vercel.py`).
Sources: openapi.vercel.sh of October 2025, @vercel/sdk 1.28; the wording of refusals as users of the API report it.
"""

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Literal

from pydantic import AliasChoices, AliasPath, Field

from draggonnb_pipelines.errors import ErrorClass, VendorError
from draggonnb_pipelines.resources.answers import Rule, Sort, Wire, json_of, judge, refusal, seconds_until, text_of
from draggonnb_pipelines.resources.exchange import Answer

VENDOR = "vercel"
# The signs by which Vercel says that it is the token and not its rights.
_TOKEN_SIGNS = ("invalidToken", "missingToken")
TOKEN = "vercel.com/account/settings/tokens: it needs the whole team as its scope, from a member who may deploy"
ERRORS = (
    Rule(
        400,
        ErrorClass.CONFIG,
        "install the github",
        "github_app",
        words="Vercel's GitHub app is not installed for this repository: github.com/apps/vercel",
    ),
    Rule(400, ErrorClass.DUPLICATE, "domain_already_in_use", "domain_in_use"),
    Rule(401, ErrorClass.AUTH, words=TOKEN),
    Rule(402, ErrorClass.CONFIG, code="billing", words="billing: vercel.com/account/billing"),
    Rule(403, ErrorClass.PERMISSION, words=TOKEN),
    Rule(409, ErrorClass.DUPLICATE, "domain_already_in_use", "domain_in_use"),
    Rule(409, ErrorClass.DUPLICATE, code="exists"),
    Rule(428, ErrorClass.CONFIG),
    Rule(429, ErrorClass.THROTTLED),
)
_CODE = re.compile(r"[^\w.-]+")

EnvironmentType = Literal["plain", "encrypted", "sensitive"]


class Project(Wire):
    """A project. `repo_id` is the number of the GitHub repository that it is linked to."""

    id: str
    name: str
    repo_id: int | None = Field(default=None, validation_alias=AliasPath("link", "repoId"))


class Variable(Wire):
    """One environment variable. A `sensitive` one can never be read back, and never be there in development."""

    key: str
    value: str = Field(repr=False)
    kind: EnvironmentType = "encrypted"
    targets: tuple[str, ...] = ("production", "preview")


class Challenge(Wire):
    """A DNS record by which a domain's owner proves it."""

    type: str
    domain: str
    value: str


class Domain(Wire):
    """A domain of a project; until it is verified, `verification` says what Vercel wants to see."""

    name: str
    is_verified: bool = Field(validation_alias="verified")
    verification: tuple[Challenge, ...] = ()


class Deployment(Wire):
    """A deployment. `host` is its own address without a scheme; `state` in the vendor's words, such as BUILDING."""

    id: str = Field(validation_alias=AliasChoices("id", "uid"))
    host: str = Field(validation_alias="url")
    state: str = Field(validation_alias=AliasChoices("readyState", "state"))
    meta: Mapping[str, Any] = Field(default_factory=dict)
    error: str | None = Field(default=None, validation_alias="errorMessage")

    @property
    def is_ready(self) -> bool:
        return self.state == "READY"

    @property
    def is_failed(self) -> bool:
        """It will never be ready."""
        return self.state in ("ERROR", "CANCELED", "BLOCKED", "DELETED")


def sorter(*, unknown: ErrorClass, now: Callable[[], datetime]) -> Sort:
    """The verdict on an answer.

    Args:
        unknown: what a 5xx or 408 means: AMBIGUOUS where something may have been made, else RETRY.
    """

    def sort(response: Answer) -> VendorError | None:
        status = response.status_code
        if 200 <= status < 300:
            return None
        fault = fault_of(json_of(response))
        rule = judge(ERRORS, status, f"{text_of(fault, 'code')} {text_of(fault, 'message')}", unknown=unknown)
        if status == 403 and any(fault.get(sign) for sign in _TOKEN_SIGNS):
            rule = Rule(status, ErrorClass.AUTH, words=TOKEN)
        code = _code(fault)
        seconds = _limit_seconds(response, fault, now()) if rule.error_class is ErrorClass.THROTTLED else None
        return refusal(VENDOR, response, rule, code, code=rule.code or code, retry_after_seconds=seconds)

    return sort


def fault_of(body: dict[str, Any]) -> dict[str, Any]:
    """The `error` of an answer, or of one entry of a list; empty where there is none."""
    fault = body.get("error")
    return fault if isinstance(fault, dict) else {}


def failed_variables(response: Answer) -> VendorError | None:
    """What a 201 hides: the variables that were not set. Names and codes are told, never values."""
    entries = json_of(response).get("failed")
    faults = [fault_of(entry) for entry in entries if isinstance(entry, dict)] if isinstance(entries, list) else []
    if not faults:
        return None
    named = sorted({_CODE.sub(" ", f"{_key(fault)} {text_of(fault, 'code')}")[:120] for fault in faults})
    message, status = f"not set: {'; '.join(named)}", response.status_code
    return VendorError(VENDOR, ErrorClass.INPUT, message, status=status, code=_code(faults[0]))


def _code(fault: dict[str, Any]) -> str | None:
    return _CODE.sub(" ", text_of(fault, "code"))[:60].strip() or None


def _key(fault: dict[str, Any]) -> str:
    """Under which name a failure carries the variable's: it varies."""
    return text_of(fault, "key") or text_of(fault, "envVarKey")


def _limit_seconds(response: Answer, fault: dict[str, Any], now: datetime) -> float | None:
    """A Retry-After is the door's to read; else the body or a header names the moment at which the limit ends."""
    if "retry-after" in response.headers:
        return None
    limit = fault.get("limit")
    reset = limit.get("reset") if isinstance(limit, dict) else None
    left = seconds_until(reset, now.timestamp())
    return left if left is not None else seconds_until(response.headers.get("x-ratelimit-reset"), now.timestamp())
