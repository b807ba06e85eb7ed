"""`draggonnb tenant create | list | show`.

Does not live here: how an organization comes into being (`workflows/organizations.py`).
"""

import asyncio
import re
import zoneinfo
from typing import Any

from draggonnb_pipelines.cli.screen import cell, console, table
from draggonnb_pipelines.cli.session import installation, session
from draggonnb_pipelines.cli.stacks import resources_of, show_resources
from draggonnb_pipelines.domain.contact_details import Unusable, email_address, one_line, phone_e164, region_of
from draggonnb_pipelines.domain.organizations import check_slug
from draggonnb_pipelines.errors import OperatorError
from draggonnb_pipelines.settings import Settings
from draggonnb_pipelines.sql import load_queries
from draggonnb_pipelines.workflows.organizations import (
    CreatedOrganization,
    NewOrganization,
    create_organization,
    webhook_secret,
    webhook_token,
)
from draggonnb_pipelines.workflows.placement import MASTERS_OWN, PLACEMENT

INSTALLATION = load_queries("installation")
_LOCALE = re.compile(r"[a-z]{2,3}-[A-Z]{2}")


def create(
    slug: str,
    *,
    name: str,
    owner_email: str,
    owner_phone: str | None,
    timezone: str,
    locale: str,
    server: str | None,
) -> None:
    """Check what was typed, create, and show how to send the first lead.

    Raises:
        OperatorError: something typed cannot be used; nothing was created.
    """
    new = _checked(slug, name, owner_email, owner_phone, timezone, locale)
    with installation() as settings:
        created = asyncio.run(_create(settings, new, server))
        screen = console()
        organization = created.organization
        if created.is_new:
            screen.print(f"[green]created[/] {organization.slug} with the database {organization.database_name}")
        else:
            screen.print(
                f"{organization.slug} existed already ({organization.status}): its name and settings stay as they "
                f"were, and {new.owner_email} is among its owners"
            )
        _show_webhook(settings, organization.slug, created.webhook_token, created.webhook_secret)


def show_all() -> None:
    """A table of all organizations."""
    with installation() as settings:
        rows = asyncio.run(_overview(settings))
    if not rows:
        console().print("no organization yet: draggonnb tenant create SLUG --name NAME --owner-email EMAIL")
        return
    columns = ("slug", "name", "status", "plan", "leads waiting", "database", "created (UTC)")
    shown = table(*columns, unbroken=("slug", "status"))
    for row in rows:
        style = "" if row["status"] == "active" else "yellow"
        shown.add_row(
            cell(row["slug"]), cell(row["name"]), cell(row["status"], style), cell(row["plan_key"] or "-"),
            cell(row["waiting"]), cell(_database(row)), cell(row["created_at"]),
        )  # fmt: skip
    console().print(shown)


def show_one(slug: str, *, with_token: bool) -> None:
    """One organization, and its token if that is asked for."""
    with installation() as settings:
        row, secrets, resources, moves = asyncio.run(_details(settings, slug, with_token=with_token))
    shown = table("", "", unbroken=("",))
    for label, value in (
        ("slug", slug),
        ("name", row["name"]),
        ("status", row["status"]),
        ("set-up", row["set_up"] or "-"),
        ("plan", row["plan_key"] or "-"),
        ("timezone, locale", f"{row['timezone']}, {row['locale']}"),
        ("database", _database(row)),
        ("held since (UTC)", row["held_since"] or "-"),
        ("created (UTC)", row["created_at"]),
        ("leads waiting", row["waiting"]),
        ("dead deliveries", row["dead"]),
        ("last delivery (UTC)", row["last_delivery_at"] or "none yet"),
        ("webhook", _webhook_url(settings, slug)),
    ):
        shown.add_row(cell(label), cell(value))
    console().print(shown)
    show_resources(resources)
    _show_moves(moves)
    if secrets is not None:
        _show_webhook(settings, slug, *secrets)


def _checked(
    slug: str, name: str, owner_email: str, owner_phone: str | None, timezone: str, locale: str
) -> NewOrganization:
    if not _LOCALE.fullmatch(locale):
        raise OperatorError(f"--locale {locale!r}", remedy="give language and country, such as en-ZA or af-ZA")
    if timezone not in zoneinfo.available_timezones():
        raise OperatorError(f"--timezone {timezone!r} is not known", remedy="give an IANA zone: Africa/Johannesburg")
    option = "slug"
    try:
        slug = check_slug(slug)
        option = "--name"
        checked_name = one_line(name, 200)
        option = "--owner-email"
        email = email_address(owner_email)
        option = "--owner-phone"
        phone = phone_e164(owner_phone, region_of(locale)) if owner_phone else None
    except Unusable as error:
        raise OperatorError(f"{option} {error}", remedy="nothing was created; correct it and try again") from error
    except ValueError as error:
        raise OperatorError(str(error), remedy="choose another slug, such as kloof-coffee") from error
    if checked_name is None or email is None:
        missing = "--name" if checked_name is None else "--owner-email"
        raise OperatorError(f"{missing} is empty", remedy="nothing was created; give one and try again")
    return NewOrganization(slug, checked_name, email.as_given, phone, timezone, locale)


async def _create(settings: Settings, new: NewOrganization, server: str | None) -> CreatedOrganization:
    async with session(settings) as opened:
        return await create_organization(
            new, master=opened.master, vault=opened.vault, server_dsn=settings.dsn, server=server
        )


async def _overview(settings: Settings) -> list[dict[str, Any]]:
    async with session(settings) as opened, opened.master.connection() as conn:
        return [row async for row in INSTALLATION.tenant_overview(conn)]


async def _details(
    settings: Settings, slug: str, *, with_token: bool
) -> tuple[dict[str, Any], tuple[str, str] | None, list[dict[str, Any]], list[dict[str, Any]]]:
    async with session(settings) as opened:
        organization = await opened.organization(slug)
        async with opened.master.connection() as conn:
            row = await INSTALLATION.tenant_details(conn, slug=slug)
            moves = [move async for move in PLACEMENT.moves_of(conn, organization_id=organization.id)]
        resources = await resources_of(opened, organization)
        if not with_token:
            return row, None, resources, moves
        secrets = webhook_token(organization, opened.tenants), webhook_secret(organization, opened.tenants)
        return row, secrets, resources, moves


def _show_moves(moves: list[dict[str, Any]]) -> None:
    if not moves:
        return
    columns = ("move", "state", "since (UTC)", "left behind, or why not")
    shown = table(*columns, unbroken=columns[:3])
    for row in moves:
        left = row["kept_name"] or row["last_error"] or "-"
        shown.add_row(
            cell(f"{row['from_server']} to {row['to_server']}"), cell(row["state"]),
            cell(row["ended_at"] or row["created_at"]), cell(f"{left}, dropped" if row["old_dropped_at"] else left),
        )  # fmt: skip
    console().print(shown)


def _show_webhook(settings: Settings, slug: str, token: str, secret: str) -> None:
    url = _webhook_url(settings, slug)
    # Not in a table: these lines are copied, so nothing may fold or frame them.
    for line in (
        f"webhook  {url}",
        f"token    {token}",
        f"secret   {secret}  (to sign with X-Draggonnb-Signature instead of sending the token)",
        "try it   "
        f"curl -sS -X POST {url} -H 'X-Webhook-Token: {token}' -H 'Content-Type: application/json' "
        """-d '{"name": "Front desk", "email": "desk@example.com", "message": "Please call me"}'""",
    ):
        console().print(cell(line), soft_wrap=True)


def _webhook_url(settings: Settings, slug: str) -> str:
    return f"{settings.base_url}/webhook/{slug}/leads"


def _database(row: dict[str, Any]) -> str:
    if row["database_name"] is None:
        return "its own server" if row["has_own_server"] else "none yet"
    place = "" if row["server"] == MASTERS_OWN else f" on {row['server']}"
    return f"{row['database_name']}{place}{', held' if row['held_since'] else ''}"
