"""The n8n of the sandbox: what may be sent, which paths are served, how webhooks refuse."""

from typing import Any

import httpx
import pytest

from tests.sandbox_process import Sandbox

WEBHOOK_ID = "5f2b8e0c-7a51-4a0c-9f57-0d6a4b7f3c11"


def ask(sandbox: Sandbox, method: str, path: str, body: Any = None, *, key: str = "sandbox") -> httpx.Response:
    headers = {"x-n8n-api-key": key} if key else {}
    return httpx.request(method, f"{sandbox.url}/n8n/api/v1{path}", json=body, headers=headers)


def webhook(path: str = "kloof/go", **change: Any) -> dict[str, Any]:
    node = {
        "name": "My Hook",
        "type": "n8n-nodes-base.webhook",
        "typeVersion": 2.1,
        "webhookId": WEBHOOK_ID,
        "parameters": {"httpMethod": "POST", "path": path},
        **change,
    }
    return {key: value for key, value in node.items() if value is not None}


def workflow(*nodes: dict[str, Any], **change: Any) -> dict[str, Any]:
    return {"name": "crmm:kloof:go", "nodes": list(nodes or (webhook(),)), "connections": {}, "settings": {}, **change}


def publish(sandbox: Sandbox, body: dict[str, Any]) -> str:
    made = ask(sandbox, "POST", "/workflows", body).json()["id"]
    assert ask(sandbox, "POST", f"/workflows/{made}/publish", {}).status_code == 200
    return made


def knock(sandbox: Sandbox, path: str, method: str = "POST", **headers: str) -> httpx.Response:
    return httpx.request(method, f"{sandbox.url}/n8n/webhook/{path}", headers=headers)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"active": True}, "request/body/active is read-only"),
        ({"id": "x"}, "request/body/id is read-only"),
        ({"tags": []}, "request/body/tags is read-only"),
        ({"colour": "red"}, "request/body must NOT have additional properties"),
        ({"settings": {"colour": "red"}}, "request/body/settings must NOT have additional properties"),
        ({"nodes": {}}, "request/body/nodes must be array"),
    ],
)
def test_what_may_not_be_sent_is_a_400(sandbox: Sandbox, change: dict[str, Any], message: str):
    made = ask(sandbox, "POST", "/workflows", workflow()).json()["id"]

    answers = [
        ask(sandbox, "POST", "/workflows", workflow(**change)),
        ask(sandbox, "PUT", f"/workflows/{made}", workflow(**change)),
    ]

    assert [(answer.status_code, answer.json()["message"]) for answer in answers] == [(400, message)] * 2
    assert len(sandbox.public("n8n")) == 1


@pytest.mark.parametrize("missing", ["name", "nodes", "connections", "settings"])
def test_what_is_missing_is_a_400(sandbox: Sandbox, missing: str):
    body = {name: value for name, value in workflow().items() if name != missing}

    answer = ask(sandbox, "POST", "/workflows", body)

    assert (answer.status_code, answer.json()["message"]) == (
        400,
        f"request/body must have required property '{missing}'",
    )


@pytest.mark.parametrize(("key", "message"), [("", "'X-N8N-API-KEY' header required"), ("bad-1", "unauthorized")])
def test_nobody_gets_in_without_a_key(sandbox: Sandbox, key: str, message: str):
    answer = ask(sandbox, "GET", "/workflows", key=key)

    assert (answer.status_code, answer.json()) == (401, {"message": message})


def test_names_may_be_there_twice_and_are_sought_by_parts_page_by_page(sandbox: Sandbox):
    made = [ask(sandbox, "POST", "/workflows", workflow()).json()["id"] for _ in range(3)]
    ask(sandbox, "POST", "/workflows", workflow(name="other"))

    first = ask(sandbox, "GET", "/workflows?name=KLOOF&limit=2").json()
    second = ask(sandbox, "GET", f"/workflows?name=KLOOF&cursor={first['nextCursor']}").json()

    assert [one["id"] for one in [*first["data"], *second["data"]]] == made
    assert second["nextCursor"] is None
    assert ask(sandbox, "GET", "/workflows?cursor=rubbish").status_code == 400
    assert ask(sandbox, "GET", "/workflows?limit=251").status_code == 400


def test_a_webhook_without_its_id_is_served_under_a_prefixed_path_only(sandbox: Sandbox):
    made = publish(sandbox, workflow(webhook(webhookId=None)))

    codes = [knock(sandbox, path).status_code for path in ("kloof/go", f"{made}/my%20hook/kloof/go")]

    assert codes == [404, 200]


def test_a_path_with_a_part_is_served_below_the_webhook_id(sandbox: Sandbox):
    publish(sandbox, workflow(webhook("leads/:id")))

    codes = [
        knock(sandbox, path).status_code for path in ("leads/7", f"{WEBHOOK_ID}/leads/7", f"{WEBHOOK_ID}/leads/7/x")
    ]

    assert codes == [404, 200, 404]


def test_a_path_is_served_by_one_workflow_at_a_time(sandbox: Sandbox):
    first = publish(sandbox, workflow())
    second = ask(sandbox, "POST", "/workflows", workflow(webhook("/kloof/go/"))).json()["id"]

    early = ask(sandbox, "POST", f"/workflows/{second}/publish", {})
    ask(sandbox, "POST", f"/workflows/{first}/unpublish")
    late = ask(sandbox, "POST", f"/workflows/{second}/publish", {})

    assert (early.status_code, early.json()["message"]) == (409, "There is a conflict with one of the webhooks.")
    assert (late.status_code, late.json()["active"]) == (200, True)


def test_another_method_is_another_webhook_and_twice_the_same_is_a_conflict(sandbox: Sandbox):
    get = webhook(parameters={"httpMethod": "GET", "path": "kloof/go"})
    publish(sandbox, workflow())
    publish(sandbox, workflow(get))
    twice = ask(sandbox, "POST", "/workflows", workflow(webhook("a"), webhook("a"))).json()["id"]

    wrong = knock(sandbox, "kloof/go", "PUT")

    assert [knock(sandbox, "kloof/go", method).status_code for method in ("GET", "POST")] == [200, 200]
    assert wrong.json()["message"] == (
        "This webhook is not registered for PUT requests. Did you mean to make a GET or POST request?"
    )
    assert ask(sandbox, "POST", f"/workflows/{twice}/publish", {}).status_code == 409


def test_a_saved_change_is_served_only_when_it_is_published(sandbox: Sandbox):
    made = publish(sandbox, workflow())

    ask(sandbox, "PUT", f"/workflows/{made}?publishIfActive=false", workflow(webhook("kloof/new")))
    before = [knock(sandbox, path).status_code for path in ("kloof/go", "kloof/new")]
    ask(sandbox, "POST", f"/workflows/{made}/publish", {})
    after = [knock(sandbox, path).status_code for path in ("kloof/go", "kloof/new")]

    assert (before, after) == ([200, 404], [404, 200])


def test_header_authentication_and_its_words(sandbox: Sandbox):
    node = webhook(
        parameters={"httpMethod": "POST", "path": "kloof/go", "authentication": "headerAuth"},
        credentials={"httpHeaderAuth": {"id": "crmm1", "name": "kloof"}},
    )
    publish(sandbox, workflow(node))

    missing = knock(sandbox, "kloof/go")
    data = {"name": "X-Webhook-Token", "value": "t"}
    body = {"id": "crmm1", "name": "kloof", "type": "httpHeaderAuth", "data": data}
    created = [ask(sandbox, "POST", "/credentials", body).status_code for _ in range(2)]
    answers = [knock(sandbox, "kloof/go"), knock(sandbox, "kloof/go", **{"x-webhook-token": "t"})]

    assert (missing.status_code, missing.text) == (500, "No authentication data defined on node!")
    assert created == [200, 409]
    assert [(answer.status_code, answer.text) for answer in answers] == [
        (403, "Authorization data is wrong!"),
        (200, '{"message":"Workflow was started"}'),
    ]
    assert len(sandbox.public("n8n")[0]["received"]) == 1


def test_an_http_request_node_forwards_the_body_with_its_credential_and_its_answer_comes_back(sandbox: Sandbox):
    data = {"name": "X-Webhook-Token", "value": "t"}
    ask(sandbox, "POST", "/credentials", {"id": "crmm1", "name": "kloof", "type": "httpHeaderAuth", "data": data})
    token = {"httpHeaderAuth": {"id": "crmm1", "name": "kloof"}}
    parameters = {
        "httpMethod": "POST",
        "path": "kloof/go",
        "authentication": "headerAuth",
        "responseMode": "responseNode",
    }
    forward = {"name": "Forward", "type": "n8n-nodes-base.httpRequest", "credentials": token}
    there, nowhere = (
        {**forward, "parameters": {"url": url}} for url in (f"{sandbox.url}/nobody/here", "http://127.0.0.1:9/")
    )
    made = publish(sandbox, workflow(webhook(parameters=parameters, credentials=token), there))
    headers = {"x-webhook-token": "t", "x-delivery-id": "d-1"}
    url = f"{sandbox.url}/n8n/webhook/kloof/go"

    answered = httpx.post(url, json={"brief": "Köffie"}, headers=headers)
    ask(sandbox, "PUT", f"/workflows/{made}", workflow(webhook(parameters=parameters, credentials=token), nowhere))
    silent = httpx.post(url, json={}, headers=headers)

    assert answered.status_code == 404
    [seen] = [entry for entry in sandbox.journal() if entry["path"] == "/nobody/here"]
    assert (seen["method"], seen["body"]) == ("POST", {"brief": "Köffie"})
    assert (seen["headers"]["x-webhook-token"], seen["headers"]["x-delivery-id"]) == ("t", "d-1")
    assert (silent.status_code, silent.json()) == (500, {"message": "Error in workflow"})


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"id": "x" * 17}, 400),
        ({"id": "no spaces"}, 400),
        ({"type": "githubApi"}, 400),
        ({"data": {"name": "X"}}, 400),
        ({}, 200),
    ],
)
def test_a_credential_is_checked(sandbox: Sandbox, change: dict[str, Any], status: int):
    body = {"id": "crmm1", "name": "kloof", "type": "httpHeaderAuth", "data": {"name": "X", "value": "t"}, **change}

    answer = ask(sandbox, "POST", "/credentials", body)

    assert (answer.status_code, "data" in answer.json()) == (status, False)
    assert len(sandbox.public("n8n_credential")) == (status == 200)


def test_an_unpublished_path_is_not_registered(sandbox: Sandbox):
    ask(sandbox, "POST", "/workflows", workflow())

    answer = knock(sandbox, "kloof/go")

    assert answer.status_code == 404
    assert answer.json()["message"] == 'The requested webhook "POST kloof/go" is not registered.'
    assert answer.json()["hint"].startswith("The workflow must be active for a production URL to run successfully.")


def test_what_has_no_trigger_or_is_archived_cannot_be_published(sandbox: Sandbox):
    idle = ask(sandbox, "POST", "/workflows", workflow({"name": "Set", "type": "n8n-nodes-base.set"})).json()["id"]
    gone = ask(sandbox, "POST", "/workflows", workflow()).json()["id"]
    ask(sandbox, "POST", f"/workflows/{gone}/archive")

    codes = [ask(sandbox, "POST", f"/workflows/{one}/publish", {}).status_code for one in (idle, gone, "nobody")]

    assert codes == [400, 400, 404]


def test_the_key_of_the_api_is_not_in_the_journal(sandbox: Sandbox):
    ask(sandbox, "GET", "/workflows", key="very-secret")

    assert sandbox.journal("n8n")[0]["headers"]["x-n8n-api-key"] == "[redacted]"
