"""What systemd does for our units, for tests on machines that it does not run: reads the unit files, holds the socket,
starts, stops and restarts the services as an ordinary user.

`systemctl` is a program that a script can call; it speaks to the supervisor of the test's own process. Not here:
hardening, limits of memory, starting again by itself.
"""

import configparser
import contextlib
import json
import os
import shlex
import signal
import socket
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

from tests.cli.conftest import ROOT

UNITS = ROOT / "deploy" / "systemd"
HELD_FD = 3
STOP_SECONDS = 90
CLIENT = """#!{python}
import json, socket, sys
with socket.socket(socket.AF_UNIX) as asked:
    asked.connect({address!r})
    asked.sendall(json.dumps(sys.argv[1:]).encode())
    asked.shutdown(socket.SHUT_WR)
    sys.exit(int(asked.makefile().read() or 1))
"""


class Supervisor:
    """The services of one installation; `units` are those that it knows, the others are not enabled here."""

    def __init__(self, prefix: Path, environment: dict[str, str], api_port: int, units: tuple[str, ...]) -> None:
        self._prefix, self._environment, self._units = prefix, environment, units
        self._logs = prefix / "logs"
        self._logs.mkdir()
        self._children: dict[str, subprocess.Popen[bytes]] = {}
        self.calls: list[list[str]] = []
        self._held = socket.socket()
        self._held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._held.bind(("127.0.0.1", api_port))
        self._held.listen(4096)

    def process_id(self, unit: str) -> int:
        return self._children[unit].pid

    def is_running(self, unit: str) -> bool:
        return unit in self._children and self._children[unit].poll() is None

    def log(self, unit: str) -> str:
        path = self._logs / f"{unit}.log"
        return path.read_text(errors="replace") if path.exists() else ""

    def call(self, verb: str, *units: str) -> int:
        """As `systemctl`; its exit code."""
        self.calls.append([verb, *units])
        for unit in units:
            if unit not in self._units:
                continue
            was_running = self.is_running(unit)
            if verb in ("stop", "restart", "try-restart"):
                self._stop(unit)
            if verb in ("start", "restart") or (verb == "try-restart" and was_running):
                self._start(unit)
        return 0

    def _start(self, unit: str) -> None:
        if self.is_running(unit):
            return
        command = shlex.split(_service(unit)["ExecStart"].replace("/opt/draggonnb", str(self._prefix)))
        is_held = (UNITS / unit).with_suffix(".socket").exists()
        with (self._logs / f"{unit}.log").open("ab") as log:
            self._children[unit] = subprocess.Popen(
                # The shell knows the id that the program will have; exec keeps it.
                ["/bin/sh", "-c", 'LISTEN_PID=$$ exec "$@"', "sh", *command] if is_held else command,
                env=self._environment | ({"LISTEN_FDS": "1"} if is_held else {}),
                cwd=(self._prefix / "current").resolve(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                pass_fds=(HELD_FD,) if is_held else (),
                preexec_fn=self._hand_over if is_held else None,
            )

    def _hand_over(self) -> None:
        os.dup2(self._held.fileno(), HELD_FD)

    def _stop(self, unit: str) -> None:
        child, service = self._children.get(unit), _service(unit)
        if child is None or child.poll() is not None:
            return
        child.terminate()
        try:
            child.wait(int(service.get("TimeoutStopSec", STOP_SECONDS)))
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait(5)
        if service.get("KillMode") != "process":
            with contextlib.suppress(ProcessLookupError):
                os.killpg(child.pid, signal.SIGKILL)

    def close(self) -> None:
        for unit, child in reversed(self._children.items()):
            self._stop(unit)
            with contextlib.suppress(ProcessLookupError):
                os.killpg(child.pid, signal.SIGKILL)  # runs, too: their database goes with the test
        self._held.close()


def _service(unit: str) -> configparser.SectionProxy:
    parsed = configparser.ConfigParser(strict=False, interpolation=None)
    parsed.read(UNITS / unit)
    return parsed["Service"]


@contextlib.contextmanager
def supervised(
    prefix: Path, environment: dict[str, str], *, api_port: int, units: tuple[str, ...]
) -> Iterator[tuple[Supervisor, Path]]:
    """A supervisor, and the program by which scripts speak to it."""
    supervisor = Supervisor(prefix, environment, api_port, units)
    address, program = prefix / "systemctl.sock", prefix / "systemctl"
    program.write_text(CLIENT.format(python=sys.executable, address=str(address)))
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    with socket.socket(socket.AF_UNIX) as control:
        control.bind(str(address))
        control.listen()
        listener = threading.Thread(target=_listen, args=(control, supervisor), daemon=True)
        listener.start()
        try:
            yield supervisor, program
        finally:
            control.shutdown(socket.SHUT_RDWR)
            listener.join(5)
            supervisor.close()


def _listen(control: socket.socket, supervisor: Supervisor) -> None:
    while True:
        try:
            asked, _ = control.accept()
        except OSError:
            return
        with asked, asked.makefile() as read:
            code = supervisor.call(*json.loads(read.read()))
            asked.sendall(str(code).encode())
