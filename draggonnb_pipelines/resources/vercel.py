"""Vercel: clients' projects, their environment and domains, deployments.

Lives here: the adapter's verbs. Does not live here: the types and the error table (`vercel_wire.py`), what is made when
(`workflows/`).
Sources: openapi.vercel.sh of October 2025, @vercel/sdk 1.28.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any
from urllib.parse import quote, urlencode

from draggonnb_pipelines.errors import ErrorClass, VendorError
from draggonnb_pipelines.resources.answers import read
from draggonnb_pipelines.resources.exchange import Answer
from draggonnb_pipelines.resources.http import HttpDoor
from draggonnb_pipelines.resources.public_pages import utc_now
from draggonnb_pipelines.resources.redaction import redact
from draggonnb_pipelines.resources.vercel_wire import (
    VENDOR,
    Deployment,
    Domain,
    Project,
    Variable,
    failed_variables,
    sorter,
)

PAGE_SIZE = 100
EVENT_LINES = 100


class Vercel:
    """One team's door to Vercel.

    Args:
        base_url: of the API.
        team_id: None for a personal account.
        site_url: where a host answers, such as "https://{host}".
    """

    def __init__(
        self,
        door: HttpDoor,
        *,
        base_url: str,
        token: str,
        team_id: str | None = None,
        site_url: str = "https://{host}",
        now: Callable[[], datetime] = utc_now,
    ) -> None:
        self._door = door
        self._base = base_url.rstrip("/")
        self._team = {"teamId": team_id} if team_id else {}
        self._site_url = site_url
        self._headers = {"Authorization": f"Bearer {token}"}
        self._retrying = sorter(unknown=ErrorClass.RETRY, now=now)
        self._once = sorter(unknown=ErrorClass.AMBIGUOUS, now=now)

    def site(self, host: str) -> str:
        """The address of a domain or a deployment. A deployment's own may ask visitors to log in: Vercel protects them
        unless told otherwise, and never the domains of production."""
        return self._site_url.format(host=host)

    async def project(self, name: str) -> Project | None:
        """The project of this name or id. This is how a creation with an unknown outcome is settled: `repo_id` says
        whether it is ours."""
        try:
            return read(VENDOR, Project, await self._call("GET", f"/v9/projects/{quote(name, safe='')}"))
        except VendorError as error:
            if error.status == 404:
                return None
            raise

    async def check_access(self) -> None:
        """The token sees the team's projects.

        Raises:
            VendorError: AUTH or PERMISSION, saying where rights are given; others as sorted.
        """
        await self._call("GET", "/v10/projects", {"limit": 1})

    async def list_projects(self) -> list[Project]:
        """All projects of the team.

        Raises:
            VendorError: not everything could be read, so nothing can be said.
        """
        found: dict[str, Project] = {}
        query: dict[str, Any] = {"limit": PAGE_SIZE}
        while True:
            response = await self._call("GET", "/v10/projects", query)
            found |= {project.id: project for project in read(VENDOR, list[Project], response, below="projects")}
            following = read(VENDOR, dict[str, Any], response, below="pagination").get("next")
            if following is None:
                return list(found.values())
            if following == query.get("from"):
                raise VendorError(VENDOR, ErrorClass.RETRY, "a page of projects leads to itself")
            query["from"] = following

    async def create_project(
        self, name: str, repo: str, *, framework: str = "nextjs", root_directory: str | None = None
    ) -> Project:
        """Make a project that is linked to a GitHub repository. Called once.

        Args:
            name: up to 100 small letters, digits, dots, hyphens.
            repo: "owner/name".
            root_directory: where the app is in the repository; None for its root.

        Raises:
            VendorError: AMBIGUOUS, there may be one: `project` tells. DUPLICATE, the name is taken. CONFIG with code
                "github_app", Vercel may not see the repository; with "billing", the plan does not allow it.
        """
        body: dict[str, Any] = {
            "name": name,
            "framework": framework,
            "gitRepository": {"type": "github", "repo": repo},
        } | ({"rootDirectory": root_directory} if root_directory else {})
        response = await self._call_once("/v11/projects", body)
        return read(VENDOR, Project, response, missing=ErrorClass.AMBIGUOUS)

    async def set_env(self, project_id: str, variables: Sequence[Variable]) -> None:
        """Set environment variables, new or not, for the deployments that come. May be repeated at will.

        Each target goes as an entry of its own: an upsert finds an entry only by its whole list of targets, and any
        other that overlaps is refused with ENV_CONFLICT (getsentry/sentry#118490).

        Raises:
            VendorError: INPUT, some were not set, though the others were; the message names them.
        """
        entries = [
            {"key": one.key, "value": one.value, "type": one.kind, "target": [target]}
            for one in variables
            for target in one.targets
        ]
        if not entries:
            return
        response = await self._call("POST", f"/v10/projects/{project_id}/env", {"upsert": "true"}, json=entries)
        if error := failed_variables(response):
            raise error

    async def add_domain(self, project_id: str, domain: str) -> Domain:
        """Give a project a domain, or find that it has it.

        Raises:
            VendorError: DUPLICATE, another project has it.
        """
        try:
            response = await self._call("POST", f"/v10/projects/{project_id}/domains", json={"name": domain})
        except VendorError as error:
            if error.error_class is not ErrorClass.DUPLICATE:
                raise
            # The refusal reads the same whoever has it, so only the project itself can tell.
            owned = await self.domain(project_id, domain)
            if owned is None:
                raise
            return owned
        return read(VENDOR, Domain, response)

    async def domain(self, project_id: str, domain: str) -> Domain | None:
        """A project's domain; None where it does not have it."""
        try:
            response = await self._call("GET", f"/v9/projects/{project_id}/domains/{quote(domain)}")
        except VendorError as error:
            if error.status == 404:
                return None
            raise
        return read(VENDOR, Domain, response)

    async def verify_domain(self, project_id: str, domain: str) -> bool:
        """Let Vercel look for the proof of the domain now. False: it is not there yet."""
        try:
            response = await self._call("POST", f"/v9/projects/{project_id}/domains/{quote(domain)}/verify")
        except VendorError as error:
            if error.status == 400:
                return False
            raise
        return read(VENDOR, Domain, response).is_verified

    async def is_pointed_here(self, domain: str) -> bool:
        """Whether the domain's DNS leads to Vercel, which being verified does not imply."""
        response = await self._call("GET", f"/v6/domains/{quote(domain)}/config")
        return not read(VENDOR, bool, response, below="misconfigured")

    async def create_deployment(
        self, project: Project, sha: str, *, ref: str = "main", meta: Mapping[str, str]
    ) -> Deployment:
        """Build a commit of the project's repository for production. Called once: a second call builds again.

        Args:
            meta: our mark, such as {"provisioning_run": "..."}, by which `find_deployment` knows it again.

        Raises:
            VendorError: AMBIGUOUS, there may be one: `find_deployment` tells.
            ValueError: the project is linked to no repository.
        """
        if project.repo_id is None:
            raise ValueError(f"project {project.name} is linked to no repository")
        body = {
            "name": project.name,
            "project": project.id,
            "target": "production",
            "gitSource": {"type": "github", "repoId": project.repo_id, "ref": ref, "sha": sha},
            "meta": dict(meta),
        }
        query = {"forceNew": "1", "skipAutoDetectionConfirmation": "1"}
        return read(
            VENDOR, Deployment, await self._call_once("/v13/deployments", body, query), missing=ErrorClass.AMBIGUOUS
        )

    async def find_deployment(self, project_id: str, sha: str | None, meta: Mapping[str, str]) -> Deployment | None:
        """The newest deployment of a commit that carries all of our mark, whatever became of it. Without a `sha`, of
        whichever commit.

        Raises:
            VendorError: not everything could be read, so nothing can be said.
        """
        query: dict[str, Any] = {"projectId": project_id, "limit": PAGE_SIZE} | ({"sha": sha} if sha else {})
        while True:
            response = await self._call("GET", "/v7/deployments", query)
            for found in read(VENDOR, list[Deployment], response, below="deployments"):
                if all(found.meta.get(name) == value for name, value in meta.items()):
                    return found
            until = read(VENDOR, dict[str, Any], response, below="pagination").get("next")
            if until is None or until == query.get("until"):
                return None
            query["until"] = until

    async def deployment(self, deployment_id: str) -> Deployment:
        """One deployment, for its state.

        Raises:
            VendorError: INPUT with status 404, there is none.
        """
        return read(VENDOR, Deployment, await self._call("GET", f"/v13/deployments/{deployment_id}"))

    async def events(self, deployment_id: str) -> list[str]:
        """The last lines of a deployment's build, in order, redacted: for the report of a failure."""
        query = {"direction": "backward", "limit": EVENT_LINES, "builds": 1}
        response = await self._call("GET", f"/v3/deployments/{deployment_id}/events", query)
        return [
            redact(line) for event in reversed(read(VENDOR, list[dict[str, Any]], response)) if (line := _line(event))
        ]

    async def delete_project(self, project_id: str) -> None:
        """Delete a project with its deployments; one that is gone is as good."""
        try:
            await self._call("DELETE", f"/v9/projects/{quote(project_id, safe='')}")
        except VendorError as error:
            if error.status != 404:
                raise

    async def _call_once(self, path: str, body: Mapping[str, Any], query: Mapping[str, Any] | None = None) -> Answer:
        """A POST that makes something: once, and who repeats it has looked first."""
        return await self._call("POST", path, query, json=body, idempotent=False, sort=self._once, attempts=1)

    async def _call(self, method: str, path: str, query: Mapping[str, Any] | None = None, **arguments: Any) -> Answer:
        params = urlencode({**(query or {}), **self._team})
        return await self._door.call(
            VENDOR,
            method,
            f"{self._base}{path}{'?' + params if params else ''}",
            headers=self._headers,
            **({"idempotent": True, "sort": self._retrying} | arguments),
        )


def _line(event: dict[str, Any]) -> str:
    """An event's text, which is in its payload where the event is wrapped."""
    payload = event.get("payload")
    text = payload.get("text") if isinstance(payload, dict) else event.get("text")
    return text.rstrip()[:1000] if isinstance(text, str) else ""
