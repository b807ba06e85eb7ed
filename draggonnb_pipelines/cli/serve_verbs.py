"""The verbs for supervisors: `draggonnb serve` and `draggonnb drain`. Only their surface; the work is in `serve.py`."""

from enum import StrEnum
from typing import Annotated

import typer


class Part(StrEnum):
    """A process of the stack; `view` is Dagster's UI without the buttons that change anything, `worker` executes runs
    where there is a Celery broker."""

    API = "api"
    CODE = "code"
    DAEMON = "daemon"
    WORKER = "worker"
    WEB = "web"
    VIEW = "view"
    SANDBOX = "sandbox"


def add_serve_verbs(app: typer.Typer) -> None:
    """Register them at the top."""
    app.command("serve")(serve_verb)
    app.command("drain")(drain_verb)


def serve_verb(part: Annotated[Part, typer.Argument(help="Which process.", show_default=False)]) -> None:
    """Become one process of the stack, for a supervisor such as systemd. Needs a database server of your own."""
    from draggonnb_pipelines.cli.serve import serve

    serve(part)


def drain_verb(
    seconds: Annotated[int, typer.Option(min=0, max=3600, help="How long to wait at most.")] = 300,
) -> None:
    """Wait until no run is under way, before an upgrade. Exit code 1 if some still are. Stop the daemon first."""
    from draggonnb_pipelines.cli.serve import drain

    drain(seconds)
