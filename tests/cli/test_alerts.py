"""`draggonnb alerts`: what nobody has answered, and the answer."""

from collections.abc import Callable
from typing import Any
from uuid import UUID, uuid4

import pytest
from typer.testing import CliRunner

from draggonnb_pipelines.cli import app
from tests.cli.conftest import Cli
from tests.cli.test_publishing import WIDE, cells, tenant_rows

MakeTenant = Callable[[str], str]


def add_alert(cli: Cli, slug: str, subject: str, **columns: Any) -> UUID:
    values = {"event_key": str(uuid4()), "event": "publish_failed", "subject": subject} | columns
    names, places = ", ".join(values), ", ".join(["%s"] * len(values))
    query = f"insert into alerts ({names}) values ({places}) returning id"
    [row] = tenant_rows(cli, slug, query, *values.values())
    return row["id"]


def test_the_list_shows_open_alerts_of_one_client_or_of_all_oldest_first(cli: Cli, tenant: MakeTenant):
    for slug in ("alert-shop", "other-alerts", "calm-shop"):
        tenant(slug)
    late = add_alert(cli, "alert-shop", "[red]Late.[/red]", created_at="2026-11-20 07:00Z", level=2)
    theirs = add_alert(cli, "other-alerts", "Theirs.", created_at="2026-11-19 07:00Z", escalate_at="2026-11-19 11:00Z")
    add_alert(cli, "alert-shop", "Done.", acknowledged_by="somebody", acknowledged_at="2026-11-20 08:00Z")

    one, everybody = cli.ok("alerts", "list", "alert-shop", **WIDE), cli.ok("alerts", "list", **WIDE)

    assert cells(one) == [
        ["alert-shop", str(late), "2026-11-20 07:00:00", "the agency", "nobody further up", "[red]Late.[/red]"]
    ]
    assert cells(everybody) == [
        ["other-alerts", str(theirs), "2026-11-19 07:00:00", "those of the event", "2026-11-19 11:00:00", "Theirs."],
        *cells(one),
    ]
    assert cli.ok("alerts", "list", "calm-shop") == "no alert is open\n"


def test_an_answer_counts_once_and_says_who_gave_it(cli: Cli, tenant: MakeTenant):
    tenant("answer-alerts")
    alert_id = add_alert(cli, "answer-alerts", "Late.")

    said = cli.ok("alerts", "ack", "answer-alerts", str(alert_id))
    again = cli("alerts", "ack", "answer-alerts", str(alert_id))
    missing = cli("alerts", "ack", "answer-alerts", str(uuid4()))
    nobody = cli("alerts", "list", "no-such-shop")

    assert said == f"{alert_id}: you see to it; nobody else is told\n"
    assert [one.code for one in (again, missing, nobody)] == [1, 1, 1]
    assert again.err.startswith("error: operator:")
    assert "has no alert" in missing.err
    [row] = tenant_rows(cli, "answer-alerts", "select acknowledged_by from alerts")
    assert row["acknowledged_by"].startswith("operator:")
    entries = tenant_rows(cli, "answer-alerts", "select resource from audit_log where action = 'alert.acknowledged'")
    assert entries == [{"resource": f"alert:{alert_id}"}]


@pytest.mark.parametrize("verb", ["list", "ack"])
def test_every_verb_explains_itself(verb: str):
    assert CliRunner().invoke(app, ["alerts", verb, "--help"]).exit_code == 0
