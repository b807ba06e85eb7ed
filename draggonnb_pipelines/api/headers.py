"""Headers that every answer carries, whoever wrote it: pages, JSON, problems, what the framework itself refuses.

Not here: the policies of pages, which allow a style element and forms (`pages.py`, `docs.py`); what an answer says for
itself stays. The API sets no cookie anywhere, so there is nothing to protect about one.
"""

from starlette.types import ASGIApp, Message, Receive, Scope, Send

# A browser that opens an answer of ours by itself runs nothing, guesses no type and shows it in no frame.
ALWAYS = (
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"content-security-policy", b"default-src 'none'; base-uri 'none'; frame-ancestors 'none'"),
)
# RFC 6797. Browsers that have once seen it never ask by plain HTTP for a year, also where the proxy forgets it.
ONLY_TLS = (b"strict-transport-security", b"max-age=31536000")


class SafeHeaders:
    """Adds what is missing. `is_public_by_tls`: the address that clients use begins with https."""

    def __init__(self, app: ASGIApp, *, is_public_by_tls: bool) -> None:
        self._app = app
        self._headers = (*ALWAYS, ONLY_TLS) if is_public_by_tls else ALWAYS

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def adding_send(message: Message) -> None:
            if message["type"] == "http.response.start":
                said = message.get("headers", [])
                names = {name.lower() for name, _ in said}
                message["headers"] = [*said, *(header for header in self._headers if header[0] not in names)]
            await send(message)

        await self._app(scope, receive, adding_send)
