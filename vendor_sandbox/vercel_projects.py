"""The memory of the sandbox's Vercel: projects with their environment, domains and deployments.

Lives here: what a project is, how an environment variable is set, how a deployment goes on with time. Does not live
here: the API (`vercel.py`, `vercel_deployments.py`).
"""

import secrets
import string
import time
from dataclasses import dataclass, field
from typing import Any

_ALPHABET = string.ascii_letters + string.digits


def new_id(prefix: str) -> str:
    return f"{prefix}_{''.join(secrets.choice(_ALPHABET) for _ in range(24))}"


@dataclass
class Variable:
    """One entry of the environment."""

    key: str
    value: str
    type: str
    target: tuple[str, ...]
    id: str = field(default_factory=lambda: new_id("env")[:20])


@dataclass
class Deployment:
    """One build. Its state follows from the time that has passed since `started` (monotonic seconds)."""

    project: str
    host: str
    sha: str
    ref: str
    repo_id: int
    target: str | None
    meta: dict[str, str]
    build_seconds: float
    fails: bool
    id: str = field(default_factory=lambda: new_id("dpl"))
    started: float = field(default_factory=time.monotonic)
    created: int = 0

    @property
    def state(self) -> str:
        passed = time.monotonic() - self.started
        if passed < self.build_seconds / 4:
            return "QUEUED"
        if passed < self.build_seconds:
            return "BUILDING"
        return "ERROR" if self.fails else "READY"


@dataclass
class Project:
    """One project; `domains` by name, whether each is verified, and the text that would prove it."""

    name: str
    repo: str
    repo_id: int
    framework: str | None
    id: str = field(default_factory=lambda: new_id("prj"))
    env: list[Variable] = field(default_factory=list)
    domains: dict[str, bool] = field(default_factory=dict)
    proofs: dict[str, str] = field(default_factory=dict)

    def set_variable(self, new: Variable, *, is_upsert: bool) -> str | None:
        """Set one; the code of the refusal where it cannot be. An upsert replaces only the same list of targets."""
        same = [one for one in self.env if one.key == new.key]
        exact = next((one for one in same if set(one.target) == set(new.target)), None)
        if exact and is_upsert:
            exact.value, exact.type = new.value, new.type
            return None
        if any(set(one.target) & set(new.target) for one in same):
            return "ENV_CONFLICT"
        self.env.append(new)
        return None


class VercelMemory:
    """All projects and all deployments, by id."""

    def __init__(self) -> None:
        self.projects: dict[str, Project] = {}
        self.deployments: dict[str, Deployment] = {}
        self.last_created = 0

    def find(self, name_or_id: str) -> Project | None:
        """By id or name."""
        by_name = (project for project in self.projects.values() if project.name == name_or_id)
        return self.projects.get(name_or_id) or next(by_name, None)

    def owner_of(self, domain: str) -> Project | None:
        return next((project for project in self.projects.values() if domain in project.domains), None)

    def add_deployment(self, deployment: Deployment) -> None:
        """Remember it. Its creation time, in milliseconds, is its own: pages of lists are cut by it."""
        self.last_created = deployment.created = max(int(time.time() * 1000), self.last_created + 1)
        self.deployments[deployment.id] = deployment

    def newest_first(self, project_id: str | None) -> list[Deployment]:
        found = [one for one in self.deployments.values() if project_id is None or one.project == project_id]
        return sorted(found, key=lambda one: one.created, reverse=True)

    def serving(self, host: str) -> Deployment | None:
        """The deployment that answers for a host: its own address, or its project's verified domain."""
        own = next((one for one in self.deployments.values() if one.host == host and one.state == "READY"), None)
        project = self.owner_of(host)
        if own or project is None or not project.domains[host]:
            return own
        live = (one for one in self.newest_first(project.id) if one.state == "READY" and one.target == "production")
        return next(live, None)

    def public(self) -> list[dict[str, Any]]:
        """As /_sandbox/public shows it: the values of the environment in plain, by key and target."""
        return [
            {
                "kind": "vercel",
                "id": project.id,
                "name": project.name,
                "repo": project.repo,
                "env": {f"{one.key}@{target}": one.value for one in project.env for target in one.target},
                "domains": dict(project.domains),
                "deployments": [
                    {"id": one.id, "sha": one.sha, "state": one.state, "target": one.target, "meta": one.meta}
                    for one in reversed(self.newest_first(project.id))
                ],
            }
            for project in self.projects.values()
        ]

    def clear(self) -> None:
        self.projects.clear()
        self.deployments.clear()
