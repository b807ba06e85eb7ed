"""The processes of `draggonnb up`: what ends is started again, whatever else is away."""

import sys
from pathlib import Path

from pydantic import SecretStr

from draggonnb_pipelines.cli.processes import Process, Running
from draggonnb_pipelines.settings import Settings
from tests.conftest import MASTER_KEYS


def test_what_ends_is_started_again_while_the_database_is_away(tmp_path: Path) -> None:
    nowhere = f"postgresql://nobody@/nothing?host={tmp_path}"
    settings = Settings(
        _env_file=None,  # pyright: ignore[reportCallIssue]
        master_dsn=nowhere,
        master_keys=SecretStr(MASTER_KEYS),
        state_dir=tmp_path,
    )
    running = Running(settings, environment={"GREETING": "here again"})
    command = [sys.executable, "-c", "import os; print(os.environ['GREETING'])"]
    process = Process("greeter", command, lambda: True)
    said: list[str] = []

    running.add(process)
    for _ in range(2):
        assert process.child is not None
        process.child.wait(20)
        running.watch(said.append)
    assert process.child is not None
    process.child.wait(20)

    assert said == ["greeter ended with 0; starting it again"] * 2
    assert (tmp_path / "logs" / "greeter.log").read_text().split("\n") == ["here again"] * 3 + [""]
