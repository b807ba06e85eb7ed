"""`draggonnb watch`: one look from outside at what must always live, and a mail to the agency when it does not.

Lives here: what is looked at, the file that remembers an outage, who is told once that it began and once that it is
over. A timer calls it every minute (docs/monitoring.md).
Not here: what is only late (asset checks and alerts tell that, by way of the daemon that this verb watches).

It needs neither the API nor the daemon nor the database to say that they are gone: the owners' addresses are kept in
the file since they could last be read. When this machine itself is gone, nobody asks for DRAGGONNB_WATCH_PING_URL.
"""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import fasteners
import httpx
import psycopg
import typer
from psycopg.rows import DictRow, dict_row
from pydantic import BaseModel, ValidationError

from draggonnb_pipelines.cli.installation import MASTER_DATABASE
from draggonnb_pipelines.cli.leads import api_url
from draggonnb_pipelines.cli.screen import cell, console
from draggonnb_pipelines.domain.organizations import AGENCY_SLUG, Organization
from draggonnb_pipelines.errors import DraggonnbError, OperatorError, VendorError
from draggonnb_pipelines.resources.dagster_readings import dagster_dsn, read_daemon
from draggonnb_pipelines.resources.embedded_postgres import running_server
from draggonnb_pipelines.resources.mail import Mail, Mailer, message_id
from draggonnb_pipelines.resources.postgres import Tenants, dsn_for
from draggonnb_pipelines.resources.vault import Vault
from draggonnb_pipelines.resources.whole_files import write_whole
from draggonnb_pipelines.settings import Settings, load_settings
from draggonnb_pipelines.sql import load_queries

ORGANIZATIONS, WATCH = load_queries("organizations"), load_queries("watch")
STATE_FILE = "watch.json"
# What is wrong must be wrong twice: a process that is being restarted is no outage.
AGAIN_SECONDS = 10.0
TIMEOUT_SECONDS = 8.0


class Outage(BaseModel):
    """What the file remembers.

    Args:
        owners: of the agency, as last read.
        since: when the present outage was first seen; None: there is none.
        told: whom a mail said that it began, and none yet that it is over.
    """

    owners: list[str] = []
    since: datetime | None = None
    told: list[str] = []


def watch() -> None:
    """Look, tell, remember. Exit code 1 while something is wrong or somebody could not be told.

    Raises:
        OperatorError: another `watch` is at it.
    """
    settings = load_settings()
    settings.state_dir.mkdir(parents=True, exist_ok=True)
    lock = fasteners.InterProcessLock(settings.state_dir / "watch.lock")
    if not lock.acquire(blocking=False):
        raise OperatorError("another `draggonnb watch` is at work", remedy="wait until it has ended")
    try:
        complaints = asyncio.run(_watch(_located(settings), datetime.now(UTC)))
    finally:
        lock.release()
    for line in complaints:
        console().print(cell(line, "red"))
    if complaints:
        raise typer.Exit(1)
    console().print(cell("all is well", "green"))


async def _watch(settings: Settings, now: datetime) -> list[str]:
    path = settings.state_dir / STATE_FILE
    outage = _read(path)
    wrong = await look(settings)
    if wrong:
        await asyncio.sleep(AGAIN_SECONDS)
        wrong = await look(settings)
    outage.owners = await _owners(settings) or outage.owners
    if wrong:
        outage.since = outage.since or now
        forgotten = _write(path, outage)
        untold = [owner for owner in outage.owners if owner not in outage.told]
        unmailed = await _tell(settings, outage, untold, wrong=wrong, path=path)
        nobody = [] if outage.owners else [f"nobody could be told: no owner of {AGENCY_SLUG} was ever read"]
        return [*wrong, *nobody, *unmailed, *forgotten]
    unmailed = await _tell(settings, outage, list(outage.told), wrong=(), path=path)
    if not outage.told:
        outage.since = None
    return [*unmailed, *_write(path, outage), *(await _ping(settings))]


async def look(settings: Settings) -> list[str]:
    """What is wrong, a line each: the API from outside, and the daemon straight from Dagster's database."""
    found = await asyncio.gather(_look_at_api(settings), _look_at_daemon(settings))
    return [line for lines in found for line in lines]


async def _look_at_api(settings: Settings) -> list[str]:
    url = f"{api_url(settings)}/api/health"
    try:
        async with httpx.AsyncClient(trust_env=False, timeout=TIMEOUT_SECONDS) as client:
            body = (await client.get(url)).json()
        status, why = str(body["status"]), [str(line) for line in body["why"]]
    except httpx.HTTPError:
        return [f"the API does not answer at {url}"]
    except (ValueError, KeyError, TypeError):
        return [f"what answers at {url} is not our API"]
    return [f"the API says {status}: {line}" for line in why[:5]] if status in ("unhealthy", "down") else []


async def _look_at_daemon(settings: Settings) -> list[str]:
    if settings.master_dsn is None:
        return ["the embedded Postgres is not running"]
    try:
        async with asyncio.timeout(TIMEOUT_SECONDS):
            return (await read_daemon(dagster_dsn(settings))).faults()
    except (psycopg.Error, TimeoutError):
        return ["Dagster's database does not answer"]


async def _owners(settings: Settings) -> list[str]:
    """The agency's owners now; empty where the databases do not answer."""
    if settings.master_dsn is None:
        return []
    try:
        async with asyncio.timeout(TIMEOUT_SECONDS):
            async with await _connect(settings.dsn) as master:
                row = await ORGANIZATIONS.get_organization(master, slug=AGENCY_SLUG)
            if row is None:
                return []
            async with await _connect(_agency_dsn(settings, Organization(**row))) as tenant:
                return [owner["email"] async for owner in WATCH.owners(tenant)]
    except (psycopg.Error, TimeoutError, DraggonnbError):
        return []


async def _connect(dsn: str) -> psycopg.AsyncConnection[DictRow]:
    return await psycopg.AsyncConnection[DictRow].connect(
        dsn, autocommit=True, row_factory=dict_row, connect_timeout=int(TIMEOUT_SECONDS) // 2
    )


def _agency_dsn(settings: Settings, agency: Organization) -> str:
    if agency.database_name and not agency.dsn_sealed:  # needs no key, and an outage may be that the keys are not there
        return dsn_for(settings.dsn, agency.database_name)
    return Tenants(settings.dsn, Vault(settings.keys)).dsn(agency)


async def _tell(
    settings: Settings, outage: Outage, readers: Sequence[str], *, wrong: Sequence[str], path: Path
) -> list[str]:
    """Mail all readers side by side, since a server that hangs takes two minutes for each, and note each at once.

    Returns:
        A line about each whose mail did not go out: the next look tries again.
    """
    mailer, failed = build_mailer(settings), []

    async def tell(reader: str) -> None:
        try:
            await mailer.send(_mail(outage, reader, mailer.domain, wrong))
        except VendorError as error:
            failed.append(f"a mail to an owner did not go out: {error}")
            return
        if wrong:
            outage.told.append(reader)
        else:
            outage.told.remove(reader)
        _write(path, outage)

    await asyncio.gather(*map(tell, readers))
    return failed


def build_mailer(settings: Settings) -> Mailer:
    host, port = settings.smtp_address
    return Mailer(
        host=host,
        port=port,
        user=settings.smtp_user,
        password=settings.smtp_password.get_secret_value() if settings.smtp_password else None,
        starttls=settings.smtp_starttls and settings.smtp_host is not None,
        sender=settings.mail_from,
    )


def _mail(outage: Outage, reader: str, domain: str, wrong: Sequence[str]) -> Mail:
    began = f"{outage.since:%Y-%m-%d %H:%M} UTC" if outage.since else "an unknown time"
    key = f"watch:{outage.since}:{'began' if wrong else 'over'}"
    if not wrong:
        text = f"Everything answers again. It had been out of order since {began}.\n"
        return Mail(message_id(key, reader, domain), reader, "DraggonnB works again", text)
    lines = "\n".join(f"- {line}" for line in wrong)
    text = (
        f"Since {began}:\n\n{lines}\n\n"
        "What webhooks bring is kept while the API and its database answer; nothing is published or sent meanwhile.\n"
        "On the machine: draggonnb doctor\n\nYou are told once more, when it is over.\n"
    )
    return Mail(message_id(key, reader, domain), reader, f"DraggonnB is out of order: {wrong[0]}", text)


async def _ping(settings: Settings) -> list[str]:
    if settings.watch_ping_url is None:
        return []
    try:
        async with httpx.AsyncClient(trust_env=False, timeout=TIMEOUT_SECONDS) as client:
            answer = await client.get(settings.watch_ping_url)
        return [] if answer.is_success else [f"DRAGGONNB_WATCH_PING_URL answers {answer.status_code}"]
    except httpx.HTTPError as error:
        return [f"DRAGGONNB_WATCH_PING_URL does not answer: {type(error).__name__}"]


def _located(settings: Settings) -> Settings:
    """With the embedded server's address, if it runs; nothing is started, and no key is needed."""
    if settings.master_dsn is not None:
        return settings
    server = running_server(settings.embedded_postgres_dir)
    return settings.model_copy(update={"master_dsn": dsn_for(server, MASTER_DATABASE)}) if server else settings


def _read(path: Path) -> Outage:
    """A file that is gone or damaged is an outage nobody knows of: at worst somebody is told once more."""
    try:
        return Outage.model_validate_json(path.read_text())
    except (OSError, ValidationError, UnicodeDecodeError):
        return Outage()


def _write(path: Path, outage: Outage) -> list[str]:
    """Replace the file. On a full disk that fails, and is said: a mail too many is better than none."""
    try:
        write_whole(path, outage.model_dump_json())
    except OSError as error:
        return [f"{path} cannot be written ({error.strerror}): who was told is not remembered"]
    return []
