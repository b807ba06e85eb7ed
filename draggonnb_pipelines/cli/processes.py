"""The processes of one machine: sandbox, API, code server, daemon, worker, web server; started, watched and stopped.

Each logs to `<state_dir>/logs/<name>.log`. Not here: what they are started with (`command_lines.py`), and how a
supervisor starts each by itself (`serve.py`, docs/deployment.md).
"""

import contextlib
import ctypes
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import fasteners
import httpx

from draggonnb_pipelines.cli import command_lines
from draggonnb_pipelines.cli.installation import quiet
from draggonnb_pipelines.errors import OperatorError
from draggonnb_pipelines.settings import PROJECT_ROOT, Settings

START_SECONDS = 90
STOP_SECONDS = 15
RESTARTS = 5
LOG_BYTES = 50 * 1024 * 1024  # the daemon's fills so much in a day, of which a person reads the end
_PR_SET_PDEATHSIG = 1


@dataclass
class Process:
    """One child: how to start it, and how to know that it is ready. `environment` in the place of the stack's."""

    name: str
    command: list[str]
    is_ready: Callable[[], bool]
    folder: Path = PROJECT_ROOT
    environment: dict[str, str] | None = None
    child: subprocess.Popen[bytes] | None = None
    restarts: int = 0


@dataclass
class Running:
    """Everything that runs, the settings (with the ports really used) that it runs with, and its environment.

    The environment is kept: to make it anew asks the database, which may be what has ended.
    """

    settings: Settings
    environment: dict[str, str] = field(default_factory=dict)
    processes: list[Process] = field(default_factory=list)

    @property
    def ui_url(self) -> str:
        return f"http://127.0.0.1:{self.settings.ui_port}"

    def add(self, process: Process) -> None:
        """Start another one beside the stack, and wait until it is ready; it is watched and stopped with the others."""
        self.processes.append(process)
        _start(process, self.settings, self.environment)
        _wait(process, self.settings)

    def watch(self, tell: Callable[[str], None]) -> None:
        """Start again whatever has ended, and put long logs aside. Raises OperatorError when something ends again and
        again."""
        for process in self.processes:
            _put_aside(_log(self.settings, process))
            if process.child is not None and process.child.poll() is not None:
                process.restarts += 1
                if process.restarts > RESTARTS:
                    raise OperatorError(
                        f"{process.name} has ended {process.restarts} times",
                        remedy=f"read {_log(self.settings, process)}",
                    )
                tell(f"{process.name} ended with {process.child.returncode}; starting it again")
                _start(process, self.settings, self.environment)


@contextlib.contextmanager
def running_stack(
    settings: Settings, *, tell: Callable[[str], None] = quiet, web_server: bool = True
) -> Iterator[Running]:
    """Start everything (the UI's web server may be left out), yield when all of it answers, stop it at the end.

    Raises:
        OperatorError: another one runs in this state directory, or a process does not come up (with its log's end).
    """
    lock = fasteners.InterProcessLock(settings.state_dir / "up.lock")
    if not lock.acquire(blocking=False):
        raise OperatorError(
            f"draggonnb is running already from {settings.state_dir}",
            remedy="use it, stop it, or set DRAGGONNB_STATE_DIR to another folder",
        )
    settings = _with_free_ports(settings, tell)
    environment = command_lines.environment(settings)
    running = Running(settings, environment)
    try:
        for wave in _waves(settings, environment, web_server=web_server):
            for process in wave:
                tell(f"starting {process.name}")
                running.processes.append(process)
                _start(process, settings, environment)
            for process in wave:
                _wait(process, settings)
        yield running
    finally:
        tell("stopping")
        for process in reversed(running.processes):
            _stop(process)
        lock.release()


def _waves(settings: Settings, environment: dict[str, str], *, web_server: bool) -> list[list[Process]]:
    """The processes, in groups that can start at once."""
    code_port = free_port()
    listen = ("--host", "127.0.0.1", "--port", str(code_port))
    workspace = command_lines.write_workspace(Path(environment["DAGSTER_HOME"]), f"host: 127.0.0.1, port: {code_port}")
    sandbox_url = f"{settings.sandbox_url}/_sandbox/health"
    sandbox = [Process("sandbox", command_lines.sandbox(settings), lambda: answers(sandbox_url))]
    api_url = f"http://{settings.api_host}:{settings.api_port}/api/health"
    first = [
        Process("api", command_lines.API, lambda: answers(api_url)),
        Process("code server", command_lines.code_server(settings, *listen), lambda: _accepts(code_port)),
    ]
    ui = f"http://127.0.0.1:{settings.ui_port}/server_info"
    second = [Process("daemon", command_lines.daemon(settings, workspace), lambda: True)]
    if settings.celery_broker:
        second.append(Process("worker", command_lines.worker(), lambda: True))
    if web_server:
        web = command_lines.web_server(settings, workspace, settings.ui_port)
        second.append(Process("web server", web, lambda: answers(ui)))
    return [sandbox + first if settings.sandboxed_vendors else first, second]


def _start(process: Process, settings: Settings, environment: dict[str, str]) -> None:
    log = _log(settings, process)
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as out:
        process.child = subprocess.Popen(
            process.command,
            env=process.environment or environment,
            cwd=process.folder,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # Ctrl-C is for us alone; we stop the children in order
            preexec_fn=_die_with_parent if sys.platform == "linux" else None,
        )


def _die_with_parent() -> None:
    """Between fork and exec: if we are killed, the children must not hold the ports."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def _wait(process: Process, settings: Settings) -> None:
    deadline = time.monotonic() + START_SECONDS
    while not process.is_ready():
        assert process.child is not None
        if process.child.poll() is not None or time.monotonic() > deadline:
            log = _log(settings, process)
            tail = log.read_text(errors="replace")[-1500:]
            raise OperatorError(f"{process.name} does not come up", remedy=f"its log {log} ends:\n{tail}")
        time.sleep(0.1)


def _stop(process: Process) -> None:
    child = process.child
    if child is None or child.poll() is not None:
        return
    child.terminate()
    try:
        child.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)
        child.wait(5)


def _log(settings: Settings, process: Process) -> Path:
    return settings.state_dir.resolve() / "logs" / f"{process.name.replace(' ', '_')}.log"


def _put_aside(log: Path) -> None:
    """Copied and emptied, not renamed: the process goes on with the file that it was given, always at its end."""
    if log.exists() and log.stat().st_size > LOG_BYTES:
        aside = log.with_suffix(".log.1")
        try:
            shutil.copyfile(log, aside)
        except OSError:  # most likely a full disk, of which a part of a copy would take more
            with contextlib.suppress(OSError):
                aside.unlink(missing_ok=True)
        os.truncate(log, 0)


def _with_free_ports(settings: Settings, tell: Callable[[str], None]) -> Settings:
    """The configured ports where they are free, others (said aloud) where they are not."""
    update: dict[str, int] = {}
    for name, width in (("api_port", 1), ("ui_port", 1), ("sandbox_port", 2)):
        wanted = getattr(settings, name)
        if not all(is_free(wanted + offset) for offset in range(width)):
            update[name] = free_port(width)
            tell(f"port {wanted} is taken; DRAGGONNB_{name.upper()} is {update[name]} this time")
    return settings.model_copy(update=update)


def is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def free_port(width: int = 1) -> int:
    while True:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        if port + width <= 65535 and all(is_free(port + offset) for offset in range(width)):
            return port


def answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=2, trust_env=False).status_code < 500
    except httpx.HTTPError:
        return False


def _accepts(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0
