"""Supabase Storage under /supabase/storage/v1: upload, signed links, what lies behind them, the end of a bucket.

Lives here: objects, their signed links, the sample pictures that are always there, in the bucket `media` and in those
of the clients (`media-...`). Does not live here: how the samples are drawn (`storage_samples.py`). Errors as Supabase
words them: HTTP 400, and the real status in `statusCode`.
"""

import base64
import binascii
import hashlib
import hmac
import json
import mimetypes
import re
import secrets
import time
from typing import Any
from urllib.parse import parse_qs, quote, unquote, urlsplit

from vendor_sandbox import storage_samples
from vendor_sandbox.state import Sandbox
from vendor_sandbox.wire import Answer, Call, Route, json_answer

ROOT = "/supabase/storage/v1"
_SECRET = secrets.token_bytes(32)
_CLIENTS_BUCKET = re.compile(r"^media-[^/]+/")
_RANGE = re.compile(r"^bytes=(\d+)-(\d*)$")
_NAMES = {401: "Unauthorized", 403: "AccessDenied", 404: "not_found", 429: "SlowDown", 500: "InternalError"}

Object = tuple[str, bytes]


def fetch(sandbox: Sandbox, url: str) -> Object | None:
    """What a network's servers get when they fetch a link: (content type, bytes), or None where it does not work.

    The host is not looked at: a link may name the sandbox by any of its addresses.
    """
    parts = urlsplit(url)
    key = unquote(parts.path).removeprefix(f"{ROOT}/object/sign/")
    token = parse_qs(parts.query).get("token", [""])[0]
    return None if _refusal(token, key) else _get(sandbox, key)


async def upload(call: Call, sandbox: Sandbox) -> Answer:
    """POST /object/{bucket}/{path}: a new object; `x-upsert: true` replaces one."""
    key = call.path.removeprefix(f"{ROOT}/object/")
    if refused := _check_key(call):
        return refused
    if "/" not in key or not call.body:
        return _error(400, "InvalidRequest", "give a bucket, a path and a body")
    if _get(sandbox, key) is not None and call.headers.get("x-upsert") != "true":
        return _error(409, "Duplicate", "The resource already exists")
    guessed = mimetypes.guess_type(key)[0] or "application/octet-stream"
    sandbox.social.uploads[f"storage/{key}"] = {"object": (call.headers.get("content-type") or guessed, call.body)}
    return json_answer(200, {"Key": key, "Id": hashlib.md5(key.encode(), usedforsecurity=False).hexdigest()})


async def sign(call: Call, sandbox: Sandbox) -> Answer:
    """POST /object/sign/{bucket}/{path} {"expiresIn": seconds}."""
    key = call.path.removeprefix(f"{ROOT}/object/sign/")
    if refused := _check_key(call):
        return refused
    try:
        seconds = call.json["expiresIn"]
    except (ValueError, KeyError, TypeError):
        return _error(400, "Error", "body must have required property 'expiresIn'")
    if not isinstance(seconds, int) or seconds < 1:
        return _error(400, "Error", "body/expiresIn must be >= 1")
    if _get(sandbox, key) is None:
        return _error(404, "not_found", "Object not found")
    return json_answer(200, {"signedURL": f"/object/sign/{quote(key)}?token={_token(key, seconds)}"})


async def download(call: Call, sandbox: Sandbox) -> Answer:
    """GET and HEAD /object/sign/{bucket}/{path}?token=, whole or by one range."""
    key = call.path.removeprefix(f"{ROOT}/object/sign/")
    token = call.query.get("token")
    if token is None:
        return _error(400, "Error", "querystring must have required property 'token'")
    if reason := _refusal(token, key):
        return _error(400, "InvalidJWT", reason)
    found = _get(sandbox, key)
    if found is None:
        return _error(404, "not_found", "Object not found")
    content_type, content = found
    etag = f'"{hashlib.md5(content, usedforsecurity=False).hexdigest()}"'
    headers = {"content-type": content_type, "accept-ranges": "bytes", "cache-control": "max-age=3600", "etag": etag}
    if call.method == "HEAD":
        return Answer(200, b"", {**headers, "content-length": str(len(content))})
    wanted = _RANGE.match(call.headers.get("range", ""))
    if wanted is None:
        return Answer(200, content, headers)
    first, last = int(wanted[1]), min(int(wanted[2] or len(content)), len(content) - 1)
    if first > last:
        return _error(416, "InvalidRange", "The requested range is not satisfiable", status=416)
    return Answer(206, content[first : last + 1], {**headers, "content-range": f"bytes {first}-{last}/{len(content)}"})


async def empty_bucket(call: Call, sandbox: Sandbox, bucket: str) -> Answer:
    """POST /bucket/{bucket}/empty. A bucket is there for as long as it holds an object."""
    if refused := _check_key(call):
        return refused
    held = [key for key in sandbox.social.uploads if key.startswith(f"storage/{bucket}/")]
    if not held:
        return _error(404, "Bucket not found", "Bucket not found")
    for key in held:
        del sandbox.social.uploads[key]
    return json_answer(200, {"message": "Empty bucket has been queued. Completion may take up to an hour."})


async def delete_bucket(call: Call, sandbox: Sandbox, bucket: str) -> Answer:
    """DELETE /bucket/{bucket}: an empty one."""
    if refused := _check_key(call):
        return refused
    if any(key.startswith(f"storage/{bucket}/") for key in sandbox.social.uploads):
        return _error(409, "InvalidRequest", "The bucket you tried to delete is not empty")
    return json_answer(200, {"message": "Successfully deleted"})


def scripted_error(status: int, kind: str) -> Answer:
    """The error that a fault script asks for by its status."""
    if status < 400:
        return json_answer(status, {})
    return _error(status, _NAMES.get(status, "InternalError"), f"scripted {kind}", status=status)


def _get(sandbox: Sandbox, key: str) -> Object | None:
    stored = sandbox.social.uploads.get(f"storage/{key}")
    return stored["object"] if stored else storage_samples.get(_CLIENTS_BUCKET.sub("media/", key))


def _token(key: str, seconds: int) -> str:
    claims = {"url": key, "iat": int(time.time()), "exp": time.time() + seconds}
    body = _base64(json.dumps(claims, separators=(",", ":")).encode())
    return f"eyJhbGciOiJIUzI1NiJ9.{body}.{_signature(body)}"


def _refusal(token: str, key: str) -> str | None:
    """Why this token does not open this object; None where it does."""
    parts = token.split(".")
    if len(parts) != 3 or not hmac.compare_digest(parts[2].encode(), _signature(parts[1]).encode()):
        return "signature verification failed"
    try:
        claims: dict[str, Any] = json.loads(base64.urlsafe_b64decode(parts[1] + "=="))
    except (ValueError, binascii.Error):
        return "Invalid Compact JWS"
    if claims["url"] != key:
        return "The url in the token does not match the requested url"
    return '"exp" claim timestamp check failed' if time.time() >= claims["exp"] else None


def _signature(body: str) -> str:
    return _base64(hmac.new(_SECRET, body.encode(), hashlib.sha256).digest())


def _base64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _check_key(call: Call) -> Answer | None:
    key = call.headers.get("authorization", "").removeprefix("Bearer ").strip()
    if key and not key.startswith("bad"):
        return None
    return _error(403, "Unauthorized", "Invalid Compact JWS")


def _error(code: int, name: str, message: str, *, status: int = 400) -> Answer:
    return json_answer(status, {"statusCode": str(code), "error": name, "message": message})


ROUTES = (
    Route("POST", f"{ROOT}/object/sign/*", sign),
    Route("GET", f"{ROOT}/object/sign/*", download),
    Route("HEAD", f"{ROOT}/object/sign/*", download),
    Route("POST", f"{ROOT}/object/*", upload),
    Route("POST", f"{ROOT}/bucket/{{bucket}}/empty", empty_bucket),
    Route("DELETE", f"{ROOT}/bucket/{{bucket}}", delete_bucket),
)
