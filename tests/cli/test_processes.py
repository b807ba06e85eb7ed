"""The processes of `draggonnb up`: what ends is started again, whatever else is away; logs do not grow for ever."""

import subprocess
import sys
import time
from pathlib import Path
from typing import BinaryIO

import pytest
from pydantic import SecretStr

from draggonnb_pipelines.cli import processes
from draggonnb_pipelines.cli.processes import Process, Running
from draggonnb_pipelines.settings import Settings
from tests.conftest import MASTER_KEYS


def log_opened(log: Path) -> BinaryIO:
    """As the processes of the stack are given theirs."""
    log.parent.mkdir()
    return log.open("ab")


def installation(state_dir: Path) -> Settings:
    """One whose database is away."""
    return Settings(
        _env_file=None,  # pyright: ignore[reportCallIssue]
        master_dsn=f"postgresql://nobody@/nothing?host={state_dir}",
        master_keys=SecretStr(MASTER_KEYS),
        state_dir=state_dir,
    )


def test_what_ends_is_started_again_while_the_database_is_away(tmp_path: Path) -> None:
    running = Running(installation(tmp_path), environment={"GREETING": "here again"})
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


def test_a_log_that_grew_long_is_put_aside_and_the_process_goes_on_writing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processes, "LOG_BYTES", 10)
    running = Running(installation(tmp_path))
    says = "import sys\nprint('a long line', flush=True)\nsys.stdin.readline()\nprint('news', flush=True)"
    log, aside = tmp_path / "logs" / "talker.log", tmp_path / "logs" / "talker.log.1"
    running.processes.append(process := Process("talker", [], lambda: True))
    with (
        log_opened(log) as out,
        subprocess.Popen([sys.executable, "-c", says], stdin=subprocess.PIPE, stdout=out, text=True) as talker,
    ):
        while not log.stat().st_size:
            time.sleep(0.01)
        running.watch(lambda _: None)
        talker.communicate("go on\n", timeout=20)
        running.watch(lambda _: None)

    assert process.restarts == 0
    assert (aside.read_text(), log.read_text()) == ("a long line\n", "news\n")


def test_a_log_that_cannot_be_put_aside_is_emptied_and_ends_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processes, "LOG_BYTES", 10)
    running = Running(installation(tmp_path))
    running.processes.append(Process("talker", [], lambda: True))
    log, aside = tmp_path / "logs" / "talker.log", tmp_path / "logs" / "talker.log.1"
    aside.mkdir(parents=True)  # in the place of a disk that is full
    log.write_text("a long line\n")

    running.watch(lambda _: None)

    assert (log.read_text(), sorted(log.parent.iterdir())) == ("", [log, aside])
