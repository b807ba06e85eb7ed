"""The first bytes of media files, whole, cut and hostile."""

import io

import pytest
from PIL import Image

from draggonnb_pipelines.resources.media_headers import MediaHeader, read_header
from vendor_sandbox.storage_samples import film_head


def picture(kind: str, width: int, height: int, **save: object) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (width, height), (200, 30, 60)).save(out, kind, **save)
    return out.getvalue()


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "GIF", "WEBP"])
def test_a_picture_tells_its_type_and_pixels(kind: str):
    assert read_header(picture(kind, 40, 30)) == MediaHeader(f"image/{kind.lower()}", 40, 30)


@pytest.mark.parametrize(("orientation", "pixels"), [(1, (40, 30)), (3, (40, 30)), (6, (30, 40)), (8, (30, 40))])
def test_a_photo_that_was_turned_is_measured_as_people_see_it(orientation: int, pixels: tuple[int, int]):
    exif = Image.Exif()
    exif[0x0112] = orientation

    assert read_header(picture("JPEG", 40, 30, exif=exif)) == MediaHeader("image/jpeg", *pixels)


def test_the_beginning_of_a_large_picture_is_enough():
    assert read_header(picture("PNG", 3000, 2000)[:60]) == MediaHeader("image/png", 3000, 2000)
    assert read_header(picture("JPEG", 3000, 2000)[:700]) == MediaHeader("image/jpeg", 3000, 2000)


def test_a_film_tells_its_pixels_and_length():
    film = film_head(1080, 1920, 12.5)

    assert read_header(film) == MediaHeader("video/mp4", 1080, 1920, 12.5)
    assert read_header(film.replace(b"isom", b"qt  ", 1)).content_type == "video/quicktime"


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        (b"", "application/octet-stream"),
        (b"<svg/>", "application/octet-stream"),
        (b"%PDF-1.7", "application/pdf"),
        (b"\xff\xd8\xff", "image/jpeg"),
        (b"\x89PNG\r\n\x1a\nrubbish", "image/png"),
        (b"RIFF\0\0\0\0WEBPrubbish", "image/webp"),
        (b"\0\0\0\x18ftypheic", "image/heic"),
        (b"\0\0\0\x18ftypisom\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x20mvhd", "video/mp4"),
        (b"\0\0\0\x08ftyp" + b"\0\0\0\x09mvhd\x01" + b"\0\0\0\x08tkhd", "video/mp4"),
        (b"\0\0\0\x08ftyp" + b"\0\0\0\x01moov" + bytes(8), "video/mp4"),
    ],
)
def test_a_header_that_is_cut_or_broken_gives_the_type_alone(head: bytes, expected: str):
    assert read_header(head) == MediaHeader(expected)


def test_every_cut_of_a_film_is_survived():
    film = film_head(1080, 1920, 8.0)

    for end in range(len(film)):
        assert read_header(film[:end]).width in (None, 1080)


def test_boxes_that_hold_themselves_without_end_are_not_followed():
    head = b"\0\0\0\x08ftyp" + b"\0\0\0\0moov" * 30_000

    assert read_header(head) == MediaHeader("video/mp4")


def test_a_picture_that_claims_absurd_pixels_is_not_decoded():
    png = bytearray(picture("PNG", 10, 10))
    png[16:24] = (60_000).to_bytes(4, "big") * 2

    assert read_header(bytes(png)) == MediaHeader("image/png")
