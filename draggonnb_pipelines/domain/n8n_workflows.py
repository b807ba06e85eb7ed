"""The entry workflows that a client has in n8n: what they are called, what they hold, and how they are ours.

Lives here: the definition that n8n is given. Not here: when it is made and published
(`workflows/provisioning/n8n_webhooks.py`), what the forwarded call means (`api/`).
Sources: n8n-nodes-base 2.41 (webhook 2.1, httpRequest 4.2, respondToWebhook 1.4).
"""

from typing import Any

from draggonnb_pipelines.domain.provisioning import Client, stable_id, webhook_path

TOKEN_HEADER = "X-Webhook-Token"
_TIMEOUT_MS = 30_000


def credential_id(client: Client) -> str:
    """The id of the client's token among n8n's credentials: 16 characters, as many as n8n takes."""
    return stable_id(client, "n8n:credential").hex[:16]


def webhook_id(client: Client, kind: str) -> str:
    """What the webhook node of one entry carries. n8n keeps it, and nobody else has it: by it a workflow is ours."""
    return str(stable_id(client, f"n8n:{kind}"))


def entry_workflow(client: Client, kind: str, *, api_url: str) -> dict[str, Any]:
    """A workflow that takes POST /webhook/<slug>/<kind> with the client's token and answers as our own API does.

    One credential serves both sides: the header that a caller must send is the header that our API is sent. A caller's
    delivery id goes along, so that a repetition through n8n is the same delivery.

    Args:
        api_url: where our API is, without a slash at the end.
    """
    path = webhook_path(client.slug, kind)
    token = {"httpHeaderAuth": {"id": credential_id(client), "name": client.slug}}
    return {
        "name": path,
        "nodes": [
            _webhook(path, webhook_id(client, kind), token),
            _forward(f"{api_url}/webhook/{path}", token),
            _answer(),
        ],
        "connections": {
            "Webhook": {"main": [[{"node": "Forward", "type": "main", "index": 0}]]},
            "Forward": {"main": [[{"node": "Answer", "type": "main", "index": 0}]]},
        },
        "settings": {"executionOrder": "v1"},
    }


def _webhook(path: str, own_id: str, token: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": "webhook",
        "name": "Webhook",
        "type": "n8n-nodes-base.webhook",
        "typeVersion": 2.1,
        "position": [0, 0],
        "webhookId": own_id,
        "parameters": {
            "httpMethod": "POST",
            "path": path,
            "authentication": "headerAuth",
            "responseMode": "responseNode",
            "options": {},
        },
        "credentials": token,
    }


def _forward(url: str, token: dict[str, Any]) -> dict[str, Any]:
    """Whatever our API answers is an answer; only silence is an error, and repeated."""
    delivery_id = "={{ $json.headers['x-delivery-id'] ?? $json.headers['idempotency-key'] ?? '' }}"
    return {
        "id": "forward",
        "name": "Forward",
        "type": "n8n-nodes-base.httpRequest",
        "typeVersion": 4.2,
        "position": [220, 0],
        "retryOnFail": True,
        "maxTries": 3,
        "waitBetweenTries": 2000,
        "parameters": {
            "method": "POST",
            "url": url,
            "authentication": "genericCredentialType",
            "genericAuthType": "httpHeaderAuth",
            "sendHeaders": True,
            "headerParameters": {"parameters": [{"name": "X-Delivery-Id", "value": delivery_id}]},
            "sendBody": True,
            "specifyBody": "json",
            "jsonBody": "={{ JSON.stringify($json.body) }}",
            "options": {"timeout": _TIMEOUT_MS, "response": {"response": {"fullResponse": True, "neverError": True}}},
        },
        "credentials": token,
    }


def _answer() -> dict[str, Any]:
    return {
        "id": "answer",
        "name": "Answer",
        "type": "n8n-nodes-base.respondToWebhook",
        "typeVersion": 1.4,
        "position": [440, 0],
        "parameters": {
            "respondWith": "json",
            "responseBody": "={{ $json.body }}",
            "options": {"responseCode": "={{ $json.statusCode }}"},
        },
    }
