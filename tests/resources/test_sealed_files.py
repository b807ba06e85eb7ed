"""A sealed file opens whole and with its own key, or not at all: cut, continued and reordered ones are refused."""

import io
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import pytest

from draggonnb_pipelines.resources.sealed_files import CHUNK_BYTES, SealedReader, SealedWriter, new_file_key, sha256_of
from draggonnb_pipelines.resources.vault import TAG_BYTES, SealBroken

KEY = bytes(range(32))
SEALED_CHUNK = CHUNK_BYTES + TAG_BYTES


def seal(path: Path, *pieces: bytes, key: bytes = KEY) -> bytes:
    with path.open("wb") as file:
        writer = SealedWriter(file, {"name": "kloof-coffee"}, key)
        for piece in pieces:
            writer.write(piece)
        digest = writer.close()
        assert writer.bytes == path.stat().st_size
    return digest


def opened(path: Path, key: bytes = KEY) -> bytes:
    with SealedReader(path) as reader:
        return b"".join(reader.chunks(key))


@pytest.mark.parametrize("size", [0, 1, CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 1, 3 * CHUNK_BYTES])
def test_what_was_sealed_comes_out_whatever_its_length(tmp_path: Path, size: int):
    plain = bytes(number % 251 for number in range(1000)) * (size // 1000 + 1)
    plain = plain[:size]

    digest = seal(tmp_path / "one", plain[: size // 3], plain[size // 3 :])

    assert opened(tmp_path / "one") == plain
    assert digest == sha256_of(tmp_path / "one") == sha256((tmp_path / "one").read_bytes()).digest()
    with SealedReader(tmp_path / "one") as reader:
        assert reader.header == {"name": "kloof-coffee"}


def test_the_plain_text_is_not_in_the_file(tmp_path: Path):
    seal(tmp_path / "one", b"thandi@example.com" * 1000)

    assert b"thandi" not in (tmp_path / "one").read_bytes()


def _cut_at_a_chunk(raw: bytes, start: int) -> bytes:
    return raw[: start + SEALED_CHUNK]


def _cut_within_a_chunk(raw: bytes, start: int) -> bytes:
    return raw[:-1]


def _first_two_reordered(raw: bytes, start: int) -> bytes:
    first, second = raw[start : start + SEALED_CHUNK], raw[start + SEALED_CHUNK : start + 2 * SEALED_CHUNK]
    return raw[:start] + second + first + raw[start + 2 * SEALED_CHUNK :]


def _first_removed(raw: bytes, start: int) -> bytes:
    return raw[:start] + raw[start + SEALED_CHUNK :]


def _continued(raw: bytes, start: int) -> bytes:
    return raw + raw[start : start + SEALED_CHUNK]


def _one_bit_changed(raw: bytes, start: int) -> bytes:
    return raw[: start + 100] + bytes([raw[start + 100] ^ 1]) + raw[start + 101 :]


def _another_header(raw: bytes, start: int) -> bytes:
    return raw.replace(b"kloof-coffee", b"other-client", 1)


def _nothing_behind_the_header(raw: bytes, start: int) -> bytes:
    return raw[:start]


@pytest.mark.parametrize(
    "tamper",
    [
        *(_cut_at_a_chunk, _cut_within_a_chunk, _first_two_reordered, _first_removed, _continued),
        *(_one_bit_changed, _another_header, _nothing_behind_the_header),
    ],
)
def test_a_changed_file_does_not_open(tmp_path: Path, tamper: Callable[[bytes, int], bytes]):
    path = tmp_path / "one"
    seal(path, b"a" * CHUNK_BYTES, b"b" * CHUNK_BYTES, b"rest")
    raw = path.read_bytes()
    start = len(raw) - 2 * SEALED_CHUNK - len(b"rest") - TAG_BYTES
    changed = tamper(raw, start)
    assert changed != raw
    path.write_bytes(changed)

    with pytest.raises(SealBroken, match=r"^one does not open: it was changed or cut, or has another key$"):
        opened(path)


def test_another_key_does_not_open_it(tmp_path: Path):
    seal(tmp_path / "one", b"plain")

    with pytest.raises(SealBroken, match="another key"):
        opened(tmp_path / "one", new_file_key())


@pytest.mark.parametrize(
    "raw", [b"", b"PGDMP", b"DRAGGONNB SEALED FILE 1\n", b"DRAGGONNB SEALED FILE 1\n\xff\xff\xff\xff{}"]
)
def test_another_kind_of_file_is_named_as_such(tmp_path: Path, raw: bytes):
    (tmp_path / "one").write_bytes(raw)

    with pytest.raises(SealBroken, match=r"^one is not a sealed file, or its beginning is broken$"):
        SealedReader(tmp_path / "one")


def test_every_file_is_sealed_under_its_own_key():
    assert new_file_key() != new_file_key()
    assert len(new_file_key()) == 32


def test_a_disk_that_is_full_is_an_error_at_once():
    class Full(io.BytesIO):
        def write(self, data: object) -> int:
            raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space left"):
        SealedWriter(Full(), {}, KEY)
