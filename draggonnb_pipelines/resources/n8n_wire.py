"""n8n's public API on the wire: what its answers hold, which class a refusal has.

Lives here: the types that the adapter returns and the error table. Does not live here: the calls (`n8n.py`).
Sources: n8n 2.41 (public API 1.1): its OpenAPI description and its source.
"""

from collections.abc import Mapping
from typing import Any

from pydantic import Field

from draggonnb_pipelines.errors import ErrorClass, VendorError
from draggonnb_pipelines.resources.answers import Rule, Sort, Wire, json_of, judge, refusal, text_of
from draggonnb_pipelines.resources.exchange import Answer

VENDOR = "n8n"
WEBHOOK_NODE = "n8n-nodes-base.webhook"
ERRORS = (
    Rule(401, ErrorClass.AUTH),
    Rule(403, ErrorClass.PERMISSION),
    Rule(
        409,
        ErrorClass.DUPLICATE,
        "conflict with one of the webhooks",
        "webhook_path",
        words="another workflow has the webhook's path",
    ),
    # An open review is a person's to close; it comes with a reason of its own.
    Rule(409, ErrorClass.PERMISSION, "review_pending", "review_pending"),
    Rule(409, ErrorClass.PERMISSION, "changes_requested", "changes_requested"),
    Rule(409, ErrorClass.DUPLICATE, code="exists"),
    # n8n itself has no limits; a proxy before it may.
    Rule(429, ErrorClass.THROTTLED),
)


class Workflow(Wire):
    """A workflow. It answers on its webhooks while it `is_active`: published, in n8n's words."""

    id: str
    name: str
    is_active: bool = Field(default=False, validation_alias="active")
    is_archived: bool = Field(default=False, validation_alias="isArchived")
    nodes: tuple[dict[str, Any], ...] = Field(default=(), repr=False)

    @property
    def webhook_ids(self) -> frozenset[str]:
        """The ids in its webhook nodes, by which whoever chose them knows the workflow again."""
        return frozenset(str(node["webhookId"]) for node in self.nodes if node.get("webhookId"))


class Credential(Wire):
    """A credential, without its data, which the API never tells."""

    id: str
    name: str


def sorter(*, unknown: ErrorClass) -> Sort:
    """The verdict on an answer.

    Args:
        unknown: what a 5xx or 408 means: AMBIGUOUS where something may have been made, else RETRY.
    """

    def sort(response: Answer) -> VendorError | None:
        if 200 <= response.status_code < 300:
            return None
        body = json_of(response)
        said = f"{text_of(body, 'reason')} {text_of(body, 'message')}"
        return refusal(VENDOR, response, judge(ERRORS, response.status_code, said, unknown=unknown))

    return sort


def check_webhooks(definition: Mapping[str, Any]) -> None:
    """Refuse a webhook node without a `webhookId`: n8n would publish it, and serve it under a path that starts with the
    workflow's id instead of the one that was asked for. The editor adds the id; a client of the API must.

    Raises:
        ValueError: names the node.
    """
    for node in definition["nodes"]:
        if node.get("type") == WEBHOOK_NODE and not node.get("webhookId"):
            raise ValueError(f"webhook node {node.get('name')!r} has no webhookId")
