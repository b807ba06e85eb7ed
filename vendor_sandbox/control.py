"""The sandbox's own surface under /_sandbox: scripts, settings, the journal, and what became public."""

import inspect
import time
from datetime import datetime
from typing import Any

from vendor_sandbox import mail, payfast_itn, site_catalog, supabase, whatsapp_templates
from vendor_sandbox.connections import abort_all
from vendor_sandbox.state import Sandbox
from vendor_sandbox.wire import Answer, Call, json_answer

_STARTED = time.monotonic()


async def answer(call: Call, sandbox: Sandbox) -> Answer:
    """Do what was asked of the sandbox itself; never journalled."""
    handler = _HANDLERS.get((call.method, call.path.removeprefix("/_sandbox/").rstrip("/")))
    if handler is None:
        known = ", ".join(f"{method} /_sandbox/{name}" for method, name in _HANDLERS)
        return json_answer(404, {"error": f"unknown; there are: {known}"})
    try:
        content = handler(call, sandbox)
        return json_answer(200, await content if inspect.isawaitable(content) else content)
    except (ValueError, TypeError, AttributeError, KeyError) as error:
        return json_answer(400, {"error": str(error)})


def _add_faults(call: Call, sandbox: Sandbox) -> Any:
    body = call.json
    if not isinstance(body, dict) or not isinstance(body.get("steps"), list):
        raise ValueError('send {"route": "POST /anthropic/v1/messages", "steps": [{"kind": "status", "status": 500}]}')
    sandbox.faults.add(str(body.get("route", "")), body["steps"], repeat=bool(body.get("repeat", False)))
    return sandbox.faults.listing()


def _list_faults(call: Call, sandbox: Sandbox) -> Any:
    return sandbox.faults.listing()


def _clear_faults(call: Call, sandbox: Sandbox) -> Any:
    sandbox.faults.clear()
    return []


def _journal(call: Call, sandbox: Sandbox) -> Any:
    return sandbox.journal.select(vendor=call.query.get("vendor"), since=int(call.query.get("since") or 0))


def _public(call: Call, sandbox: Sandbox) -> Any:
    kind = call.query.get("kind")
    everything = [*sandbox.public, *mail.mailbox(sandbox), *sandbox.social.everything()]
    everything += [project.public() for project in sandbox.supabase.projects.values()]
    everything += [*sandbox.github.public(), *sandbox.vercel.public(), *sandbox.n8n.public()]
    return [item for item in everything if kind is None or item["kind"] == kind]


async def _reset(call: Call, sandbox: Sandbox) -> Any:
    await sandbox.stop_work()
    await supabase.drop_all(sandbox)
    sandbox.reset()
    return {"status": "reset"}


def _settings(call: Call, sandbox: Sandbox) -> Any:
    if call.method == "POST":
        values = call.json
        if not isinstance(values, dict):
            raise ValueError('send settings by name, such as {"claude_latency_seconds": 2.0}')
        sandbox.settings.update(values)
    # Secrets are set here and never shown: with the one a status webhook can be forged, the other holds a password.
    hidden = ("whatsapp_app_secret", "postgres_dsn")
    return {name: value for name, value in vars(sandbox.settings).items() if name not in hidden}


def _health(call: Call, sandbox: Sandbox) -> Any:
    return {
        "status": "ok",
        "uptime_seconds": round(time.monotonic() - _STARTED, 1),
        "requests": len(sandbox.journal.entries),
        "vendors": [
            "claude",
            "websites",
            "whatsapp",
            "facebook",
            "instagram",
            "linkedin",
            "x",
            "storage",
            "supabase",
            "payfast",
            "github",
            "vercel",
            "n8n",
            "mail",
        ],
    }


def _companies(call: Call, sandbox: Sandbox) -> Any:
    """The hand-written companies, for demos: host, name, sector, town."""
    return [
        {"host": site.host, "name": site.name, "sector": site.sector.key, "town": site.town}
        for site in site_catalog.written_sites()
    ]


def _disconnect(call: Call, sandbox: Sandbox) -> Any:
    """Reset every other client's connection now: what they asked for may be done, or never begin."""
    return {"connections": abort_all(but=call.client)}


def _social_account(call: Call, sandbox: Sandbox) -> Any:
    """Register a token for an account: {"platform", "id", "token", "refresh_token"?, "seconds"?, "scopes"?}."""
    platform, account, token, refresh_token = (
        _text(call, name) for name in ("platform", "id", "token", "refresh_token")
    )
    if not (platform and account and token):
        raise ValueError('send {"platform": "facebook", "id": "page-1", "token": "..."}')
    seconds, scopes = call.json.get("seconds"), call.json.get("scopes")
    sandbox.social.grant(platform, token, account, seconds=None if seconds is None else float(seconds), scopes=scopes)
    if refresh_token:
        sandbox.social.grant(f"{platform}:refresh", refresh_token, account)
    return {"platform": platform, "id": account}


def _social_revoke(call: Call, sandbox: Sandbox) -> Any:
    """Take a token back: {"platform", "token"}."""
    platform, token = _text(call, "platform"), _text(call, "token")
    grant = sandbox.social.account_of(platform, token)
    if grant is None:
        raise ValueError("nobody gave out this token")
    grant.is_revoked = True
    sandbox.social.grants[platform, token] = grant
    return {"platform": platform, "id": grant.account}


def _social_numbers(call: Call, sandbox: Sandbox) -> Any:
    """Fix counts of a post: {"id": "<post id>", "numbers": {"reach": 10}}; numbers {} lets it grow again."""
    numbers = call.json.get("numbers")
    if not isinstance(numbers, dict) or not all(isinstance(value, int) for value in numbers.values()):
        raise ValueError('send {"id": "<post id>", "numbers": {"reach": 10}}')
    sandbox.social.numbers[_text(call, "id")] = numbers
    return numbers


def _social_post(call: Call, sandbox: Sandbox) -> Any:
    """Put a post on a timeline as if it had been published at a moment: {"platform", "id", "account", "text", "at"}."""
    platform, post_id, account, text, at = (_text(call, name) for name in ("platform", "id", "account", "text", "at"))
    post = sandbox.social.add(platform, post_id, account, text, f"http://sandbox.invalid/{post_id}")
    post.at = datetime.fromisoformat(at)
    return post.public()


def _text(call: Call, name: str) -> str:
    value = call.json.get(name, "")
    if not isinstance(value, str):
        raise ValueError(f"{name} is not text")
    return value


_HANDLERS = {
    ("POST", "faults"): _add_faults,
    ("GET", "faults"): _list_faults,
    ("DELETE", "faults"): _clear_faults,
    ("GET", "journal"): _journal,
    ("GET", "public"): _public,
    ("POST", "reset"): _reset,
    ("POST", "settings"): _settings,
    ("GET", "settings"): _settings,
    ("GET", "health"): _health,
    ("GET", "companies"): _companies,
    ("POST", "disconnect"): _disconnect,
    ("POST", "social_accounts"): _social_account,
    ("POST", "social_revoke"): _social_revoke,
    ("POST", "social_numbers"): _social_numbers,
    ("POST", "social_posts"): _social_post,
    ("POST", "whatsapp_templates"): whatsapp_templates.set_status,
    ("POST", "payfast/charge"): payfast_itn.charge,
    ("POST", "payfast/itn"): payfast_itn.crafted,
}
