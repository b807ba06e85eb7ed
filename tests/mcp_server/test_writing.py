"""The tools that change something: two steps each, once, in the audit log by the client's name, and nothing else."""

from uuid import UUID, uuid4

import pytest
from mcp.types import Implementation

from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.resources.stack import Stack
from tests.mcp_server import desk
from tests.mcp_server.desk import HOSTILE, QUESTION, audits, connected, master_rows, plain, rows_of


async def states(stack: Stack) -> dict[UUID, str]:
    return {row["id"]: row["state"] for row in await master_rows(stack, "select id, state from inbox")}


async def answers(stack: Stack, organization: Organization) -> dict[str, str | None]:
    rows = await rows_of(stack, organization, "select subject, acknowledged_by from alerts")
    return {row["subject"]: row["acknowledged_by"] for row in rows}


async def test_the_first_call_shows_what_would_be_done_and_does_nothing(stack: Stack, kloof: Organization):
    dead = await desk.add_delivery(stack, kloof, "dead", HOSTILE)
    done = await desk.add_delivery(stack, kloof, "done")

    async with connected(stack, allow_writes=True) as writer:
        preview = await writer.ok("replay_inbox", organization="kloof-coffee")

    assert preview["is_done"] is False
    assert preview["confirm"].startswith("replay 1 deliveries of kloof-coffee ")
    assert [one["id"] for one in preview["about"]] == [str(dead)]
    assert preview["about"][0]["what"].startswith("<foreign-")
    assert await states(stack) == {dead: "dead", done: "done"}
    assert await audits(stack, None) == []


async def test_dead_deliveries_wait_again_after_the_second_call_and_only_once(
    stack: Stack, kloof: Organization, outsider: Organization
):
    dead = [await desk.add_delivery(stack, kloof, "dead") for _ in range(2)]
    done = await desk.add_delivery(stack, kloof, "done")
    foreign = await desk.add_delivery(stack, outsider, "dead")

    async with connected(stack, allow_writes=True) as writer:
        preview = await writer.ok("replay_inbox", organization="kloof-coffee")
        replayed = await writer.ok("replay_inbox", organization="kloof-coffee", confirm=preview["confirm"])
        again = await writer.refused("replay_inbox", organization="kloof-coffee", confirm=preview["confirm"])

    assert (replayed["is_done"], replayed["said"]) == (True, "2 deliveries wait again")
    assert {one["id"] for one in replayed["about"]} == {str(row_id) for row_id in dead}
    assert replayed["confirm"] is None
    assert await states(stack) == {dead[0]: "received", dead[1]: "received", done: "done", foreign: "dead"}
    assert "kloof-coffee has no dead delivery that can be replayed" in again
    assert await audits(stack, None) == [("mcp:tester", "inbox.replayed", "organization:kloof-coffee")]


async def test_finished_deliveries_are_replayed_by_id_and_the_rest_stays(stack: Stack, kloof: Organization):
    done, other = await desk.add_delivery(stack, kloof, "done"), await desk.add_delivery(stack, kloof, "dead")

    async with connected(stack, allow_writes=True) as writer:
        asked = {"organization": "kloof-coffee", "ids": [str(done)]}
        preview = await writer.ok("replay_inbox", **asked)
        await writer.ok("replay_inbox", **asked, confirm=preview["confirm"])

    assert await states(stack) == {done: "received", other: "dead"}


async def test_a_delivery_whose_body_was_erased_is_not_offered(stack: Stack, kloof: Organization):
    erased = await desk.add_delivery(stack, kloof, "dead")
    await master_rows(stack, "update inbox set raw_sealed = null, parsed_sealed = null")

    async with connected(stack, allow_writes=True) as writer:
        every = await writer.refused("replay_inbox", organization="kloof-coffee")
        named = await writer.refused("replay_inbox", organization="kloof-coffee", ids=[str(erased)])

    assert "kloof-coffee has no dead delivery that can be replayed" in every
    assert f"ids: kloof-coffee has no delivery to replay: {erased}" in named
    assert await states(stack) == {erased: "dead"}


async def test_a_phrase_is_worth_nothing_once_there_is_more_than_was_shown(stack: Stack, kloof: Organization):
    first = await desk.add_delivery(stack, kloof, "dead")

    async with connected(stack, allow_writes=True) as writer:
        preview = await writer.ok("replay_inbox", organization="kloof-coffee")
        second = await desk.add_delivery(stack, kloof, "dead")
        refused = await writer.refused("replay_inbox", organization="kloof-coffee", confirm=preview["confirm"])

    assert "confirm: this is not the phrase of what would be done now; nothing was done" in refused
    assert await states(stack) == {first: "dead", second: "dead"}
    assert await audits(stack, None) == []


async def test_a_phrase_that_nobody_was_shown_or_another_client_was_is_refused(stack: Stack, kloof: Organization):
    dead = await desk.add_delivery(stack, kloof, "dead")
    asked = {"organization": "kloof-coffee"}

    async with connected(stack, allow_writes=True) as writer:
        shown = (await writer.ok("replay_inbox", **asked))["confirm"]
        guesses = [await writer.refused("replay_inbox", **asked, confirm=guess) for guess in ("yes", "", shown[:-1])]
    async with connected(stack, allow_writes=True) as another:
        elsewhere = await another.refused("replay_inbox", **asked, confirm=shown)

    assert all("confirm: " in refused for refused in (*guesses, elsewhere))
    assert await states(stack) == {dead: "dead"}


async def test_an_alert_is_seen_to_once_and_says_by_whom(stack: Stack, kloof: Organization):
    alert = str(await desk.add_alert(stack, kloof, "Late."))
    await desk.add_alert(stack, kloof, "Another.")
    asked = {"organization": "kloof-coffee", "alert_id": alert}

    async with connected(stack, allow_writes=True) as writer:
        preview = await writer.ok("answer_alert", **asked)
        before = await answers(stack, kloof)
        done = await writer.ok("answer_alert", **asked, confirm=preview["confirm"])
        again = await writer.refused("answer_alert", **asked, confirm=preview["confirm"])
        missing = await writer.refused("answer_alert", organization="kloof-coffee", alert_id=str(uuid4()))

    assert plain(preview["about"]) == [{"id": alert, "what": "publish_failed: Late."}]
    assert before == {"Late.": None, "Another.": None}
    assert done["said"] == "1 alerts are seen to; nobody else is told"
    assert await answers(stack, kloof) == {"Late.": "mcp:tester", "Another.": None}
    assert "alert_id: somebody sees to it since" in again
    assert "alert_id: kloof-coffee has no alert" in missing
    assert await audits(stack, kloof) == [("mcp:tester", "alert.acknowledged", f"alert:{alert}")]


async def test_all_alerts_of_one_event_are_acknowledged_together(
    stack: Stack, kloof: Organization, outsider: Organization
):
    for subject, event in (("One", "run_failed"), ("Two", "run_failed"), ("Other", "publish_failed")):
        await desk.add_alert(stack, kloof, subject, event)
    await desk.add_alert(stack, outsider, "Theirs", "run_failed")
    asked = {"organization": "kloof-coffee", "event": "run_failed"}

    async with connected(stack, allow_writes=True) as writer:
        preview = await writer.ok("acknowledge", **asked)
        done = await writer.ok("acknowledge", **asked, confirm=preview["confirm"])
        again = await writer.refused("acknowledge", **asked)

    assert (len(preview["about"]), done["said"]) == (2, "2 alerts are seen to; nobody else is told")
    assert await answers(stack, kloof) == {"One": "mcp:tester", "Two": "mcp:tester", "Other": None}
    assert await answers(stack, outsider) == {"Theirs": None}
    assert "kloof-coffee has no open alert of run_failed" in again


async def test_alerts_of_one_event_are_found_behind_however_many_of_others(stack: Stack, kloof: Organization):
    await rows_of(
        stack,
        kloof,
        "insert into alerts (event_key, event, subject, created_at)"
        " select 'k' || n, 'publish_failed', 'Other', now() - interval '1 day' from generate_series(1, 201) n"
        " returning id",
    )
    alert = str(await desk.add_alert(stack, kloof, "One", "run_failed"))
    asked = {"organization": "kloof-coffee", "event": "run_failed"}

    async with connected(stack, allow_writes=True) as writer:
        preview = await writer.ok("acknowledge", **asked)
        await writer.ok("acknowledge", **asked, confirm=preview["confirm"])

    assert [one["id"] for one in preview["about"]] == [alert]
    assert await answers(stack, kloof) == {"Other": None, "One": "mcp:tester"}


async def test_a_question_is_answered_once_and_only_with_what_fits_it(stack: Stack, kloof: Organization):
    row_id = await desk.add_question(stack, kloof, "Late.")
    asked = {"organization": "kloof-coffee", "row_id": str(row_id)}

    async with connected(stack, allow_writes=True) as writer:
        misfit = await writer.refused("answer_publish_question", **asked, answer="published")
        preview = await writer.ok("answer_publish_question", **asked, answer="drop")
        other = await writer.refused("answer_publish_question", **asked, answer="publish", confirm=preview["confirm"])
        before = await rows_of(stack, kloof, "select status from content_queue")
        done = await writer.ok("answer_publish_question", **asked, answer="drop", confirm=preview["confirm"])
        again = await writer.refused("answer_publish_question", **asked, answer="drop", confirm=preview["confirm"])

    assert f"answer: 'published' does not fit what row {row_id} asks -> answer publish or drop" in misfit
    assert plain(preview["about"]) == [{"id": str(row_id), "what": f"x, due 2026-11-20 07:00 UTC: {QUESTION}"}]
    assert "confirm" in other
    assert before == [{"status": "needs_review"}]
    assert done["said"] == f"{row_id} is dropped now"
    assert f"row_id: kloof-coffee has dropped, and asks nothing: row {row_id}" in again
    assert await rows_of(stack, kloof, "select status from content_queue") == [{"status": "dropped"}]
    assert await audits(stack, kloof) == [("mcp:tester", "publish.answered.drop", f"content_queue:{row_id}")]


BAD_ARGUMENTS: list[tuple[str, dict[str, object], str]] = [
    ("replay_inbox", {"ids": []}, "ids: "),
    ("replay_inbox", {"ids": ["7"]}, "ids.0: Input should be a valid UUID"),
    ("replay_inbox", {"ids": [str(uuid4())] * 201}, "ids: List should have at most 200 items"),
    ("answer_alert", {}, "alert_id: Field required"),
    ("acknowledge", {"event": "a' or true"}, "event: String should match pattern"),
    ("acknowledge", {"confirmed": "yes"}, "confirmed: Extra inputs"),
    ("acknowledge", {"confirm": "x" * 5000}, "confirm: String should have at most 300 characters"),
    ("answer_publish_question", {"row_id": str(uuid4()), "answer": "yes"}, "answer: Input should be 'published'"),
]


async def test_a_bad_argument_is_refused_by_its_name_and_nothing_happens(stack: Stack, kloof: Organization):
    await desk.add_alert(stack, kloof, "Late.")
    dead = await desk.add_delivery(stack, kloof, "dead")

    async with connected(stack, allow_writes=True) as writer:
        refused = [
            await writer.refused(tool, organization="kloof-coffee", **arguments) for tool, arguments, _ in BAD_ARGUMENTS
        ]

    told = [words for (_, _, words), text in zip(BAD_ARGUMENTS, refused, strict=True) if words not in text]
    assert told == []
    assert await states(stack) == {dead: "dead"}
    assert await answers(stack, kloof) == {"Late.": None}
    assert (await audits(stack, None), await audits(stack, kloof)) == ([], [])


@pytest.mark.parametrize("mode", ["auto", "legacy"])
@pytest.mark.parametrize(
    ("name", "actor"),
    [
        ("claude-code", "mcp:claude-code"),
        ("\x1b[2J oper\u202eator:root\n" + "x" * 500, None),
        ("\u200b", "mcp:unnamed"),
    ],
)
async def test_the_audit_log_has_the_clients_name_however_it_connects(
    stack: Stack, kloof: Organization, mode: str, name: str, actor: str | None
):
    await desk.add_delivery(stack, kloof, "dead")
    client = Implementation(name=name, version="1")

    async with connected(stack, allow_writes=True, client=client, mode=mode) as writer:
        preview = await writer.ok("replay_inbox", organization="kloof-coffee")
        await writer.ok("replay_inbox", organization="kloof-coffee", confirm=preview["confirm"])

    [(found, _, _)] = await audits(stack, None)
    assert found == (actor or "mcp:[2J operator:root " + "x" * 42)
