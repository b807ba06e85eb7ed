"""`draggonnb publish`: the queue, what waits for a person, answers, taking back, resuming a network."""

import contextlib
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from psycopg.rows import DictRow, dict_row
from psycopg.types.json import Jsonb
from typer.testing import CliRunner

from draggonnb_pipelines.cli import app
from draggonnb_pipelines.resources.postgres import dsn_for
from tests.cli.conftest import Cli

MakeTenant = Callable[[str], str]
QUESTION = "It is 5 hours late. Publish it all the same, or drop it?"
AT = datetime(2026, 11, 20, 7, tzinfo=UTC)
WIDE = {"COLUMNS": "250"}


def tenant_rows(cli: Cli, slug: str, query: str, *values: object) -> list[dict[str, Any]]:
    [row] = cli.rows("select database_name from organizations where slug = %s", slug)
    dsn = dsn_for(cli.environment["DRAGGONNB_MASTER_DSN"], row["database_name"])
    with contextlib.closing(psycopg.Connection[DictRow].connect(dsn, autocommit=True, row_factory=dict_row)) as conn:
        cursor = conn.execute(query.encode(), values or None)
        return cursor.fetchall() if cursor.description else []


def add_row(cli: Cli, slug: str, text: str, status: str, platform: str = "x", **columns: Any) -> UUID:
    """A row of the ledger with its post and account, in whatever state."""
    account = f"{platform}-account"
    tenant_rows(
        cli,
        slug,
        "insert into social_accounts (platform_id, external_id, handle, credentials) values (%s, %s, %s, 'sealed')"
        " on conflict do nothing",
        platform,
        account,
        f"@{slug}",
    )
    post_id = uuid4()
    tenant_rows(
        cli,
        slug,
        "insert into social_posts (id, content, status, content_hash) values (%s, %s, 'draft', '')",
        post_id,
        text,
    )
    values = {"publish_at": AT, "due_at": AT, "payload": Jsonb({"text": text}), "status": status} | columns
    names, places = ", ".join(values), ", ".join(["%s"] * len(values))
    [row] = tenant_rows(
        cli,
        slug,
        f"insert into content_queue (post_id, platform_id, account_id, revision, {names})"
        f" select %s, platform_id, id, 1, {places} from social_accounts where external_id = %s returning id",
        post_id,
        *values.values(),
        account,
    )
    return row["id"]


def published(cli: Cli, slug: str, text: str, platform: str = "x", hours_ago: float = 1) -> UUID:
    at = datetime.now(UTC) - timedelta(hours=hours_ago)
    return add_row(
        cli, slug, text, "published", platform, publish_at=at, published_at=at + timedelta(seconds=3),
        platform_post_id=f"id of {text}", platform_url=f"https://{platform}.example/1", attempts=1,
    )  # fmt: skip


def states(cli: Cli, slug: str) -> dict[str, str]:
    rows = tenant_rows(cli, slug, "select payload ->> 'text' as text, status from content_queue")
    return {row["text"]: row["status"] for row in rows}


def audit(cli: Cli, slug: str) -> list[tuple[bool, str, str]]:
    """Whether an operator did it, what, and to which row."""
    rows = tenant_rows(
        cli, slug, "select actor, action, resource from audit_log where starts_with(action, 'publish.') order by id"
    )
    return [(row["actor"].startswith("operator:"), row["action"], row["resource"]) for row in rows]


def cells(out: str) -> list[list[str]]:
    return [[cell.strip() for cell in line.split("│")[1:-1]] for line in out.splitlines() if line.startswith("│")]


def test_the_queue_shows_what_goes_out_and_what_went_out_and_a_status_alone(cli: Cli, tenant: MakeTenant):
    tenant("queue-shop")
    tenant("outsider-queue")
    out_id = published(cli, "queue-shop", "Out.")
    late_id = add_row(cli, "queue-shop", "[red]Late.[/red]", "needs_review", question=QUESTION)

    every = cli.ok("publish", "queue", "queue-shop", **WIDE)
    waiting = cli.ok("publish", "queue", "queue-shop", "--status", "needs_review", **WIDE)

    first, second = cells(every)
    assert first[:4] == [str(out_id), "x", "@queue-shop", "published"]
    assert first[5:] == ["3 s", "Out.", "https://x.example/1"]
    assert second[:4] == [str(late_id), "x", "@queue-shop", "needs_review"]
    assert second[5:] == ["", "[red]Late.[/red]", QUESTION]
    assert cells(waiting) == [second]
    assert cli.ok("publish", "queue", "outsider-queue") == "nothing is on the queue\n"


def test_review_shows_the_questions_of_one_organization_or_of_all(cli: Cli, tenant: MakeTenant):
    for slug in ("asking-shop", "other-asker", "quiet-shop"):
        tenant(slug)
    ours = add_row(cli, "asking-shop", "Ours.", "needs_review", question=QUESTION)
    theirs = add_row(cli, "other-asker", "Theirs.", "needs_review", question="Is it there?")
    published(cli, "asking-shop", "Out.")

    one, everybody = cli.ok("publish", "review", "asking-shop", **WIDE), cli.ok("publish", "review", **WIDE)

    assert one.splitlines()[:3] == [
        f"asking-shop  {ours}  x @asking-shop",
        "  due 2026-11-20 07:00 UTC: 'Ours.'",
        f"  {QUESTION}",
    ]
    assert (str(ours) in everybody, str(theirs) in everybody) == (True, True)
    assert str(theirs) not in one
    assert "Out." not in everybody
    assert cli.ok("publish", "review", "quiet-shop") == "nothing waits for a person\n"


def test_an_answer_is_applied_once_with_who_gave_it(cli: Cli, tenant: MakeTenant):
    tenant("answer-shop")
    row_id = add_row(cli, "answer-shop", "Late.", "needs_review", question=QUESTION)

    misfit = cli("publish", "answer", "answer-shop", str(row_id), "published")
    said = cli.ok("publish", "answer", "answer-shop", str(row_id), "drop")
    again = cli("publish", "answer", "answer-shop", str(row_id), "publish")

    assert said == f"{row_id} is dropped now\n"
    assert misfit.code == again.code == 1
    assert misfit.err.splitlines() == [
        f"error: 'published' does not answer: {QUESTION}",
        "  -> answer publish or drop",
    ]
    assert again.err.splitlines() == [
        f"error: {row_id} is dropped and asks nothing",
        "  -> `draggonnb publish review answer-shop` shows what asks",
    ]
    assert states(cli, "answer-shop") == {"Late.": "dropped"}
    assert audit(cli, "answer-shop") == [(True, "publish.answered.drop", f"content_queue:{row_id}")]


def test_a_word_that_is_no_answer_and_a_row_that_is_not_there_change_nothing(cli: Cli, tenant: MakeTenant):
    tenant("typo-shop")
    row_id = add_row(cli, "typo-shop", "Late.", "needs_review", question=QUESTION)
    stranger = uuid4()

    typo = cli("publish", "answer", "typo-shop", str(row_id), "yes")
    missing = cli("publish", "answer", "typo-shop", str(stranger), "drop")
    nobody = cli("publish", "answer", "no-such-shop", str(row_id), "drop")
    not_an_id = cli("publish", "undo", "typo-shop", "7")

    assert (typo.code, missing.code, nobody.code, not_an_id.code) == (2, 1, 1, 2)
    assert missing.err.splitlines()[0] == f"error: there is no row {stranger}"
    assert "no-such-shop" in nobody.err.splitlines()[0]
    assert states(cli, "typo-shop") == {"Late.": "needs_review"}
    assert audit(cli, "typo-shop") == []


def test_a_post_is_taken_back_while_the_window_is_open_and_where_the_network_can(cli: Cli, tenant: MakeTenant):
    tenant("undo-shop")
    fresh = published(cli, "undo-shop", "Fresh.")
    old = published(cli, "undo-shop", "Old.", hours_ago=30)
    picture = published(cli, "undo-shop", "Picture.", platform="instagram")

    said = cli.ok("publish", "undo", "undo-shop", str(fresh), **WIDE)
    refused = {name: cli("publish", "undo", "undo-shop", str(row)) for name, row in (("old", old), ("ig", picture))}
    again = cli("publish", "undo", "undo-shop", str(fresh))

    assert said == f"{fresh} will be deleted within a minute\n"
    assert refused["old"].err.splitlines()[1] == (
        "  -> only posts published within the last 24 hours can be taken back"
    )
    assert refused["ig"].err.splitlines() == [
        "error: Instagram lets no program delete a post",
        "  -> delete it in the Instagram app",
    ]
    assert [one.code for one in (*refused.values(), again)] == [1, 1, 1]
    assert again.err.splitlines()[0].startswith(f"error: {fresh} is undo_requested")
    assert states(cli, "undo-shop") == {"Fresh.": "undo_requested", "Old.": "published", "Picture.": "published"}
    assert audit(cli, "undo-shop") == [(True, "publish.undo_requested", f"content_queue:{fresh}")]
    due = cli.rows(
        "select o.slug from publishing_agenda a join organizations o on o.id = a.organization_id"
        " where a.next_due_at <= now()"
    )
    assert due == [{"slug": "undo-shop"}]


def test_a_stopped_network_goes_on_when_an_operator_says_so(cli: Cli):
    cli.execute(
        "insert into app_quotas (vendor, stopped_reason, resume_at)"
        " values ('linkedin', 'HTTP 426', now() + interval '1 hour'), ('x', 'HTTP 402', null)"
    )

    unknown = cli("publish", "resume", "instagram")
    said = cli.ok("publish", "resume", "linkedin")

    assert said == "linkedin goes on with the next run\n"
    assert (unknown.code, unknown.err.splitlines()) == (
        1,
        ["error: 'instagram' is no network's vendor", "  -> one of meta, linkedin, x"],
    )
    assert cli.rows("select vendor, stopped_reason, resume_at from app_quotas order by vendor") == [
        {"vendor": "linkedin", "stopped_reason": None, "resume_at": None},
        {"vendor": "x", "stopped_reason": "HTTP 402", "resume_at": None},
    ]
    [entry] = cli.rows("select action, resource from audit_log where action = 'vendor.resumed'")
    assert entry["resource"] == "vendor:linkedin"


@pytest.mark.parametrize("verb", ["queue", "review", "answer", "undo", "resume"])
def test_every_verb_explains_itself(verb: str):
    done = CliRunner().invoke(app, ["publish", verb, "--help"])

    assert done.exit_code == 0
