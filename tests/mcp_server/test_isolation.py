"""Ids of one organization under the name of another: every tool that takes an id refuses them, and nothing happens."""

import json

import pytest

from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.resources.stack import Stack
from tests.mcp_server import desk
from tests.mcp_server.desk import audits, connected, master_rows, rows_of


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


async def test_what_is_read_of_one_organization_holds_nothing_of_another(
    stack: Stack, kloof: Organization, outsider: Organization
):
    await desk.add_lead(stack, outsider, "zebra", company="zebra")
    await desk.add_delivery(stack, outsider, "dead", "zebra")
    await desk.add_question(stack, outsider, "zebra")
    await desk.add_alert(stack, outsider, "zebra")
    tools = ("list_leads", "tenant_stack", "publish_queue", "review_posts", "inbox_list", "usage", "open_alerts")

    async with connected(stack) as reader:
        own = [await reader.ok(tool, organization="kloof-coffee") for tool in tools]
        theirs = [await reader.ok(tool, organization="outsider") for tool in tools]

    assert "zebra" not in json.dumps(own)
    assert "outsider" not in json.dumps(own)
    assert [tool for tool, answer in zip(tools, theirs, strict=True) if "zebra" in json.dumps(answer)] == [
        *("list_leads", "publish_queue", "review_posts", "inbox_list", "open_alerts")
    ]
