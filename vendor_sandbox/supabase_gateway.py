"""What stands in front of a Supabase project's own APIs: is the project up, is the API key one of its own, CORS.

Lives here: these checks as the vendor's gateway words them. Does not live here: Auth (`supabase_auth_access.py`), the
Data API (`supabase_rest.py`), the Management API's own door (`supabase_access.py`).
"""

from vendor_sandbox.state import Sandbox
from vendor_sandbox.supabase_projects import Project
from vendor_sandbox.wire import Answer, Call, json_answer

_EXPOSED = (
    "Content-Encoding, Content-Location, Content-Range, Content-Type, Date, Link, Location, Preference-Applied, Server,"
    " Transfer-Encoding, Range-Unit, X-Total-Count, X-Sb-Error-Code, X-Supabase-Api-Version"
)


def project_of(sandbox: Sandbox, ref: str) -> Project | Answer:
    """The project that a host name stands for, or what the vendor answers where it is not up."""
    project = sandbox.supabase.projects.get(ref)
    if project is None or sandbox.settings.postgres_dsn is None:
        return json_answer(404, {"message": "no such host"})
    if project.status in ("PAUSING", "INACTIVE"):
        return json_answer(540, {"message": "Project paused"})
    if project.status != "ACTIVE_HEALTHY":
        return json_answer(503, {"message": "name resolution failed"})
    return project


def api_key_of(call: Call) -> str:
    """The key of a request: a header, or (as links have it) part of the address."""
    return call.headers.get("apikey") or call.query.get("apikey", "")


def key_refusal(call: Call, project: Project) -> Answer | None:
    """What a request without a key of this project gets; None for one with it."""
    key = api_key_of(call)
    if not key:
        hint = "No `apikey` request header or url param was found."
        return json_answer(401, {"message": "No API key found in request", "hint": hint})
    if project.role_of(key) is None:
        return json_answer(401, {"message": "Invalid API key", "hint": "Double check your API key."})
    return None


async def preflight(call: Call, sandbox: Sandbox, ref: str) -> Answer:
    """OPTIONS: a browser asks whether a page of another host may call; before any check, as it sends no key."""
    headers = {
        "access-control-allow-methods": "GET,HEAD,PUT,PATCH,POST,DELETE,OPTIONS",
        "access-control-allow-headers": call.headers.get("access-control-request-headers", "*"),
        "access-control-max-age": "3600",
    }
    return with_cors(Answer(200, headers=headers))


def with_cors(answer: Answer) -> Answer:
    """Any page may read the answer: what guards it is the key and the session, which no browser adds by itself."""
    answer.headers |= {"access-control-allow-origin": "*", "access-control-expose-headers": _EXPOSED}
    return answer
