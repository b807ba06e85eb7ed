"""`draggonnb client`: a client's app in a browser, over everything that it needs, until Ctrl-C.

The client is won and set up as in the demo, by the real pipeline; it is a new one at each start, since the sandbox
forgets its projects when it ends. Not here: building and serving (`client_app.py`).
"""

import asyncio
import os
import re
import time
from collections.abc import Callable
from uuid import uuid4

import requests
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from draggonnb_pipelines.cli.client_app import PORT, build, deployment_of, require_node, serve
from draggonnb_pipelines.cli.demo import ENQUIRY, follow, organizations, send
from draggonnb_pipelines.cli.demo_client import BUYER, win_a_client
from draggonnb_pipelines.cli.installation import open_installation
from draggonnb_pipelines.cli.processes import Running, is_free, running_stack
from draggonnb_pipelines.cli.up import addresses, interrupt_on_signals
from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.domain.publishing import Platform
from draggonnb_pipelines.errors import OperatorError
from draggonnb_pipelines.resources.stack import open_stack
from draggonnb_pipelines.settings import Settings, load_settings
from draggonnb_pipelines.workflows.provisioning.provisioning import client_of
from draggonnb_pipelines.workflows.provisioning.stack_ledger import PROVISIONING
from draggonnb_pipelines.workflows.publishing.accounts import connect_account

NEEDED = ("github", "payfast", "supabase", "vercel", "n8n")
POSTGREST = "VENDOR_SANDBOX_POSTGREST"
ACCOUNTS = {
    Platform.FACEBOOK: "102030405060711",
    Platform.INSTAGRAM: "17841400000000011",
    Platform.LINKEDIN: "90000011",
    Platform.X: "1700000000000000011",
}
PATIENCE_SECONDS = 60
_LINK = re.compile(r"http\S+/verify\S+")
console = Console()


def client() -> None:
    """Start everything, win and set up a client, build its app and serve it, say where it is and how to get in.

    Raises:
        OperatorError: no npm, no PostgREST, vendors that are not the sandbox, or something stood still.
    """
    interrupt_on_signals()
    require_node()
    settings = load_settings()
    require_sandbox(settings)
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    try:
        with Progress(*columns, console=console) as progress:
            task = progress.add_task("starting", total=None)

            def tell(text: str) -> None:
                progress.update(task, description=text)

            with (
                open_installation(settings, tell=tell) as opened,
                running_stack(opened, tell=tell) as running,
            ):
                organization = asyncio.run(new_client(running.settings, progress))
                url, link = _open_app(running, organization, tell)
                progress.stop()
                _show(running, url, link)
                while True:
                    running.watch(console.print)
                    time.sleep(1)
    except KeyboardInterrupt:
        console.print("stopped")


def require_sandbox(settings: Settings) -> None:
    """Raises OperatorError where a client's app could not be shown from this machine alone."""
    real = [vendor for vendor in NEEDED if vendor not in settings.sandboxed_vendors]
    if real:
        raise OperatorError(
            f"{', '.join(real)} would be the real ones", remedy="unset their keys: this shows a client in the sandbox"
        )
    if not os.environ.get(POSTGREST):
        raise OperatorError(f"{POSTGREST} names no PostgREST", remedy="`make client` fetches it and sets this")


async def new_client(settings: Settings, progress: Progress) -> Organization:
    """A lead that buys a plan, its stack set up, and its accounts at four networks connected."""
    agency, _ = await organizations(settings)
    stranger = {"email": f"hello-{uuid4().hex[:8]}@bokaap-beans.example"}
    inbox_id = await asyncio.to_thread(send, settings, agency, ENQUIRY | stranger)
    await follow(progress, settings, inbox_id)
    story = await win_a_client(progress, settings, agency, inbox_id)
    async with open_stack(settings) as stack:
        async with stack.master.connection() as conn:
            [row] = [found async for found in PROVISIONING.clients_of(conn, slugs=[story.row["slug"]])]
        organization = client_of(row).organization
        for platform, external_id in ACCOUNTS.items():
            token = f"sandbox-{external_id}"
            await connect_account(stack, organization, platform, external_id, token=token, handle="@bokaap_beans")
    return organization


def welcome_link(settings: Settings) -> str:
    """The link of the newest welcome mail: it signs the client's first person in, once."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        mails = requests.get(f"{settings.sandbox_url}/_sandbox/public", params={"kind": "mail"}, timeout=10).json()
        texts = [mail["text"] for mail in mails if mail["recipient"] == BUYER["email"]]
        if links := [found[0] for text in texts if (found := _LINK.findall(text))]:
            return links[-1]
        time.sleep(0.3)
    raise OperatorError("the client's first person got no welcome", remedy=f"logs: {settings.state_dir / 'logs'}")


def _open_app(running: Running, organization: Organization, tell: Callable[[str], None]) -> tuple[str, str]:
    """The app's address, and a link that signs its first person in."""
    settings = running.settings
    deployment, folder = deployment_of(settings, organization.slug), settings.state_dir / "client-app"
    tell("building the client's app (npm ci, next build); some minutes the first time")
    build(deployment, folder)
    tell("starting the client's app")
    port = PORT if is_free(PORT) else 0
    return serve(running, deployment, folder, port=port), welcome_link(settings)


def _show(running: Running, url: str, link: str) -> None:
    table = addresses(running)
    table.title = "A client's app"
    table.add_row("[bold]the app[/]", f"[bold]{url}[/]")
    table.add_row("links by its mail", f"{running.settings.sandbox_url}/_sandbox/public?kind=supabase_mail")
    console.print(table)
    # A link that is broken in two cannot be clicked.
    console.print(f"[bold]Sign in, once:[/] {link}", soft_wrap=True)
    console.print("Ctrl-C stops everything.")
