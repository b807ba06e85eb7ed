"""Several reads of Graph in one call: POST /{version}/ with a batch, one answer per part.

Not here: what the parts answer (facebook.py, instagram.py, graph_metrics.py). The real one also takes writes and parts
that depend on each other. Each part takes a fault script of its own method and path (`match` looks at its query too),
or that of the whole: `graph_error`, `status` with a body, `counts_...`; `drop_before_accept` is a part that Graph did
not get round to (null).
"""

import asyncio
import json
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from vendor_sandbox import facebook, graph_metrics, instagram
from vendor_sandbox.graph import (
    PLATFORMS,
    Refusal,
    granted,
    graph_error,
    graph_route,
    parameters,
    scripted_error,
    token_of,
)
from vendor_sandbox.state import Sandbox
from vendor_sandbox.wire import Answer, Call, Route, json_answer

PARTS_MAX = 50
_ROUTES = (*facebook.ROUTES, *graph_metrics.ROUTES, *instagram.ROUTES)


async def read_batch(call: Call, sandbox: Sandbox, version: str) -> Answer:
    """POST /{version}/: `batch`, a list of `{"method": "GET", "relative_url": "v25.0/<node>?fields=..."}`."""
    answer = await _WHOLE.handler(call, sandbox)
    if answer.status == 200:
        parts = await asyncio.gather(*(_part(call, sandbox, version, part) for part in _parts(call)))
        if call.fault_kind == "counts_half":
            parts[1::2] = [None] * len(parts[1::2])
        answer.body = json.dumps(parts).encode()
    return answer


def _checked(call: Call, sandbox: Sandbox) -> Answer:
    known = [name for name in PLATFORMS if sandbox.social.account_of(name, token_of(call))]
    granted(call, sandbox, known[0] if known else PLATFORMS[0])
    parts = _parts(call)
    if not parts or len(parts) > PARTS_MAX:
        raise Refusal(400, 100, f"(#100) A batch takes 1 to {PARTS_MAX} requests")
    if not all(isinstance(part, dict) and part.get("method") == "GET" and part.get("relative_url") for part in parts):
        raise Refusal(400, 100, "(#100) The sandbox's batches hold GET requests with a relative_url")
    return json_answer(200, [])


def _parts(call: Call) -> list[Any]:
    batch = parameters(call).get("batch")
    if isinstance(batch, str):
        try:
            batch = json.loads(batch)
        except ValueError:
            batch = None
    return batch if isinstance(batch, list) else []


async def _part(call: Call, sandbox: Sandbox, version: str, part: dict[str, str]) -> dict[str, Any] | None:
    split = urlsplit(part["relative_url"].lstrip("/"))
    path = split.path if split.path.startswith(f"{version}/") else f"{version}/{split.path}"
    inner = Call("GET", call.host, f"/graph/{path}", dict(parse_qsl(split.query)), call.headers, b"", is_part=True)
    inner.fault = sandbox.faults.take("GET", inner.path, content=split.query) or call.fault
    kind = inner.fault_kind
    if kind == "drop_before_accept":
        return None
    if inner.fault and kind in ("status", "rate_limit", "expired_token"):
        answer = _scripted(inner.fault, kind)
    else:
        answer = await _answer(inner, sandbox)
    headers = [{"name": name, "value": value} for name, value in answer.headers.items()]
    wanted = {} if parameters(call).get("include_headers") in (False, "false") else {"headers": headers}
    return {"code": answer.status, **wanted, "body": answer.body.decode()}


def _scripted(fault: dict[str, Any], kind: str) -> Answer:
    status = {"rate_limit": 429, "expired_token": 401}.get(kind) or int(fault.get("status", 500))
    body = fault.get("body")
    return scripted_error(status, kind) if body is None else json_answer(status, body)


async def _answer(inner: Call, sandbox: Sandbox) -> Answer:
    for route in _ROUTES:
        if route.method == "GET" and (match := route.pattern.match(inner.path)):
            return await route.handler(inner, sandbox, **match.groupdict())
    return graph_error(400, 2500, "Unknown path components")


_WHOLE = graph_route("POST", "", _checked)
ROUTES = (Route("POST", "/graph/{version}/", read_batch),)
