"""From a request's bytes to JSON values, with a limit on everything.

Lives here: reading the body under a cap, and the three content types of web forms and webhooks.
Not here: whether the sender may send (`security.py`), what the values mean (`domain/lead_shapes.py`).
"""

import asyncio
import json
import math
from collections.abc import AsyncGenerator, Iterable
from email.message import Message
from typing import Any
from urllib.parse import parse_qsl

from pydantic import JsonValue
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import ClientDisconnect, Request

from draggonnb_pipelines.api.problems import MALFORMED, TOO_LARGE, TOO_SLOW, UNSUPPORTED, Problem

MAX_DEPTH = 20
MAX_FORM_FIELDS = 200
READ_TIMEOUT_SECONDS = 15.0
_LATIN = frozenset({"iso-8859-1", "latin-1", "latin1", "windows-1252", "cp1252", "us-ascii"})


async def read_body(request: Request, max_bytes: int) -> bytes:
    """The whole body, or a Problem as soon as it is too large, cut off, or too slow."""
    declared = request.headers.get("content-length", "")
    if declared.isdigit() and int(declared) > max_bytes:
        raise _too_large(max_bytes)
    body = bytearray()
    try:
        async with asyncio.timeout(READ_TIMEOUT_SECONDS):
            async for chunk in request.stream():
                body += chunk
                if len(body) > max_bytes:
                    raise _too_large(max_bytes)
    except TimeoutError:
        raise Problem(TOO_SLOW, f"The body did not arrive within {READ_TIMEOUT_SECONDS:.0f} seconds.") from None
    except ClientDisconnect:
        raise Problem(MALFORMED, "The connection ended before the body did.") from None
    return bytes(body)


def _too_large(max_bytes: int) -> Problem:
    return Problem(TOO_LARGE, f"The body may have at most {max_bytes // 1024} KiB.")


async def parse_body(request: Request, raw: bytes) -> tuple[str, JsonValue]:
    """The media type and the body as JSON values; forms become an object of their fields."""
    if request.headers.get("content-encoding", "identity").lower() != "identity":
        raise Problem(UNSUPPORTED, "Compressed bodies are not taken; send it without Content-Encoding.")
    header = Message()
    header["content-type"] = request.headers.get("content-type", "")
    media_type = header.get_content_type() if request.headers.get("content-type") else ""
    charset = (header.get_content_charset() or "utf-8").lower()
    if media_type == "application/json" or (media_type.startswith("application/") and media_type.endswith("+json")):
        return media_type, parse_json(_decoded(raw, charset, allowed=("utf-8", "utf8")))
    if media_type == "application/x-www-form-urlencoded":
        return media_type, _urlencoded(raw, charset)
    if media_type == "multipart/form-data":
        _check_charset(charset, (*_LATIN, "utf-8", "utf8"))
        return media_type, await _multipart(request, raw)
    raise Problem(
        UNSUPPORTED,
        "Send application/json, application/x-www-form-urlencoded or multipart/form-data, and say so in Content-Type.",
    )


def parse_json(text: str) -> JsonValue:
    """Strict JSON: no duplicate keys (two readers would see two leads), no NaN, no infinity, at most 20 levels."""
    try:
        value = json.loads(text, object_pairs_hook=_unique, parse_constant=_no_constant, parse_float=_finite)
    except RecursionError:
        raise _too_deep() from None
    except ValueError as error:
        where = f" at line {error.lineno}, column {error.colno}" if isinstance(error, json.JSONDecodeError) else ""
        reason = error.args[0] if isinstance(error, _Rejected) else f"The body is not valid JSON{where}."
        raise Problem(MALFORMED, reason) from None
    _check_depth(value)
    return value


class _Rejected(ValueError):
    """Valid for Python's reader, not for us."""


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise _Rejected("An object in the body names the same key twice; name each once.")
    return found


def _no_constant(name: str) -> float:
    raise _Rejected("NaN and Infinity are not JSON; leave such values out.")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise _Rejected("A number in the body is too large.")
    return number


def _check_depth(value: JsonValue) -> None:
    level: list[Any] = [value]
    for _ in range(MAX_DEPTH):
        level = [
            item
            for container in level
            if isinstance(container, dict | list)
            for item in (container.values() if isinstance(container, dict) else container)
        ]
        if not level:
            return
    if any(isinstance(item, dict | list) for item in level):
        raise _too_deep()


def _too_deep() -> Problem:
    return Problem(MALFORMED, f"The body is nested deeper than {MAX_DEPTH} levels; send it flatter.")


def _check_charset(charset: str, allowed: Iterable[str]) -> None:
    if charset not in allowed:
        raise Problem(UNSUPPORTED, "The charset is not taken here; send UTF-8.")


def _decoded(raw: bytes, charset: str, allowed: tuple[str, ...]) -> str:
    _check_charset(charset, allowed)
    try:
        # A byte order mark is taken off: some automation tools write one.
        return raw.decode("utf-8-sig" if charset in ("utf-8", "utf8") else charset)
    except UnicodeDecodeError:
        raise Problem(MALFORMED, f"The body is not valid {charset.upper()}.") from None


def _urlencoded(raw: bytes, charset: str) -> JsonValue:
    """Old form plug-ins send Latin-1, so forms may; JSON may not (RFC 8259)."""
    text = _decoded(raw, charset, ("utf-8", "utf8", *_LATIN))
    try:
        pairs = parse_qsl(
            text, keep_blank_values=True, encoding=charset, errors="strict", max_num_fields=MAX_FORM_FIELDS
        )
    except UnicodeDecodeError:
        raise Problem(MALFORMED, f"The form's values are not valid {charset.upper()}.") from None
    except ValueError:
        raise Problem(MALFORMED, f"A form may have at most {MAX_FORM_FIELDS} fields.") from None
    return _fields(pairs)


async def _multipart(request: Request, raw: bytes) -> JsonValue:
    async def stream() -> AsyncGenerator[bytes, None]:
        yield raw

    parser = MultiPartParser(
        request.headers, stream(), max_files=0, max_fields=MAX_FORM_FIELDS, max_part_size=len(raw) + 1
    )
    try:
        form = await parser.parse()
    except MultiPartException as error:
        is_file = "files" in error.message
        detail = "Attachments are not taken; send the fields alone." if is_file else "The form's parts cannot be read."
        raise Problem(MALFORMED, detail) from None
    except (KeyError, ValueError, LookupError):
        raise Problem(MALFORMED, "The form's parts cannot be read; check the boundary.") from None
    return _fields((key, value) for key, value in form.multi_items() if isinstance(value, str))


def _fields(pairs: Iterable[tuple[str, str]]) -> dict[str, JsonValue]:
    """Several values of one name (tick boxes) become a list; a known field that is a list is refused later."""
    found: dict[str, JsonValue] = {}
    for key, value in pairs:
        before = found.get(key)
        found[key] = value if before is None else [*(before if isinstance(before, list) else [before]), value]
    return found
