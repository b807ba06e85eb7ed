"""What must stand before anything runs: a database server, the databases in it, the master keys.

`open_installation` gives settings that name all of them. With DRAGGONNB_MASTER_DSN set, that server is used as it is;
otherwise the embedded one is started (or joined, if `draggonnb up` holds it).
"""

import base64
import contextlib
import hashlib
import hmac
import os
import secrets
from collections.abc import Callable, Iterator

import psycopg
from psycopg.conninfo import conninfo_to_dict
from pydantic import SecretStr

from draggonnb_pipelines.errors import OperatorError
from draggonnb_pipelines.resources.dagster_readings import dagster_dsn
from draggonnb_pipelines.resources.embedded_postgres import embedded_server
from draggonnb_pipelines.resources.migrations import ensure_database, migrate, pending
from draggonnb_pipelines.resources.postgres import dsn_for
from draggonnb_pipelines.resources.vault import SealBroken, Vault
from draggonnb_pipelines.settings import Settings
from draggonnb_pipelines.sql import MASTER_MIGRATIONS

MASTER_DATABASE = "draggonnb"
KEY_FILE = "master.keys"
SAMPLE_KEYS = """
select id, data_key_wrapped from organizations where data_key_wrapped is not null order by created_at desc limit 10
"""


def quiet(_: str) -> None:
    """For callers that show no progress."""


@contextlib.contextmanager
def open_installation(
    settings: Settings, *, migrate_master: bool = True, try_keys: bool = True, tell: Callable[[str], None] = quiet
) -> Iterator[Settings]:
    """Start or join the database server and yield settings with `master_dsn` and `master_keys` filled in, and with
    `whatsapp_app_secret` where the sandbox is to sign in Meta's place.

    Raises:
        OperatorError: no state directory, no server, no keys, or keys that open nothing of what is there (`try_keys`).
    """
    try:
        settings.state_dir.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OperatorError(
            f"the state directory {settings.state_dir} cannot be made: {error.strerror}",
            remedy="give its parent to the user that runs draggonnb, or set DRAGGONNB_STATE_DIR to another folder",
        ) from error
    with contextlib.ExitStack() as held:
        dsn = settings.master_dsn
        if dsn is None:
            tell("starting the embedded Postgres")
            server = held.enter_context(embedded_server(settings.embedded_postgres_dir))
            ensure_database(server, MASTER_DATABASE)
            dsn = dsn_for(server, MASTER_DATABASE)
        keys = _keys(settings)
        filled: dict[str, object] = {"master_dsn": dsn, "master_keys": SecretStr(keys)}
        if "whatsapp" in settings.sandboxed_vendors and not settings.whatsapp_app_secret:
            filled["whatsapp_app_secret"] = SecretStr(_sandbox_app_secret(keys))
        opened = settings.model_copy(update=filled)
        if migrate_master and pending(dsn, MASTER_MIGRATIONS):
            tell("migrating the master database")
            migrate(dsn, MASTER_MIGRATIONS)
        if try_keys:
            _try_keys(dsn, keys)
        yield opened


def dagster_database(settings: Settings) -> str:
    """Dagster's own database as the URL that Dagster takes: the one that is set, or else the one beside the master's,
    made if it is missing."""
    if settings.dagster_pg_url:
        return settings.dagster_pg_url
    from sqlalchemy.engine import URL  # Dagster's own dependency; too heavy for the light verbs

    parts = conninfo_to_dict(dagster_dsn(settings))
    name = str(parts["dbname"])
    ensure_database(settings.dsn, name)
    host = str(parts.get("host", "localhost"))
    is_socket = host.startswith("/")
    url = URL.create(
        "postgresql+psycopg2",
        username=str(parts["user"]) if "user" in parts else None,
        password=str(parts["password"]) if parts.get("password") else None,
        host=None if is_socket else host,
        port=int(str(parts["port"])) if "port" in parts else None,
        database=name,
        query={"host": host} if is_socket else {},
    )
    return url.render_as_string(hide_password=False)


def _keys(settings: Settings) -> str:
    """The configured keys, or those of this embedded installation, made at its first start."""
    if settings.master_keys is not None:
        return settings.master_keys.get_secret_value()
    if settings.master_dsn is not None:
        raise OperatorError(
            "DRAGGONNB_MASTER_KEYS is not set, and DRAGGONNB_MASTER_DSN names your own server",
            remedy="set it to id:base64 of 32 random bytes, such as k1:$(openssl rand -base64 32), and keep it safe: "
            "without it nothing that is sealed in that database can ever be read",
        )
    path = settings.state_dir / KEY_FILE
    if not path.exists():
        key = f"local:{base64.b64encode(secrets.token_bytes(32)).decode()}"
        partial = path.with_suffix(f".{os.getpid()}")
        partial.touch(mode=0o600)
        partial.write_text(key)
        with contextlib.suppress(FileExistsError):
            os.link(partial, path)  # the first of two processes wins; neither ever sees half a key
        partial.unlink()
    return path.read_text().strip()


def _try_keys(dsn: str, keys: str) -> None:
    """Refuse keys under which no client's data key opens: they are another installation's, and what comes in would be
    sealed under them, where the right ones do not open it."""
    vault = Vault(keys)
    with contextlib.closing(psycopg.connect(dsn, autocommit=True)) as conn:
        try:
            rows = conn.execute(SAMPLE_KEYS).fetchall()
        except psycopg.errors.UndefinedTable:
            return  # nothing was ever stored
    for organization_id, wrapped in rows:
        with contextlib.suppress(SealBroken):
            vault.tenant_key(organization_id, wrapped)
            return
    if rows:
        raise OperatorError(
            "the master keys open nothing of what is sealed in this database",
            remedy="put the key that sealed it into DRAGGONNB_MASTER_KEYS; after a rotation the old one stays behind a "
            "comma",
        )


def _sandbox_app_secret(keys: str) -> str:
    """What the sandbox signs status webhooks with: of this installation alone, as the API's address may be public."""
    return hmac.new(keys.encode(), b"draggonnb:sandbox:whatsapp-app-secret", hashlib.sha256).hexdigest()
