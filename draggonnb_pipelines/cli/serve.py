"""`draggonnb serve` and `draggonnb drain`: the stack under a supervisor that starts each process by itself.

`serve` becomes the process by exec, so that signals, the exit code and sockets that the supervisor holds are the
process's own. Not here: command lines (`command_lines.py`), unit files (deploy/systemd), all at once (`processes.py`).
"""

import os
import time
from pathlib import Path

import psycopg

from draggonnb_pipelines.cli import command_lines
from draggonnb_pipelines.cli.screen import console
from draggonnb_pipelines.cli.serve_verbs import Part
from draggonnb_pipelines.cli.session import installation
from draggonnb_pipelines.errors import OperatorError
from draggonnb_pipelines.resources.dagster_readings import dagster_dsn
from draggonnb_pipelines.settings import PROJECT_ROOT, Settings, load_settings

# sun_path in unix(7), with its closing zero.
MAX_SOCKET_PATH = 107
POLL_SECONDS = 1.0
WAIT_OR_GO_ON = "wait longer, or go on: they end with the release that began them"
WAIT_FOR_WORKERS = (
    "wait longer: a worker that is stopped gives them 300 s more, then they are killed and told as failed"
)
UNDER_WAY = "select count(*) from runs where status in ('STARTING', 'STARTED', 'CANCELING')"


def serve(part: Part) -> None:
    """Become that process; returns only where it is not needed.

    Raises:
        OperatorError: the embedded server would be used, no keys, or a master schema that is behind.
    """
    settings = load_settings()
    if settings.master_dsn is None:
        raise OperatorError(
            "DRAGGONNB_MASTER_DSN is not set: the embedded Postgres lives and dies with one process",
            remedy="set it to a server of your own, or run everything by `draggonnb up`",
        )
    if part is Part.SANDBOX and not settings.sandboxed_vendors:
        console().print("all vendors are real: no sandbox is needed")
        return
    if part is Part.WORKER and settings.celery_broker is None:
        console().print("DRAGGONNB_CELERY_BROKER is not set: runs are children of the code server")
        return
    with installation() as opened:
        environment = command_lines.environment(opened)
        command = _command(part, opened)
    os.chdir(PROJECT_ROOT)
    os.execve(command[0], command, environment)


def _command(part: Part, settings: Settings) -> list[str]:
    if part is Part.API:
        return command_lines.API
    if part is Part.SANDBOX:
        return command_lines.sandbox(settings)
    if part is Part.WORKER:
        return command_lines.worker()
    home = command_lines.dagster_home(settings)
    socket = _code_socket(home)
    if part is Part.CODE:
        return command_lines.code_server(settings, "--socket", str(socket))
    workspace = command_lines.write_workspace(home, f'socket: "{socket}"')
    if part is Part.DAEMON:
        return command_lines.daemon(settings, workspace)
    if part is Part.VIEW:
        return [*command_lines.web_server(settings, workspace, settings.ui_view_port), "--read-only"]
    return command_lines.web_server(settings, workspace, settings.ui_port)


def _code_socket(home: Path) -> Path:
    """A file, so that no other user of the machine reaches the server, which runs what it is asked to."""
    path = home / "code.sock"
    if len(os.fsencode(path)) > MAX_SOCKET_PATH:
        raise OperatorError(f"{path} is too long for a socket", remedy="set DRAGGONNB_STATE_DIR to a shorter path")
    return path


def drain(seconds: int) -> None:
    """Wait until no run is under way.

    Raises:
        OperatorError: after that many seconds some still are.
    """
    screen, said = console(), -1
    with installation() as settings:
        dsn, remedy = dagster_dsn(settings), WAIT_FOR_WORKERS if settings.celery_broker else WAIT_OR_GO_ON
        deadline = time.monotonic() + seconds
        while left := _under_way(dsn):
            if time.monotonic() >= deadline:
                raise OperatorError(f"{left} runs are still under way", remedy=remedy)
            if left != said:
                screen.print(f"{left} runs are under way")
                said = left
            time.sleep(POLL_SECONDS)
    screen.print("no run is under way")


def _under_way(dagster_dsn: str) -> int:
    """Runs that have a process; those that are queued wait for the daemon and lose nothing."""
    try:
        with psycopg.connect(dagster_dsn, autocommit=True) as conn:
            row = conn.execute(UNDER_WAY).fetchone()
    except psycopg.errors.UndefinedTable:
        return 0  # Dagster makes its tables at its first start
    return row[0] if row else 0
