"""Ids of one organization under the name of another: every tool that takes an id refuses them, and nothing happens."""

import json
from typing import Any

import pytest

from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.resources.postgres import MasterDb, Tenants
from draggonnb_pipelines.resources.stack import Stack
from tests.conftest import MakeOrganization
from tests.mcp_server import desk
from tests.mcp_server.desk import audits, connected, master_rows, rows_of
from tests.security.two_clients import told, two_clients

# Each tool with what it is given in one organization's name of another's, and the words by which it refuses; or why
# there is no such attempt. `%(row)s` is the id of the other's row.
ATTEMPTS: dict[str, tuple[dict[str, Any], str] | str] = {
    "list_organizations": "the operator's list of all of them; it takes no organization",
    "health": "about the installation; it takes no organization and holds nothing of one",
    "list_leads": ({}, ""),
    "show_analysis": ({"lead_id": "%(lead)s"}, "outsider has no lead"),
    "tenant_stack": ({}, ""),
    "publish_queue": ({}, ""),
    "review_posts": ({}, ""),
    "inbox_list": ({}, ""),
    "usage": ({}, ""),
    "open_alerts": ({}, ""),
    "replay_inbox": ({"ids": ["%(delivery)s"]}, "outsider has no delivery to replay"),
    "answer_alert": ({"alert_id": "%(alert)s"}, "outsider has no alert"),
    "acknowledge": ({"event": "account_blocked"}, "outsider has no open alert"),
    "answer_publish_question": ({"row_id": "%(row)s", "answer": "drop"}, "outsider has no row"),
}
# Those whose answer holds the other's words when the other is asked for.
SHOWING = ("list_leads", "publish_queue", "inbox_list", "open_alerts")


@pytest.mark.parametrize(
    ("tool", "field", "more"),
    [
        ("show_analysis", "lead_id", {}),
        ("replay_inbox", "ids", {}),
        ("answer_alert", "alert_id", {}),
        ("answer_publish_question", "row_id", {"answer": "drop"}),
    ],
)
async def test_an_id_of_another_organization_is_not_there(
    stack: Stack, kloof: Organization, outsider: Organization, tool: str, field: str, more: dict[str, str]
):
    theirs = {
        "lead_id": await desk.add_lead(stack, outsider, "Theirs."),
        "ids": await desk.add_delivery(stack, outsider, "dead"),
        "alert_id": await desk.add_alert(stack, outsider, "Theirs."),
        "row_id": await desk.add_question(stack, outsider, "Theirs."),
    }
    given = [str(theirs[field])] if field == "ids" else str(theirs[field])

    async with connected(stack, allow_writes=True) as writer:
        if tool != "show_analysis":
            own = await writer.ok(tool, organization="outsider", **{field: given}, **more)
            more = {**more, "confirm": own["confirm"]}
        refused = await writer.refused(tool, organization="kloof-coffee", **{field: given}, **more)

    assert f"{field}: kloof-coffee has no" in refused
    assert "Theirs" not in refused
    assert [row["state"] for row in await master_rows(stack, "select state from inbox")] == ["dead"]
    assert await rows_of(stack, outsider, "select status from content_queue") == [{"status": "needs_review"}]
    assert await rows_of(stack, outsider, "select acknowledged_by from alerts") == [{"acknowledged_by": None}]
    assert [await audits(stack, one) for one in (None, kloof, outsider)] == [[], [], []]


async def test_some_ids_of_another_among_own_ones_refuse_all(stack: Stack, kloof: Organization, outsider: Organization):
    own, theirs = await desk.add_delivery(stack, kloof, "dead"), await desk.add_delivery(stack, outsider, "dead")

    async with connected(stack, allow_writes=True) as writer:
        refused = await writer.refused("replay_inbox", organization="kloof-coffee", ids=[str(own), str(theirs)])

    assert f"ids: kloof-coffee has no delivery to replay: {theirs}" in refused
    assert str(own) not in refused
    assert {row["state"] for row in await master_rows(stack, "select state from inbox")} == {"dead"}


async def test_no_tool_gives_or_changes_anything_of_another_organization(
    stack: Stack,
    outsider: Organization,
    make_organization: MakeOrganization,
    master: MasterDb,
    tenants: Tenants,
    master_dsn: str,
):
    clients = await two_clients(make_organization, outsider, master, tenants, master_dsn)
    before = clients.everything_of_the_other()
    ids = {name: str(one) for name, one in clients.ids.items()}
    wrong = []

    async with connected(stack, allow_writes=True) as writer:
        assert await writer.tools() == set(ATTEMPTS)
        for tool, attempt in ATTEMPTS.items():
            if isinstance(attempt, str):
                continue
            arguments, words = attempt
            asked = json.dumps(arguments) % ids
            done = await writer.client.call_tool(tool, json.loads(asked) | {"organization": "outsider"})
            answer = str(done.content)
            if done.is_error != bool(words) or words not in answer or told(answer, clients, asked):
                wrong.append((tool, answer))
        theirs = [await writer.ok(tool, organization="kloof-coffee") for tool in SHOWING]

    assert wrong == []
    assert clients.everything_of_the_other() == before
    assert [bool(told(json.dumps(answer), clients)) for answer in theirs] == [True] * len(SHOWING)
