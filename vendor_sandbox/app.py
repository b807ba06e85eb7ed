"""The ASGI application: finds the vendor and the route, plays the transport faults, keeps the journal.

Every request takes the same way: read, find the route, take the next fault, open a journal entry, let the vendor
answer, close the entry, send or drop.
"""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from vendor_sandbox import (
    claude,
    claude_batches,
    control,
    facebook,
    github,
    graph_batch,
    graph_metrics,
    instagram,
    linkedin,
    n8n,
    payfast,
    storage,
    supabase,
    supabase_auth,
    supabase_rest,
    vercel,
    websites,
    whatsapp,
    x,
)
from vendor_sandbox.connections import drop, wait_for_disconnect
from vendor_sandbox.faults import TRANSPORT_KINDS
from vendor_sandbox.state import Sandbox
from vendor_sandbox.wire import Answer, Call, Handler, Receive, Scope, Send, json_answer, read_call, send_answer

VENDOR_ROUTES = (
    ("claude", (*claude.ROUTES, *claude_batches.ROUTES)),
    ("whatsapp", whatsapp.ROUTES),
    ("facebook", (*graph_batch.ROUTES, *graph_metrics.ROUTES, *facebook.ROUTES)),
    ("instagram", instagram.ROUTES),
    ("linkedin", linkedin.ROUTES),
    ("x", x.ROUTES),
    ("storage", storage.ROUTES),
    ("supabase", supabase.ROUTES),
    ("supabase_auth", supabase_auth.ROUTES),
    ("supabase_rest", supabase_rest.ROUTES),
    ("payfast", payfast.ROUTES),
    ("github", github.ROUTES),
    ("vercel", vercel.ROUTES),
    ("n8n", n8n.ROUTES),
)
# How each vendor words an error that a fault script asks for.
VENDOR_ERRORS = {
    "claude": claude.scripted_error,
    "whatsapp": whatsapp.scripted_error,
    "facebook": facebook.scripted_error,
    "instagram": instagram.scripted_error,
    "linkedin": linkedin.scripted_error,
    "x": x.scripted_error,
    "storage": storage.scripted_error,
    "supabase": supabase.scripted_error,
    "supabase_auth": supabase_auth.scripted_error,
    "supabase_rest": supabase_rest.scripted_error,
    "payfast": payfast.scripted_error,
    "github": github.scripted_error,
    "vercel": vercel.scripted_error,
    "n8n": n8n.scripted_error,
}


class App:
    """One running sandbox over HTTP."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            # Supabase's Realtime is not offered here: refused, and the client's app asks at intervals instead.
            await send({"type": "websocket.close", "code": 1000})
            return
        call = await read_call(scope, receive)
        if call is None:
            return
        if call.path.startswith("/_sandbox"):
            await send_answer(await control.answer(call, self.sandbox), receive, send)
            return
        answer = await self._answer(call)
        if answer.is_dropped:
            await drop(scope, receive)
        elif answer.is_unanswered:
            await wait_for_disconnect(receive)
        else:
            await send_answer(answer, receive, send)
            if answer.cut_after is not None:
                await drop(scope, receive)

    async def _answer(self, call: Call) -> Answer:
        vendor, route, handler, parts = _find(call)
        fault = self.sandbox.faults.take(call.method, call.target, content=call.body)
        kind = fault["kind"] if fault else None
        entry = self.sandbox.journal.open_entry(vendor, route, call.method, call.target, call.headers, call.body)
        if fault and "seconds" in fault:
            await asyncio.sleep(float(fault["seconds"]))
        if fault and kind not in TRANSPORT_KINDS:
            call.fault = fault
        answer = _refusal(vendor, fault) if fault else None
        if answer is None:
            answer = await handler(call, self.sandbox, **parts)
        if fault and kind == "accept_then_status":
            answer = _late_error(vendor, fault, answer)
        answer.is_dropped = answer.is_dropped or kind == "accept_then_drop"
        answer.is_unanswered = answer.is_unanswered or kind == "accept_then_hang"
        is_silent = answer.is_dropped or answer.is_unanswered
        self.sandbox.journal.close_entry(
            entry, status=None if is_silent else answer.status, accepted=answer.accepted, fault=kind
        )
        if fault and kind == "slow_body":
            answer.headers["content-length"] = str(len(answer.body))
            answer.stream = _in_pieces(answer.body, float(fault.get("bytes_per_second", 1000)))
        elif fault and kind == "cut_body":
            answer.headers["content-length"] = str(len(answer.body))
            answer.cut_after = len(answer.body) // 2
        return answer


def _find(call: Call) -> tuple[str, str, Handler, dict[str, str]]:
    if call.host.endswith(".example"):
        return "websites", f"{call.method} {call.target}", websites.visit, {}
    for name, routes in VENDOR_ROUTES:
        for route in routes:
            if route.method == call.method and (match := route.pattern.match(call.path)):
                return name, route.label, route.handler, match.groupdict()
    return "unknown", f"{call.method} {call.path}", _no_such_route, {}


async def _no_such_route(call: Call, sandbox: Sandbox) -> Answer:
    if call.path.startswith("/anthropic"):
        return claude.error_answer(404, "not_found_error", "Not Found")
    return json_answer(404, {"error": {"message": f"the sandbox has no {call.method} {call.path}", "code": 404}})


def _refusal(vendor: str, fault: dict[str, Any]) -> Answer | None:
    """The answer of a fault that keeps the vendor from doing anything, or None where the vendor goes to work."""
    kind = fault["kind"]
    if kind == "drop_before_accept":
        return Answer(0, is_dropped=True, is_accepted=False)
    if kind not in ("status", "rate_limit", "expired_token"):
        return None
    status = {"rate_limit": 429, "expired_token": 401}.get(kind) or int(fault.get("status", 500))
    answer = _error(vendor, status, fault)
    answer.is_accepted = status < 400
    return answer


def _late_error(vendor: str, fault: dict[str, Any], done: Answer) -> Answer:
    """An error in place of the answer of a vendor that has done the work already."""
    answer = _error(vendor, int(fault.get("status", 500)), fault)
    answer.is_accepted = done.accepted
    return answer


def _error(vendor: str, status: int, fault: dict[str, Any]) -> Answer:
    """The error that a script asks for: its own body and headers, or what the vendor would say."""
    kind = fault["kind"]
    headers = {str(name): str(value) for name, value in (fault.get("headers") or {}).items()}
    if kind == "rate_limit":
        headers["retry-after"] = str(fault.get("retry_after", 1))
    body = fault.get("body")
    if isinstance(body, str):
        answer = Answer(status, body.encode())
    elif body is not None:
        answer = json_answer(status, body)
    elif vendor in VENDOR_ERRORS:
        answer = VENDOR_ERRORS[vendor](status, kind)
    else:
        answer = Answer(status, f"scripted status {status}".encode())
    answer.headers.update(headers)
    return answer


async def _in_pieces(body: bytes, bytes_per_second: float) -> AsyncIterator[bytes]:
    size = max(1, int(bytes_per_second / 10))
    for start in range(0, len(body), size):
        yield body[start : start + size]
        await asyncio.sleep(size / bytes_per_second)
