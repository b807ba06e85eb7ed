"""What upgrade.sh does step by step when it is cut off or repeated: the script is real, the releases are folders whose
programs only write down that they were called. Whole releases and processes are in `test_upgrade.py`.
"""

import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.cli.conftest import ROOT

OLD = "0.0.9-000000000000"
RECORDS = '#!/bin/sh\necho "$(basename "$0") $*" >>"{calls}"\n'
# A shell cannot catch what was ignored when it began, as Ctrl-C is in the background.
MINDFUL = """import os, signal, sys
for one in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM):
    signal.signal(one, signal.SIG_DFL)
os.execv(sys.argv[1], sys.argv[1:])"""
# Answers a question about settings with an address that answers.
PYTHON = '#!/bin/sh\ncase "$2" in *print*) echo file://{address} ;; esac\n'


@dataclass
class Prefix:
    """An installation of two releases, of which the source's own is the newer."""

    folder: Path
    source: Path
    new: str

    def command(self) -> list[str]:
        return [str(self.source / "deploy/upgrade.sh"), "--prefix", str(self.folder), "--wait", "30"]

    @property
    def environment(self) -> dict[str, str]:
        return os.environ | {"SYSTEMCTL": str(self.folder / "systemctl")}

    def upgrade(self) -> subprocess.CompletedProcess[str]:
        return subprocess.run(self.command(), env=self.environment, capture_output=True, text=True, timeout=60)

    @property
    def current(self) -> str:
        return (self.folder / "current").readlink().name

    @property
    def calls(self) -> list[str]:
        path = self.folder / "calls"
        return path.read_text().splitlines() if path.exists() else []

    def program(self, path: str, text: str) -> None:
        file = self.folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text.format(calls=self.folder / "calls", address=self.folder / "systemctl"))
        file.chmod(0o755)

    def release(self, name: str) -> None:
        for program in ("draggonnb", "dagster"):
            self.program(f"releases/{name}/.venv/bin/{program}", RECORDS)
        self.program(f"releases/{name}/.venv/bin/python", PYTHON)
        (self.folder / "releases" / name / ".complete").touch()

    def point_to(self, name: str) -> None:
        (self.folder / "current").unlink(missing_ok=True)
        (self.folder / "current").symlink_to(f"releases/{name}")


@pytest.fixture
def prefix(tmp_path: Path) -> Prefix:
    source, folder = tmp_path / "source", tmp_path / "prefix"
    shutil.copytree(ROOT / "deploy", source / "deploy")
    shutil.copy2(ROOT / "pyproject.toml", source)
    asked = f'. "{source}/deploy/release.sh" && release_id'
    new = subprocess.run(["bash", "-c", asked], capture_output=True, text=True, check=True).stdout.strip()
    made = Prefix(folder, source, new)
    for name in (OLD, new):
        made.release(name)
    made.program("systemctl", RECORDS)
    made.point_to(OLD)
    return made


RESTARTS = [
    "systemctl restart draggonnb-api.service",
    "systemctl restart draggonnb-code.service",
    "dagster api grpc-health-check --socket {folder}/state/dagster/code.sock",
    "systemctl try-restart draggonnb-worker.service draggonnb-web.service draggonnb-view.service"
    " draggonnb-sandbox.service",
    "systemctl start draggonnb-daemon.service draggonnb-watch.timer",
]


def restarts(prefix: Prefix) -> list[str]:
    return [call.format(folder=prefix.folder) for call in RESTARTS]


def test_the_daemon_alone_stops_and_the_watch_goes_on(prefix: Prefix):
    done = prefix.upgrade()

    assert (done.returncode, prefix.current) == (0, prefix.new)
    before = ["systemctl stop draggonnb-daemon.service", "draggonnb drain --seconds 30", "draggonnb migrate"]
    assert prefix.calls == before + restarts(prefix)


@pytest.mark.parametrize("cut_off_by", [signal.SIGHUP, signal.SIGTERM, signal.SIGINT], ids=lambda one: one.name)
def test_an_upgrade_that_is_cut_off_starts_the_old_release_again(prefix: Prefix, cut_off_by: signal.Signals):
    prefix.program(f"releases/{OLD}/.venv/bin/draggonnb", RECORDS + "sleep 30\n")
    read, write = os.pipe()
    began = time.monotonic()
    command = [sys.executable, "-c", MINDFUL, *prefix.command()]
    with subprocess.Popen(command, env=prefix.environment, stdout=write, stderr=write, process_group=0) as run:
        os.close(write)
        while "draggonnb drain --seconds 30" not in prefix.calls and time.monotonic() - began < 20:
            time.sleep(0.05)
        os.close(read)  # a terminal that is gone takes nothing more
        os.killpg(run.pid, cut_off_by)
        run.wait(20)

    assert (run.returncode, prefix.current) == (1, OLD)
    assert prefix.calls[2:] == restarts(prefix)


def test_a_repetition_starts_what_a_killed_upgrade_has_left_stopped(prefix: Prefix):
    prefix.point_to(prefix.new)

    done = prefix.upgrade()

    assert (done.returncode, done.stderr, prefix.current) == (0, "", prefix.new)
    assert prefix.calls == restarts(prefix)


def test_the_release_that_ran_stays_however_old_its_folder_is(prefix: Prefix):
    releases = prefix.folder / "releases"
    for age, name in enumerate(["0.0.8-a", "0.0.8-b", "0.0.8-c", OLD]):
        (releases / name).mkdir(exist_ok=True)
        os.utime(releases / name, (1_000_000 - age, 1_000_000 - age))

    done = prefix.upgrade()

    assert done.returncode == 0
    assert {path.name for path in releases.iterdir()} == {prefix.new, OLD, "0.0.8-a", "0.0.8-b"}
    assert "removing release 0.0.8-c\n" in done.stdout


def test_each_release_enables_all_units_that_it_brings(prefix: Prefix):
    no_machine = "cp() { :; }; allow_backups() { :; }"  # what would change this one
    script = f". {prefix.source}/deploy/release.sh; PREFIX={prefix.folder}; {no_machine}; copy_units"

    subprocess.run(["bash", "-c", script], env=prefix.environment, check=True)

    brought = (prefix.source / "deploy/systemd").iterdir()
    wanted = {unit.name for unit in brought if unit.is_file() and "[Install]" in unit.read_text()}
    reload, enable = prefix.calls
    assert reload == "systemctl daemon-reload"
    assert enable.startswith("systemctl enable --quiet ")
    assert set(enable.split()[3:]) == wanted


@pytest.mark.parametrize(
    ("folder", "line"), [("/srv/backups", 'ReadWritePaths="-/srv/backups"'), ("/srv/50% of", '"-/srv/50%% of"')]
)
def test_runs_may_write_to_the_folder_of_the_backups(prefix: Prefix, tmp_path: Path, folder: str, line: str):
    script = f'. {prefix.source}/deploy/release.sh; backup_drop_in "{folder}"'

    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True)

    assert done.stdout.startswith("[Service]\n")
    assert done.stdout.rstrip().endswith(line)
