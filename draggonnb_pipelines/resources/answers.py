"""A vendor's JSON answers: read into types, refusals judged by a table.

Lives here: what GitHub, Vercel and n8n share. Does not live here: any vendor's table or types (`github_wire.py`,
`vercel_wire.py`, `n8n_wire.py`).
"""

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from draggonnb_pipelines.errors import ErrorClass, VendorError
from draggonnb_pipelines.resources.exchange import Answer

Sort = Callable[[Answer], VendorError | None]


class Wire(BaseModel):
    """What an answer holds, as far as we use it."""

    model_config = ConfigDict(frozen=True)


@dataclass(frozen=True, slots=True)
class Rule:
    """One row of a vendor's error table.

    `says` is sought in the vendor's words, case ignored; "" fits always. `code` names the row where callers act on it,
    `words` tell a person more than the status does.
    """

    status: int
    error_class: ErrorClass
    says: str = ""
    code: str | None = None
    words: str | None = None

    def fits(self, status: int, said: str) -> bool:
        return self.status == status and (not self.says or re.search(self.says, said, re.IGNORECASE) is not None)


def judge(rules: Sequence[Rule], status: int, said: str, *, unknown: ErrorClass) -> Rule:
    """The first row that fits.

    Args:
        unknown: what a 5xx or 408 without a row means: AMBIGUOUS where something may have been made, else RETRY. Any
            other status without a row is INPUT.
    """
    found = next((rule for rule in rules if rule.fits(status, said)), None)
    return found or Rule(status, unknown if status >= 500 or status == 408 else ErrorClass.INPUT)


def json_of(response: Answer) -> dict[str, Any]:
    """The body as an object; empty where it is none."""
    try:
        body = json.loads(response.content)
    except (ValueError, RecursionError):
        return {}
    return body if isinstance(body, dict) else {}


def text_of(body: dict[str, Any], name: str) -> str:
    """A text of an object, cut to what rules look at; empty where there is none."""
    value = body.get(name)
    return value[:2000] if isinstance(value, str) else ""


def read(
    vendor: str, kind: Any, response: Answer, *, missing: ErrorClass = ErrorClass.RETRY, below: str | None = None
) -> Any:
    """The body, or what stands below a key of it, as a type.

    Raises:
        VendorError: of the class `missing`: the answer is a success that does not hold what it must. A read may be
            tried again; after a call that made something it is AMBIGUOUS.
    """
    try:
        body = json.loads(response.content)
        return TypeAdapter(kind).validate_python(body[below] if below else body)
    except (ValueError, RecursionError, KeyError, TypeError, ValidationError):
        # Without the cause: it would quote the body, which may hold secrets.
        raise VendorError(vendor, missing, "an answer that cannot be read", status=response.status_code) from None


def refusal(vendor: str, response: Answer, rule: Rule, *details: str | None, **more: Any) -> VendorError:
    """The error of a row. The vendor's own words are left out: they may repeat what was sent."""
    words = ", ".join(filter(None, (f"HTTP {response.status_code}", rule.words or rule.code, *details)))
    arguments = {"status": response.status_code, "code": rule.code, **more}
    return VendorError(vendor, rule.error_class, words, **arguments)


def seconds_until(epoch: Any, now: float) -> float | None:
    """How long until a moment that a vendor names in seconds or milliseconds since 1970; None where it is no number."""
    text = str(epoch).strip()
    if not (text.isascii() and text.isdigit() and len(text) <= 13):
        return None
    moment = int(text) / 1000 if len(text) == 13 else int(text)
    return max(0.0, moment - now)
