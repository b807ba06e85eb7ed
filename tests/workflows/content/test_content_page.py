"""docs/workflows/content.md: what it shows to be typed works as it stands there."""

import json
import re
from datetime import UTC, datetime
from pathlib import Path

import pytest
from pydantic import JsonValue

from draggonnb_pipelines.domain.content_requests import read_request
from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.domain.publishing import Platform
from draggonnb_pipelines.domain.submissions import SubmissionRefused
from draggonnb_pipelines.resources.stack import Stack
from draggonnb_pipelines.workflows.content.content_checks import read_desk
from draggonnb_pipelines.workflows.content.recurring_requests import make_recurring
from tests.workflows.lead_work import count, variant

PAGE = (Path(__file__).resolve().parents[3] / "docs/workflows/content.md").read_text(encoding="utf-8")
NOW = datetime(2026, 11, 23, 9, tzinfo=UTC)


def test_the_request_of_the_page_is_taken(agency: Organization):
    found = re.search(r"-d '(\{.*?\})'\n```", PAGE, re.DOTALL)
    assert found

    submission = read_request(json.loads(found[1]), agency, now=NOW)

    assert submission.platforms == (Platform.FACEBOOK, Platform.INSTAGRAM, Platform.X)
    assert submission.schedule.publish_at == "2026-12-01T09:00"
    assert [file.path for file in submission.media] == ["2026/pie.jpg"]


@pytest.mark.parametrize(
    ("body", "detail"),
    [
        ({"platforms": ["tiktok"]}, "'tiktok' is none of the platforms: facebook, instagram, linkedin, x"),
        (
            {"publish_at": "2026-11-20T09:00"},
            "'2026-11-20T09:00' is 3 days 2 hours in the past; 5 minutes at most is taken as now",
        ),
        (
            {"media": ["https://a.example/pie.jpg"]},
            "must be a path in the media storage, such as 2026/pie.jpg; addresses are not fetched",
        ),
        ({"organization_id": "other"}, "is another organization than this address; send it to that one's own webhook"),
    ],
)
def test_a_refusal_of_the_page_is_worded_as_it_says(agency: Organization, body: dict[str, JsonValue], detail: str):
    with pytest.raises(SubmissionRefused) as refused:
        read_request({"brief": "We are open", **body}, agency, now=NOW)

    assert [fault.detail for fault in refused.value.faults] == [detail]
    assert detail in PAGE


async def test_the_statements_of_the_page_are_understood(stack: Stack, agency: Organization, outsider: Organization):
    [*changes, look] = re.findall(r"```sql\n(.*?)```", PAGE, re.DOTALL)
    async with stack.tenants.open(agency) as tenant:
        for statement in changes:
            await tenant.conn.execute(statement)
        await tenant.conn.execute(look)
        desk = await read_desk(tenant)

    made = await make_recurring(variant(stack, now=lambda: NOW), agency)

    assert [(slot.weekday, f"{slot.at:%H:%M}") for slot in desk.slots] == [(2, "12:00"), (4, "17:30")]
    assert desk.brand is not None
    assert (desk.brand.voice, desk.brand.banned_words) == ("warm, short sentences", ("cheap",))
    assert [(one.name, one.problem) for one in made] == [("Monday tip", None)]
    nothing = {"posting_slots": 0, "brand_rules": 0, "recurring_requests": 0}
    assert await count(stack, outsider, *nothing) == nothing
