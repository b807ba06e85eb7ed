"""The template of the tenants' databases: built once, whole or not at all, replaced when the schema changes."""

import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import LiteralString, cast

import psycopg
import pytest
from psycopg.conninfo import make_conninfo
from psycopg.sql import SQL, Identifier

from draggonnb_pipelines.errors import OperatorError
from draggonnb_pipelines.resources.migrations import (
    create_tenant_database,
    ensure_database,
    ensure_tenant_template,
    migrate,
    pending,
)
from draggonnb_pipelines.resources.postgres import dsn_for
from draggonnb_pipelines.sql import TENANT_LOCAL_SUPABASE, TENANT_MIGRATIONS
from tests.servers import hasty_server


@pytest.fixture(scope="module")
def own_server() -> Iterator[str]:
    """A server of this module's own: elsewhere the templates that it drops would be in use."""
    with hasty_server("template-tests") as dsn:
        yield dsn


@pytest.fixture
def server(own_server: str) -> str:
    """The server without any template or tenant."""
    for name in _databases(own_server):
        with psycopg.connect(own_server, autocommit=True) as conn:
            conn.execute(SQL("alter database {} with is_template false").format(Identifier(name)))
            conn.execute(SQL("drop database {} with (force)").format(Identifier(name)))
    return own_server


@pytest.fixture
def slow_migrations(tmp_path: Path) -> Path:
    """The tenant's migrations and one more that sleeps for a minute."""
    directory = tmp_path / "tenant" / "migrations"
    shutil.copytree(TENANT_MIGRATIONS, directory)
    (directory / "20991231000000_slow.sql").write_text("select pg_sleep(60);")
    return directory


def _databases(server_dsn: str) -> list[str]:
    query = "select datname from pg_database where starts_with(datname, 'draggonnb_') or starts_with(datname, 't_')"
    with psycopg.connect(server_dsn) as conn:
        return [row[0] for row in conn.execute(query)]


def test_a_template_is_built_once_and_cloned_in_well_under_a_second(server: str) -> None:
    template = ensure_tenant_template(server)

    assert ensure_tenant_template(server) == template
    assert _databases(server) == [template]
    fastest = 10.0
    for number in range(3):
        started = time.perf_counter()
        assert create_tenant_database(server, f"t_{number}", template=template) is True
        fastest = min(fastest, time.perf_counter() - started)
    assert create_tenant_database(server, "t_0", template=template) is False
    assert fastest < 1.0
    assert pending(dsn_for(server, "t_0"), TENANT_MIGRATIONS) == []
    with psycopg.connect(dsn_for(server, "t_0")) as conn:
        assert conn.execute("select id from social_platforms order by id").fetchall() == [
            ("facebook",),
            ("instagram",),
            ("linkedin",),
            ("x",),
        ]


def test_nobody_can_write_into_the_template(server: str) -> None:
    template = ensure_tenant_template(server)

    with pytest.raises(psycopg.OperationalError, match="not currently accepting connections"):
        psycopg.connect(dsn_for(server, template))


def test_builders_at_once_build_one_template(server: str) -> None:
    names: list[str] = []
    builders = [threading.Thread(target=lambda: names.append(ensure_tenant_template(server))) for _ in range(4)]
    for builder in builders:
        builder.start()
    for builder in builders:
        builder.join()

    assert len(names) == 4
    assert _databases(server) == [names[0]]


def test_creators_at_once_create_one_database(server: str) -> None:
    template = ensure_tenant_template(server)
    created: list[bool] = []
    creators = [
        threading.Thread(target=lambda: created.append(create_tenant_database(server, "t_one", template=template)))
        for _ in range(4)
    ]
    for creator in creators:
        creator.start()
    for creator in creators:
        creator.join()

    assert sorted(created) == [False, False, False, True]


def test_the_roles_of_the_server_are_created_by_several_preparations_at_once(server: str) -> None:
    names = [f"t_{number}" for number in range(4)]
    with psycopg.connect(server, autocommit=True) as conn:
        conn.execute("drop role if exists anon, authenticated, service_role")
    for name in names:
        ensure_database(server, name)
    all_ready = threading.Barrier(len(names))
    prepared: list[str] = []

    def prepare(name: str) -> None:
        with psycopg.connect(dsn_for(server, name)) as conn:
            all_ready.wait(10)
            conn.execute(cast(LiteralString, TENANT_LOCAL_SUPABASE.read_text()))
        prepared.append(name)

    preparations = [threading.Thread(target=prepare, args=[name]) for name in names]
    for preparation in preparations:
        preparation.start()
    for preparation in preparations:
        preparation.join()

    assert sorted(prepared) == names


def test_a_login_that_is_no_superuser_builds_and_clones_the_template(server: str) -> None:
    ensure_tenant_template(server)  # the roles: only these need the right to create roles
    with psycopg.connect(server, autocommit=True) as conn:
        conn.execute("drop role if exists plain")
        conn.execute("create role plain login createdb")
        conn.execute(SQL("alter database {} with is_template false").format(Identifier(ensure_tenant_template(server))))
        conn.execute(SQL("drop database {}").format(Identifier(ensure_tenant_template(server))))
    plain = make_conninfo(server, user="plain")

    template = ensure_tenant_template(plain)

    assert create_tenant_database(plain, "t_plain", template=template) is True
    assert pending(dsn_for(plain, "t_plain"), TENANT_MIGRATIONS) == []
    assert migrate(dsn_for(plain, "t_plain"), TENANT_MIGRATIONS, modules=["ecommerce"]) == [
        "20261101100000_ecommerce.sql"
    ]


@pytest.mark.kill
def test_a_killed_build_is_never_used_and_is_cleared_away(server: str, slow_migrations: Path) -> None:
    program = (
        "import sys, pathlib; from draggonnb_pipelines.resources.migrations import ensure_tenant_template;"
        "ensure_tenant_template(sys.argv[1], migrations=pathlib.Path(sys.argv[2]))"
    )
    with subprocess.Popen([sys.executable, "-c", program, server, str(slow_migrations)]) as builder:
        _wait_for_sleep(server)
        builder.send_signal(signal.SIGKILL)
    assert [name[:19] for name in _databases(server)] == ["draggonnb_building_"]
    _end_the_sleep(server)

    template = ensure_tenant_template(server)

    assert _databases(server) == [template]
    assert create_tenant_database(server, "t_one", template=template) is True


def test_a_build_that_fails_leaves_nothing(server: str, slow_migrations: Path) -> None:
    (slow_migrations / "20991231000000_slow.sql").write_text("select 1 / 0;")

    with pytest.raises(OperatorError, match="division by zero"):
        ensure_tenant_template(server, migrations=slow_migrations)

    assert _databases(server) == []


def test_a_new_schema_replaces_the_template_and_leaves_the_tenants(server: str, slow_migrations: Path) -> None:
    before = ensure_tenant_template(server)
    create_tenant_database(server, "t_one", template=before)
    (slow_migrations / "20991231000000_slow.sql").write_text("select 1;")

    after = ensure_tenant_template(server, migrations=slow_migrations)

    assert after != before
    assert sorted(_databases(server)) == sorted([after, "t_one"])
    with pytest.raises(OperatorError, match="its template is gone"):
        create_tenant_database(server, "t_two", template=before)


SLEEPING = "from pg_stat_activity where query = 'select pg_sleep(60)' and state = 'active'"


def _wait_for_sleep(server_dsn: str) -> None:
    with psycopg.connect(server_dsn, autocommit=True) as conn:
        for _ in range(400):
            if conn.execute(f"select 1 {SLEEPING}").fetchone():
                return
            time.sleep(0.05)
    raise AssertionError("the build never came to its slow migration")


def _end_the_sleep(server_dsn: str) -> None:
    """The server notices a dead client only when it next writes to it: what a build does all the time, a sleep not."""
    with psycopg.connect(server_dsn, autocommit=True) as conn:
        conn.execute(f"select pg_terminate_backend(pid, 5000) {SLEEPING}")
