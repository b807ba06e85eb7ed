"""What happens to databases: a server that dies or refuses, a client's database gone or old, locks, tampering, backups.

Not here: the machine below (`machine.py`).
"""

import contextlib
import signal
import subprocess
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import psycopg
from psycopg.sql import SQL, Identifier

from draggonnb_pipelines.resources.postgres import dsn_for
from faults.catalogue import fault
from faults.scene import Scene
from faults.telling import Told, failed_run, health, inbox, listen, log_of, up, verb, watch
from tests.servers import database_down
from tests.stories.system import dagster_dsn

AHEAD = timedelta(seconds=45)  # until the post goes out
COMES_BACK = "nothing: what waits goes on by itself"


@fault(
    "postgres-killed",
    done="SIGKILL to the Postgres server while leads are worked on",
    operator="nothing where systemd starts Postgres; else start it",
)
def postgres_killed(scene: Scene) -> Told:
    scene.postgres.process().kill()
    try:
        return listen(scene, health(scene, "master database"), seconds=30)
    finally:
        scene.postgres.start()


@fault("postgres-restarted", done="Postgres is restarted as an upgrade does it (fast)", operator=COMES_BACK)
def postgres_restarted(scene: Scene) -> Told:
    postmaster = scene.postgres.process()
    postmaster.send_signal(signal.SIGINT)
    try:
        return listen(scene, health(scene, "master database"), seconds=30)
    finally:
        postmaster.wait(30)
        scene.postgres.start()


@fault(
    "postgres-backend-killed",
    done="SIGKILL to one process of Postgres: it throws all connections out and recovers",
    operator=COMES_BACK,
)
def postgres_backend_killed(scene: Scene) -> Told:
    backends = [one for one in scene.postgres.process().children() if "[local]" in one.cmdline()[0]]
    backends[0].kill()
    return listen(scene, log_of(scene, "daemon", "server closed"), up(scene, "ended"), seconds=60)


@fault(
    "out-of-connections",
    done="somebody else holds every connection that Postgres gives",
    operator="end whoever holds them (pg_stat_activity); what waits goes on by itself",
)
def out_of_connections(scene: Scene) -> Told:
    with contextlib.ExitStack() as held:
        with contextlib.suppress(psycopg.OperationalError):
            while True:
                held.enter_context(contextlib.closing(psycopg.connect(scene.postgres.dsn)))
        scene.begins()
        return listen(scene, watch(scene, "database does not answer"), seconds=90)


@fault("master-refuses", done="nobody may connect to the master database", operator="let connections in again")
def master_refuses(scene: Scene) -> Told:
    with database_down(scene.postgres.dsn, scene.system.settings.dsn):
        return listen(scene, health(scene, "master database"), seconds=30)


@fault(
    "dagster-database-refuses",
    done="nobody may connect to Dagster's own database",
    operator="let connections in again; the daemon is started again",
)
def dagster_database_refuses(scene: Scene) -> Told:
    with database_down(scene.postgres.dsn, dagster_dsn(scene.system.settings.dsn)):
        return listen(scene, watch(scene, "Dagster's database"), seconds=60)


@fault(
    "client-database-refuses",
    done="nobody may connect to one client's database",
    operator="let connections in again; its rows wait and come by themselves",
)
def client_database_refuses(scene: Scene) -> Told:
    slug = scene.clients[0]
    with database_down(scene.postgres.dsn, _dsn(scene, slug)):
        return listen(scene, health(scene, "clients' databases"), inbox(scene, "database unavailable"), seconds=90)


@fault(
    "client-database-dropped",
    done="one client's database is dropped, just after its backup",
    operator="`draggonnb backup restore SLUG`",
)
def client_database_dropped(scene: Scene) -> Told:
    slug = scene.clients[1]
    with scene.work.quiet(slug):
        _ok(scene, "backup", "create", "--tenant", slug)
        with psycopg.connect(scene.postgres.dsn, autocommit=True) as conn:
            conn.execute(SQL("drop database {} with (force)").format(Identifier(scene.database(slug))))
    scene.begins()
    try:
        return listen(scene, health(scene, "clients' databases"), inbox(scene, "does not exist"), seconds=90)
    finally:
        _ok(scene, "backup", "restore", slug, "--yes")


@fault(
    "client-database-of-last-week",
    done="one client is put back to a backup from before its last post went out",
    operator="answers what it asks: `draggonnb publish review SLUG`; then `draggonnb backup drop-old SLUG`",
)
def client_database_of_last_week(scene: Scene) -> Told:
    slug = scene.clients[2]
    posts = "select id, status from content_queue where platform_id = 'x' and payload ->> 'text' = %s"
    with scene.work.quiet(slug):
        text = scene.work.post_soon(slug, AHEAD)
        scene.system.wait_until("the post is planned", lambda: bool(scene.rows(slug, posts, text)), seconds=60)
        _ok(scene, "backup", "create", "--tenant", slug)
        published = f"{posts} and status = 'published'"
        scene.system.wait_until("the post is public", lambda: bool(scene.rows(slug, published, text)), seconds=90)
        scene.begins()
        _ok(scene, "backup", "restore", slug, "--yes")
        told = listen(scene, verb(scene, f"publish review {slug}", "restored from a backup", code=0), seconds=60)
        [held] = scene.rows(slug, posts, text)
        _ok(scene, "publish", "answer", slug, str(held["id"]), "published")
        _ok(scene, "backup", "drop-old", slug, "--yes")
    return told


@fault(
    "client-table-locked",
    done="a session holds one client's table of leads, and does not let go",
    operator="end that session (pg_stat_activity); its rows wait and come by themselves",
)
def client_table_locked(scene: Scene) -> Told:
    slug = scene.clients[0]
    with _locked(_dsn(scene, slug), "leads"):
        scene.work.lead(slug)
        return listen(scene, inbox(scene, "lock timeout"), failed_run(scene, "qualify_leads"), seconds=120)


@fault(
    "inbox-locked",
    done="a session holds the table of the inbox: no webhook can be stored",
    operator="end that session (pg_stat_activity); senders repeat what got no 2xx",
)
def inbox_locked(scene: Scene) -> Told:
    with _locked(scene.system.settings.dsn, "inbox"):
        return listen(scene, health(scene, "master database"), seconds=60)


@fault(
    "audit-tampered",
    done="a superuser changes an entry of the audit log behind our back",
    operator="the log since then proves nothing: compare with the exports and the backups",
)
def audit_tampered(scene: Scene) -> Told:
    [before] = scene.rows(None, "select actor from audit_log where id = 3")
    _tamper(scene, "nobody")
    try:
        return listen(scene, verb(scene, "audit verify", "master", code=1), seconds=60)
    finally:
        _tamper(scene, before["actor"])


@fault(
    "backup-corrupted",
    done="one byte of a backup is changed on the disk",
    operator="take an older one by --at, or the copy from elsewhere; `draggonnb backup create`",
)
def backup_corrupted(scene: Scene) -> Told:
    slug = scene.clients[0]
    _ok(scene, "backup", "create", "--tenant", slug)
    path = _file_of(scene, slug)
    raw = bytearray(path.read_bytes())
    raw[len(raw) // 2] ^= 1
    path.write_bytes(raw)
    scene.begins()
    try:
        return listen(scene, verb(scene, f"backup verify --tenant {slug}", "sha256", code=1), seconds=60)
    finally:
        path.unlink()


@fault(
    "restore-killed",
    done="SIGKILL to a restore while it fills the new database",
    operator="say it again: it begins anew, and the client served on",
)
def restore_killed(scene: Scene) -> Told:
    slug = scene.clients[0]
    filled, there = f"{scene.database(slug)}_restoring", "select 1 from pg_database where datname = %s"
    restore = ("backup", "restore", slug, "--yes")
    with scene.work.quiet(slug):
        _ok(scene, "backup", "create", "--tenant", slug)
        with scene.begun(*restore) as killed:
            scene.system.wait_until("it is begun", lambda: bool(scene.rows(None, there, filled)), seconds=60)
            killed.kill()
        scene.begins()
        told = listen(scene, verb(scene, " ".join(restore), "equal to the backup", code=0), seconds=90)
        _ok(scene, "backup", "drop-old", slug, "--yes")
    return told


def _dsn(scene: Scene, slug: str) -> str:
    return dsn_for(scene.system.settings.dsn, scene.database(slug))


def _ok(scene: Scene, *verb: str) -> subprocess.CompletedProcess[str]:
    """A verb that must succeed."""
    ended = scene.draggonnb(*verb)
    assert ended.returncode == 0, f"draggonnb {' '.join(verb)}: {ended.stdout[-500:]} {ended.stderr[-500:]}"
    return ended


def _tamper(scene: Scene, actor: str) -> None:
    """Write into the third entry, past the triggers that refuse it to everybody."""
    with psycopg.connect(scene.system.settings.dsn) as conn:
        names = conn.execute("select tgname from pg_trigger where tgrelid = 'audit_log'::regclass and not tgisinternal")
        triggers = [Identifier(row[0]) for row in names.fetchall()]
        conn.execute("alter table audit_log disable trigger user")
        conn.execute("update audit_log set actor = %s where id = 3", (actor,))
        for trigger in triggers:
            conn.execute(SQL("alter table audit_log enable always trigger {}").format(trigger))


def _file_of(scene: Scene, slug: str) -> Path:
    """The newest backup of a client."""
    return max((scene.system.settings.state_dir / "backups").glob(f"{slug}-2*.backup"))


@contextlib.contextmanager
def _locked(dsn: str, table: str) -> Iterator[None]:
    with psycopg.connect(dsn) as conn:
        conn.execute(SQL("lock table {} in access exclusive mode").format(Identifier(table)))
        yield
        conn.rollback()
