"""A client's app on this machine, as its host would build and serve it: the files of its repository and the variables
of its project, both asked of the sandbox.

Lives here: `npm ci`, `next build` where something has changed since, `next start`. Not here: the client and who signs
in (`client.py`); real hosts build by themselves.
"""

import base64
import hashlib
import json
import os
import re
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests

from draggonnb_pipelines.cli.processes import Process, Running, answers, free_port
from draggonnb_pipelines.domain.provisioning import host_name, repo_name
from draggonnb_pipelines.errors import OperatorError
from draggonnb_pipelines.settings import Settings

NODE_AT_LEAST = 20
# 3000 is Dagster's.
PORT = 3100
INSTALL = ("npm", "ci", "--ignore-scripts", "--prefer-offline", "--no-audit", "--no-fund")
INSTALL_SECONDS, BUILD_SECONDS = 900, 900
# What is not the repository's: packages, what was built of it, and Next's own cache of that.
_KEPT = ("node_modules", ".next")
# Which lock file the packages are from, and which version was built.
INSTALLED, BUILT = Path("node_modules", ".installed-from"), Path(".next", "built-from")


@dataclass(frozen=True)
class Deployment:
    """What a host is given: the repository's files by path, the variables by name."""

    slug: str
    files: dict[str, bytes]
    variables: dict[str, str]

    @property
    def lock(self) -> str:
        return hashlib.sha256(self.files["package-lock.json"]).hexdigest()

    @property
    def version(self) -> str:
        """Of all that a build reads: the files, and the variables that it puts into the browser's scripts."""
        public = {key: value for key, value in self.variables.items() if key.startswith("NEXT_PUBLIC_")}
        files = {path: hashlib.sha256(content).hexdigest() for path, content in self.files.items()}
        return hashlib.sha256(json.dumps([files, public], sort_keys=True).encode()).hexdigest()


def require_node() -> None:
    """Raises OperatorError where there is no npm, or Node.js is too old for the app."""
    remedy = f"install Node.js {NODE_AT_LEAST} or later with npm: the client's app is built and served by it"
    if shutil.which("npm") is None or shutil.which("node") is None:
        raise OperatorError("there is no npm on PATH", remedy=remedy)
    said = subprocess.run(["node", "--version"], capture_output=True, text=True, check=True, timeout=30).stdout
    found = re.match(r"v(\d+)", said)
    if found is None or int(found[1]) < NODE_AT_LEAST:
        raise OperatorError(f"Node.js is {said.strip()}", remedy=remedy)


def deployment_of(settings: Settings, slug: str) -> Deployment:
    """What provisioning has put to the sandbox's GitHub and Vercel for this client."""
    name = repo_name(slug)
    repository = _public(settings, "github", lambda one: one["full_name"].endswith(f"/{name}"))
    project = _public(settings, "vercel", lambda one: one["name"] == name)
    variables = {
        key: value
        for entry, value in project["env"].items()
        for key, _, at in [entry.partition("@")]
        if at == "production"
    }
    return Deployment(slug, {path: _bytes(text) for path, text in repository["files"].items()}, variables)


def build(deployment: Deployment, folder: Path, *, inside: Sequence[str] = ()) -> bool:
    """Install and build in a folder that is kept for it; whether there was anything to build.

    Args:
        inside: a command that is to run the build, such as one that leaves it no network.

    Raises:
        OperatorError: npm or the build failed, with the end of what it said.
    """
    _write(deployment, folder)
    if _text(folder / INSTALLED) != deployment.lock:
        _run(deployment, folder, INSTALL, INSTALL_SECONDS)
        (folder / INSTALLED).write_text(deployment.lock)
    if _text(folder / BUILT) == deployment.version:
        return False
    (folder / BUILT).unlink(missing_ok=True)
    _run(deployment, folder, [*inside, "npm", "run", "build"], BUILD_SECONDS)
    (folder / BUILT).write_text(deployment.version)
    return True


def serve(running: Running, deployment: Deployment, folder: Path, *, port: int = 0) -> str:
    """Serve what was built beside the stack; the app's address, to which the sandbox's Vercel then leads.

    Args:
        port: 0 for any that is free.
    """
    port = port or free_port()
    url = f"http://127.0.0.1:{port}"
    start = ["node", "node_modules/next/dist/bin/next", "start", "--hostname", "127.0.0.1", "--port", str(port)]
    running.add(
        Process("client app", start, lambda: answers(f"{url}/api/health"), folder.resolve(), _environment(deployment))
    )
    domain = host_name(deployment.slug, running.settings.vercel_domain)
    body = {"vercel_apps": f"{domain}={url}"}
    requests.post(f"{running.settings.sandbox_url}/_sandbox/settings", json=body, timeout=10).raise_for_status()
    return url


def _write(deployment: Deployment, folder: Path) -> None:
    """The folder as the repository is; only what differs is written."""
    folder.mkdir(parents=True, exist_ok=True)
    for path in _own_files(folder):
        if path.relative_to(folder).as_posix() not in deployment.files:
            path.unlink()
    for name, content in deployment.files.items():
        path = folder / name
        if not path.is_file() or path.read_bytes() != content:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)


def _own_files(folder: Path) -> list[Path]:
    tops = [top for top in folder.iterdir() if top.name not in _KEPT]
    return [path for top in tops for path in ([top] if top.is_file() else top.rglob("*")) if path.is_file()]


def _run(deployment: Deployment, folder: Path, command: Sequence[str], seconds: float) -> None:
    how: dict[str, Any] = {"capture_output": True, "text": True, "timeout": seconds, "check": True}
    try:
        subprocess.run(command, cwd=folder, env=_environment(deployment), **how)
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
        said = f"{error.stdout or ''}{error.stderr or ''}"[-2000:]
        raise OperatorError(f"`{' '.join(command)}` failed in {folder}", remedy=said) from None


def _environment(deployment: Deployment) -> dict[str, str]:
    """What a host would give it, on this machine: nothing of the installation, whose keys are none of the app's."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("DRAGGONNB_")}
    return {**inherited, "NEXT_TELEMETRY_DISABLED": "1", **deployment.variables}


def _public(settings: Settings, kind: str, is_it: Any) -> dict[str, Any]:
    answer = requests.get(f"{settings.sandbox_url}/_sandbox/public", params={"kind": kind}, timeout=30)
    answer.raise_for_status()
    found = [one for one in answer.json() if is_it(one)]
    if not found:
        raise OperatorError(f"the sandbox's {kind} knows nothing of this client", remedy="its stack must stand first")
    return found[-1]


def _bytes(text: str) -> bytes:
    """As /_sandbox/public writes what is no text."""
    return base64.b64decode(text.removeprefix("base64:")) if text.startswith("base64:") else text.encode()


def _text(path: Path) -> str | None:
    return path.read_text() if path.exists() else None
