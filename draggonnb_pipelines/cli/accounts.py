"""`draggonnb account connect | list | refresh | disconnect`.

Lives here: reading tokens from a file, stdin or a prompt, and the output, which never shows one.
Does not live here: what connecting means (`workflows/publishing/accounts.py`; it and the stack are imported by the
verbs that need them, since the vendors' SDKs take a second to load).
"""

import asyncio
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar
from uuid import UUID

import typer

from draggonnb_pipelines.cli.inbox import operator
from draggonnb_pipelines.cli.screen import cell, console, table
from draggonnb_pipelines.cli.session import ORGANIZATIONS, installation, session
from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.domain.publishing import Platform
from draggonnb_pipelines.errors import OperatorError, TenantUnavailable
from draggonnb_pipelines.settings import Settings
from draggonnb_pipelines.sql import load_queries

if TYPE_CHECKING:
    from draggonnb_pipelines.resources.stack import Stack

ACCOUNTS = load_queries("accounts")
T = TypeVar("T")
REFRESHED = frozenset({Platform.LINKEDIN, Platform.X})
VENDORS = {Platform.FACEBOOK: "meta", Platform.INSTAGRAM: "meta", Platform.LINKEDIN: "linkedin", Platform.X: "x"}


def connect(
    slug: str,
    platform_id: str,
    external_id: str,
    *,
    handle: str | None,
    token_file: Path | None,
    expires_in: int | None,
    from_sandbox: bool,
) -> None:
    """Read the tokens and store them.

    Raises:
        OperatorError: there is no token to read, or the plan has no place left; nothing was stored.
    """
    from draggonnb_pipelines.workflows.publishing.accounts import connect_account

    platform, external_id = Platform(platform_id), external_id.strip()
    if not 1 <= len(external_id) <= 200:
        raise OperatorError("the account's id is empty or too long", remedy="give the id that the network shows")
    with installation() as settings:
        if from_sandbox:
            token, refresh_token = _sandbox_tokens(settings, platform, external_id)
        else:
            token, refresh_token = _read_tokens(platform, token_file)

        async def store(stack: "Stack", organization: Organization) -> Any:
            return await connect_account(
                stack,
                organization,
                platform,
                external_id,
                token=token,
                refresh_token=refresh_token,
                expires_in_seconds=expires_in,
                handle=handle,
                by=f"operator:{operator()}",
            )

        connected = asyncio.run(_with_stack(settings, slug, store))
    verb = "connected" if connected.is_new else "connected again"
    console().print(cell(f"{verb}: {platform} {handle or external_id}, account {connected.account_id}", "green"))
    if platform is Platform.X and not connected.has_refresh_token:
        hint = "X's access tokens live for two hours; without a refresh token it must be connected again after that"
        console().print(cell(hint, "yellow"))


def show_accounts(slug: str | None, *, everyone: bool) -> None:
    """A table of one organization's accounts, or of everybody's. A database that is away does not hide the others.

    Raises:
        OperatorError: neither or both were asked for.
    """
    if (slug is None) != everyone:
        raise OperatorError("whose accounts?", remedy="give one slug, or --all")
    with installation() as settings:
        rows = asyncio.run(_accounts(settings, slug))
    if not rows:
        console().print("no account yet: draggonnb account connect SLUG PLATFORM EXTERNAL_ID")
        return
    columns = ("organization", "network", "account", "handle", "state", "why", "ends (UTC)", "posts waiting", "id")
    shown = table(*columns, unbroken=("organization", "network", "state", "id"))
    for row in rows:
        style = "" if row["status"] == "connected" else "yellow"
        ends = [at for at in (row.get("expires_at"), row.get("data_access_expires_at")) if at]
        shown.add_row(
            cell(row["slug"]), cell(row.get("platform_id")), cell(row.get("external_id")), cell(row.get("handle")),
            cell(row["status"], style), cell(row["status_reason"]), cell(_ends(row, ends)),
            cell(row.get("posts_waiting")), cell(row.get("account_id")),
        )  # fmt: skip
    console().print(shown)


def refresh(slug: str, account_id: UUID) -> None:
    """Renew one account's token, and say what came of it.

    Raises:
        OperatorError: it was not renewed; says why and whether that mends itself.
    """
    from draggonnb_pipelines.workflows.publishing.token_refresh import refresh_account

    async def renew(stack: "Stack", organization: Organization) -> Any:
        report = await refresh_account(stack, organization, account_id)
        if account_id in report.refreshed:
            async with stack.tenants.open(organization) as tenant:
                resource, by = f"social_account:{account_id}", f"operator:{operator()}"
                await ORGANIZATIONS.audit(
                    tenant.conn, actor=by, action="account.refreshed", resource=resource, metadata="{}"
                )
        return report

    with installation() as settings:
        report = asyncio.run(_with_stack(settings, slug, renew))
    if account_id in report.refreshed:
        console().print(cell(f"refreshed: account {account_id}", "green"))
        return
    if reason := report.later.get(account_id):
        raise OperatorError(f"not refreshed: {reason}", remedy="nothing is lost; it is tried again by itself")
    if reason := report.lost.get(account_id):
        raise OperatorError(f"not refreshed: {reason}", remedy="connect it again: `draggonnb account connect`")
    raise OperatorError(
        f"account {account_id} cannot be refreshed now",
        remedy="it has no refresh token, or another refresh is at work; `draggonnb account list` shows its state",
    )


def disconnect(slug: str, account_id: UUID) -> None:
    """Forget the tokens; the posts that wait for the account are named."""
    from draggonnb_pipelines.workflows.publishing.accounts import disconnect_account

    async def forget(stack: "Stack", organization: Organization) -> Any:
        return await disconnect_account(stack, organization, account_id, by=f"operator:{operator()}")

    with installation() as settings:
        posts = asyncio.run(_with_stack(settings, slug, forget))
    console().print(cell(f"disconnected: account {account_id}", "green"))
    for post in posts:
        console().print(cell(f"waits for nobody now: {post.publish_at:%Y-%m-%d %H:%M} UTC {post.title}", "yellow"))


def _sandbox_tokens(settings: Settings, platform: Platform, external_id: str) -> tuple[str, str | None]:
    if VENDORS[platform] not in settings.sandboxed_vendors:
        raise OperatorError(
            f"--sandbox: {platform} is set up with real credentials", remedy="give the account's own token"
        )
    return f"sandbox-{external_id}", f"sandbox-refresh-{external_id}" if platform in REFRESHED else None


def _read_tokens(platform: Platform, token_file: Path | None) -> tuple[str, str | None]:
    """The access token and, where there is one, the refresh token."""
    if token_file is not None:
        lines = _text_of(token_file).splitlines()
    elif sys.stdin.isatty():
        lines = [typer.prompt("Access token", hide_input=True)]
        if platform in REFRESHED:
            lines.append(typer.prompt("Refresh token (empty: none)", hide_input=True, default="", show_default=False))
    else:
        raise OperatorError(
            "there is no terminal to ask for the token", remedy="give --token-file PATH, or --token-file - for stdin"
        )
    token, refresh_token, *_ = [*(line.strip() for line in lines), "", ""]
    if not token:
        raise OperatorError("the access token is empty", remedy="nothing was stored; give the network's token")
    return token, refresh_token or None


def _text_of(path: Path) -> str:
    if str(path) == "-":
        return sys.stdin.read()
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise OperatorError(
            f"{path} cannot be read ({type(error).__name__})", remedy="give a readable text file"
        ) from error


def _ends(row: dict[str, Any], ends: list[Any]) -> object:
    if row.get("has_refresh_token"):
        return "renewed by itself"
    return min(ends, default="-")


async def _with_stack(settings: Settings, slug: str, work: Callable[["Stack", Organization], Awaitable[T]]) -> T:
    from draggonnb_pipelines.resources.stack import open_stack

    async with session(settings) as opened:
        organization = await opened.organization(slug)
    async with open_stack(settings) as stack:
        return await work(stack, organization)


async def _accounts(settings: Settings, slug: str | None) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    async with session(settings) as opened:
        if slug is not None:
            organizations = [await opened.organization(slug)]
        else:
            async with opened.master.connection() as conn:
                slugs = [row["slug"] async for row in ORGANIZATIONS.known_slugs(conn)]
                rows = ORGANIZATIONS.organizations_by_slug(conn, slugs=slugs)
                organizations = [Organization(**row) async for row in rows]
        for organization in organizations:
            try:
                async with opened.tenants.open(organization) as tenant:
                    found += [{"slug": organization.slug, **row} async for row in ACCOUNTS.list_accounts(tenant.conn)]
            except TenantUnavailable as error:
                found.append({"slug": organization.slug, "status": "unknown", "status_reason": error.reason})
    return found
