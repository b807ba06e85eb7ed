"""`python -m vendor_sandbox`: the sandbox as a process, HTTP on one port and SMTP on the next."""

import argparse
import asyncio
import os
from pathlib import Path

import uvicorn

from vendor_sandbox.app import App
from vendor_sandbox.connections import DroppableProtocol
from vendor_sandbox.github_template import files_of
from vendor_sandbox.mail import start_mail_server
from vendor_sandbox.state import Sandbox, SandboxSettings

APP_SECRET_VARIABLE = "VENDOR_SANDBOX_WHATSAPP_APP_SECRET"
POSTGRES_VARIABLE = "VENDOR_SANDBOX_POSTGRES_DSN"
POSTGREST_VARIABLE = "VENDOR_SANDBOX_POSTGREST"
TEMPLATE_VARIABLE = "VENDOR_SANDBOX_GITHUB_TEMPLATE"


def main() -> None:
    """Parse the command line and serve until a signal."""
    parser = argparse.ArgumentParser(prog="vendor_sandbox", description="Answers as the vendors do, on loopback.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8190, help="HTTP (default 8190)")
    parser.add_argument("--smtp-port", type=int, help="SMTP (default: the HTTP port + 1)")
    parser.add_argument("--webhook-base", help="where status webhooks go, such as http://127.0.0.1:8080")
    parser.add_argument("--journal", type=Path, help="append every request to this file, one JSON object a line")
    parser.add_argument(
        "--postgres-dsn",
        help=f"server for the databases of Supabase projects (default: ${POSTGRES_VARIABLE}, else none)",
    )
    parser.epilog = (
        f"{APP_SECRET_VARIABLE} in the environment: the secret that signs WhatsApp's status webhooks."
        f" {POSTGREST_VARIABLE}: the PostgREST program that serves the Data API of Supabase projects (default: none)."
        f" {TEMPLATE_VARIABLE}: the folder that GitHub's template repository holds (default: four small files)."
    )
    arguments = parser.parse_args()
    settings = SandboxSettings(webhook_base=arguments.webhook_base)
    settings.postgres_dsn = arguments.postgres_dsn or os.environ.get(POSTGRES_VARIABLE) or None
    settings.whatsapp_app_secret = os.environ.get(APP_SECRET_VARIABLE) or settings.whatsapp_app_secret
    program, template = os.environ.get(POSTGREST_VARIABLE), os.environ.get(TEMPLATE_VARIABLE)
    sandbox = Sandbox(
        settings=settings,
        journal_file=arguments.journal,
        postgrest=Path(program) if program else None,
        github_template=files_of(Path(template)) if template else None,
    )
    config = uvicorn.Config(
        App(sandbox),  # pyright: ignore[reportArgumentType]
        host=arguments.host,
        port=arguments.port,
        http=DroppableProtocol,
        lifespan="off",
        access_log=False,
        log_level="warning",
        timeout_keep_alive=75,
        timeout_graceful_shutdown=1,
    )
    with asyncio.Runner(loop_factory=config.get_loop_factory()) as runner:
        runner.run(serve(sandbox, config, arguments.smtp_port or arguments.port + 1))


async def serve(sandbox: Sandbox, config: uvicorn.Config, smtp_port: int) -> None:
    """Run both servers in one event loop until a signal."""
    mail_server = await start_mail_server(sandbox, config.host, smtp_port)
    print(f"vendor sandbox: http://{config.host}:{config.port} and SMTP on port {smtp_port}", flush=True)
    try:
        await uvicorn.Server(config).serve()
    finally:
        mail_server.close()
        await sandbox.postgrest.stop_all()
        sandbox.journal.close()


if __name__ == "__main__":
    main()
