"""The sample files of the bucket `media`: real pictures in the networks' favourite shapes, and the head of a film.

Drawn when first asked for, so that demos and tests need no upload. Does not live here: serving them (`storage.py`).
"""

import functools
import io
import struct

_PICTURES = {
    "media/square.jpg": ("JPEG", 1080, 1080),
    "media/portrait.jpg": ("JPEG", 1080, 1350),
    "media/landscape.jpg": ("JPEG", 1200, 628),
    "media/too-wide.jpg": ("JPEG", 2400, 600),
    "media/square.png": ("PNG", 1080, 1080),
    "media/square.gif": ("GIF", 600, 600),
}
_FILMS = {"media/reel.mp4": (1080, 1920, 8.0)}
_TYPES = {"JPEG": "image/jpeg", "PNG": "image/png", "GIF": "image/gif"}


@functools.cache
def get(key: str) -> tuple[str, bytes] | None:
    """(content type, bytes) of a sample by `bucket/path`, or None."""
    if picture := _PICTURES.get(key):
        kind, width, height = picture
        return _TYPES[kind], _drawn(kind, width, height)
    if film := _FILMS.get(key):
        return "video/mp4", film_head(*film)
    return None


def names() -> list[str]:
    """All samples as `bucket/path`."""
    return [*_PICTURES, *_FILMS]


def film_head(width: int, height: int, seconds: float) -> bytes:
    """An MP4 without a frame: `ftyp`, and a `moov` that says how large and how long (ISO/IEC 14496-12)."""
    matrix = struct.pack(">9I", 0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000)
    duration = round(seconds * 1000)
    mvhd = struct.pack(">IIIIIIHHII", 0, 0, 0, 1000, duration, 0x10000, 0x100, 0, 0, 0) + matrix
    mvhd += bytes(24) + struct.pack(">I", 2)
    tkhd = struct.pack(">IIIIIIIIHHHH", 3, 0, 0, 1, 0, duration, 0, 0, 0, 0, 0, 0) + matrix
    tkhd += struct.pack(">II", width << 16, height << 16)
    moov = _box(b"moov", _box(b"mvhd", mvhd) + _box(b"trak", _box(b"tkhd", tkhd)))
    return _box(b"ftyp", b"isom\0\0\2\0isomiso2mp41") + moov + _box(b"mdat", bytes(64))


def _box(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content) + 8) + kind + content


def _drawn(kind: str, width: int, height: int) -> bytes:
    # Here, not on top: it takes 50 ms, and most sandboxes never show a picture.
    from PIL import Image, ImageDraw

    picture = Image.new("RGB", (width, height), (24, 61, 61))
    pen = ImageDraw.Draw(picture)
    for ring, colour in enumerate(((217, 119, 87), (242, 233, 228), (92, 131, 116))):
        inset = (ring + 1) * min(width, height) // 8
        pen.ellipse((inset, inset, width - inset, height - inset), fill=colour)
    out = io.BytesIO()
    picture.save(out, kind)
    return out.getvalue()
