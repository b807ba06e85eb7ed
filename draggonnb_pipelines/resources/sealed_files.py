"""Files that are sealed as they stream: AES-256-GCM in chunks, so that neither end ever holds a whole one.

Lives here: the format, writing and reading it, digests. Does not live here: what is in a file and whose key wraps its
key (`workflows/operations/backups.py`).

A file: magic | length of the header (4 bytes) | header, JSON in plain | chunks. Each chunk is 1 MiB of plain text (the
last one less) and a tag of 16 bytes; its nonce is its number (11 bytes) and whether it is the last (1 byte), and the
header is authenticated with each. So a file that is cut, continued, reordered or given another header does not open:
the STREAM construction (Hoang, Reyhanitabar, Rogaway, Vizar 2015), as age has it. A key seals one file only, which is
why the numbers may start at 0.
"""

import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, Any, Self

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from draggonnb_pipelines.resources.vault import KEY_BYTES, TAG_BYTES, SealBroken

MAGIC = b"DRAGGONNB SEALED FILE 1\n"
CHUNK_BYTES = 1024 * 1024
_LONGEST_HEADER = 64 * 1024


def new_file_key() -> bytes:
    """32 random bytes, for one file and no other."""
    return os.urandom(KEY_BYTES)


class SealedWriter:
    """Seals what is written to it; the file is whole only after `close`.

    Args:
        file: opened for binary writing, at its beginning.
        header: plain for everybody who has the file, and authenticated.
        key: from `new_file_key`.
    """

    def __init__(self, file: IO[bytes], header: Mapping[str, Any], key: bytes) -> None:
        self._file = file
        self._aead = AESGCM(key)
        self._header = json.dumps(header, sort_keys=True).encode()
        self._number = 0
        self._waiting = bytearray()
        self._digest = hashlib.sha256()
        self.bytes = 0
        self._put(MAGIC + len(self._header).to_bytes(4, "big") + self._header)

    def write(self, data: bytes) -> None:
        """Seal as many whole chunks as there are.

        Raises:
            OSError: the disk is full, or away.
        """
        self._waiting += data
        # The last chunk is sealed as such, so one that is just full waits for more.
        while len(self._waiting) > CHUNK_BYTES:
            self._seal(bytes(self._waiting[:CHUNK_BYTES]), is_last=False)
            del self._waiting[:CHUNK_BYTES]

    def close(self) -> bytes:
        """Seal the rest, bring all to the disk, and return the sha256 of the file as it lies there."""
        self._seal(bytes(self._waiting), is_last=True)
        self._file.flush()
        os.fsync(self._file.fileno())
        return self._digest.digest()

    def _seal(self, plain: bytes, *, is_last: bool) -> None:
        self._put(self._aead.encrypt(_nonce(self._number, is_last=is_last), plain, self._header))
        self._number += 1

    def _put(self, data: bytes) -> None:
        self._file.write(data)
        self._digest.update(data)
        self.bytes += len(data)


class SealedReader:
    """Opens a file; the key is needed only for what is behind the header.

    Raises:
        SealBroken: not a file of this kind, or its header is cut.
        FileNotFoundError: there is none.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = path.open("rb")
        try:
            self._raw_header = self._read_header()
            self.header: dict[str, Any] = json.loads(self._raw_header)
        except (SealBroken, ValueError) as error:
            self._file.close()
            raise SealBroken(f"{path.name} is not a sealed file, or its beginning is broken") from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def chunks(self, key: bytes) -> Iterator[bytes]:
        """The plain text, chunk by chunk, once.

        Raises:
            SealBroken: another key, or the file was changed or cut. What was yielded before is sound, but not all.
        """
        aead = AESGCM(key)
        number, sealed = 0, self._file.read(CHUNK_BYTES + TAG_BYTES)
        while True:
            following = self._file.read(CHUNK_BYTES + TAG_BYTES)
            try:
                yield aead.decrypt(_nonce(number, is_last=not following), sealed, self._raw_header)
            except (InvalidTag, ValueError):
                raise SealBroken(
                    f"{self._path.name} does not open: it was changed or cut, or has another key"
                ) from None
            if not following:
                return
            number, sealed = number + 1, following

    def _read_header(self) -> bytes:
        if self._file.read(len(MAGIC)) != MAGIC:
            raise SealBroken("other magic")
        length = int.from_bytes(self._file.read(4), "big")
        header = self._file.read(length) if length <= _LONGEST_HEADER else b""
        if not header or len(header) != length:
            raise SealBroken("cut header")
        return header


def sha256_of(path: Path) -> bytes:
    """The digest of a file, read in pieces.

    Raises:
        FileNotFoundError: there is none.
    """
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").digest()


def _nonce(number: int, *, is_last: bool) -> bytes:
    return number.to_bytes(11, "big") + bytes([is_last])
