"""Publishing runs in Dagster: the partitions of exactly the clients with something due, tables, links and checks."""

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import dagster as dg
import psycopg
import pytest
from psycopg.sql import SQL, Identifier

from draggonnb_pipelines.definitions import build_defs
from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.domain.publishing import Platform
from draggonnb_pipelines.resources.stack import Stack
from draggonnb_pipelines.workflows.publishing.agenda import note_due
from tests.assets.dagster_work import materialized, metadata, run_content, today, with_stack
from tests.conftest import MASTER_KEYS, MakeOrganization
from tests.sandbox_process import Sandbox
from tests.workflows.publish_work import approve, connect, queue

JOB = "publish_due_posts"


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as ephemeral:
        yield ephemeral


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch, master_dsn: str, sandbox: Sandbox) -> None:
    """What `draggonnb up` gives to the processes of Dagster."""
    monkeypatch.setenv("DRAGGONNB_MASTER_DSN", master_dsn)
    monkeypatch.setenv("DRAGGONNB_MASTER_KEYS", MASTER_KEYS)
    monkeypatch.setenv("DRAGGONNB_SANDBOX_PORT", str(sandbox.port))
    monkeypatch.setenv("DRAGGONNB_PUBLISH_SETTLE_SECONDS", "60")


def post(organization: Organization, *texts: str, **more: Any) -> None:
    """Approved posts of a client with accounts on X and Facebook, and the note in the agenda that they are due."""

    more.setdefault("platforms", ("x", "facebook"))

    async def once(stack: Stack) -> None:
        await connect(stack, organization, Platform.X, Platform.FACEBOOK)
        for text in texts:
            await approve(stack, organization, text, **more)
        await note_due(stack.master, organization.id, stack.now())

    with_stack(once)


def ledger(organization: Organization) -> list[dict[str, Any]]:
    return with_stack(lambda stack: queue(stack, organization))


def checks_of(result: dg.ExecuteInProcessResult, organization: Organization) -> dict[str, dg.AssetCheckEvaluation]:
    found = [one for one in result.get_asset_check_evaluations() if one.partition == today(organization)]
    return {one.check_name: one for one in found}


@pytest.fixture
async def roastery(make_organization: MakeOrganization) -> Organization:
    return await make_organization("roastery")


def test_one_run_publishes_for_every_client_of_the_agenda_and_for_nobody_else(
    instance: dg.DagsterInstance, agency: Organization, roastery: Organization, outsider: Organization, sandbox: Sandbox
) -> None:
    busy = [agency, roastery]
    for organization in busy:
        post(organization, f"Fresh beans at {organization.slug}.")

    result = run_content(instance, JOB)

    assert result.success
    partitions = {today(organization) for organization in busy}
    assert materialized(instance, "published_posts") == partitions
    assert materialized(instance, "content_queue") == partitions
    assert materialized(instance, "content_requests") == materialized(instance, "generated_posts") == set()
    for organization in busy:
        assert {row["status"] for row in ledger(organization)} == {"published"}
    assert len(sandbox.public("x")) == len(sandbox.public("facebook")) == 2
    assert ledger(outsider) == []


def test_the_materialization_has_the_table_the_links_and_the_pictures(
    instance: dg.DagsterInstance, agency: Organization, sandbox: Sandbox
) -> None:
    post(agency, "Fresh | beans.\n<script>alert(1)</script>")

    result = run_content(instance, JOB)

    shown = metadata(instance, "published_posts")
    links = [seen["url"] for platform in ("facebook", "x") for seen in sandbox.public(platform)]
    lines = shown["posts"].splitlines()
    assert lines[0] == "| platform | account | part | status | late | post |"
    assert sorted(line.split(" | ")[0] for line in lines[2:]) == ["| facebook", "| x"]
    assert all(f"[open]({link})" in shown["posts"] and f"]({link})" in shown["as they appear"] for link in links)
    assert shown["as they appear"].count("![") == 2
    assert "<script>" not in json.dumps(shown)
    assert (shown["dagster/partition_row_count"], shown["published in this run"]) == (2, 2)
    assert shown["cost (USD)"] == float(sum(row["cost_usd"] for row in ledger(agency)))
    assert shown["lateness (most, s)"] < 60
    assert {name: one.passed for name, one in checks_of(result, agency).items()} == {
        "no_open_questions": True,
        "out_on_time": True,
    }


def test_a_question_to_a_person_fails_its_check_and_the_job_answers_it(
    instance: dg.DagsterInstance, agency: Organization, outsider: Organization, sandbox: Sandbox
) -> None:
    post(agency, "Yesterday's news.", platforms=("x",), late=timedelta(hours=5))
    post(outsider, "Punctual.", platforms=("x",))

    result = run_content(instance, JOB)

    assert result.success
    ours, theirs = checks_of(result, agency), checks_of(result, outsider)
    [row] = ledger(agency)
    assert (ours["no_open_questions"].passed, theirs["no_open_questions"].passed) == (False, True)
    assert f"| `{row['id']}` | x |" in str(ours["no_open_questions"].metadata["questions"].value)
    config = {"organization": agency.slug, "row": str(row["id"]), "action": "publish"}
    answered = (
        build_defs()
        .resolve_job_def("act_on_post")
        .execute_in_process(instance=instance, run_config={"ops": {"act_on_one_post": {"config": config}}})
    )
    late = run_content(instance, JOB)

    assert (answered.success, late.success) == (True, True)
    assert {one.check_name: one.passed for one in late.get_asset_check_evaluations()} == {
        "no_open_questions": True,
        "out_on_time": False,
    }
    assert sorted(seen["text"] for seen in sandbox.public("x")) == ["Punctual.", "Yesterday's news."]


def test_a_client_whose_database_is_away_fails_alone_and_comes_again_in_a_minute(
    instance: dg.DagsterInstance, agency: Organization, outsider: Organization, master_dsn: str, sandbox: Sandbox
) -> None:
    post(agency, "We are open.")
    post(outsider, "We are away.")
    with psycopg.connect(master_dsn, autocommit=True) as conn:
        database = Identifier(str(outsider.database_name))
        conn.execute(SQL("alter database {} allow_connections false").format(database))
        conn.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity where datname = %s", [outsider.database_name]
        )

        result = run_content(instance, JOB, raises=False)

        conn.execute(SQL("alter database {} allow_connections true").format(database))
        soon = conn.execute(
            "select o.slug from publishing_agenda a join organizations o on o.id = a.organization_id"
            " where a.next_due_at between now() + interval '40 seconds' and now() + interval '61 seconds'"
        ).fetchall()
    assert not result.success
    assert materialized(instance, "published_posts") == {today(agency)}
    assert soon == [("outsider",)]
    assert {seen["text"] for seen in sandbox.public("x")} == {"We are open."}
    again = run_content(instance, JOB, everyone=True)
    assert again.success
    assert materialized(instance, "published_posts") == {today(agency), today(outsider)}
    assert sorted(seen["text"] for seen in sandbox.public("x")) == ["We are away.", "We are open."]


def test_with_nothing_due_a_run_materializes_nothing_and_asks_nobody(
    instance: dg.DagsterInstance, agency: Organization, sandbox: Sandbox
) -> None:
    post(agency, "Next week.", late=timedelta(days=-7))
    run_content(instance, JOB)  # puts it on the queue
    asked = len(sandbox.journal())
    before = instance.fetch_materializations(dg.AssetKey("published_posts"), limit=10).records

    result = run_content(instance, JOB, everyone=True)

    assert result.success
    assert len(sandbox.journal()) == asked
    assert instance.fetch_materializations(dg.AssetKey("published_posts"), limit=10).records == before
    assert {row["status"] for row in ledger(agency)} == {"scheduled"}


def test_what_the_dashboard_approved_is_found_by_the_sweep_without_a_note(
    instance: dg.DagsterInstance, agency: Organization, outsider: Organization, sandbox: Sandbox
) -> None:
    post(agency, "Approved in the app.", platforms=("x",))

    async def forget(stack: Stack) -> None:
        async with stack.master.connection() as conn:
            await conn.execute("delete from publishing_agenda")

    with_stack(forget)
    by_agenda = run_content(instance, JOB)
    assert (by_agenda.success, sandbox.public("x")) == (True, [])

    run_content(instance, JOB, everyone=True)

    assert [seen["text"] for seen in sandbox.public("x")] == ["Approved in the app."]
    assert materialized(instance, "published_posts") == {today(agency)}
