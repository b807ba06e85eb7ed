"""The journal: everything that was asked of any vendor, in order, and whether the vendor did it.

Append-only in memory, and one JSON line per finished request in a file where one is named. A request's line is
written when its handler has finished, also when the client did not wait for it.
"""

import json
from collections import deque
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TextIO

BODY_MAX_BYTES = 256_000
BODIES_TOTAL_BYTES = 128_000_000
_SECRET_HEADERS = frozenset({"authorization", "x-api-key", "x-n8n-api-key", "apikey", "cookie", "proxy-authorization"})


class Journal:
    """Entries by number. Bodies are kept as bytes and parsed when somebody reads; the oldest go first."""

    def __init__(self, file: Path | None = None) -> None:
        self.entries: list[dict[str, Any]] = []
        self._last_id = 0
        self._with_body: deque[dict[str, Any]] = deque()
        self._bytes = 0
        self._file: TextIO | None = file.open("a", encoding="utf-8", buffering=1) if file else None

    def open_entry(
        self, vendor: str, route: str, method: str, path: str, headers: dict[str, str], body: bytes
    ) -> dict[str, Any]:
        """Write down that something was asked; `close_entry` adds how it went."""
        self._last_id += 1
        entry = {
            "id": self._last_id,
            "at": datetime.now(UTC).isoformat(),
            "vendor": vendor,
            "route": route,
            "method": method,
            "path": path,
            "headers": {k: "[redacted]" if k.lower() in _SECRET_HEADERS else v for k, v in headers.items()},
            "body": body[:BODY_MAX_BYTES],
            "status": None,
            "accepted": False,
            "fault": None,
        }
        self.entries.append(entry)
        self._keep_body(entry)
        return entry

    def close_entry(self, entry: dict[str, Any], *, status: int | None, accepted: bool, fault: str | None) -> None:
        """`status` is None where the connection was closed without an answer."""
        entry.update(status=status, accepted=accepted, fault=fault)
        if self._file:
            self._file.write(json.dumps(_readable(entry), ensure_ascii=False) + "\n")

    def select(self, *, vendor: str | None = None, since: int = 0) -> list[dict[str, Any]]:
        """Entries after number `since`, bodies as JSON where they are JSON."""
        return [
            _readable(entry)
            for entry in self.entries
            if entry["id"] > since and (vendor is None or entry["vendor"] == vendor)
        ]

    def clear(self) -> None:
        """Forget the entries; numbers go on, so that `since` never sees an entry twice."""
        self.entries = []
        self._with_body.clear()
        self._bytes = 0

    def close(self) -> None:
        if self._file:
            self._file.close()

    def _keep_body(self, entry: dict[str, Any]) -> None:
        self._with_body.append(entry)
        self._bytes += len(entry["body"])
        while self._bytes > BODIES_TOTAL_BYTES:
            oldest = self._with_body.popleft()
            self._bytes -= len(oldest["body"])
            oldest["body"] = None


def _readable(entry: dict[str, Any]) -> dict[str, Any]:
    body = entry["body"]
    if not body:
        return {**entry, "body": None}
    text = body.decode("utf-8", "replace")
    if entry["headers"].get("content-type", "").startswith("application/json"):
        try:
            return {**entry, "body": json.loads(text)}
        except ValueError:
            return {**entry, "body": text}
    return {**entry, "body": text}
