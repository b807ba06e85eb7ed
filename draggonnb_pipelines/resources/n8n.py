"""n8n: workflows from their creation to the archive, credentials, what our key may do.

Lives here: the adapter's verbs. Does not live here: the types and the error table (`n8n_wire.py`), what a workflow
holds and when it is made (`workflows/`).
Sources: n8n 2.41 (public API 1.1): its OpenAPI description and its source.
"""

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from draggonnb_pipelines.errors import ErrorClass, VendorError
from draggonnb_pipelines.resources.answers import read
from draggonnb_pipelines.resources.exchange import Answer
from draggonnb_pipelines.resources.http import HttpDoor
from draggonnb_pipelines.resources.n8n_wire import VENDOR, Credential, Workflow, check_webhooks, sorter

PAGE_SIZE = 250


class N8n:
    """One n8n instance.

    Args:
        base_url: of the instance; its API is below /api/v1, its webhooks are below /webhook.
    """

    def __init__(self, door: HttpDoor, *, base_url: str, api_key: str) -> None:
        self._door = door
        self._base = base_url.rstrip("/")
        self._headers = {"X-N8N-API-KEY": api_key}
        self._retrying = sorter(unknown=ErrorClass.RETRY)
        self._once = sorter(unknown=ErrorClass.AMBIGUOUS)

    def webhook_url(self, path: str) -> str:
        """Where a published workflow answers for a webhook node of this path, which is one for the whole instance."""
        return f"{self._base}/webhook/{quote(path)}"

    async def find_workflows(self, name: str) -> list[Workflow]:
        """All workflows of exactly this name that are not archived. Names are not unique, so this is also how a
        creation with an unknown outcome is settled.

        Raises:
            VendorError: not everything could be read, so nothing can be said.
        """
        # n8n finds parts of names.
        return [one for one in await self.list_workflows(name=name) if one.name == name]

    async def list_workflows(self, *, name: str = "") -> list[Workflow]:
        """All workflows that are not archived, or those with `name` in their names.

        Raises:
            VendorError: not everything could be read, so nothing can be said.
        """
        found: dict[str, Workflow] = {}
        query: dict[str, Any] = {"limit": PAGE_SIZE} | ({"name": name} if name else {})
        while True:
            response = await self._call("GET", "/workflows", params=query)
            # What a change moves from page to page counts once.
            found |= {one.id: one for one in read(VENDOR, list[Workflow], response, below="data")}
            cursor = read(VENDOR, dict[str, Any], response).get("nextCursor")
            if not cursor:
                return [one for one in found.values() if not one.is_archived]
            if cursor == query.get("cursor"):
                raise VendorError(VENDOR, ErrorClass.RETRY, "a page of workflows leads to itself")
            query["cursor"] = cursor

    async def workflow(self, workflow_id: str) -> Workflow:
        """One workflow, for its state.

        Raises:
            VendorError: INPUT with status 404, there is none.
        """
        return read(VENDOR, Workflow, await self._call("GET", f"/workflows/{workflow_id}"))

    async def create_workflow(self, definition: Mapping[str, Any]) -> Workflow:
        """Make a workflow, which is not published yet. Called once: n8n makes a second one of the same name.

        Args:
            definition: `name`, `nodes`, `connections`, `settings`; n8n takes hardly anything else.

        Raises:
            ValueError: a webhook node has no `webhookId`.
            VendorError: AMBIGUOUS, there may be one: `find_workflows` tells.
        """
        check_webhooks(definition)
        response = await self._call(
            "POST", "/workflows", json=dict(definition), idempotent=False, sort=self._once, attempts=1
        )
        return read(VENDOR, Workflow, response, missing=ErrorClass.AMBIGUOUS)

    async def update_workflow(self, workflow_id: str, definition: Mapping[str, Any]) -> Workflow:
        """Replace a workflow's definition; a published one is published anew at once. May be repeated at will.

        Raises:
            ValueError: a webhook node has no `webhookId`.
            VendorError: DUPLICATE with code "webhook_path", another workflow has the path.
        """
        check_webhooks(definition)
        return read(VENDOR, Workflow, await self._call("PUT", f"/workflows/{workflow_id}", json=dict(definition)))

    async def publish(self, workflow_id: str) -> Workflow:
        """Let the newest version answer on its webhooks; one that does so already is as good.

        Raises:
            VendorError: DUPLICATE with code "webhook_path", another workflow has the path; PERMISSION, a review is
                open (`code` says which kind) or the key may not.
        """
        return read(VENDOR, Workflow, await self._call("POST", f"/workflows/{workflow_id}/publish", json={}))

    async def unpublish(self, workflow_id: str) -> Workflow:
        """Stop answering; one that does not answer is as good."""
        return read(VENDOR, Workflow, await self._call("POST", f"/workflows/{workflow_id}/unpublish"))

    async def archive(self, workflow_id: str) -> None:
        """Unpublish and put away; one that is archived or gone is as good."""
        try:
            await self._call("POST", f"/workflows/{workflow_id}/archive")
        except VendorError as error:
            if error.status != 404:
                raise

    async def put_credential(
        self, credential_id: str, name: str, data: Mapping[str, Any], *, kind: str = "httpHeaderAuth"
    ) -> None:
        """Set a credential, new or not, under an id of our choice. May be repeated at will.

        Args:
            credential_id: 1 to 16 letters, digits, underscores, hyphens.
            data: such as {"name": "X-Webhook-Token", "value": "..."}.

        Raises:
            VendorError: CONFIG, this n8n is too old and chose an id of its own.
        """
        body = {"name": name, "type": kind, "data": dict(data)}
        try:
            response = await self._call("POST", "/credentials", json={"id": credential_id, **body})
        except VendorError as error:
            if error.error_class is not ErrorClass.DUPLICATE:
                raise
            response = await self._call("PATCH", f"/credentials/{credential_id}", json=body)
        if read(VENDOR, Credential, response).id != credential_id:
            raise VendorError(VENDOR, ErrorClass.CONFIG, "this n8n chooses the ids of credentials: 2.41 is needed")

    async def delete_credential(self, credential_id: str) -> None:
        """Forget a credential; one that is gone is as good."""
        try:
            await self._call("DELETE", f"/credentials/{credential_id}")
        except VendorError as error:
            if error.status != 404:
                raise

    async def discover(self) -> frozenset[str]:
        """The scopes of our key, such as "workflow:create"; also the test of address and key."""
        return read(VENDOR, frozenset[str], await self._call("GET", "/discover"), below="scopes")

    async def _call(self, method: str, path: str, **arguments: Any) -> Answer:
        return await self._door.call(
            VENDOR,
            method,
            f"{self._base}/api/v1{path}",
            headers=self._headers,
            **({"idempotent": True, "sort": self._retrying} | arguments),
        )
