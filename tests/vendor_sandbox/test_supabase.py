"""The Supabase of the sandbox: projects with real databases, keys, SQL and migrations, and how it refuses."""

import re
from typing import Any

import psycopg
import pytest

from draggonnb_pipelines.resources.postgres import dsn_for
from tests.sandbox_process import Sandbox
from tests.supabase_calls import body_of, databases, management, new_project, public, wait_for


def sql(sandbox: Sandbox, ref: str, query: str, **more: Any) -> Any:
    answer = management(sandbox, "POST", f"/projects/{ref}/database/query", {"query": query, **more})
    assert answer.status_code == 201, answer.text
    return answer.json()


def test_a_project_comes_up_with_a_real_database(supabase_sandbox: Sandbox, postgres_dsn: str):
    supabase_sandbox.settings(supabase_project_seconds=0.5)

    made = management(supabase_sandbox, "POST", "/projects", body_of("kloof-coffee-db"))

    project = made.json()
    assert made.status_code == 201
    assert re.fullmatch("[a-z]{20}", project["ref"])
    assert (project["name"], project["region"], project["status"]) == ("kloof-coffee-db", "eu-west-1", "COMING_UP")
    assert "correct-horse" not in made.text
    health = f"/projects/{project['ref']}/health?services=auth,db"
    starting = management(supabase_sandbox, "GET", health).json()
    assert [(one["name"], one["status"]) for one in starting] == [("auth", "COMING_UP"), ("db", "COMING_UP")]
    early = management(supabase_sandbox, "POST", f"/projects/{project['ref']}/database/query", {"query": "select 1"})
    assert (early.status_code, early.json()["message"]) == (544, "Connection terminated due to connection timeout")
    wait_for(supabase_sandbox, project["ref"], "ACTIVE_HEALTHY")
    assert sql(supabase_sandbox, project["ref"], "select current_user, 1 as one") == [
        {"current_user": f"postgres.{project['ref']}", "one": 1}
    ]
    assert databases(postgres_dsn, project["ref"]) == [f"supabase_{project['ref']}", f"postgres.{project['ref']}"]


def test_a_new_project_has_supabases_schemas_and_exposes_nothing_by_itself(supabase_sandbox: Sandbox):
    ref = new_project(supabase_sandbox)

    schemas = sql(supabase_sandbox, ref, "select nspname from pg_namespace where nspname in ('auth', 'storage')")
    sql(supabase_sandbox, ref, "create table public.notes (id int)")
    seen = sql(
        supabase_sandbox,
        ref,
        "select has_table_privilege('authenticated', 'public.notes', 'select') as notes,"
        " has_function_privilege('authenticated', 'auth.uid()', 'execute') as uid,"
        " has_schema_privilege(current_user, 'auth', 'create') as may_create_in_auth",
    )

    assert sorted(row["nspname"] for row in schemas) == ["auth", "storage"]
    assert seen == [{"notes": False, "uid": True, "may_create_in_auth": False}]


def test_names_are_not_unique_and_the_search_finds_parts_of_them(supabase_sandbox: Sandbox):
    first, second = new_project(supabase_sandbox), new_project(supabase_sandbox)
    other = new_project(supabase_sandbox, "karoo-db")

    path = "/organizations/sandbox-org/projects"
    found = management(supabase_sandbox, "GET", f"{path}?search=KLOOF-coffee").json()
    page = management(supabase_sandbox, "GET", f"{path}?limit=1&offset=1").json()
    too_many = management(supabase_sandbox, "GET", f"{path}?limit=101")

    assert first != second
    assert [project["ref"] for project in found["projects"]] == [second, first]
    assert found["pagination"] == {"count": 2, "limit": 100, "offset": 0}
    assert "created_at" not in found["projects"][0]
    assert [project["ref"] for project in page["projects"]] == [second]
    assert page["pagination"] == {"count": 3, "limit": 1, "offset": 1}
    assert too_many.status_code == 400
    everything = management(supabase_sandbox, "GET", "/projects").json()
    assert [project["ref"] for project in everything] == [first, second, other]


@pytest.mark.parametrize(
    ("change", "status", "words"),
    [
        ({"db_pass": None}, 400, "db_pass"),
        ({"name": "n" * 257}, 400, "256"),
        ({"colour": "red"}, 400, "colour"),
        ({"region_selection": {"type": "specific", "code": "af-south-1"}}, 400, "region_selection"),
        ({"desired_instance_size": "huge"}, 400, "desired_instance_size"),
        ({"organization_slug": "somebody-else"}, 404, "Organization"),
    ],
)
def test_a_wrong_project_is_not_made(supabase_sandbox: Sandbox, change: dict[str, Any], status: int, words: str):
    answer = management(supabase_sandbox, "POST", "/projects", body_of("kloof-coffee-db", **change))

    assert answer.status_code == status
    assert words in answer.json()["message"]
    assert public(supabase_sandbox) == {}


def test_the_quota_is_a_plain_400(supabase_sandbox: Sandbox):
    supabase_sandbox.settings(supabase_project_limit=1)
    ref = new_project(supabase_sandbox)

    refused = management(supabase_sandbox, "POST", "/projects", body_of("karoo-db"))

    assert refused.status_code == 400
    assert "sandbox (1 project limit)" in refused.json()["message"]
    assert list(public(supabase_sandbox)) == [ref]


def test_without_a_server_there_are_no_projects(sandbox: Sandbox):
    answer = management(sandbox, "POST", "/projects", body_of("kloof-coffee-db"))

    assert (answer.status_code, answer.json()["message"]) == (
        503,
        "no database server: start the sandbox with --postgres-dsn",
    )
    assert public(sandbox) == {}


def test_only_a_personal_access_token_opens_it(supabase_sandbox: Sandbox):
    answers = [
        management(supabase_sandbox, "GET", "/organizations", token=token)
        for token in ("eyJhbGciOiJIUzI1NiJ9", "sandbox", "sbp_bad")
    ]

    assert [answer.status_code for answer in answers] == [401, 401, 401]
    assert answers[0].json() == {"message": "Unauthorized"}
    good = management(supabase_sandbox, "GET", "/organizations")
    assert good.json() == [{"id": "sandbox-org", "slug": "sandbox-org", "name": "Sandbox"}]


def test_the_rate_limit_is_told_and_kept(supabase_sandbox: Sandbox):
    supabase_sandbox.settings(supabase_rate_per_minute=2)

    answers = [management(supabase_sandbox, "GET", "/organizations") for _ in range(3)]

    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert [answer.headers["x-ratelimit-remaining"] for answer in answers] == ["1", "0", "0"]
    assert answers[2].headers["x-ratelimit-limit"] == "2"
    assert 55 <= int(answers[2].headers["x-ratelimit-reset"]) <= 60
    assert answers[2].json() == {"message": "ThrottlerException: Too Many Requests"}
    elsewhere = management(supabase_sandbox, "GET", "/organizations/sandbox-org/projects")
    assert elsewhere.status_code == 200


def test_secret_keys_are_masked_unless_revealed(supabase_sandbox: Sandbox):
    ref = new_project(supabase_sandbox)

    masked = management(supabase_sandbox, "GET", f"/projects/{ref}/api-keys").json()
    revealed = management(supabase_sandbox, "GET", f"/projects/{ref}/api-keys?reveal=true").json()
    made = management(
        supabase_sandbox, "POST", f"/projects/{ref}/api-keys?reveal=true", {"type": "secret", "name": "crmm_pipelines"}
    )
    short = management(supabase_sandbox, "POST", f"/projects/{ref}/api-keys", {"type": "secret", "name": "abc"})

    assert [(key["type"], key["name"]) for key in masked] == [
        ("legacy", "anon"),
        ("legacy", "service_role"),
        ("publishable", "default"),
        ("secret", "default"),
    ]
    assert re.fullmatch(r"sb_secret_\w{5}·{16}", masked[3]["api_key"])
    assert re.fullmatch(r"sb_secret_\w{22}_\w{8}", revealed[3]["api_key"])
    assert masked[2]["api_key"] == revealed[2]["api_key"]
    assert (made.status_code, made.json()["name"]) == (201, "crmm_pipelines")
    assert short.status_code == 400


def test_sql_runs_as_one_transaction_and_tells_its_state(supabase_sandbox: Sandbox):
    ref = new_project(supabase_sandbox)
    path = f"/projects/{ref}/database/query"

    broken = management(supabase_sandbox, "POST", path, {"query": "create table a (id int); select nothing_like_it"})
    blocked = management(supabase_sandbox, "POST", path, {"query": "create table b (id int)", "read_only": True})
    with_values = sql(supabase_sandbox, ref, "select $1::int + $2::int as sum", parameters=[2, 3])
    tables = sql(supabase_sandbox, ref, "select count(*) as n from pg_tables where schemaname = 'public'")

    assert broken.status_code == 400
    assert broken.json()["message"].startswith('Failed to run sql query: ERROR:  42703: column "nothing_like_it"')
    assert "25006" in blocked.json()["message"]
    assert (with_values, tables) == ([{"sum": 5}], [{"n": 0}])


def test_a_migration_is_recorded_under_the_time_of_the_call_and_once_per_key(supabase_sandbox: Sandbox):
    ref = new_project(supabase_sandbox)
    path = f"/projects/{ref}/database/migrations"
    body = {"name": "core", "query": "create table notes (id int) -- the first"}

    before = management(supabase_sandbox, "GET", path).json()
    answers = [management(supabase_sandbox, "POST", path, body, idempotency_key="k1") for _ in range(2)]
    without_key = management(supabase_sandbox, "POST", path, body)
    only_recorded = management(supabase_sandbox, "PUT", path, {"name": "later", "query": "create table later (id int)"})

    assert before == []
    assert [answer.status_code for answer in answers] == [200, 200]
    assert (without_key.status_code, "42P07" in without_key.json()["message"]) == (400, True)
    assert only_recorded.status_code == 200
    recorded = management(supabase_sandbox, "GET", path).json()
    assert [migration["name"] for migration in recorded] == ["core", "later"]
    assert all(re.fullmatch(r"20\d{12}", migration["version"]) for migration in recorded)
    rows = sql(
        supabase_sandbox,
        ref,
        "select statements, idempotency_key, to_regclass('later') as later"
        " from supabase_migrations.schema_migrations order by version",
    )
    assert rows[0] == {"statements": [body["query"]], "idempotency_key": "k1", "later": None}


def test_a_paused_project_lets_nobody_in_until_it_is_restored(supabase_sandbox: Sandbox, postgres_dsn: str):
    ref = new_project(supabase_sandbox)
    sql(supabase_sandbox, ref, "create table notes as select 7 as id")
    dsn = dsn_for(postgres_dsn, f"supabase_{ref}")

    paused = management(supabase_sandbox, "POST", f"/projects/{ref}/pause")
    again = management(supabase_sandbox, "POST", f"/projects/{ref}/pause")
    wait_for(supabase_sandbox, ref, "INACTIVE")
    with pytest.raises(psycopg.OperationalError, match="not currently accepting connections"):
        psycopg.connect(dsn)
    restored = management(supabase_sandbox, "POST", f"/projects/{ref}/restore")
    wait_for(supabase_sandbox, ref, "ACTIVE_HEALTHY")

    assert (paused.status_code, again.status_code, restored.status_code) == (200, 400, 200)
    assert sql(supabase_sandbox, ref, "select id from notes") == [{"id": 7}]


def test_a_deleted_project_is_gone_with_its_database(supabase_sandbox: Sandbox, postgres_dsn: str):
    ref, other = new_project(supabase_sandbox), new_project(supabase_sandbox, "karoo-db")

    deleted = management(supabase_sandbox, "DELETE", f"/projects/{ref}")
    again = management(supabase_sandbox, "DELETE", f"/projects/{ref}")

    assert (deleted.status_code, deleted.json()["ref"], deleted.json()["name"]) == (200, ref, "kloof-coffee-db")
    assert (again.status_code, again.json()) == (404, {"message": "Project not found"})
    assert databases(postgres_dsn, ref) == []
    assert list(public(supabase_sandbox)) == [other]
    assert len(databases(postgres_dsn, other)) == 2


def test_auth_settings_are_kept_and_the_smtp_password_is_not_shown(supabase_sandbox: Sandbox):
    ref = new_project(supabase_sandbox)
    path = f"/projects/{ref}/config/auth"

    changed = management(supabase_sandbox, "PATCH", path, {"site_url": "https://kloof.example", "smtp_pass": "hidden"})
    unknown = management(supabase_sandbox, "PATCH", path, {"site_uri": "x", "jwt_exp": 1})
    port = management(supabase_sandbox, "PATCH", path, {"smtp_port": 587})

    assert (changed.status_code, unknown.status_code, port.status_code) == (200, 400, 400)
    assert "site_uri" in unknown.json()["message"]
    now = management(supabase_sandbox, "GET", path)
    assert (now.json()["site_url"], now.json()["jwt_exp"], now.json()["smtp_port"]) == (
        "https://kloof.example",
        3600,
        None,
    )
    assert "hidden" not in now.text


def test_a_reset_drops_the_databases(supabase_sandbox: Sandbox, postgres_dsn: str):
    ref = new_project(supabase_sandbox)

    supabase_sandbox.reset()

    assert (public(supabase_sandbox), databases(postgres_dsn, ref)) == ({}, [])


def test_neither_the_token_nor_the_servers_dsn_is_shown(supabase_sandbox: Sandbox):
    new_project(supabase_sandbox)

    entries = supabase_sandbox.journal("supabase")
    settings = supabase_sandbox._get("settings", {})

    assert entries[0]["headers"]["authorization"] == "[redacted]"
    assert "postgres_dsn" not in settings
