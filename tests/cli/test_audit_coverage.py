"""Every verb and every route that changes something leaves an entry in an audit log; those that leave none say why.

The verbs of one client's life are said in earnest; those of which a test elsewhere looks at the entry are only named.
"""

import getpass
import json
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from typing import Any

import psycopg
import pytest
import typer

from draggonnb_pipelines.api.app import create_app
from draggonnb_pipelines.cli import app
from draggonnb_pipelines.domain.itn import RAW_CONTEXT
from draggonnb_pipelines.resources.vault import Vault
from draggonnb_pipelines.settings import load_settings
from tests.cli.conftest import ROOT, Cli
from tests.cli.test_alerts import add_alert
from tests.cli.test_billing import SLUG, token
from tests.cli.test_publishing import QUESTION, add_row, published, tenant_rows
from tests.conftest import MASTER_KEYS
from tests.sandbox_process import Sandbox

__all__ = ["token"]  # a fixture

# What each verb leaves, said below in earnest.
SAID: dict[str, tuple[str, ...]] = {
    "tenant create": ("organization.created",),
    "tenant suspend": ("organization.suspended",),
    "tenant resume": ("organization.active",),
    "tenant offboard": ("organization.offboarding",),
    "tenant erase": ("organization.erased",),
    "account connect": ("account.connected",),
    "account refresh": ("account.refreshed",),
    "account disconnect": ("account.disconnected",),
    "alerts ack": ("alert.acknowledged",),
    "billing pause": ("subscription.pause_ordered",),
    "billing resume": ("subscription.unpause_ordered",),
    "billing change-plan": ("subscription.change_plan_ordered",),
    "billing cancel": ("subscription.cancel_ordered",),
    "billing settle": ("payment.settled",),
    "billing recheck": ("payment.checked_again",),
    "inbox replay": ("inbox.replayed",),
    "keys rotate": ("keys.rotation_begun", "keys.rotated"),
    "keys retire": ("keys.retired",),
    "lead send": ("lead.sent",),
    "publish answer": ("publish.answered.drop",),
    "publish undo": ("publish.undo_requested",),
    "publish resume": ("vendor.resumed",),
    "reprocess": ("leads.reprocessing_requested",),
}
# What each leaves; the words stand in the code, and its own tests say it.
NAMED: dict[str, tuple[str, ...]] = {
    "backup create": ("backup.created",),
    "backup restore": ("backup.restore_begun", "backup.restored"),
    "backup drop-old": ("backup.old_drop_begun", "backup.old_dropped"),
    "billing charge": ("subscription.{verb}_ordered",),
    "keys add": ("keys.added",),
    "migrate": ("databases.migrated",),
    "person consent": ("consent.{said}",),
    "person erase": ("person.erased",),
    "person export": ("person.exported",),
    "server add": ("server.added", "server.dsn_changed", "server.replaced"),
    "server close": ("server.closed",),
    "server open": ("server.opened",),
    "server remove": ("server.removed",),
    "tenant abort": ("organization.aborted",),
    "tenant drop-old": ("organization.old_drop_begun", "organization.old_dropped"),
    "tenant move": ("organization.move_begun", "organization.moved", "organization.move_abandoned"),
}
READS = {
    *("account list", "alerts list", "audit export", "audit verify", "backup list", "backup verify", "inbox list"),
    *("billing card-link", "billing payments", "billing show", "doctor", "keys list", "person find", "publish queue"),
    *("publish review", "server list", "server show", "tenant list", "tenant show"),
}
NOTHING = {
    "up": "starts processes; what they do, they write down",
    "serve": "starts one process; likewise",
    "drain": "waits for runs to end, and starts none",
    "mcp": "starts a server; each write of it leaves an entry of its own",
    "demo": "an organization of the sandbox and its work, through the same functions as everybody's",
    "client": "likewise",
    "watch": "looks, and mails the owners; it must work without the database",
    "backup drill": "restores into a database of its own and drops it; its result is a check of an asset",
}
# Who changes something through the API: people by their links leave an entry, machines a row that holds what they sent.
ROUTES = {
    "/alerts/{token}": "alert.acknowledged",
    "/proposals/{token}/accept": "proposal.accepted",
    "/reviews/{token}": "post.",
    "/proposals/{token}/plans": "a row of checkouts: the visitor's own choice, before any money",
    "/unsubscribe/{token}": "a row of notification_preferences: the reader's own wish",
    "/webhook/{slug}/leads": "a row of the inbox",
    "/webhook/{slug}/generate-content": "a row of the inbox",
    "/webhook/{slug}/analytics": "a row of the inbox",
    "/webhook/{slug}/notifications": "a row of the inbox",
    "/webhooks/payfast": "a row of payments",
    "/webhooks/whatsapp": "a row of the inbox",
    "/webhooks/mail/bounces": "a row of refused_addresses",
}

SAY = """
import json, sys
from draggonnb_pipelines.cli import app
codes = []
for words in json.load(sys.stdin):
    try:
        app(words)
    except SystemExit as ended:
        codes.append(ended.code or 0)
print("\\n" + json.dumps(codes))
"""


def verbs(command: Any, path: tuple[str, ...] = ()) -> Iterator[str]:
    if hasattr(command, "commands"):
        for name, below in command.commands.items():
            yield from verbs(below, (*path, name))
    else:
        yield " ".join(path)


def test_every_verb_is_in_one_of_the_tables() -> None:
    tables = (SAID.keys(), NAMED.keys(), READS, NOTHING.keys())

    known = [verb for table in tables for verb in table]
    assert sorted(known) == sorted(verbs(typer.main.get_command(app)))


def test_the_entries_that_are_only_named_stand_in_the_code() -> None:
    files = (ROOT / "draggonnb_pipelines").rglob("*.py")
    code = "".join(path.read_text() for path in files)

    assert [action for actions in NAMED.values() for action in actions if f'"{action}"' not in code] == []


def test_every_route_that_takes_something_is_in_the_table() -> None:
    def paths(routes: Iterable[Any]) -> Iterator[str]:
        for route in routes:
            if hasattr(route, "original_router"):
                yield from paths(route.original_router.routes)
            elif set(route.methods or ()) - {"GET", "HEAD", "OPTIONS"}:
                yield route.path

    settings = load_settings(master_dsn="postgresql://nowhere", master_keys=None)
    assert sorted(set(paths(create_app(settings).routes))) == sorted(ROUTES)


@pytest.fixture
def say(cli: Cli, sandbox: Sandbox) -> Callable[..., None]:
    """Several verbs, one after the other, in one process: starting one costs more than what it does."""

    def run(*lines: str, **more: str) -> None:
        environment = cli.environment | {"DRAGGONNB_SANDBOX_PORT": str(sandbox.port)} | more
        done = subprocess.run(
            [sys.executable, "-c", SAY],
            input=json.dumps([line.split() for line in lines]),
            env=environment,
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=100,
        )
        assert (done.returncode, done.stderr) == (0, ""), done
        assert json.loads(done.stdout.splitlines()[-1]) == [0] * len(lines), done.stdout

    return run


@pytest.mark.slow
def test_each_verb_of_a_clients_life_leaves_its_entry_with_who_said_it(
    cli: Cli, token: str, say: Callable[..., None], running_api: Callable[..., AbstractContextManager[None]]
) -> None:
    """`token` has bought a subscription for the client."""
    alert = add_alert(cli, SLUG, "Late.")
    late = add_row(cli, SLUG, "Late.", "needs_review", question=QUESTION)
    out = published(cli, SLUG, "Out.")
    settled, rejected = _payments(cli)
    cli.execute(
        "insert into asset_ledger (organization_id, asset, day, rows, run_id, materialized_at)"
        " select id, 'leads', '2026-11-20', 3, 'run', now() from organizations"
    )
    cli.execute(
        "insert into inbox (organization_id, topic, source, delivery_id, state, finished_at, parsed_sealed)"
        " select id, 'leads', 'web_form', 'd', 'dead', now(), 'sealed' from organizations"
    )

    say(
        f"account connect {SLUG} linkedin 77 --sandbox",
        f"alerts ack {SLUG} {alert}",
        f"publish answer {SLUG} {late} drop",
        f"publish undo {SLUG} {out}",
        "publish resume x",
        f"inbox replay --organization {SLUG}",
        f"reprocess --organization {SLUG} --from 2026-11-01 --to 2026-11-30",
        f"billing settle {settled} --as refunded --note paid-back",
        f"billing recheck {rejected}",
        f"billing pause {SLUG}",
        f"billing resume {SLUG}",
        f"billing change-plan {SLUG} growth",
        f"billing cancel {SLUG} --yes",
        f"tenant suspend {SLUG} --yes",
        f"tenant resume {SLUG}",
    )
    with running_api():
        say(f"lead send {SLUG} --email desk@example.com")
    [account] = tenant_rows(cli, SLUG, "select id from social_accounts where external_id = '77'")
    say(f"account refresh {SLUG} {account['id']}", f"account disconnect {SLUG} {account['id']}")
    found = _entries(cli, cli.rows("select actor, action from audit_log"))
    found |= _entries(cli, tenant_rows(cli, SLUG, "select actor, action from audit_log"))
    say(f"tenant offboard {SLUG} --yes")
    cli.execute("update offboardings set erase_after = now() - interval '1 minute'")
    say(f"tenant erase {SLUG} --yes")
    two = f"k2:{'A' * 42}8=,{cli.environment['DRAGGONNB_MASTER_KEYS']}"
    say("keys rotate", "keys retire test", DRAGGONNB_MASTER_KEYS=two)
    found |= _entries(cli, cli.rows("select actor, action from audit_log"))

    assert {verb: actions for verb, actions in SAID.items() if not set(actions) <= found} == {}
    cli.ok("audit", "verify")


def _entries(cli: Cli, rows: list[dict[str, Any]]) -> set[str]:
    """The actions that an operator is named for."""
    return {row["action"] for row in rows if row["actor"].startswith("operator") or row["actor"] == _user()}


def _user() -> str:
    return getpass.getuser()


def _payments(cli: Cli) -> list[Any]:
    """One that waits for a person, and one that was refused."""
    query = (
        "insert into payments (raw_sealed, raw_sha256, state, reason, checks)"
        " values (%s, sha256(%s::bytea), %s, 'why', '{}') returning id"
    )
    with psycopg.connect(cli.environment["DRAGGONNB_MASTER_DSN"], autocommit=True) as conn:
        raw = Vault(MASTER_KEYS).seal(b"a notice", RAW_CONTEXT)
        rows = [conn.execute(query, [raw, state, state]).fetchone() for state in ("needs_review", "rejected")]
    return [row[0] for row in rows if row]
