"""What a media file is, by its first bytes: type, size in pixels, length.

Lives here: magic bytes, picture headers (Pillow reads them, nothing is decoded), the movie header of MP4. Does not
live here: fetching (`storage.py`), what a platform takes (`domain/post_rules.py`).
Sources: ISO/IEC 14496-12 (MP4 boxes); EXIF 2.32, tag Orientation.
"""

import io
import struct
from collections.abc import Iterator
from dataclasses import dataclass

from PIL import Image

_MAGIC = (
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
    (b"\x1a\x45\xdf\xa3", "video/webm"),
    (b"%PDF-", "application/pdf"),
)
_BRANDS = {b"qt  ": "video/quicktime", b"avif": "image/avif", b"heic": "image/heic", b"heix": "image/heic"}
_PICTURES = {"image/jpeg": "JPEG", "image/png": "PNG", "image/gif": "GIF", "image/webp": "WEBP"}
_ORIENTATION = 0x0112
_NESTING = (b"moov", b"trak")
_UNREADABLE = (
    *(OSError, ValueError, SyntaxError, struct.error),
    *(Image.DecompressionBombError, Image.DecompressionBombWarning),
)


@dataclass(frozen=True, slots=True)
class MediaHeader:
    """Pixels as people see the picture, turned as EXIF says; seconds. None: the header does not say."""

    content_type: str
    width: int | None = None
    height: int | None = None
    duration_seconds: float | None = None


def read_header(head: bytes) -> MediaHeader:
    """Read the beginning of a file; `application/octet-stream` where it is nothing that we know."""
    content_type = _type_of(head)
    if content_type in _PICTURES:
        return _picture(content_type, head)
    if content_type in ("video/mp4", "video/quicktime"):
        return _film(content_type, head)
    return MediaHeader(content_type)


def _type_of(head: bytes) -> str:
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "image/webp"
    if head[4:8] == b"ftyp":
        return _BRANDS.get(head[8:12], "video/mp4")
    return next((content_type for magic, content_type in _MAGIC if head.startswith(magic)), "application/octet-stream")


def _picture(content_type: str, head: bytes) -> MediaHeader:
    try:
        with Image.open(io.BytesIO(head), formats=(_PICTURES[content_type],)) as picture:
            width, height = picture.size
            # JPEG alone: for the others Pillow would have to read on to the end of the file.
            is_turned = content_type == "image/jpeg" and picture.getexif().get(_ORIENTATION, 1) in (5, 6, 7, 8)
    except _UNREADABLE:
        return MediaHeader(content_type)
    return MediaHeader(content_type, *((height, width) if is_turned else (width, height)))


def _film(content_type: str, head: bytes) -> MediaHeader:
    """Length from `mvhd`, pixels from the first `tkhd` that has any. Nothing where `moov` is at the file's end."""
    duration = width = height = None
    try:
        for kind, content in _boxes(head, within=_NESTING):
            if kind == b"mvhd":
                at, long_form = (20, ">Q") if content[0] == 1 else (12, ">I")
                (scale,) = struct.unpack_from(">I", content, at)
                (length,) = struct.unpack_from(long_form, content, at + 4)
                duration = length / scale if scale else None
            elif kind == b"tkhd" and width is None:
                sizes = struct.unpack_from(">II", content, 88 if content[0] == 1 else 76)
                if all(sizes):
                    width, height = sizes[0] >> 16, sizes[1] >> 16
    except (struct.error, IndexError):
        pass  # cut short: what was read before stands
    return MediaHeader(content_type, width, height, duration)


def _boxes(content: bytes, *, within: tuple[bytes, ...]) -> Iterator[tuple[bytes, bytes]]:
    """All boxes of a level in order; those named first in `within` are opened, with the rest of it for what is inside.

    A film nests as `within` says and no deeper: boxes that hold themselves a thousand times are not followed.
    """
    at = 0
    while at + 8 <= len(content):
        size, kind = struct.unpack_from(">I4s", content, at)
        start = at + 8
        if size == 1:
            (size,) = struct.unpack_from(">Q", content, start)
            start += 8
        end = len(content) if size == 0 else at + size
        if end < start:
            return
        inner = content[start:end]
        if kind in within[:1]:
            yield from _boxes(inner, within=within[1:])
        else:
            yield kind, inner
        at = end
