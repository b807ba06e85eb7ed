"""The systemd units: read by systemd's own tools, and held against the verbs that they call."""

import configparser
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from draggonnb_pipelines.cli import app
from draggonnb_pipelines.cli.serve_verbs import Part
from draggonnb_pipelines.cli.watch import AGAIN_SECONDS, TIMEOUT_SECONDS
from draggonnb_pipelines.resources.mail import CONNECT_TIMEOUT_SECONDS, ENVELOPE_TIMEOUT_SECONDS, FINAL_TIMEOUT_SECONDS
from draggonnb_pipelines.settings.fields import Fields
from tests.cli.conftest import ROOT

UNITS = ROOT / "deploy" / "systemd"
PROGRAM = "/opt/draggonnb/current/.venv/bin/draggonnb"
SERVICES = sorted(UNITS.glob("*.service"))
LOOKED_FOR = shutil.which("systemd-analyze")
# systemd calls up to 2.0 "OK" and below that "OK" in green; an unhardened service has 9.6.
MOST_EXPOSED = 20


def unit(path: Path) -> configparser.ConfigParser:
    parsed = configparser.ConfigParser(strict=False, interpolation=None)
    parsed.optionxform = str  # pyright: ignore[reportAttributeAccessIssue]
    parsed.read(path)
    return parsed


@pytest.fixture
def unit_folder(tmp_path: Path) -> Path:
    """The units as systemd finds them, with programs that this machine has."""
    folder = tmp_path / "units"
    shutil.copytree(UNITS, folder)
    program = tmp_path / "draggonnb"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    for path in folder.rglob("*.*"):
        if path.is_file():
            path.write_text(path.read_text().replace(PROGRAM, str(program)))
    return folder


def systemd_analyze(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    if LOOKED_FOR is None:
        pytest.skip("there is no systemd-analyze on this machine: Debian and Ubuntu have it in `systemd`")
    environment = os.environ | {"SYSTEMD_UNIT_PATH": f"{folder}:", "SYSTEMD_COLORS": "0", "SYSTEMD_PAGER": ""}
    return subprocess.run([LOOKED_FOR, *arguments], env=environment, capture_output=True, text=True, timeout=60)


@pytest.mark.parametrize("path", sorted(UNITS.glob("draggonnb*.*")), ids=lambda path: path.name)
def test_systemd_finds_nothing_wrong_with_a_unit(path: Path, unit_folder: Path):
    if path.is_dir():
        pytest.skip("read with each service")

    done = systemd_analyze(unit_folder, "verify", "--man=no", "--recursive-errors=one", path.name)

    ours = [line for line in done.stderr.splitlines() if "draggonnb" in line]
    assert (done.returncode, ours) == (0, [])


@pytest.mark.parametrize("path", SERVICES, ids=lambda path: path.name)
def test_a_service_is_exposed_no_more_than_a_hardened_one(path: Path, unit_folder: Path):
    merged = unit_folder / path.name
    merged.write_text(merged.read_text() + (UNITS / "draggonnb-.service.d/common.conf").read_text())

    done = systemd_analyze(
        unit_folder, "security", "--offline=true", "--no-pager", f"--threshold={MOST_EXPOSED}", str(merged)
    )

    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("path", SERVICES, ids=lambda path: path.name)
def test_a_service_has_a_limit_to_its_memory_and_no_user_or_hardening_of_its_own(path: Path):
    service = unit(path)["Service"]

    shared = set(unit(UNITS / "draggonnb-.service.d/common.conf")["Service"])
    assert "MemoryMax" in service
    assert shared & set(service) == set()
    assert {"User", "NoNewPrivileges", "ProtectSystem", "CapabilityBoundingSet", "SystemCallFilter"} <= shared


def test_there_is_a_service_for_each_part_and_for_nothing_else():
    started = {path.name: unit(path)["Service"]["ExecStart"] for path in SERVICES}

    served = {f"draggonnb-{part}.service": f"{PROGRAM} serve {part}" for part in Part}
    assert started == served | {"draggonnb-watch.service": f"{PROGRAM} watch"}


def test_the_program_has_the_verbs_that_the_units_call():
    verbs = {command.name for command in app.registered_commands}

    assert {"serve", "drain", "watch", "migrate"} <= verbs


def test_the_socket_listens_where_the_settings_say():
    listens = unit(UNITS / "draggonnb-api.socket")["Socket"]["ListenStream"]

    fields = Fields.model_fields
    assert listens == f"{fields['api_host'].default}:{fields['api_port'].default}"


def test_a_restart_of_the_code_server_leaves_runs_alone():
    assert unit(UNITS / "draggonnb-code.service")["Service"]["KillMode"] == "process"


def test_the_watch_has_the_time_that_two_looks_at_what_hangs_and_the_mails_about_them_take():
    given = int(unit(UNITS / "draggonnb-watch.service")["Service"]["TimeoutStartSec"])

    looks = 2 * 2 * TIMEOUT_SECONDS + AGAIN_SECONDS  # each asks the API: to connect and to read have that time each
    mail = CONNECT_TIMEOUT_SECONDS + ENVELOPE_TIMEOUT_SECONDS + FINAL_TIMEOUT_SECONDS
    assert given > looks + TIMEOUT_SECONDS + mail


def test_everything_is_started_with_the_machine():
    wanted = {path.name for path in UNITS.glob("draggonnb-*.*") if path.is_file() and "Install" in unit(path)}

    assert wanted == {path.name for path in SERVICES} - {"draggonnb-watch.service"} | {
        "draggonnb-api.socket",
        "draggonnb-watch.timer",
    }
    assert unit(UNITS / "draggonnb.target")["Install"]["WantedBy"] == "multi-user.target"
