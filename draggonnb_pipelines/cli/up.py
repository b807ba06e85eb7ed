"""`draggonnb up`: everything on this machine until Ctrl-C."""

import signal
import time

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from draggonnb_pipelines.cli.installation import open_installation
from draggonnb_pipelines.cli.processes import Running, running_stack
from draggonnb_pipelines.resources.postgres import redact_dsn
from draggonnb_pipelines.settings import load_settings

console = Console()


def up() -> None:
    """Start everything, say where it is, watch it, stop it in order."""
    interrupt_on_signals()
    try:
        with (
            open_installation(load_settings(), tell=_tell) as settings,
            running_stack(settings, tell=_tell) as running,
        ):
            console.print(addresses(running))
            console.print("Ctrl-C stops everything.")
            while True:
                running.watch(_tell)
                time.sleep(1)
    except KeyboardInterrupt:
        console.print("stopped")


def interrupt_on_signals() -> None:
    """A terminal's hang-up or `kill` ends it as Ctrl-C does."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)


def addresses(running: Running) -> Table:
    """Where everything is, and which vendors are the sandbox's."""
    settings = running.settings
    table = Table(title="DraggonnB CRMM", show_header=False, title_justify="left")
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    table.add_row("Dagster UI", running.ui_url)
    table.add_row("lead assets", f"{running.ui_url}/locations/draggonnb/asset-groups/leads/lineage")
    table.add_row("API", f"{settings.base_url}/docs")
    table.add_row("health", f"{settings.base_url}/api/health")
    table.add_row("database", escape(redact_dsn(settings.dsn)))
    table.add_row("logs", str(settings.state_dir.resolve() / "logs"))
    if settings.sandboxed_vendors:
        names = ", ".join(settings.sandboxed_vendors)
        table.add_row(
            "[bold yellow]SANDBOX[/]", f"[bold yellow]{names}: no real vendor is called[/] ({settings.sandbox_url})"
        )
    return table


def _tell(text: str) -> None:
    console.print(f"[dim]{time.strftime('%H:%M:%S')}[/] {text}")


def _interrupt(_signal: int, _frame: object) -> None:
    raise KeyboardInterrupt
