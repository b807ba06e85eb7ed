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

from psycopg.conninfo import conninfo_to_dict
from pydantic import SecretStr

from draggonnb_pipelines.errors import OperatorError
from draggonnb_pipelines.resources.embedded_postgres import embedded_server
from draggonnb_pipelines.resources.migrations import ensure_database, migrate, pending
from draggonnb_pipelines.resources.postgres import dsn_for
from draggonnb_pipelines.settings import Settings
from draggonnb_pipelines.sql import MASTER_MIGRATIONS

MASTER_DATABASE = "draggonnb"
KEY_FILE = "master.keys"


def quiet(_: str) -> None:
    """For callers that show no progress."""


@contextlib.contextmanager
def open_installation(
    settings: Settings, *, migrate_master: bool = True, tell: Callable[[str], None] = quiet
) -> Iterator[Settings]:
    """Start or join the database server and yield settings with `master_dsn` and `master_keys` filled in, and with
    `whatsapp_app_secret` where the sandbox is to sign in Meta's place.

    Raises:
        OperatorError: no server, no keys, or a master schema that is behind while `migrate_master` is off.
    """
    settings.state_dir.mkdir(parents=True, exist_ok=True)
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
        yield opened


def dagster_database(settings: Settings) -> str:
    """Dagster's own database, on the same server, made if it is missing; as the URL that Dagster takes."""
    from sqlalchemy.engine import URL  # Dagster's own dependency; too heavy for the light verbs

    parts = conninfo_to_dict(settings.dsn)
    name = f"{parts.get('dbname', MASTER_DATABASE)}_dagster"
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


def _sandbox_app_secret(keys: str) -> str:
    """What the sandbox signs status webhooks with: of this installation alone, as the API's address may be public."""
    return hmac.new(keys.encode(), b"draggonnb:sandbox:whatsapp-app-secret", hashlib.sha256).hexdigest()
