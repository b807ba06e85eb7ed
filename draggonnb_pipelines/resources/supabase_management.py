"""Supabase's Management API: projects from creation to deletion, their keys, settings and SQL.

Lives here: the adapter's verbs. Does not live here: the types and the error table (`supabase_wire.py`), migrations
(`supabase_migrations.py`), the projects' own Auth (`supabase_auth.py`), what is made when (`workflows/`).
Sources: api.supabase.com/api/v1 (OpenAPI of June 2026), Supabase CLI 3.1.
"""

from collections.abc import Collection, Mapping
from typing import Any

from draggonnb_pipelines.errors import ErrorClass, VendorError
from draggonnb_pipelines.resources.exchange import Answer
from draggonnb_pipelines.resources.http import HttpDoor
from draggonnb_pipelines.resources.supabase_migrations import HISTORY, HISTORY_EXISTS, already_there, recorded_under
from draggonnb_pipelines.resources.supabase_wire import (
    VENDOR,
    ApiKey,
    DatabaseAddress,
    Organization,
    Project,
    RecordedMigration,
    Region,
    ServiceHealth,
    read,
    sorter,
)

SMART_GROUPS = ("americas", "emea", "apac")
PAGE_SIZE = 100
_CREATE_TIMEOUT_SECONDS = 60.0
_SQL_TIMEOUT_SECONDS = 120.0


class SupabaseManagement:
    """One organization's door to Supabase.

    Args:
        base_url: above `/v1`.
        token: a personal access token (`sbp_...`) or one of OAuth.
    """

    def __init__(self, door: HttpDoor, *, base_url: str, token: str) -> None:
        self._door = door
        self._base = f"{base_url.rstrip('/')}/v1"
        self._headers = {"Authorization": f"Bearer {token}"}
        self._retrying = sorter(unknown=ErrorClass.RETRY)
        self._once = sorter(unknown=ErrorClass.AMBIGUOUS)

    async def organizations(self) -> list[Organization]:
        """The organizations that the token sees; also the test of the token (CONFIG where it does not work)."""
        return read(list[Organization], await self._call("GET", "/organizations"))

    async def regions(self, organization_slug: str) -> list[Region]:
        """Where this organization may have projects now."""
        path = f"/projects/available-regions?organization_slug={organization_slug}"
        found = read(dict[str, list[Region]], await self._call("GET", path), below="all")
        return [region for group in found.values() for region in group]

    async def create_project(
        self, name: str, organization_slug: str, db_pass: str, region: str, size: str | None = None
    ) -> Project:
        """Make a project, which comes up within minutes. Called once: Supabase has no idempotency key, and a second
        project of the same name is made and billed.

        Args:
            db_pass: the database's password, stored by the caller before this call: the API never tells it.
            region: a region's code, or "emea", "americas" or "apac" for one of the vendor's choice.
            size: of the instance; None for the smallest that there is.

        Raises:
            VendorError: AMBIGUOUS, there may be a project: `find_projects` tells. CONFIG with code "quota", the
                organization may have no more.
        """
        kind = "smartGroup" if region in SMART_GROUPS else "specific"
        body = {
            "name": name,
            "organization_slug": organization_slug,
            "db_pass": db_pass,
            "region_selection": {"type": kind, "code": region},
        } | ({"desired_instance_size": size} if size else {})
        response = await self._call_once("/projects", body, read_timeout_seconds=_CREATE_TIMEOUT_SECONDS)
        return read(Project, response, missing=ErrorClass.AMBIGUOUS)

    async def find_projects(self, organization_slug: str, name: str) -> list[Project]:
        """All projects of exactly this name that are not removed, the oldest first.

        Raises:
            VendorError: not everything could be read, so nothing can be said.
        """
        found = await self.list_projects(organization_slug, search=name)
        return [project for project in found if project.name == name]

    async def list_projects(self, organization_slug: str, *, search: str = "") -> list[Project]:
        """All projects that are not removed, or those with `search` in their names; the oldest first.

        Raises:
            VendorError: not everything could be read, so nothing can be said.
        """
        found: dict[str, Project] = {}
        offset, count = 0, 1
        while offset < count:
            params: dict[str, Any] = {"limit": PAGE_SIZE, "offset": offset, "sort": "created_asc"}
            params |= {"search": search} if search else {}
            response = await self._call("GET", f"/organizations/{organization_slug}/projects", params=params)
            page = read(list[Project], response, below="projects")
            count = read(dict[str, int], response, below="pagination").get("count", 0)
            if not page and offset < count:
                raise VendorError(VENDOR, ErrorClass.RETRY, "a page of projects is missing")
            # Projects that are made meanwhile move the pages: what is seen twice counts once.
            found |= {project.ref: project for project in page}
            offset += len(page)
        there = [project for project in found.values() if project.status != "REMOVED"]
        return sorted(there, key=lambda project: project.created_at)

    async def project(self, ref: str) -> Project:
        """One project, for its status.

        Raises:
            VendorError: INPUT with status 404, there is none.
        """
        return read(Project, await self._call("GET", f"/projects/{ref}"))

    async def health(self, ref: str, services: Collection[str] = ("auth", "db", "rest")) -> list[ServiceHealth]:
        """How each of the named services is. A new project serves only when all of them are healthy too."""
        path = f"/projects/{ref}/health?services={','.join(services)}"
        return read(list[ServiceHealth], await self._call("GET", path))

    async def api_keys(self, ref: str, *, reveal: bool = False) -> list[ApiKey]:
        """The project's keys; the values of secret ones only with `reveal`."""
        suffix = "?reveal=true" if reveal else ""
        return read(list[ApiKey], await self._call("GET", f"/projects/{ref}/api-keys{suffix}"))

    async def create_api_key(self, ref: str, kind: str, name: str) -> ApiKey:
        """Make a "publishable" or "secret" key and reveal it. Names are not unique: look into `api_keys` first.

        Raises:
            VendorError: AMBIGUOUS, there may be one: `api_keys` tells, by the name.
        """
        response = await self._call_once(f"/projects/{ref}/api-keys?reveal=true", {"type": kind, "name": name})
        return read(ApiKey, response, missing=ErrorClass.AMBIGUOUS)

    async def delete_api_key(self, ref: str, key_id: str) -> None:
        """Revoke a key; one that is gone is as good."""
        await self._delete(f"/projects/{ref}/api-keys/{key_id}")

    async def database_address(self, ref: str) -> DatabaseAddress:
        """Where the project's database is reached over IPv4: its pooler."""
        response = await self._call("GET", f"/projects/{ref}/config/database/pooler")
        for address in read(list[DatabaseAddress], response):
            if address.kind == "PRIMARY":
                return address
        raise VendorError(VENDOR, ErrorClass.RETRY, "the project has no pooler yet")

    async def migrations(self, ref: str) -> list[RecordedMigration]:
        """What the project's history says was applied, by version. Where the endpoint is not open to this token, the
        history itself is read."""
        try:
            return read(list[RecordedMigration], await self._call("GET", f"/projects/{ref}/database/migrations"))
        except VendorError as error:
            if error.status not in (403, 404):
                raise
        there = await self.run_query(ref, HISTORY_EXISTS, read_only=True)
        rows = await self.run_query(ref, HISTORY, read_only=True) if there and there[0].get("there") else []
        return [RecordedMigration.model_validate(row) for row in rows]

    async def apply_migration(self, ref: str, version: str, name: str, query: str) -> bool:
        """Apply one migration and record it under its file's version, both or neither; False if it was there already.

        May be repeated at will. It goes as SQL, since the API's own endpoint for migrations records the time of the
        call as the version (supabase/agent-skills#244), with which neither the Supabase CLI nor
        `resources/migrations.py` would agree; and that endpoint is not open to every token.

        Raises:
            ValueError: the SQL is broken.
            VendorError: INPUT, a statement fails (`code` is its SQLSTATE) and nothing of the migration stays.
        """
        try:
            await self.run_query(ref, recorded_under(version, name, query), is_idempotent=True)
        except VendorError as error:
            if already_there(error):
                return False
            raise
        return True

    async def run_query(
        self, ref: str, query: str, *, read_only: bool = False, is_idempotent: bool = False
    ) -> list[dict[str, Any]]:
        """Run SQL and return the rows of the last statement. Several statements are one transaction.

        Raises:
            VendorError: INPUT, it fails (`code` is the SQLSTATE); AMBIGUOUS, it may have run, unless it only reads or
                may run twice.
        """
        path, body = f"/projects/{ref}/database/query", {"query": query, "read_only": read_only}
        if read_only or is_idempotent:
            response = await self._call("POST", path, json=body, read_timeout_seconds=_SQL_TIMEOUT_SECONDS)
        else:
            response = await self._call_once(path, body, read_timeout_seconds=_SQL_TIMEOUT_SECONDS)
        missing = ErrorClass.RETRY if read_only or is_idempotent else ErrorClass.AMBIGUOUS
        return read(list[dict[str, Any]], response, missing=missing)

    async def update_auth_config(self, ref: str, values: Mapping[str, Any]) -> None:
        """Set fields of the project's Auth settings, such as `site_url`; the others stay. `smtp_port` is text there."""
        await self._call("PATCH", f"/projects/{ref}/config/auth", json=dict(values))

    async def set_database_password(self, ref: str, password: str) -> None:
        """Replace the database's password, such as one that a crash lost."""
        await self._call("PATCH", f"/projects/{ref}/database/password", json={"password": password})

    async def pause(self, ref: str) -> None:
        """Stop a project; its data stay, and it goes on counting against the quota. One that is paused is as good."""
        await self._switch(ref, "pause", done=("PAUSING", "INACTIVE"))

    async def restore(self, ref: str) -> None:
        """Start a paused project again; one that runs is as good."""
        await self._switch(ref, "restore", done=("RESTORING", "COMING_UP", "ACTIVE_HEALTHY"))

    async def delete(self, ref: str) -> None:
        """Delete a project for ever, with its data; one that is gone is as good."""
        await self._delete(f"/projects/{ref}")

    async def _switch(self, ref: str, verb: str, *, done: Collection[str]) -> None:
        try:
            await self._call("POST", f"/projects/{ref}/{verb}")
        except VendorError as error:
            if error.error_class is not ErrorClass.INPUT or (await self.project(ref)).status not in done:
                raise

    async def _delete(self, path: str) -> None:
        try:
            await self._call("DELETE", path)
        except VendorError as error:
            if error.status != 404:
                raise

    async def _call_once(self, path: str, body: Mapping[str, Any], **arguments: Any) -> Answer:
        """A POST that makes something: once, and who repeats it has looked first."""
        arguments |= {"idempotent": False, "sort": self._once, "attempts": 1}
        return await self._call("POST", path, json=dict(body), **arguments)

    async def _call(self, method: str, path: str, **arguments: Any) -> Answer:
        return await self._door.call(
            VENDOR,
            method,
            f"{self._base}{path}",
            headers=self._headers,
            **({"idempotent": True, "sort": self._retrying} | arguments),
        )
