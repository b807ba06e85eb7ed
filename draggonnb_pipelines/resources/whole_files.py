"""Files that appear whole or not at all: written beside, brought to the disk, and put in place in one step.

Lives here: the one way to write what somebody else reads, or what must survive a power cut. Does not live here: what is
in such a file, and deleting what a killed writer left (`*.part`).
"""

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO


@contextlib.contextmanager
def whole_file(path: Path) -> Iterator[IO[bytes]]:
    """A file to write to, which takes the place of `path` when the block ends without an error. Only we may read it.

    Raises:
        OSError: the disk is full, or there is no such folder; what was at `path` stays as it is, and nothing is left.
    """
    handle, name = tempfile.mkstemp(".part", f"{path.name}.", path.parent)
    partial = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
        _sync_folder(path.parent)
    finally:
        partial.unlink(missing_ok=True)


def write_whole(path: Path, text: str) -> None:
    """The text, in UTF-8, as `whole_file`."""
    with whole_file(path) as file:
        file.write(text.encode())


def _sync_folder(folder: Path) -> None:
    """A renamed file survives a power cut only once its folder is on the disk too (fsync(2))."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
