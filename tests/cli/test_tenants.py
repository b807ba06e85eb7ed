"""Creating and showing organizations, and migrating them."""

import uuid
from collections.abc import Callable

import psycopg
import pytest
from psycopg.sql import SQL, Identifier

from draggonnb_pipelines.resources.postgres import dsn_for
from tests.cli.conftest import Cli

MakeTenant = Callable[[str], str]


def test_a_new_organization_has_a_database_an_owner_and_a_webhook(cli: Cli):
    details = ["--name", "Sea Point Books", "--owner-email", "owner@sp.example", "--owner-phone", "082 123 4567"]
    out = cli.ok("tenant", "create", "sea-point-books", *details)

    [row] = cli.rows("select name, status, database_name from organizations")
    assert row == {"name": "Sea Point Books", "status": "active", "database_name": "tenant_sea_point_books"}
    with psycopg.connect(dsn_for(cli.environment["DRAGGONNB_MASTER_DSN"], "tenant_sea_point_books")) as conn:
        assert conn.execute("select email, phone_e164, role from users").fetchall() == [
            ("owner@sp.example", "+27821234567", "owner")
        ]
    first, webhook, token, secret, curl = out.splitlines()
    assert first == "created sea-point-books with the database tenant_sea_point_books"
    url = f"http://127.0.0.1:{cli.environment['DRAGGONNB_API_PORT']}/webhook/sea-point-books/leads"
    assert webhook == f"webhook  {url}"
    assert len(token.split()[1]) == 43
    assert secret.split()[1] != token.split()[1]
    assert curl.startswith(f"try it   curl -sS -X POST {url} -H 'X-Webhook-Token: {token.split()[1]}'")


def test_creating_it_again_changes_nothing_and_shows_the_same_token(cli: Cli, tenant: MakeTenant):
    first = tenant("green-point-gym")
    again = tenant("green-point-gym")

    assert again.startswith("green-point-gym existed already (active)")
    assert again.splitlines()[-3:] == first.splitlines()[-3:]
    assert len(cli.rows("select 1 from audit_log where action = 'organization.created'")) == 1


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"slug": "Kloof"}, "slug 'Kloof'"),
        ({"slug": "api"}, "slug 'api' is reserved"),
        ({"--owner-email": "nobody"}, "--owner-email is not an e-mail address"),
        ({"--owner-phone": "12"}, "--owner-phone is not a phone number"),
        ({"--timezone": "Africa/Kaapstad"}, "--timezone 'Africa/Kaapstad' is not known"),
        ({"--locale": "english"}, "--locale 'english'"),
        ({"--name": "  "}, "--name is empty"),
    ],
)
def test_what_cannot_be_used_is_named_and_nothing_is_created(cli: Cli, change: dict[str, str], says: str):
    given = {"--name": "Kloof", "--owner-email": "o@kloof.example", **change}
    slug = given.pop("slug", "kloof")

    ended = cli("tenant", "create", slug, *[word for pair in given.items() for word in pair])

    assert ended.code == 1
    assert says in ended.err
    assert len(ended.err.splitlines()) == 2
    assert cli.rows("select slug from organizations") == []


def test_the_list_has_a_line_for_each_organization(cli: Cli, tenant: MakeTenant):
    assert cli.ok("tenant", "list").startswith("no organization yet")
    tenant("observatory-vinyl")
    tenant("outsider-one")

    lines = cli.ok("tenant", "list").splitlines()

    cells = [[cell.strip() for cell in line.split("│")[1:-1]] for line in lines if line.startswith("│")]
    assert [row[:6] for row in cells] == [
        ["observatory-vinyl", "Observatory Vinyl", "active", "-", "0", "tenant_observatory_vinyl"],
        ["outsider-one", "Outsider One", "active", "-", "0", "tenant_outsider_one"],
    ]


def test_the_token_is_shown_only_when_asked_for(cli: Cli, tenant: MakeTenant):
    token = tenant("muizenberg-surf").splitlines()[2].split()[1]

    assert token not in cli.ok("tenant", "show", "muizenberg-surf")
    assert token in cli.ok("tenant", "show", "muizenberg-surf", "--token")


def test_an_unknown_organization_is_said_so(cli: Cli):
    ended = cli("tenant", "show", "nobody")

    assert ended.code == 1
    assert ended.err.splitlines() == [
        "error: no organization has the slug 'nobody'",
        "  -> `draggonnb tenant list` shows all",
    ]


def test_migrate_brings_tenants_up_to_date_and_names_the_one_that_fails(cli: Cli, tenant: MakeTenant):
    tenant("hout-bay-fish")
    tenant("lost-and-gone")
    tenant("outsider-four")
    dsn = dsn_for(cli.environment["DRAGGONNB_MASTER_DSN"], "tenant_hout_bay_fish")
    with psycopg.connect(dsn, autocommit=True) as conn:
        # As if no migration had ever been applied; what Supabase brings stays.
        [(newest,)] = conn.execute("select max(version) from supabase_migrations.schema_migrations").fetchall()
        conn.execute("drop schema public, supabase_migrations cascade")
        conn.execute("drop schema app cascade")
        conn.execute("create schema public")
    cli.execute('drop database "tenant_lost_and_gone" with (force)')

    ended = cli("migrate")

    assert ended.code == 1
    assert "tenants: 1 migrated, 1 up to date, 1 failed" in ended.out
    assert ended.err.splitlines()[0] == "error: 1 of 3 tenants could not be migrated: lost-and-gone"
    with psycopg.connect(dsn) as conn:
        assert conn.execute("select max(version) from supabase_migrations.schema_migrations").fetchone() == (newest,)


def test_a_database_that_fails_in_an_unforeseen_way_stops_nobody_elses_migration(cli: Cli, tenant: MakeTenant):
    tenant("muizenberg-surf")
    tenant("sea-point-books")
    strange = dsn_for(cli.environment["DRAGGONNB_MASTER_DSN"], "tenant_sea_point_books")
    with psycopg.connect(strange, autocommit=True) as conn:
        conn.execute("alter table supabase_migrations.schema_migrations rename column version to renamed")

    ended = cli("migrate")

    assert ended.code == 1
    assert "tenants: 0 migrated, 1 up to date, 1 failed" in ended.out
    assert ended.err.splitlines()[0] == "error: 1 of 2 tenants could not be migrated: sea-point-books"


def test_an_own_server_that_is_behind_is_only_migrated_by_migrate(cli: Cli, postgres_dsn: str):
    name = f"test_fresh_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(postgres_dsn, autocommit=True) as conn:
        conn.execute(SQL("create database {}").format(Identifier(name)))
    try:
        fresh = dsn_for(postgres_dsn, name)
        refused = cli("tenant", "list", DRAGGONNB_MASTER_DSN=fresh)
        assert refused.code == 1
        assert refused.err.startswith("error: the master database lacks ")
        assert refused.err.endswith("-> draggonnb migrate\n")

        assert "master: 20" in cli.ok("migrate", DRAGGONNB_MASTER_DSN=fresh)
        assert cli.ok("tenant", "list", DRAGGONNB_MASTER_DSN=fresh).startswith("no organization yet")
        assert "master: up to date" in cli.ok("migrate", DRAGGONNB_MASTER_DSN=fresh)
        with psycopg.connect(fresh) as conn:
            assert conn.execute("select action from audit_log").fetchall() == [("databases.migrated",)]
    finally:
        with psycopg.connect(postgres_dsn, autocommit=True) as conn:
            conn.execute(SQL("drop database {} with (force)").format(Identifier(name)))
