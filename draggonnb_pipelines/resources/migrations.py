"""Make databases, and bring them to the schema of the files.

Lives here: the verbs that the CLI and the workflows call: migrate, pending, install a module, create a master or a
tenant database, keep the tenant template. Not here: dropping and renaming (`database_names.py`), the record of what was
applied (`schema_history.py`), the SQL (`sql/`).
"""

import contextlib
import hashlib
import secrets
from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import LiteralString, cast

import psycopg
from psycopg import errors, sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from draggonnb_pipelines.errors import OperatorError
from draggonnb_pipelines.resources.schema_history import (
    Connection,
    Migration,
    apply_if_missing,
    check_history,
    read_migrations,
    recorded_versions,
)
from draggonnb_pipelines.sql import TENANT_LOCAL_SUPABASE, TENANT_MIGRATIONS, TENANT_SEED

TEMPLATE_PREFIX = "draggonnb_template_"
_BUILDING_PREFIX = "draggonnb_building_"
_TEMPLATE_LOCK = "draggonnb.tenant_template"
CONNECT_TIMEOUT_SECONDS = 10


def migrate(
    dsn: str, directory: Path, *, modules: Collection[str] = (), on_step: Callable[[str], None] | None = None
) -> list[str]:
    """Apply what is missing, in order of version, and return the names of the files applied.

    Modules that the database has already are kept up to date; `modules` names further ones to install. Two
    migrators at once are safe: each file is applied by one of them.

    Raises:
        OperatorError: the history differs from the files, or a file fails. Earlier files stay applied.
    """
    applied: list[str] = []
    with _connect(dsn) as conn:
        recorded = recorded_versions(conn)
        files = _files(directory, modules, recorded)
        check_history(recorded, files)
        for migration in files:
            if migration.version not in recorded and apply_if_missing(conn, migration):
                applied.append(migration.file_name)
                if on_step:
                    on_step(migration.file_name)
    return applied


def pending(dsn: str, directory: Path) -> list[str]:
    """The names of the files that `migrate` would apply.

    What a newer release has added is passed over, because migrations only add: the release before runs on such a
    schema, and an upgrade goes back to it when the newer one does not come up. `migrate` alone refuses it.

    Raises:
        OperatorError: the history up to the last file differs from the files.
    """
    with _connect(dsn) as conn:
        recorded = recorded_versions(conn)
    files = _files(directory, (), recorded)
    last = max((migration.version for migration in files), default="")
    check_history({version: recorded[version] for version in recorded if version <= last}, files)
    return [migration.file_name for migration in files if migration.version not in recorded]


def installed_modules(dsn: str) -> list[str]:
    """The industry modules that a tenant database has."""
    with _connect(dsn) as conn:
        recorded = recorded_versions(conn)
    return sorted(
        name
        for name, files in _modules(TENANT_MIGRATIONS).items()
        if any(migration.version in recorded for migration in files)
    )


def seed_tenant(dsn: str) -> None:
    """Put the catalogue rows that every tenant starts with; safe to repeat."""
    with _connect(dsn) as conn, conn.transaction():
        _run_file(conn, TENANT_SEED)


def ensure_database(server_dsn: str, name: str) -> bool:
    """Create an empty database unless it exists; True if it was created."""
    with _maintenance(server_dsn) as conn:
        return _create_database(conn, name, sql.SQL(""))


def has_database(server_dsn: str, name: str) -> bool:
    """Whether the server has a database of this name."""
    with _maintenance(server_dsn) as conn:
        return _exists(conn, name)


def ensure_tenant_template(server_dsn: str, *, migrations: Path = TENANT_MIGRATIONS) -> str:
    """Build the template of the current tenant schema, once per server, and return its name.

    The name holds a hash of all the SQL, so a change makes a new template. It is built under another name and renamed
    at the end: what has the final name is complete, and a killed build is never used. The lock only spares
    concurrent builders the double work.
    """
    name = TEMPLATE_PREFIX + _schema_hash(migrations)
    with _maintenance(server_dsn) as conn:
        if _exists(conn, name):
            return name
        conn.execute("select pg_advisory_lock(hashtextextended(%s, 0))", [_TEMPLATE_LOCK])  # until conn closes
        if not _exists(conn, name):
            _drop_leftovers(conn, keep=name)
            _build_template(conn, server_dsn, name, migrations)
    return name


def create_tenant_database(server_dsn: str, name: str, *, template: str) -> bool:
    """Clone the template into a new database unless it exists; True if it was created.

    Through the WAL, not by copying files: 0.08 s against 0.16 s (measured, 10 MB template), since it needs no
    checkpoint, for which a busy server would also make it wait.
    """
    with _maintenance(server_dsn) as conn:
        options = sql.SQL(" template {} strategy wal_log").format(sql.Identifier(template))
        created = _create_database(conn, name, options)
        if created:
            # Every login of the server may otherwise connect to every client's database.
            conn.execute(sql.SQL("revoke connect, temporary on database {} from public").format(sql.Identifier(name)))
    return created


def _files(directory: Path, wanted: Collection[str], recorded: Collection[str]) -> list[Migration]:
    """The files for this database: the directory's own, and those of the modules it has or is to get."""
    modules = _modules(directory)
    if unknown := sorted(set(wanted) - set(modules)):
        raise OperatorError(
            f"no such module: {', '.join(unknown)}", remedy=f"there are: {', '.join(sorted(modules)) or 'none'}"
        )
    files = read_migrations(directory)
    for name, migrations in modules.items():
        if name in wanted or any(migration.version in recorded for migration in migrations):
            files.extend(migrations)
    return sorted(files, key=lambda migration: migration.version)


def _modules(directory: Path) -> dict[str, list[Migration]]:
    room = directory.parent / "modules"
    return {path.name: read_migrations(path) for path in sorted(room.glob("*/"))} if room.is_dir() else {}


def _schema_hash(migrations: Path) -> str:
    digest = hashlib.sha256()
    for path in [TENANT_LOCAL_SUPABASE, *sorted(migrations.glob("*.sql")), TENANT_SEED]:
        digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()[:16]


def _build_template(conn: Connection, server_dsn: str, name: str, migrations: Path) -> None:
    """Steps: empty database, what Supabase brings, migrations, seed; closed to connections; renamed."""
    building = _BUILDING_PREFIX + secrets.token_hex(8)
    _create_database(conn, building, sql.SQL(" template template0"))
    try:
        dsn = _dsn_for(server_dsn, building)
        with _connect(dsn) as inside:
            _run_file(inside, TENANT_LOCAL_SUPABASE)
        migrate(dsn, migrations)
        seed_tenant(dsn)
        with _connect(dsn) as inside:
            # Frozen and analysed here, once: clones start with statistics and need no early vacuum of their own.
            inside.execute("vacuum (freeze, analyze)")
        identifier = sql.Identifier(building)
        conn.execute(sql.SQL("alter database {} with is_template true allow_connections false").format(identifier))
        conn.execute(sql.SQL("alter database {} rename to {}").format(identifier, sql.Identifier(name)))
    except BaseException:
        _drop(conn, building)
        raise


def _drop_leftovers(conn: Connection, *, keep: str) -> None:
    """Remove killed builds and the templates of other schema versions, where nobody is connected to them."""
    rows = conn.execute(
        "select datname from pg_database"
        " where starts_with(datname, %s) or (starts_with(datname, %s) and datname <> %s)",
        [_BUILDING_PREFIX, TEMPLATE_PREFIX, keep],
    ).fetchall()
    for (name,) in rows:
        _drop(conn, name)


def _drop(conn: Connection, name: str) -> None:
    with contextlib.suppress(errors.ObjectInUse, errors.InvalidCatalogName, errors.InsufficientPrivilege):
        conn.execute(sql.SQL("alter database {} with is_template false").format(sql.Identifier(name)))
        conn.execute(sql.SQL("drop database if exists {}").format(sql.Identifier(name)))


def _create_database(conn: Connection, name: str, options: sql.Composable) -> bool:
    if _exists(conn, name):
        return False
    try:
        conn.execute(sql.SQL("create database {}{}").format(sql.Identifier(name), options))
    except (errors.DuplicateDatabase, errors.UniqueViolation):
        return False  # somebody else was faster
    except errors.InvalidCatalogName as error:
        raise OperatorError(
            f"database {name}: its template is gone: {error.diag.message_primary}",
            remedy="another version of the code runs on this server and replaced it; try again",
        ) from error
    return True


def _exists(conn: Connection, name: str) -> bool:
    return conn.execute("select 1 from pg_database where datname = %s", [name]).fetchone() is not None


def _run_file(conn: Connection, path: Path) -> None:
    # Our own file, and no parameters: sent as it is, several statements at once.
    conn.execute(cast(LiteralString, path.read_text(encoding="utf-8")))


def _dsn_for(server_dsn: str, database: str) -> str:
    return make_conninfo(**{**conninfo_to_dict(server_dsn), "dbname": database})


@contextlib.contextmanager
def _connect(dsn: str) -> Iterator[Connection]:
    """One autocommit connection; without prepared statements, so that it works behind a transaction pooler."""
    with contextlib.closing(_open(dsn)) as conn:
        yield conn


@contextlib.contextmanager
def _maintenance(server_dsn: str) -> Iterator[Connection]:
    """A connection to the database `postgres`: advisory locks count per database, so all must meet in one."""
    try:
        conn = _open(_dsn_for(server_dsn, "postgres"))
    except OperatorError:
        conn = _open(server_dsn)
    with contextlib.closing(conn):
        yield conn


def _open(dsn: str) -> Connection:
    try:
        return psycopg.connect(dsn, autocommit=True, prepare_threshold=None, connect_timeout=CONNECT_TIMEOUT_SECONDS)
    except psycopg.OperationalError as error:
        parameters = conninfo_to_dict(dsn)
        where = " ".join(f"{key}={parameters[key]}" for key in ("host", "port", "dbname", "user") if key in parameters)
        raise OperatorError(
            f"no connection to Postgres {where}: {' '.join(str(error).split())}",
            remedy="is the server up, and are host, user and password in the DSN right?",
        ) from error
