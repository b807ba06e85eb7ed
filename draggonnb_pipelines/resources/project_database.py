"""The database of a client's Supabase project as we reach it: the pooler's address with our password.

Lives here: its DSN, and whether it takes the password. Does not live here: the project (`supabase_management.py`),
lending connections (`postgres.py`).
"""

import re

import psycopg
from psycopg.conninfo import make_conninfo

from draggonnb_pipelines.resources.postgres import KEEPALIVES
from draggonnb_pipelines.resources.supabase_wire import DatabaseAddress

CONNECT_TIMEOUT_SECONDS = 10
# Postgres's own words, and those of the pooler in front of it; neither sends the SQLSTATE through libpq.
_REFUSED = re.compile(r"password authentication failed|wrong password|sasl authentication failed", re.IGNORECASE)


def project_dsn(address: DatabaseAddress, password: str, *, is_sandboxed: bool) -> str:
    """The DSN of a project's `postgres` role. A real one is never spoken to in the clear; a sandbox's has no TLS."""
    return make_conninfo(
        host=address.host,
        port=address.port,
        user=address.user,
        dbname=address.database,
        password=password,
        sslmode="prefer" if is_sandboxed else "require",
        **KEEPALIVES,
    )


async def takes_password(dsn: str) -> bool:
    """Whether the database lets us in; False only where it says that the password is wrong.

    Raises:
        psycopg.OperationalError: it could not be asked.
    """
    try:
        conn = await psycopg.AsyncConnection.connect(
            dsn, autocommit=True, connect_timeout=CONNECT_TIMEOUT_SECONDS, prepare_threshold=None
        )
    except psycopg.OperationalError as error:
        if _REFUSED.search(str(error)):
            return False
        raise
    await conn.close()
    return True
