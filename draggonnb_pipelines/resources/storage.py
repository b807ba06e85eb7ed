"""The clients' media in Supabase Storage: signed links, a look at a file's beginning, its bytes.

Lives here: the calls and the vendor's error table. Does not live here: reading a file's header (`media_headers.py`),
which files a platform takes (`domain/post_rules.py`).
Sources: Supabase Storage API and its error codes (supabase.com/docs/guides/storage/debugging/error-codes).
"""

import json
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, unquote, urlsplit

from draggonnb_pipelines.errors import ErrorClass, VendorError
from draggonnb_pipelines.resources.exchange import Answer
from draggonnb_pipelines.resources.http import HttpDoor
from draggonnb_pipelines.resources.media_headers import read_header

VENDOR = "storage"
HEAD_BYTES = 262_144
_READ_TIMEOUT_SECONDS = 30.0

_NO_BUCKET = ("not_found", "NoSuchBucket", "Bucket not found")
# By the word in `error`; the HTTP status is 400 for nearly all of them.
_BY_NAME = {
    **dict.fromkeys(("not_found", "NoSuchKey", "NoSuchBucket", "Bucket not found"), ErrorClass.INPUT),
    **dict.fromkeys(
        ("InvalidJWT", "ExpiredToken", "InvalidSignature", "SignatureDoesNotMatch", "Unauthorized"), ErrorClass.AUTH
    ),
    "AccessDenied": ErrorClass.PERMISSION,
    "SlowDown": ErrorClass.THROTTLED,
    **dict.fromkeys(("DatabaseTimeout", "InternalError", "LockTimeout", "ResourceLocked"), ErrorClass.RETRY),
    **dict.fromkeys(("TenantNotFound", "FeatureNotEnabled"), ErrorClass.CONFIG),
}
_BY_STATUS = {
    401: ErrorClass.AUTH,
    403: ErrorClass.PERMISSION,
    408: ErrorClass.RETRY,
    423: ErrorClass.RETRY,
    429: ErrorClass.THROTTLED,
}


@dataclass(frozen=True, slots=True)
class StoredMedia:
    """What a stored file really is. Pixels and seconds are None where its beginning does not say.

    `etag` is the storage's digest of all its bytes: another one is another file, whatever its name and size.
    """

    content_type: str
    size_bytes: int
    width: int | None = None
    height: int | None = None
    duration_seconds: float | None = None
    etag: str | None = None


class MediaStorage:
    """One Storage API with the key that may read its buckets.

    Args:
        base_url: up to `/storage/v1`. Only addresses below it are ever read, so that no stored text can send us to
            another host.
    """

    def __init__(self, door: HttpDoor, *, base_url: str, key: str) -> None:
        self._door = door
        self._base = base_url.rstrip("/")
        self._headers = {"Authorization": f"Bearer {key}", "apikey": key}

    async def sign(self, bucket: str, path: str, *, seconds: int) -> str:
        """An absolute address by which anybody may fetch the file for so many seconds.

        Raises:
            VendorError: INPUT, the file is not there; AUTH or PERMISSION, the key does not open it; else sorted.
        """
        name = f"{bucket}/{path}"
        if _leaves_its_folder(name) or "/" in bucket:
            raise VendorError(VENDOR, ErrorClass.INPUT, f"{name!r} is not the name of a file")
        response = await self._call(
            "POST", f"{self._base}/object/sign/{quote(name)}", name, headers=self._headers, json={"expiresIn": seconds}
        )
        signed = _json(response).get("signedURL")
        if not isinstance(signed, str) or not signed.startswith("/"):
            raise VendorError(VENDOR, ErrorClass.RETRY, "an answer without a signed address")
        return f"{self._base}{signed}"

    async def inspect(self, url: str) -> StoredMedia:
        """Learn type, size and dimensions from the first 256 KB: by its bytes, whatever its name or header claims.

        Raises:
            VendorError: INPUT, not there, empty, or not an address of this storage; AUTH, the link has expired.
        """
        response = await self._read(url, HEAD_BYTES, {"Range": f"bytes=0-{HEAD_BYTES - 1}"})
        total = response.headers.get("content-range", "").rpartition("/")[2]
        size = int(total) if total.isascii() and total.isdigit() else len(response.content)
        if not size:
            raise VendorError(VENDOR, ErrorClass.INPUT, f"the file {self._name_of(url)} is empty")
        header = read_header(response.content)
        etag = response.headers.get("etag", "").removeprefix("W/").strip('"')[:200] or None
        return StoredMedia(header.content_type, size, header.width, header.height, header.duration_seconds, etag)

    async def read(self, url: str, max_bytes: int) -> bytes:
        """The whole file.

        Raises:
            VendorError: as `inspect`; INPUT also where it is larger than `max_bytes`.
        """
        return (await self._read(url, max_bytes, {})).content

    async def read_part(self, url: str, *, start: int, size: int) -> bytes:
        """`size` bytes of the file from `start` on, fewer at its end: a video need not fit into memory.

        Raises:
            VendorError: as `inspect`.
        """
        return (await self._read(url, size, {"Range": f"bytes={start}-{start + size - 1}"})).content

    async def drop_bucket(self, bucket: str) -> bool:
        """Delete a bucket with all its files; False where there is none. Repeatable at any time.

        Raises:
            VendorError: RETRY, it is being emptied: the storage queues that; AUTH or PERMISSION; else sorted.
        """
        if "/" in bucket or _leaves_its_folder(bucket):
            raise VendorError(VENDOR, ErrorClass.INPUT, f"{bucket!r} is not the name of a bucket")
        url = f"{self._base}/bucket/{quote(bucket)}"
        try:
            await self._call("POST", f"{url}/empty", bucket, headers=self._headers, json={})
            await self._call("DELETE", url, bucket, headers=self._headers)
        except VendorError as error:
            if error.code in _NO_BUCKET:
                return False
            raise
        return True

    async def _read(self, url: str, max_bytes: int, headers: dict[str, str]) -> Answer:
        if not url.startswith(f"{self._base}/") or _leaves_its_folder(urlsplit(url).path.lstrip("/")):
            raise VendorError(VENDOR, ErrorClass.INPUT, "the address is not one of our storage")
        return await self._call("GET", url, self._name_of(url), headers=headers, max_bytes=max_bytes)

    async def _call(self, method: str, url: str, name: str, **arguments: Any) -> Answer:
        return await self._door.call(
            VENDOR,
            method,
            url,
            idempotent=True,  # signing leaves nothing behind, and what is deleted twice is deleted
            sort=lambda response: _sort(response, name),
            read_timeout_seconds=_READ_TIMEOUT_SECONDS,
            **arguments,
        )

    def _name_of(self, url: str) -> str:
        """`bucket/path` of a signed address, without its token."""
        return unquote(url.removeprefix(f"{self._base}/object/").removeprefix("sign/").partition("?")[0])


def _leaves_its_folder(path: str) -> bool:
    """True for names that a URL parser on the way might resolve to something else."""
    plain = unquote(unquote(path))
    return "\\" in plain or any(part in ("", ".", "..") for part in plain.split("/"))


def _sort(response: Answer, name: str) -> VendorError | None:
    status = response.status_code
    if 200 <= status < 300:
        return None
    body = _json(response)
    word = body.get("error") or body.get("code")
    word = word if isinstance(word, str) else None
    stated = body.get("statusCode")
    stated = int(stated) if isinstance(stated, str) and stated.isdecimal() and len(stated) == 3 else status
    known = _BY_NAME.get(word or "") or _BY_STATUS.get(stated)
    error_class = known or (ErrorClass.RETRY if max(status, stated) >= 500 else ErrorClass.INPUT)
    message = f"HTTP {stated}, {word}" if word else f"HTTP {stated}"
    if stated == 404:
        message = f"the file {name} is not in the storage"
    elif 300 <= stated < 400:  # somebody in between (a proxy, a portal) answers: no word about the file
        error_class, message = ErrorClass.RETRY, f"HTTP {stated}, a redirect, which is not followed"
    elif stated == 409:  # we upload nothing: only a bucket that is not empty yet conflicts
        error_class, message = ErrorClass.RETRY, f"the bucket {name} is still being emptied"
    elif stated == 416:
        message = f"the file {name} is empty"
    return VendorError(VENDOR, error_class, message, status=status, code=word)


def _json(response: Answer) -> dict[str, Any]:
    try:
        body = json.loads(response.content)
    except (ValueError, RecursionError):
        return {}
    return body if isinstance(body, dict) else {}
