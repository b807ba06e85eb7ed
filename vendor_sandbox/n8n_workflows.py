"""The memory of the sandbox's n8n: workflows with their published versions, credentials, what webhooks received.

Lives here: what a workflow is, under which paths its webhook nodes answer, and who else has them. Does not live here:
the API (`n8n.py`), the webhooks themselves (`n8n_webhooks.py`).
Source: n8n-workflow `getNodeWebhookPath`.
"""

import secrets
import string
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

WEBHOOK = "n8n-nodes-base.webhook"
TRIGGERS = frozenset({WEBHOOK, "n8n-nodes-base.scheduleTrigger", "n8n-nodes-base.executeWorkflowTrigger"})
_ALPHABET = string.ascii_letters + string.digits


def new_id() -> str:
    return "".join(secrets.choice(_ALPHABET) for _ in range(16))


@dataclass
class Credential:
    """One credential, its data in plain."""

    id: str
    name: str
    type: str
    data: dict[str, Any]
    at: datetime = field(default_factory=lambda: datetime.now(UTC))


@dataclass
class Workflow:
    """One workflow. Webhooks answer as its `published` nodes say, whatever was saved since."""

    definition: dict[str, Any]
    id: str = field(default_factory=new_id)
    version: str = field(default_factory=lambda: str(uuid.uuid4()))
    published: list[dict[str, Any]] | None = None
    is_archived: bool = False
    at: datetime = field(default_factory=lambda: datetime.now(UTC))
    received: list[dict[str, Any]] = field(default_factory=list)

    @property
    def name(self) -> str:
        return self.definition["name"]

    def webhooks(self, nodes: list[dict[str, Any]]) -> Iterator[tuple[str, str, dict[str, Any]]]:
        """Method, path and node of each webhook.

        The trap: a node without a `webhookId` is served under the workflow's id and the node's name, before its path.
        A path with a `:part` is served under the webhookId.
        """
        for node in nodes:
            if node.get("type") != WEBHOOK or node.get("disabled"):
                continue
            parameters = node.get("parameters") or {}
            path, webhook_id = str(parameters.get("path", "")).strip("/"), node.get("webhookId")
            if not webhook_id:
                path = f"{self.id}/{str(node.get('name', '')).lower()}/{path}"
            elif ":" in path:
                path = f"{webhook_id}/{path}"
            yield parameters.get("httpMethod", "GET"), path, node

    def public(self) -> dict[str, Any]:
        """As /_sandbox/public shows it: where it answers, and what came in there."""
        return {
            "kind": "n8n",
            "id": self.id,
            "name": self.name,
            "active": self.published is not None,
            "archived": self.is_archived,
            "webhooks": [f"{method} {path}" for method, path, _ in self.webhooks(self.published or [])],
            "received": self.received,
        }


class N8nMemory:
    """All workflows and credentials, by id."""

    def __init__(self) -> None:
        self.workflows: dict[str, Workflow] = {}
        self.credentials: dict[str, Credential] = {}

    def serving(self) -> Iterator[tuple[str, str, dict[str, Any], Workflow]]:
        """Method, path, node and workflow of every webhook that answers."""
        for workflow in self.workflows.values():
            for method, path, node in workflow.webhooks(workflow.published or []):
                yield method, path, node, workflow

    def has_conflict(self, workflow: Workflow) -> bool:
        """Whether one of its webhooks is taken, by another workflow or by itself twice."""
        taken = {(method, path) for method, path, _, other in self.serving() if other is not workflow}
        own = [(method, path) for method, path, _ in workflow.webhooks(workflow.definition["nodes"])]
        return len(set(own)) < len(own) or not taken.isdisjoint(own)

    def public(self) -> list[dict[str, Any]]:
        """Workflows, and credentials with their data in plain, as /_sandbox/public shows them."""
        credentials = [
            {"kind": "n8n_credential", "id": one.id, "name": one.name, "type": one.type, "data": one.data}
            for one in self.credentials.values()
        ]
        return [*(workflow.public() for workflow in self.workflows.values()), *credentials]

    def clear(self) -> None:
        self.workflows.clear()
        self.credentials.clear()
