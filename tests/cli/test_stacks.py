"""What an operator sees of a client's stack, and does to it as a whole."""

from collections.abc import Callable

import psycopg
import pytest

from draggonnb_pipelines.resources.postgres import dsn_for
from tests.cli.conftest import Cli
from tests.sandbox_process import Sandbox

MakeTenant = Callable[[str], str]
SLUG = "kloof-coffee"


@pytest.fixture
def client(cli: Cli, tenant: MakeTenant, sandbox: Sandbox) -> Cli:
    """A client with two things in the ledger, on a sandbox that runs."""
    cli.environment["DRAGGONNB_SANDBOX_PORT"] = str(sandbox.port)
    tenant(SLUG)
    cli.execute(
        "insert into stack_resources"
        " (organization_id, step, name, vendor, mark, state, url, monthly_cents, ready_at, removed_at)"
        " select o.id, g.step, g.thing, g.vendor, 'org-' || o.id, g.state, g.url, g.cents, now(), now()"
        " from organizations o, (values"
        " ('supabase_project', 'kloof-coffee-db', 'supabase', 'ready', 'https://supabase.example/x', 1000),"
        " ('github_repo', 'draggonnb-kloof-coffee', 'github', 'removed', 'https://github.example/x', 500)"
        " ) as g (step, thing, vendor, state, url, cents)"
    )
    return cli


def status_of(cli: Cli) -> str:
    return cli.rows("select status from organizations")[0]["status"]


def test_show_lists_every_resource_with_link_age_mark_and_cost(client: Cli):
    out = client.ok("tenant", "show", SLUG)

    [line] = [line for line in out.splitlines() if "supabase_project" in line]
    [organization] = client.rows("select id from organizations")
    cells = [cell.strip() for cell in line.strip("│").split("│")]
    assert cells[:4] == ["supabase_project", "kloof-coffee-db", "supabase", "ready"]
    assert cells[4].endswith(" s")
    assert cells[5:] == ["USD 10.00", f"org-{organization['id']}", "https://supabase.example/x"]
    assert "together USD 10.00 a month" in out


def test_an_organization_without_a_stack_shows_no_table(cli: Cli, tenant: MakeTenant):
    tenant("green-point-gym")

    assert "a month" not in cli.ok("tenant", "show", "green-point-gym")


def test_show_says_how_far_a_set_up_has_come_and_what_it_waits_for(client: Cli):
    client.execute(
        "insert into provisionings (organization_id, owner_email, requested_by, state, last_step, last_error)"
        " select id, 'owner@kloof.example', 'payfast', 'waiting', 'n8n_webhooks', 'n8n: retry: no answer'"
        " from organizations"
    )

    [line] = [line for line in client.ok("tenant", "show", SLUG).splitlines() if "set-up" in line]

    assert [cell.strip() for cell in line.strip("│").split("│")] == [
        "set-up",
        "waiting at n8n_webhooks: n8n: retry: no answer",
    ]


def test_suspended_and_resumed(client: Cli):
    assert client.ok("tenant", "suspend", SLUG, "--yes", "--reason", "not paid") == f"{SLUG} is suspended\n"
    assert status_of(client) == "suspended"
    assert client.ok("tenant", "suspend", SLUG, "--yes") == f"{SLUG} was suspended already\n"
    assert client.ok("tenant", "resume", SLUG) == f"{SLUG} is active\n"

    assert status_of(client) == "active"
    audit = client.rows("select metadata from audit_log where action = 'organization.suspended'")
    assert audit == [{"metadata": {"reason": "not paid"}}]


@pytest.mark.parametrize("verb", ["suspend", "abort", "offboard", "erase"])
def test_nothing_happens_before_the_slug_is_typed(client: Cli, verb: str):
    ended = client("tenant", verb, SLUG)

    assert ended.code == 1
    assert status_of(client) == "active"
    assert client.rows("select 1 from offboardings") == []


def test_who_was_never_set_up_is_not_aborted_and_is_told_what_to_do(client: Cli):
    ended = client("tenant", "abort", SLUG, "--yes")

    assert (ended.code, "draggonnb tenant offboard" in ended.err) == (1, True)
    states = client.rows("select state from stack_resources order by state")
    assert [row["state"] for row in states] == ["ready", "removed"]


def test_offboarded_withdrawn_offboarded_again_and_erased(client: Cli):
    client.execute("delete from stack_resources")
    bundle = client.ok("tenant", "offboard", SLUG, "--yes").splitlines()[0].removeprefix("bundle").strip()
    early = client("tenant", "erase", SLUG, "--yes")
    assert (early.code, "may stay until" in early.err) == (1, True)
    assert client.ok("tenant", "offboard", SLUG, "--withdraw") == f"{SLUG} stays\n"
    client.ok("tenant", "offboard", SLUG, "--yes")
    client.execute("update offboardings set erase_after = now() - interval '1 minute'")

    out = client.ok("tenant", "erase", SLUG, "--yes")

    assert bundle.endswith(".zip")
    assert out.startswith("# Certificate of erasure: Kloof Coffee\n")
    assert (status_of(client), client.rows("select data_key_wrapped as key from organizations")) == (
        "closed",
        [{"key": None}],
    )
    with pytest.raises(psycopg.OperationalError, match="does not exist"):
        psycopg.connect(dsn_for(client.environment["DRAGGONNB_MASTER_DSN"], "tenant_kloof_coffee"))
    assert "closed" in client.ok("tenant", "show", SLUG)
