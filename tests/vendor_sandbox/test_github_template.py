"""Which files of a folder the sandbox's template repository holds: those that Git's next commit would."""

import os
import subprocess
from pathlib import Path

import pytest

from vendor_sandbox.github_template import files_of


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """`app/` in a checkout: one file tracked, one new, one ignored, one deleted."""
    app = tmp_path / "app"
    app.mkdir()
    subprocess.run(["git", "init", "--quiet", tmp_path], check=True)
    (app / ".gitignore").write_text("built\n")
    for name in ("tracked", "deleted", "built"):
        (app / name).write_text(name)
    subprocess.run(["git", "add", "."], cwd=tmp_path, check=True)
    (app / "deleted").unlink()
    (app / "new").write_text("new")
    (tmp_path / "outside").write_text("outside")
    return app


def test_what_is_tracked_or_new_is_there_and_nothing_that_is_ignored_gone_or_outside(folder: Path):
    assert files_of(folder) == {".gitignore": b"built\n", "new": b"new", "tracked": b"tracked"}


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give a folder to somebody else")
def test_a_checkout_that_another_user_made_is_read_too(folder: Path):
    for path in (folder.parent, *folder.parent.rglob("*")):
        os.chown(path, 12345, 12345)

    assert set(files_of(folder)) == {".gitignore", "new", "tracked"}
