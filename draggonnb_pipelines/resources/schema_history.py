"""The record of what was applied to a database, in the form that the Supabase CLI writes.

Lives here: reading migration files, the table `supabase_migrations.schema_migrations` (as pkg/migration/history.go
and file.go of supabase/cli create and fill it), comparing the two, applying one file. So `supabase migration list`
and `supabase db push` agree with us, whoever came first.
Not here: which files belong to which database (`migrations.py`), how SQL is split (`sql/statements.py`).
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import LiteralString, cast

import psycopg
from psycopg.rows import TupleRow

from draggonnb_pipelines.errors import OperatorError
from draggonnb_pipelines.sql.statements import split_statements

Connection = psycopg.Connection[TupleRow]
_FILE_NAME = re.compile(r"([0-9]{14})_([a-z0-9_]+)\.sql")
_LOCK = "select pg_advisory_xact_lock(hashtextextended('draggonnb.migrations', 0))"


@dataclass(frozen=True)
class Migration:
    """One file `<version>_<name>.sql`."""

    version: str
    name: str
    statements: tuple[str, ...]

    @property
    def file_name(self) -> str:
        return f"{self.version}_{self.name}.sql"


def read_migrations(directory: Path) -> list[Migration]:
    """The migrations of a directory, by version.

    Raises:
        OperatorError: a file's name is not `<14 digits>_<name>.sql`, a version is there twice, or the SQL is broken.
    """
    migrations: dict[str, Migration] = {}
    for path in sorted(directory.glob("*.sql")):
        match = _FILE_NAME.fullmatch(path.name)
        if not match:
            raise OperatorError(f"migration {path}: bad file name", remedy="name it <yyyymmddhhmmss>_<name>.sql")
        version, name = match.groups()
        if version in migrations:
            raise OperatorError(f"migrations {directory}: version {version} twice", remedy="give one a later version")
        try:
            statements = split_statements(path.read_text(encoding="utf-8"))
        except ValueError as error:
            raise OperatorError(f"migration {path.name}: {error}", remedy="close it") from error
        migrations[version] = Migration(version, name, tuple(statements))
    return list(migrations.values())


def recorded_versions(conn: Connection) -> dict[str, list[str] | None]:
    """What the database says was applied: version -> statements (None where an old CLI kept none)."""
    exists = conn.execute("select to_regclass('supabase_migrations.schema_migrations') is not null").fetchone()
    if not exists or not exists[0]:
        return {}
    return dict(conn.execute("select version, statements from supabase_migrations.schema_migrations").fetchall())


def check_history(recorded: Mapping[str, list[str] | None], files: Iterable[Migration]) -> None:
    """Refuse a database whose history is not the one of the files.

    Raises:
        OperatorError: it has versions that the files lack, or a file is not any more what was applied (drift).
    """
    by_version = {migration.version: migration for migration in files}
    if unknown := sorted(set(recorded) - set(by_version)):
        raise OperatorError(
            f"the database has migrations that this version of the code does not know: {', '.join(unknown)}",
            remedy="deploy the code that brought them; never migrate with an older release",
        )
    for version, statements in sorted(recorded.items()):
        if statements and _resplit(statements) != list(by_version[version].statements):
            raise OperatorError(
                f"migration {by_version[version].file_name} differs from what was applied to the database (drift)",
                remedy="restore the file as it was and put the change into a new migration",
            )


def apply_if_missing(conn: Connection, migration: Migration) -> bool:
    """Apply one file and record it, in one transaction; False if another migrator was faster.

    The lock is of the transaction, not the session, so it also holds behind a transaction pooler.

    Raises:
        OperatorError: a statement failed; nothing of the file stays.
    """
    with conn.transaction():
        conn.execute(_LOCK)
        _ensure_history_table(conn)
        found = conn.execute(
            "select 1 from supabase_migrations.schema_migrations where version = %s", [migration.version]
        ).fetchone()
        if found:
            return False
        for number, statement in enumerate(migration.statements, start=1):
            _execute(conn, migration, number, statement)
        conn.execute(
            "insert into supabase_migrations.schema_migrations (version, name, statements) values (%s, %s, %s)",
            [migration.version, migration.name, list(migration.statements)],
        )
    return True


def _ensure_history_table(conn: Connection) -> None:
    if conn.execute("select to_regclass('supabase_migrations.schema_migrations') is null").fetchone() != (True,):
        return
    conn.execute("create schema if not exists supabase_migrations")
    conn.execute("create table if not exists supabase_migrations.schema_migrations (version text not null primary key)")
    conn.execute("alter table supabase_migrations.schema_migrations add column if not exists statements text[]")
    conn.execute("alter table supabase_migrations.schema_migrations add column if not exists name text")


def _execute(conn: Connection, migration: Migration, number: int, statement: str) -> None:
    try:
        # Our own files, not user input: the type checker's literal rule cannot see that.
        conn.execute(cast(LiteralString, statement))
    except psycopg.Error as error:
        first_line = next((line for line in statement.splitlines() if line and not line.startswith("--")), statement)
        raise OperatorError(
            f"migration {migration.file_name}, statement {number} ({first_line.strip()[:80]}): "
            f"{error.diag.message_primary or error}",
            remedy="nothing of this file was applied: correct the cause and migrate again",
        ) from error


def _resplit(statements: list[str]) -> list[str]:
    """Recorded statements as we would split them: the Management API records a whole file as one."""
    try:
        return split_statements(";\n".join(statements))
    except ValueError:
        return statements
