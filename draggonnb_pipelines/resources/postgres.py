"""The two kinds of database, as two types that cannot be confused.

Lives here: the pool of the master database, the only way to a tenant's database (`Tenants.open`), and a connection
without limits for backups and restores.
Not here: SQL (`sql/queries`), migrations (`migrations.py`).
"""

import asyncio
import contextlib
import re
import select
from collections import OrderedDict
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from types import TracebackType
from typing import Any, Self
from uuid import UUID

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.rows import DictRow, dict_row
from psycopg_pool import AsyncConnectionPool

from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.errors import TenantUnavailable
from draggonnb_pipelines.logs import about
from draggonnb_pipelines.resources.redaction import MASK
from draggonnb_pipelines.resources.vault import TenantKey, Vault

Connection = psycopg.AsyncConnection[DictRow]
CONNECT_TIMEOUT_SECONDS = 5
KEEPALIVES: dict[str, Any] = {
    "keepalives_idle": 15,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 20_000,
}
# The server looks for us likewise: by itself it waits two hours for a client that vanished, and holds its locks.
SERVER_KEEPALIVES = " ".join(f"-c tcp_{name.removeprefix('tcp_')}={value}" for name, value in KEEPALIVES.items())
# A statement that hangs (a lock, a dead host) must not hold a place that other tenants need. No statement of ours takes
# seconds; what is cut off is a database that is away, and comes again.
SESSION_OPTIONS = f"-c statement_timeout=30s -c lock_timeout=10s {SERVER_KEEPALIVES}"
PLACE_TIMEOUT_SECONDS = 60
# A backend that starts costs some 10 ms of CPU before its first answer, a statement of ours rarely one.
REUSE_WAIT_SECONDS = 0.1
_DSN_USER_PART = re.compile(r"(://[^:/@]*:).*@", re.DOTALL)
_DSN_OPTION = re.compile(r"((?:password|secret)=)[^&]*", re.IGNORECASE)


def dsn_for(server_dsn: str, database: str) -> str:
    """The same server and credentials, another database."""
    return make_conninfo(**{**conninfo_to_dict(server_dsn), "dbname": database})


def redact_dsn(dsn: str) -> str:
    """A DSN to show, as URL or in keywords. Nothing is guessed from punctuation here: passwords may hold any."""
    if "://" in dsn:
        return _DSN_OPTION.sub(rf"\1{MASK}", _DSN_USER_PART.sub(rf"\1{MASK}@", dsn))
    try:
        parts = conninfo_to_dict(dsn)
    except psycopg.ProgrammingError:
        return MASK
    secrets = {name: MASK for name in parts if name.endswith(("password", "secret"))}
    return make_conninfo("", **{**parts, **secrets})


def sealed_dsn_context(organization_id: object) -> str:
    """Associated data of a tenant's own DSN in the master database."""
    return f"organization:{organization_id}:dsn"


def server_dsn_context(server_id: object) -> str:
    """Associated data of a database server's DSN in the master database."""
    return f"database_server:{server_id}:dsn"


class MasterDb:
    """The agency's own database: organizations, inbox, money, ledgers.

    Connections are in autocommit; a step that needs several statements in one opens `conn.transaction()`.
    """

    def __init__(self, dsn: str, *, max_connections: int = 8, name: str = "draggonnb") -> None:
        """`name` is what the sessions are called in `pg_stat_activity`: `Vault.session_name` where there is a vault."""
        self.dsn = dsn
        self._pool: AsyncConnectionPool[Connection] = AsyncConnectionPool(
            dsn,
            min_size=1,
            max_size=max_connections,
            open=False,
            timeout=15,
            check=_refuse_ended,
            kwargs={
                "autocommit": True,
                "row_factory": dict_row,
                "connect_timeout": CONNECT_TIMEOUT_SECONDS,
                "options": SESSION_OPTIONS,
                "application_name": name,
                **KEEPALIVES,
            },
        )

    async def __aenter__(self) -> Self:
        await self._pool.open(wait=True, timeout=15)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._pool.close(timeout=5)

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Connection]:
        """Lend one connection.

        Raises:
            psycopg_pool.PoolTimeout: none is free within 15 s.
        """
        async with self._pool.connection() as conn:
            yield conn


class TenantDb:
    """One tenant's database, for as long as one `Tenants.open` lasts. Hold it briefly: never across a vendor call."""

    def __init__(self, organization: Organization, key: TenantKey, conn: Connection) -> None:
        self.organization = organization
        self.key = key
        self.conn = conn


class Tenants:
    """Opens tenant databases: at most `max_connections` in use and twice as many idle; the oldest idle go first."""

    def __init__(self, server_dsn: str, vault: Vault, *, max_connections: int = 20) -> None:
        self._server_dsn = server_dsn
        self._vault = vault
        self._max_idle = 2 * max_connections
        self._permits = asyncio.Semaphore(max_connections)
        self._own_permits: dict[UUID, asyncio.Semaphore] = {}
        self._per_tenant = max(1, max_connections // 4)
        self._idle: OrderedDict[int, tuple[Organization, Connection]] = OrderedDict()
        self._given_back: dict[UUID, asyncio.Event] = {}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        while self._idle:
            _, (_, conn) = self._idle.popitem()
            await conn.close()

    def key(self, organization: Organization) -> TenantKey:
        """The organization's data key.

        Raises:
            TenantUnavailable: the key was shredded; nothing of this tenant can be read any more.
        """
        if organization.data_key_wrapped is None:
            raise TenantUnavailable(organization.slug, "its data key was erased")
        return self._vault.tenant_key(organization.id, organization.data_key_wrapped)

    @asynccontextmanager
    async def open(self, organization: Organization) -> AsyncIterator[TenantDb]:
        """Lend the tenant's database.

        Raises:
            TenantUnavailable: it cannot be reached, or the connection broke while lent.
        """
        key = self.key(organization)
        async with self._place(organization):
            try:
                conn = await self._take(organization)
                try:
                    with about(organization=organization.slug):
                        yield TenantDb(organization, key, conn)
                finally:
                    await self._give_back(organization, conn)
            except (psycopg.OperationalError, psycopg.InterfaceError) as error:
                raise TenantUnavailable(organization.slug, _one_line(error)) from error

    @asynccontextmanager
    async def _place(self, organization: Organization) -> AsyncIterator[None]:
        """A place among all, and one of the quarter that a single tenant may take: a slow one waits for itself."""
        own = self._own_permits.setdefault(organization.id, asyncio.Semaphore(self._per_tenant))
        async with AsyncExitStack() as held:
            try:
                async with asyncio.timeout(PLACE_TIMEOUT_SECONDS):
                    await held.enter_async_context(own)
                    await held.enter_async_context(self._permits)
            except TimeoutError as error:
                raise TenantUnavailable(organization.slug, "no connection was free within a minute") from error
            yield

    async def _take(self, organization: Organization) -> Connection:
        """An idle connection; one that comes back within moments, since a new backend costs more; or a new one."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(REUSE_WAIT_SECONDS):
                while True:
                    if conn := await self._take_idle(organization):
                        return conn
                    if self._own_permits[organization.id]._value >= self._per_tenant - 1:
                        break  # nobody else has one
                    event = self._given_back.setdefault(organization.id, asyncio.Event())
                    event.clear()
                    await event.wait()
        return await psycopg.AsyncConnection[DictRow].connect(
            self.dsn(organization),
            autocommit=True,
            row_factory=dict_row,
            connect_timeout=CONNECT_TIMEOUT_SECONDS,
            # A pooler in front of a hosted tenant may refuse start-up options.
            options=None if organization.is_hosted else SESSION_OPTIONS,
            **KEEPALIVES,
            prepare_threshold=None if organization.is_hosted else 5,  # a hosted tenant may sit behind a pooler
        )

    async def _take_idle(self, organization: Organization) -> Connection | None:
        for slot, (owner, conn) in reversed(list(self._idle.items())):
            if owner.id == organization.id:
                del self._idle[slot]
                if not _has_ended(conn) and _place(owner) == _place(organization):
                    return conn
                await conn.close()
        return None

    async def _give_back(self, organization: Organization, conn: Connection) -> None:
        if conn.closed or conn.info.transaction_status != psycopg.pq.TransactionStatus.IDLE:
            await conn.close()
            return
        self._idle[id(conn)] = (organization, conn)
        if event := self._given_back.get(organization.id):
            event.set()
        while len(self._idle) > self._max_idle:
            _, (_, oldest) = self._idle.popitem(last=False)
            await oldest.close()

    def dsn(self, organization: Organization) -> str:
        """Where the tenant's database is, with its password; for migrations, which need a connection of their own.

        Raises:
            TenantUnavailable: it has none yet.
        """
        if organization.database_name:
            return dsn_for(self.server_dsn(organization), organization.database_name)
        if organization.dsn_sealed:
            return self._own_dsn(organization.id, organization.dsn_sealed)
        raise TenantUnavailable(organization.slug, "it has no database yet")

    def server_dsn(self, organization: Organization) -> str:
        """The server of ours on which the tenant's databases are, copies among them; whichever database it names."""
        if organization.dsn_sealed and organization.database_name:
            return self._own_dsn(organization.id, organization.dsn_sealed)
        return self._server_dsn

    def _own_dsn(self, organization_id: UUID, sealed: bytes) -> str:
        return self._vault.open(sealed, sealed_dsn_context(organization_id)).decode()


@asynccontextmanager
async def long_connection(dsn: str) -> AsyncIterator[Connection]:
    """A connection without the pool's limit on statements, for what may take minutes."""
    async with await psycopg.AsyncConnection[DictRow].connect(
        dsn,
        autocommit=True,
        row_factory=dict_row,
        connect_timeout=CONNECT_TIMEOUT_SECONDS,
        prepare_threshold=None,
        **KEEPALIVES,
    ) as conn:
        yield conn


async def _refuse_ended(conn: psycopg.AsyncConnection[Any]) -> None:
    if _has_ended(conn):
        await conn.close()  # else the pool, which does not know it yet, keeps it
        raise psycopg.OperationalError("the connection ended while it was idle")


def _has_ended(conn: psycopg.AsyncConnection[Any]) -> bool:
    """Whether an idle connection is of no use any more, such as after a restart of the database.

    All that an idle connection hears is its end, or that a setting was changed. To look costs no round trip.
    """
    if conn.closed:
        return True
    heard = select.poll()
    heard.register(conn.fileno(), select.POLLIN)
    return bool(heard.poll(0))


def _place(organization: Organization) -> tuple[str | None, bytes | None]:
    """A tenant that was moved has another one, and idle connections to the old are of no use."""
    return organization.database_name, organization.dsn_sealed


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:300] or type(error).__name__
