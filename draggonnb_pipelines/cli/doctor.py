"""`draggonnb doctor`: one table of everything that has to be right, with a remedy for each fault.

Lives here: which probes run, side by side, and the table. Does not live here: the probes (`*_probes.py`).
It repairs nothing, makes nothing, and works when nothing runs.
"""

import asyncio
import contextlib
import importlib
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

import typer

from draggonnb_pipelines.cli import database_probes, installation_probes, network_probes, service_probes, stack_probes
from draggonnb_pipelines.cli.findings import Finding, Verdict, fault, ok, skipped, timed
from draggonnb_pipelines.cli.installation import open_installation
from draggonnb_pipelines.cli.screen import cell, console, table
from draggonnb_pipelines.errors import OperatorError
from draggonnb_pipelines.settings import Settings, load_settings

_STYLES = {Verdict.OK: "green", Verdict.NOTE: "yellow", Verdict.SKIPPED: "dim", Verdict.FAULT: "bold red"}
DATABASE_REMEDY = "is the server up, and is DRAGGONNB_MASTER_DSN right?"


def doctor() -> None:
    """Probe, show, and end with exit code 1 if anything is wrong."""
    findings = [installation_probes.python(), installation_probes.packages()]
    try:
        settings = load_settings()
    except OperatorError as error:
        findings.append(fault("settings", error.message, error.remedy))
        findings.append(skipped("everything else", "needs valid settings"))
    else:
        findings += [
            ok("settings", "valid"),
            installation_probes.sandbox(settings),
            installation_probes.canary(settings),
        ]
        findings.append(installation_probes.state_directory(settings))
        # Before the probes' five seconds begin: on a machine that has just started, Claude's SDK takes as long to load,
        # and every probe waits for it.
        importlib.import_module("anthropic")
        with _opened(settings, findings) as opened:
            findings += asyncio.run(_probe(settings, opened))
    _show(findings)
    if any(finding.verdict is Verdict.FAULT for finding in findings):
        raise typer.Exit(1)


@contextlib.contextmanager
def _opened(settings: Settings, findings: list[Finding]) -> Iterator[Settings | None]:
    """The installation's settings, or None, with the reason among the findings, where it cannot be opened."""
    check = "installation"
    is_embedded = settings.master_dsn is None
    if is_embedded and not (settings.embedded_postgres_dir / "pg" / "PG_VERSION").exists():
        what = f"nothing was ever started from {settings.state_dir}: there is no database yet"
        findings.append(fault(check, what, "`draggonnb up` makes it; or set DRAGGONNB_MASTER_DSN to your own server"))
        yield None
        return
    with contextlib.ExitStack() as held:
        try:
            opened = held.enter_context(open_installation(settings, migrate_master=False, try_keys=False))
            findings.append(ok(check, "embedded Postgres" if is_embedded else "a Postgres server of your own"))
        except OperatorError as error:
            findings.append(fault(check, error.message, error.remedy))
            opened = None
        yield opened


async def _probe(settings: Settings, opened: Settings | None) -> Sequence[Finding]:
    """All probes at once."""
    now = datetime.now(UTC)
    services = [
        timed("API", service_probes.api(settings), service_probes.START),
        timed("Dagster UI", service_probes.web_server(settings), service_probes.START),
        timed("code server", service_probes.code_server(settings), service_probes.START),
        timed("broker", service_probes.broker(settings), "start it, or set DRAGGONNB_CELERY_BROKER"),
        timed("Claude", service_probes.claude(settings, now=now), "check DRAGGONNB_ANTHROPIC_API_KEY and the network"),
        timed("WhatsApp", service_probes.whatsapp(settings), "check DRAGGONNB_WHATSAPP_TOKEN and the network"),
        timed("SMTP", service_probes.mail(settings), "check DRAGGONNB_SMTP_HOST and the network"),
        timed("Meta", network_probes.meta(settings, today=now.date()), "check DRAGGONNB_META_* and the network"),
        timed("PayFast", stack_probes.payfast(settings), "check DRAGGONNB_PAYFAST_* and the network"),
        timed("Supabase", stack_probes.supabase(settings), "check DRAGGONNB_SUPABASE_* and the network"),
        timed("GitHub", stack_probes.github(settings), "check DRAGGONNB_GITHUB_* and the network"),
        timed("Vercel", stack_probes.vercel(settings), "check DRAGGONNB_VERCEL_* and the network"),
        timed("n8n", stack_probes.n8n(settings), "check DRAGGONNB_N8N_* and the network"),
        timed("media storage", network_probes.storage(settings), "check DRAGGONNB_STORAGE_* and the network"),
    ]
    networks = [network_probes.linkedin(settings, today=now.date()), network_probes.x(settings)]
    if opened is None:
        return [skipped("databases", "the installation cannot be opened"), *await asyncio.gather(*services), *networks]
    probes = (
        ("database server", database_probes.server),
        ("master migrations", database_probes.master_migrations),
        ("tenant template", database_probes.tenant_template),
        ("tenants", database_probes.tenants),
        ("master keys", database_probes.master_keys),
        ("backups", database_probes.backups),
        ("Dagster daemon", database_probes.dagster_daemon),
    )
    databases = [timed(check, probe(opened), DATABASE_REMEDY) for check, probe in probes]
    return [*await asyncio.gather(*databases, *services), *networks]


def _show(findings: Sequence[Finding]) -> None:
    shown = table("check", "", "what", title="DraggonnB CRMM doctor", unbroken=("check", ""))
    for finding in findings:
        style = _STYLES[finding.verdict]
        loud = "bold yellow" if "SANDBOX" in finding.what or "SANDBOX" in finding.check else ""
        shown.add_row(cell(finding.check, loud), cell(finding.verdict, style), cell(finding.what, loud))
        if finding.remedy:
            shown.add_row("", "", cell(f"-> {finding.remedy}", style))
    console().print(shown)
    faults = sum(finding.verdict is Verdict.FAULT for finding in findings)
    console().print(cell(f"{faults} faults" if faults else "nothing is wrong", "bold red" if faults else "bold green"))
