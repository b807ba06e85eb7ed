"""The Data API of the sandbox's Supabase projects, /supabase/projects/{ref}/rest/v1: the gateway before PostgREST.

Lives here: the API key, what becomes of it and of the session, handing on. Does not live here: PostgREST's processes
(`supabase_postgrest.py`), who is signed in (`supabase_auth_sessions.py`), what the policies say (the project's SQL).

Source: https://supabase.com/docs/guides/api/api-keys
"""

import aiohttp
from yarl import URL

from vendor_sandbox.state import Sandbox
from vendor_sandbox.supabase_gateway import api_key_of, key_refusal, preflight, project_of, with_cors
from vendor_sandbox.supabase_postgrest import NotRunning
from vendor_sandbox.supabase_projects import Project
from vendor_sandbox.wire import Answer, Call, Route, json_answer

ROOT = "/supabase/projects/{ref}/rest/v1"
_METHODS = ("GET", "HEAD", "POST", "PATCH", "PUT", "DELETE")
_NOT_HANDED_ON = frozenset(
    {"apikey", "authorization", "connection", "content-length", "host", "origin", "transfer-encoding"}
)
_NOT_HANDED_BACK = frozenset({"connection", "content-length", "date", "server", "transfer-encoding"})


async def hand_on(call: Call, sandbox: Sandbox, ref: str) -> Answer:
    """Any request below /rest/v1: refused without a key of the project, else PostgREST's answer."""
    project, dsn = project_of(sandbox, ref), sandbox.settings.postgres_dsn
    if isinstance(project, Answer) or dsn is None:
        return with_cors(project if isinstance(project, Answer) else json_answer(404, {}))
    if refusal := key_refusal(call, project):
        return with_cors(refusal)
    try:
        server = await sandbox.postgrest.server(project, dsn)
        return with_cors(await _ask(server, call, project))
    except (NotRunning, aiohttp.ClientError) as error:
        return with_cors(json_answer(503, {"message": str(error)}))


def scripted_error(status: int, kind: str) -> Answer:
    """The error that a fault script asks for by its status, in PostgREST's form."""
    message = f"scripted {kind}" if status >= 400 else ""
    return with_cors(json_answer(status, {"code": f"SC{status}", "details": None, "hint": None, "message": message}))


async def _ask(server: aiohttp.ClientSession, call: Call, project: Project) -> Answer:
    headers = {name: value for name, value in call.headers.items() if name not in _NOT_HANDED_ON}
    if token := _token(call, project):
        headers["authorization"] = f"Bearer {token}"
    path = call.path.removeprefix(ROOT.replace("{ref}", project.ref))
    url = URL.build(scheme="http", host="postgrest", path=path or "/")
    query = "&".join(part for part in call.raw_query.split("&") if part and not part.startswith("apikey="))
    url = URL(f"{url}?{query}", encoded=True) if query else url
    async with server.request(call.method, url, data=call.body or None, headers=headers) as response:
        body = await response.read()
        kept = {name: value for name, value in response.headers.items() if name.lower() not in _NOT_HANDED_BACK}
        return Answer(response.status, body, kept)


def _token(call: Call, project: Project) -> str:
    """What PostgREST is shown; nothing makes it `anon`.

    A session goes on as it came, to be checked there. Without one the API key speaks: clients send it as the bearer
    too. A legacy key is a token by itself, so it does so whatever the apikey is; the others are none.
    """
    key = api_key_of(call)
    bearer = call.headers.get("authorization", "").removeprefix("Bearer ").strip() or key
    legacy = next((one for one in project.keys if one.type == "legacy" and one.api_key == bearer), None)
    role = legacy.role if legacy else project.role_of(key) if bearer == key else None
    if role is None:
        return bearer
    return "" if role == "anon" else project.signer.role_token(role)


ROUTES = (
    Route("OPTIONS", f"{ROOT}/*", preflight),
    *(Route(method, f"{ROOT}/*", hand_on) for method in _METHODS),
)
