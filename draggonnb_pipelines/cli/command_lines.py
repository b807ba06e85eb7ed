"""What each process of the stack is started with: its command line, and what it finds in its environment and in
Dagster's home. The same for `draggonnb up` and for a supervisor.

Does not live here: starting, watching and stopping them (`processes.py`), becoming one of them (`serve.py`).
"""

import os
import sys
from pathlib import Path

from draggonnb_pipelines.cli.installation import dagster_database
from draggonnb_pipelines.resources.whole_files import write_whole
from draggonnb_pipelines.settings import PROJECT_ROOT, Settings

CLIENT_TEMPLATE = PROJECT_ROOT / "client_template"
API = [sys.executable, "-m", "draggonnb_pipelines.api"]
WARM_DAGSTER_YAML = PROJECT_ROOT / "deploy" / "celery" / "dagster.yaml"


def sandbox(settings: Settings) -> list[str]:
    ports = ["--port", str(settings.sandbox_port), "--smtp-port", str(settings.sandbox_port + 1)]
    return [sys.executable, "-m", "vendor_sandbox", *ports, "--webhook-base", settings.base_url]


def code_server(settings: Settings, *listen: str) -> list[str]:
    """`listen` is `--host` with `--port`, or `--socket`."""
    what = ["--module-name", "draggonnb_pipelines.definitions", "--location-name", "draggonnb"]
    return [sys.executable, "-m", "dagster", "api", "grpc", *listen, *what, *_log_form(settings)]


def daemon(settings: Settings, workspace: Path) -> list[str]:
    return [sys.executable, "-m", "dagster._daemon", "run", "--workspace", str(workspace), *_log_form(settings)]


def worker(name: str = "worker") -> list[str]:
    """Warm processes for runs; `name` tells several on one machine apart."""
    alone = ["--without-gossip", "--without-mingle", "--without-heartbeat"]  # Dagster's database says what lives
    app = ["--app", "draggonnb_pipelines.warm_workers.worker"]
    return [sys.executable, "-m", "celery", *app, "worker", "--hostname", f"{name}@%h", *alone]


def web_server(settings: Settings, workspace: Path, port: int) -> list[str]:
    """Dagster's UI, on loopback: it has no login of its own."""
    listen = ["--host", "127.0.0.1", "--port", str(port)]
    return [sys.executable, "-m", "dagster_webserver", *listen, "--workspace", str(workspace), *_log_form(settings)]


def _log_form(settings: Settings) -> list[str]:
    return ["--log-format", "json"] if settings.log_format == "json" else []


def dagster_home(settings: Settings) -> Path:
    return settings.state_dir.resolve() / "dagster"


def write_workspace(home: Path, code_address: str) -> Path:
    """The file that tells daemon and web server where the code server is.

    Args:
        code_address: `host: 127.0.0.1, port: 4000`, or `socket: "/a/path"`.
    """
    path = home / "workspace.yaml"
    _replace(path, f"load_from:\n  - grpc_server: {{{code_address}, location_name: draggonnb}}\n")
    return path


def environment(settings: Settings) -> dict[str, str]:
    """What the processes need, beside what the operator has set; Dagster's home with its dagster.yaml is made."""
    home = dagster_home(settings)
    home.mkdir(parents=True, exist_ok=True)
    chosen = WARM_DAGSTER_YAML if settings.celery_broker else PROJECT_ROOT / "dagster.yaml"
    _replace(home / "dagster.yaml", chosen.read_text(encoding="utf-8"))
    return {
        **os.environ,
        **signing_secrets(settings),
        **({"VENDOR_SANDBOX_GITHUB_TEMPLATE": str(CLIENT_TEMPLATE)} if _is_checkout() else {}),
        # Not on its command line, which every user of the machine can read: it may hold a password.
        **({"VENDOR_SANDBOX_POSTGRES_DSN": settings.dsn} if "supabase" in settings.sandboxed_vendors else {}),
        "DRAGGONNB_STATE_DIR": str(settings.state_dir.resolve()),
        "DRAGGONNB_MASTER_DSN": settings.dsn,
        "DRAGGONNB_MASTER_KEYS": settings.keys,
        **({"DRAGGONNB_CELERY_BROKER": settings.celery_broker} if settings.celery_broker else {}),
        "DRAGGONNB_API_PORT": str(settings.api_port),
        "DRAGGONNB_UI_PORT": str(settings.ui_port),
        "DRAGGONNB_SANDBOX_PORT": str(settings.sandbox_port),
        "DRAGGONNB_DAGSTER_PG_URL": dagster_database(settings),
        "DRAGGONNB_DAGSTER_LOGS": str(home / "logs"),
        "DAGSTER_HOME": str(home),
        "PYTHONUNBUFFERED": "1",
    }


def signing_secrets(settings: Settings) -> dict[str, str]:
    """What checks WhatsApp's webhooks, and for the sandbox what signs them: the same, unless Meta does it. Not on the
    sandbox's command line, which every user of the machine can read."""
    secret = settings.whatsapp_signing_secret or ""
    sandbox = {"VENDOR_SANDBOX_WHATSAPP_APP_SECRET": secret} if "whatsapp" in settings.sandboxed_vendors else {}
    return {"DRAGGONNB_WHATSAPP_APP_SECRET": secret} | sandbox


def _is_checkout() -> bool:
    """Whether Git knows which files of the client's app are to be in its template repository."""
    return (PROJECT_ROOT / ".git").exists() and CLIENT_TEMPLATE.exists()


def _replace(path: Path, text: str) -> None:
    """In one step: other processes of the stack read these files while this one starts."""
    if not path.exists() or path.read_text(encoding="utf-8") != text:
        write_whole(path, text)
