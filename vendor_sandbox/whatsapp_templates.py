"""The message templates of the sandbox's WhatsApp Business Account: their list, their states, what a send needs.

`POST /_sandbox/whatsapp_templates {"name", "status"}` gives one another state, as Meta does overnight; MISSING deletes
it. Not here: sending (`whatsapp.py`).
"""

from typing import Any

from vendor_sandbox.graph import graph_error
from vendor_sandbox.state import Sandbox
from vendor_sandbox.wire import Answer, Call, json_answer

APPROVED, MISSING = "APPROVED", "MISSING"
STATUSES = (APPROVED, "PENDING", "REJECTED", "PAUSED", "DISABLED", MISSING)
LANGUAGE = "en"
DEFAULT_LIMIT = 25
BODIES = {
    "new_lead_analysed": "New lead {{1}} scored {{2}} of 100. First quick win: {{3}}. Proposal: {{4}}",
    "lead_needs_review": "Lead {{1}} needs your eyes: {{2}}. Open it: {{3}}",
    "weekly_analytics_report": "{{1}}, {{2}}: {{3}} posts, reach {{4}}, engagements {{5}}. The whole report: {{6}}",
}


async def list_templates(call: Call, sandbox: Sandbox, version: str, waba: str) -> Answer:
    """GET /{version}/{waba}/message_templates, in pages of `limit`."""
    refused = check_token(call)
    if refused:
        return refused
    wanted = call.query.get("name")
    found = [_shown(sandbox, name) for name in BODIES if status_of(sandbox, name) != MISSING and wanted in (None, name)]
    start, limit = int(call.query.get("after") or 0), int(call.query.get("limit") or DEFAULT_LIMIT)
    end = start + limit
    paging: dict[str, Any] = {"cursors": {"before": str(start), "after": str(end)}}
    if end < len(found):
        paging["next"] = f"https://graph.invalid/{version}/{waba}/message_templates?after={end}"
    return json_answer(200, {"data": found[start:end], "paging": paging})


def set_status(call: Call, sandbox: Sandbox) -> dict[str, str]:
    """Give a template another state: {"name": "weekly_analytics_report", "status": "PAUSED"}."""
    name, status = call.json["name"], call.json["status"]
    if name not in BODIES or status not in STATUSES:
        raise ValueError(f"name: one of {', '.join(BODIES)}; status: one of {', '.join(STATUSES)}")
    sandbox.whatsapp_templates[name] = status
    return {"name": name, "status": status}


def status_of(sandbox: Sandbox, name: str) -> str:
    return sandbox.whatsapp_templates.get(name, APPROVED)


def check_template(sandbox: Sandbox, name: str, language: str, parameters: int) -> Answer | None:
    """Why a template cannot be sent now; None if it can."""
    status = status_of(sandbox, name) if name in BODIES and language == LANGUAGE else MISSING
    if status == "PAUSED":
        details = "The template is paused due to low quality, so it can't be sent in a template message."
        return graph_error(400, 132015, "(#132015) Template is paused", details=details)
    if status == "DISABLED":
        details = "The template has been paused too many times due to low quality and is now permanently disabled."
        return graph_error(400, 132016, "(#132016) Template is disabled", details=details)
    if status != APPROVED:  # what waits or was rejected does not exist for a sender
        message = "(#132001) Template name does not exist in the translation"
        return graph_error(404, 132001, message, details=f"template name ({name}) does not exist in {language}")
    wanted = _parameters(name)
    if parameters != wanted:
        details = f"body: number of localizable_params ({parameters}) does not match the expected number of params"
        message = "(#132000) Number of parameters does not match the expected number of params"
        return graph_error(400, 132000, message, details=f"{details} ({wanted})")
    return None


def filled(name: str, parameters: list[str]) -> str:
    """The message as its reader sees it."""
    text = BODIES[name]
    for number, value in enumerate(parameters, start=1):
        text = text.replace(f"{{{{{number}}}}}", value)
    return text


def check_token(call: Call) -> Answer | None:
    token = call.headers.get("authorization", "").removeprefix("Bearer ").strip()
    if token and not token.startswith("bad"):
        return None
    return graph_error(401, 190, "Invalid OAuth access token - Cannot parse access token")


def _shown(sandbox: Sandbox, name: str) -> dict[str, Any]:
    status = status_of(sandbox, name)
    return {
        "id": str(1000 + list(BODIES).index(name)),
        "name": name,
        "language": LANGUAGE,
        "status": status,
        "category": "UTILITY",
        "rejected_reason": "INVALID_FORMAT" if status == "REJECTED" else "NONE",
        "components": [{"type": "BODY", "text": BODIES[name]}],
    }


def _parameters(name: str) -> int:
    return BODIES[name].count("{{")
