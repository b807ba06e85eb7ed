"""The doctor's probes of what runs and of the vendors: API, Dagster's servers, the broker, Claude, WhatsApp, SMTP.

They only read: nothing is sent to anybody. Does not live here: the networks and the media storage
(`network_probes.py`), the vendors' clients (`resources/`).
"""

import asyncio
import contextlib
import importlib
import re
from collections.abc import Coroutine
from datetime import UTC, datetime, timedelta
from typing import Any

import aiosmtplib
import httpx

from draggonnb_pipelines.cli.findings import PROBE_SECONDS, Finding, fault, note, ok, skipped
from draggonnb_pipelines.cli.leads import api_url
from draggonnb_pipelines.errors import VendorError
from draggonnb_pipelines.resources.claude import Claude, Prices
from draggonnb_pipelines.resources.http import HttpDoor
from draggonnb_pipelines.settings import Settings

TEMPLATES = ("new_lead_analysed", "lead_needs_review", "weekly_analytics_report")
RETIRES_SOON = timedelta(days=30)
START = "start it with `draggonnb up`, or its systemd unit"
_PORT = re.compile(r"\bport:\s*(\d+)")
_SOCKET = re.compile(r'\bsocket:\s*"([^"]+)"')


async def api(settings: Settings) -> Finding:
    check, url = "API", f"{api_url(settings)}/api/health"
    try:
        async with httpx.AsyncClient(trust_env=False, timeout=PROBE_SECONDS - 1) as client:
            answer = await client.get(url)
        body = answer.json()
        status, inbox, why = str(body["status"]), body.get("inbox", {}), [str(line) for line in body.get("why", [])]
    except httpx.HTTPError:
        return fault(check, f"nothing answers at {url}", f"{START}; where it took another port, set DRAGGONNB_API_PORT")
    except (ValueError, KeyError, TypeError, AttributeError):
        return fault(check, f"what answers at {url} is not our API", "set DRAGGONNB_API_PORT to a port of its own")
    what = f"{status}; inbox: {inbox.get('waiting')} waiting, {inbox.get('dead')} dead"
    if status == "down":
        return fault(check, what, "the API does not reach its database: is its DRAGGONNB_MASTER_DSN this one?")
    if status != "healthy":
        return note(check, what, "; ".join(why[:5]) or f"look at {url}")
    return note(check, what, "draggonnb inbox list --state dead") if inbox.get("dead") else ok(check, what)


async def web_server(settings: Settings) -> Finding:
    check, url = "Dagster UI", f"http://127.0.0.1:{settings.ui_port}/server_info"
    try:
        async with httpx.AsyncClient(trust_env=False, timeout=PROBE_SECONDS - 1) as client:
            answer = await client.get(url)
        version = answer.json()["dagster_version"]
    except httpx.HTTPError:
        return fault(check, f"nothing answers at {url}", f"{START}; or set DRAGGONNB_UI_PORT")
    except (ValueError, KeyError, TypeError):
        return fault(check, f"what answers at {url} is not Dagster", "set DRAGGONNB_UI_PORT to a port of its own")
    return ok(check, f"Dagster {version} at http://127.0.0.1:{settings.ui_port}")


async def code_server(settings: Settings) -> Finding:
    """Where it listens is in the workspace file that `up` and `serve` write."""
    check, workspace = "code server", settings.state_dir / "dagster" / "workspace.yaml"
    text = workspace.read_text() if workspace.exists() else ""
    if found := _SOCKET.search(text):
        address, is_open = found[1], await _opens(asyncio.open_unix_connection(found[1]))
    elif found := _PORT.search(text):
        address, is_open = f"127.0.0.1:{found[1]}", await _opens(asyncio.open_connection("127.0.0.1", int(found[1])))
    else:
        return skipped(check, f"no {workspace} says where it listens: `draggonnb up` has not run here")
    return ok(check, f"answers at {address}") if is_open else fault(check, f"nothing answers at {address}", START)


async def broker(settings: Settings) -> Finding:
    """Whether runs can be handed to warm workers; not whether there is one."""
    check, url = "broker", settings.celery_broker
    if url is None or url.startswith("filesystem://"):
        return skipped(check, "runs need no server: DRAGGONNB_CELERY_BROKER names none")
    connection = importlib.import_module("kombu").Connection(url, connect_timeout=PROBE_SECONDS / 2)
    with contextlib.closing(connection):
        await asyncio.to_thread(connection.ensure_connection, max_retries=1, interval_start=0)
    return ok(check, f"answers at {connection.as_uri()}")


async def claude(settings: Settings, *, now: datetime) -> Finding:
    """The configured model must be active, and stay so for a while."""
    check = vendor_check("claude", "Claude", settings)
    prices = Prices(input_usd_per_mtok=0, output_usd_per_mtok=0, web_search_usd_per_1000=0)  # nothing is asked
    client = Claude(
        base_url=settings.claude_base_url,
        api_key=settings.claude_key,
        prices=prices,
        read_timeout_seconds=PROBE_SECONDS - 1,
        random=lambda: 0.0,  # its retries come at once: a probe has no time for backoff
    )
    async with client:
        try:
            models = await client.list_models()
        except VendorError as error:
            return fault(check, str(error), vendor_remedy("claude", settings, "DRAGGONNB_ANTHROPIC_API_KEY"))
    return model_finding(check, settings.claude_model, models, now)


def model_finding(check: str, name: str, models: list[dict[str, Any]], now: datetime) -> Finding:
    """What the vendor's list says of one model."""
    choose = "set DRAGGONNB_CLAUDE_MODEL to an active one: " + ", ".join(
        model["id"] for model in models if model.get("lifecycle", "active") == "active"
    )
    model = next((model for model in models if model["id"] == name), None)
    if model is None:
        return fault(check, f"the model {name} is not there", choose)
    lifecycle = model.get("lifecycle", "active")
    retires_at = datetime.fromisoformat(model["retires_at"]) if model.get("retires_at") else None
    until = f", retires {retires_at:%Y-%m-%d}" if retires_at else ""
    what = f"the model {name} is {lifecycle}{until}"
    if lifecycle == "retired" or (retires_at and retires_at.astimezone(UTC) - now < RETIRES_SOON):
        return fault(check, what, choose)
    return note(check, what, choose) if lifecycle != "active" else ok(check, what)


async def whatsapp(settings: Settings) -> Finding:
    """All our templates must be approved in the configured language; without that every message is refused."""
    check = vendor_check("whatsapp", "WhatsApp", settings)
    account = settings.whatsapp_business_account_id
    if account is None and "whatsapp" not in settings.sandboxed_vendors:
        return skipped(check, "templates: DRAGGONNB_WHATSAPP_BUSINESS_ACCOUNT_ID is not set")
    async with HttpDoor(user_agent=settings.research_user_agent) as door:
        try:
            answer = await door.call(
                "whatsapp",
                "GET",
                f"{settings.whatsapp_url}/{account or 'sandbox'}/message_templates",
                idempotent=True,
                sort=lambda _: None,  # not an effect: the status is all that the table shows
                headers={"Authorization": f"Bearer {settings.whatsapp_key}"},
                params={"fields": "name,status,language", "limit": "250"},
                read_timeout_seconds=PROBE_SECONDS - 1,
                attempts=1,
            )
        except VendorError as error:
            return fault(check, str(error), vendor_remedy("whatsapp", settings, "DRAGGONNB_WHATSAPP_TOKEN"))
    if answer.status_code != 200:
        remedy = vendor_remedy("whatsapp", settings, "DRAGGONNB_WHATSAPP_TOKEN and the business account's id")
        return fault(check, f"HTTP {answer.status_code} when asked for the templates", remedy)
    return template_finding(check, answer.json().get("data", []), settings.whatsapp_language)


def template_finding(check: str, templates: list[dict[str, Any]], language: str) -> Finding:
    """What the vendor's list says of our templates."""
    statuses = {item.get("name"): item.get("status") for item in templates if item.get("language") == language}
    wrong = [f"{name} ({statuses.get(name, 'missing')})" for name in TEMPLATES if statuses.get(name) != "APPROVED"]
    if wrong:
        return fault(
            check,
            f"templates in {language} that cannot be sent: {', '.join(wrong)}",
            "submit them in WhatsApp Manager, or set DRAGGONNB_WHATSAPP_LANGUAGE to their language",
        )
    return ok(check, f"{len(TEMPLATES)} templates approved in {language}")


async def mail(settings: Settings) -> Finding:
    """Connects and says EHLO; no mail is sent, nobody logs in."""
    check = vendor_check("mail", "SMTP", settings)
    host, port = settings.smtp_address
    remedy = vendor_remedy("mail", settings, "DRAGGONNB_SMTP_HOST, DRAGGONNB_SMTP_PORT and the firewall")
    smtp = aiosmtplib.SMTP(hostname=host, port=port, use_tls=port == 465, start_tls=False, timeout=PROBE_SECONDS - 1)
    try:
        await smtp.connect()
        await smtp.ehlo()
        has_starttls = smtp.supports_extension("starttls")
        with contextlib.suppress(aiosmtplib.SMTPException, OSError):
            await smtp.quit(timeout=1.0)
    except (aiosmtplib.SMTPException, OSError) as error:
        return fault(check, f"{host}:{port}: {type(error).__name__}", remedy)
    finally:
        smtp.close()
    if settings.smtp_host and settings.smtp_starttls and port != 465 and not has_starttls:
        return fault(check, f"{host}:{port} does not offer STARTTLS", "use its submission port (587), or port 465")
    return ok(check, f"{host}:{port} answers EHLO")


async def _opens(connection: Coroutine[Any, Any, tuple[asyncio.StreamReader, asyncio.StreamWriter]]) -> bool:
    try:
        async with asyncio.timeout(PROBE_SECONDS - 1):
            _, writer = await connection
    except (OSError, TimeoutError):
        return False
    writer.close()
    return True


def vendor_check(vendor: str, name: str, settings: Settings) -> str:
    """The name of a vendor's line, which says where it is only the sandbox."""
    return f"{name} (SANDBOX)" if vendor in settings.sandboxed_vendors else name


def vendor_remedy(vendor: str, settings: Settings, variables: str) -> str:
    """What to do where a vendor does not answer as it should."""
    if vendor in settings.sandboxed_vendors:
        return "the sandbox does not answer: `draggonnb up` starts it"
    return f"check {variables}"
