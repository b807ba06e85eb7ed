"""What becomes of Claude's answers: held against the rules, mended once, blocked where a fault stays."""

from collections.abc import AsyncIterator

import pytest

from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.domain.x_length import weighted_length
from draggonnb_pipelines.resources.stack import Stack
from tests.sandbox_process import Sandbox
from tests.workflows.content_work import ask, asked, connect, generations_used, posts, told, work_through
from tests.workflows.lead_work import MESSAGES, count, tenant_rows

REQUESTER = "marketing@client.example"
# Most of a post for LinkedIn, so that two posts made from it are alike whatever stands around it.
LONG_BRIEF = (
    "On Saturday we open the new roastery behind the shop. You can watch the beans being roasted, smell the "
    "difference between a light and a dark roast, and taste both beside each other. Bring your own cup if you like, "
    "children are welcome until noon, and there is room for bicycles in the yard. The street is closed for cars that "
    "day, so come on foot or take the bus to the corner. We will explain how we choose the farms and what the harvest "
    "was like. The baker next door brings bread and tarts, a band from the school plays in the yard, and whoever wants "
    "to learn it can grind and brew a cup under the eyes of our barista. The old roaster from the founder's garage "
    "stands beside the new one, and both will run. We close in the late afternoon, and the shop is open as usual."
)


@pytest.fixture
async def client(stack: Stack, agency: Organization, outsider: Organization) -> AsyncIterator[Organization]:
    """A client with an account on three platforms; afterwards the outsider must have nothing."""
    await connect(stack, agency, "facebook", "linkedin", "x")
    yield agency
    nothing = {"content_requests": 0, "social_posts": 0, "ai_generation_log": 0}
    assert await count(stack, outsider, *nothing) == nothing


async def test_a_text_too_long_for_x_is_written_once_more_with_the_fault_named(
    stack: Stack, sandbox: Sandbox, client: Organization
) -> None:
    sandbox.faults(MESSAGES, {"kind": "content_too_long"})
    request_id = await ask(stack, client)

    worked = await work_through(stack)

    assert worked.problems == {}
    [post] = await posts(stack, client)
    assert (post["status"], post["findings"]) == ("in_review", [])
    assert weighted_length(post["variants"]["x"]["text"]) <= 280
    first, second = asked(sandbox)
    assert "<faults>" not in first
    assert "x: x.text: " in second
    assert "of at most 280 (weighted)" in second
    logs = await tenant_rows(stack, client, "select content_request_id, cost_usd from ai_generation_log")
    assert [log["content_request_id"] for log in logs] == [request_id, request_id]
    [outcome] = worked.outcomes["generate_posts"]
    assert outcome.cost_usd == sum(log["cost_usd"] for log in logs)
    assert await generations_used(stack, client) == (1, 0)


async def test_a_fault_that_stays_blocks_the_post_with_its_reason(
    stack: Stack, sandbox: Sandbox, client: Organization
) -> None:
    sandbox.faults(MESSAGES, {"kind": "content_too_long", "times": 2})
    await ask(stack, client)

    worked = await work_through(stack)

    assert worked.problems == {}
    [post] = await posts(stack, client)
    assert post["status"] == "blocked"
    [finding] = post["findings"]
    assert (finding["rule"], finding["severity"], finding["platform"]) == ("platform_rule", "block", "x")
    assert finding["reason"].endswith("of at most 280 (weighted)")
    assert await told(stack, client) == [(REQUESTER, "blocked"), ("sales@draggonnb.example", "blocked")]
    assert await count(stack, client, "content_queue") == {"content_queue": 0}


async def test_a_banned_word_is_taken_out_at_the_second_question(
    stack: Stack, sandbox: Sandbox, client: Organization
) -> None:
    await tenant_rows(
        stack,
        client,
        "insert into brand_rules (voice, banned_words, hashtags, required_disclaimer)"
        " values ('warm', '{cheap}', '{#KloofCoffee}', 'Terms apply.')",
    )
    await ask(stack, client, brief="Our cheap filter roast is here. Come and taste it.")

    await work_through(stack)

    [post] = await posts(stack, client)
    assert (post["status"], post["findings"]) == ("in_review", [])
    for one in post["variants"].values():
        assert "cheap" not in one["text"].lower()
        assert "Terms apply." in one["text"]
        assert "#KloofCoffee" in one["text"]
    assert 'the brand does not say \\"cheap\\"' in asked(sandbox)[1]


async def test_two_requests_in_the_same_words_get_a_post_each_and_the_second_is_told_apart(
    stack: Stack, sandbox: Sandbox, client: Organization
) -> None:
    await ask(stack, client, "one", brief=LONG_BRIEF, platforms=["linkedin"])
    await work_through(stack)
    await ask(stack, client, "two", brief=LONG_BRIEF, platforms=["linkedin"])

    await work_through(stack, "run-2")

    first, second = await posts(stack, client)
    assert (first["status"], first["findings"]) == ("in_review", [])
    [finding] = second["findings"]
    assert (second["status"], finding["rule"], finding["severity"]) == ("in_review", "near_duplicate", "warn")
    assert finding["reason"].endswith(f"% the same words as post {first['id']} of the last 90 days")
    assert ["<faults>" in question for question in asked(sandbox)] == [False, False, True]
    assert await generations_used(stack, client) == (2, 0)


async def test_an_answer_that_mends_a_likeness_by_breaking_a_limit_is_not_taken(
    stack: Stack, sandbox: Sandbox, client: Organization
) -> None:
    await ask(stack, client, "one", brief=LONG_BRIEF, platforms=["linkedin", "x"])
    await work_through(stack)
    sandbox.faults(MESSAGES, {"kind": "content_too_long", "match": "<faults>"})
    await ask(stack, client, "two", brief=LONG_BRIEF, platforms=["linkedin", "x"])

    await work_through(stack, "run-2")

    _, second = await posts(stack, client)
    assert second["status"] == "in_review"
    assert {finding["rule"] for finding in second["findings"]} == {"near_duplicate"}
    assert weighted_length(second["variants"]["x"]["text"]) <= 280
