"""Sending a lead, looking at the inbox, replaying, reprocessing, and the audit that is left of it."""

import re
from collections.abc import Callable
from contextlib import AbstractContextManager
from uuid import uuid4

import psycopg

from draggonnb_pipelines.resources.postgres import dsn_for
from tests.cli.conftest import Cli

MakeTenant = Callable[[str], str]
RunApi = Callable[[], AbstractContextManager[None]]


def test_a_lead_is_accepted_once_and_only_by_its_organization(cli: Cli, tenant: MakeTenant, running_api: RunApi):
    tenant("kalk-bay-tea")
    tenant("outsider-two")
    lead = ["lead", "send", "kalk-bay-tea", "--name", "Front desk", "--delivery-id", "d-1"]

    with running_api():
        first = cli.ok(*lead, "--email", "desk@example.com")
        again = cli.ok(*lead, "--email", "desk@example.com")
        changed = cli.ok(*lead, "--email", "other@example.com")

    [row] = cli.rows(
        "select i.id, o.slug, i.state, i.source, i.delivery_id from inbox i join organizations o"
        " on o.id = i.organization_id"
    )
    row_id = str(row.pop("id"))
    assert row == {"slug": "kalk-bay-tea", "state": "received", "source": "web_form", "delivery_id": "d-1"}
    assert first.splitlines() == [
        f"accepted: inbox row {row_id}, delivery d-1",
        "follow it: draggonnb inbox list --organization kalk-bay-tea",
    ]
    assert again == f"received before: inbox row {row_id}, delivery d-1; nothing was added\n"
    assert changed.endswith("its fields differ from the first time; the first ones are kept\n")
    assert row_id in cli.ok("inbox", "list", "--organization", "kalk-bay-tea", "--state", "received")
    assert cli.ok("inbox", "list", "--organization", "outsider-two") == "no such delivery\n"


def test_a_lead_that_nobody_could_answer_is_refused_with_the_field(cli: Cli, tenant: MakeTenant, running_api: RunApi):
    tenant("noordhoek-farm")

    with running_api():
        ended = cli("lead", "send", "noordhoek-farm", "--name", "Nobody")

    assert ended.code == 1
    assert ended.err.startswith("error: the API answered 422: email or phone is needed")
    assert cli.rows("select 1 from inbox") == []


def test_without_the_api_the_remedy_is_to_start_it(cli: Cli, tenant: MakeTenant):
    tenant("simons-town-boats")

    ended = cli("lead", "send", "simons-town-boats", "--email", "a@example.com")

    assert ended.code == 1
    first, second = ended.err.splitlines()
    assert first == f"error: the API does not answer at http://127.0.0.1:{cli.environment['DRAGGONNB_API_PORT']}"
    assert "`draggonnb up`" in second


def test_replay_takes_the_dead_of_one_organization_and_is_audited(cli: Cli, tenant: MakeTenant):
    tenant("rondebosch-bikes")
    tenant("outsider-three")
    dead = _deliver(cli, "rondebosch-bikes", "dead")
    done = _deliver(cli, "rondebosch-bikes", "done")
    foreign = _deliver(cli, "outsider-three", "dead")

    out = cli.ok("inbox", "replay", "--organization", "rondebosch-bikes")

    assert out.splitlines() == ["1 rows wait again", f"  {dead}"]
    states = {str(row["id"]): row["state"] for row in cli.rows("select id, state from inbox")}
    assert states == {dead: "received", done: "done", foreign: "dead"}
    [entry] = cli.rows("select actor, resource, metadata from audit_log where action = 'inbox.replayed'")
    assert entry["actor"].startswith("operator:")
    assert entry["resource"] == "organization:rondebosch-bikes"
    assert entry["metadata"] == {"rows": 1, "ids": [dead]}


def test_replay_by_id_names_what_it_left_alone(cli: Cli, tenant: MakeTenant):
    tenant("woodstock-prints")
    done, waiting, unknown = (
        _deliver(cli, "woodstock-prints", "done"),
        _deliver(cli, "woodstock-prints", "received"),
        str(uuid4()),
    )

    ended = cli("inbox", "replay", done, waiting, unknown)

    assert ended.code == 1
    assert ended.out.splitlines() == ["1 rows wait again", f"  {done}"]
    assert ended.err.splitlines()[0] == f"error: not replayed: {', '.join(sorted([waiting, unknown]))}"


def test_replay_asks_for_exactly_one_choice(cli: Cli):
    for arguments in ([], [str(uuid4()), "--organization", "somebody"]):
        ended = cli("inbox", "replay", *arguments)
        assert ended.code == 1
        assert ended.err.startswith("error: name the rows or an organization, not both")


def test_what_a_sender_wrote_is_never_markup_or_a_control_sequence(cli: Cli, tenant: MakeTenant):
    tenant("bellville-tiles")
    row_id = _deliver(cli, "bellville-tiles", "dead")
    cli.execute("update inbox set last_error = %s where id = %s", "[red]\x1b[2Jboom[/red]", row_id)

    out = cli.ok("inbox", "list")

    assert "[red]�[2Jboom[/red]" in out
    assert "\x1b" not in out


def test_reprocessing_is_requested_for_days_with_leads_and_only_then(cli: Cli, tenant: MakeTenant):
    tenant("paarl-wines")
    period = ["--from", "2026-11-01", "--to", "2026-11-30"]

    assert cli.ok("reprocess", "--organization", "paarl-wines", *period).startswith("no leads from 2026-11-01")
    assert cli.rows("select 1 from reprocessings") == []

    cli.execute(
        "insert into asset_ledger (organization_id, asset, day, rows, needs_review, run_id, materialized_at)"
        " select id, 'leads', '2026-11-20', 3, 0, 'run', now() from organizations"
    )
    out = cli.ok("reprocess", "--organization", "paarl-wines", *period)
    assert re.match(r"requested [0-9a-f-]{36} in .*: 1 organization-days with leads", out)
    [row] = cli.rows("select organizations, from_day::text, to_day::text, state from reprocessings")
    assert row == {"organizations": ["paarl-wines"], "from_day": "2026-11-01", "to_day": "2026-11-30", "state": "open"}
    assert len(cli.rows("select 1 from audit_log where action = 'leads.reprocessing_requested'")) == 1


def test_reprocessing_must_say_for_whom(cli: Cli):
    period = ["--from", "2026-11-01", "--to", "2026-11-30"]

    assert cli("reprocess", *period).err.startswith("error: say for whom")
    assert cli("reprocess", "--all", "--organization", "x1", *period).err.startswith("error: say for whom")
    assert cli("reprocess", "--organization", "x1", *period).err.startswith("error: no organization: x1")
    assert "is after --to" in cli("reprocess", "--all", "--from", "2026-12-01", "--to", "2026-11-01").err
    assert cli.rows("select 1 from reprocessings") == []


def test_audit_verify_names_the_entry_that_was_changed(cli: Cli, tenant: MakeTenant):
    tenant("stellenbosch-law")
    assert cli.ok("audit", "verify").startswith("2 of 2 audit logs intact")
    with psycopg.connect(dsn_for(cli.environment["DRAGGONNB_MASTER_DSN"], "tenant_stellenbosch_law")) as conn:
        conn.execute("select append_audit('someone', 'lead.deleted', 'lead:1', '{}')")
        conn.execute("alter table audit_log disable trigger append_only")
        conn.execute("update audit_log set actor = 'nobody' where action = 'lead.deleted'")

    ended = cli("audit", "verify")

    assert ended.code == 1
    assert ended.out.startswith("1 of 2 audit logs intact")
    assert re.match(r"error: the audit log of stellenbosch-law is not as it was written: entry \d+, altered", ended.err)
    assert cli("audit", "verify", "--organization", "stellenbosch-law").code == 1


def test_audit_verify_does_not_pass_a_log_that_it_could_not_read(cli: Cli, tenant: MakeTenant):
    tenant("franschhoek-inn")
    cli.execute('drop database "tenant_franschhoek_inn" with (force)')

    ended = cli("audit", "verify")

    assert ended.code == 1
    assert ended.err.startswith("error: 1 audit logs could not be read: franschhoek-inn")


def _deliver(cli: Cli, slug: str, state: str) -> str:
    [row] = cli.rows(
        "insert into inbox (organization_id, topic, source, delivery_id, parsed_sealed, state, finished_at, last_error)"
        " select id, 'leads', 'web_form', gen_random_uuid()::text, 'sealed', %s, now(), 'no reason'"
        " from organizations where slug = %s returning id",
        state,
        slug,
    )
    return str(row["id"])
