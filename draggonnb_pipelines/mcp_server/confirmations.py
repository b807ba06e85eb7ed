"""The second step of every change: a phrase that only the preview of that very change tells.

Lives here: making the phrase and comparing it. It binds tool, arguments, client and the state that was shown, under a
key of this process: it cannot be guessed or written into a lead's message, and is worth nothing once the state has
changed. Not here: the previews (`writing.py`).
"""

import hashlib
import hmac
import json
import secrets
from typing import Any

from draggonnb_pipelines.errors import OperatorError

_CODE_CHARS = 12


class Confirmations:
    """Phrases of one running server; those of another one, or of before a restart, do not count."""

    def __init__(self) -> None:
        self._key = secrets.token_bytes(32)

    def phrase(self, words: str, actor: str, state: Any) -> str:
        """Such as `drop row 7c… of kloof-coffee 4be0a71c9d02`.

        Args:
            words: what will be done, in our own words.
            state: JSON-like (dates and ids as text): whatever must still be so when it is done.
        """
        bound = json.dumps([words, actor, state], sort_keys=True, default=str).encode()
        return f"{words} {hmac.new(self._key, bound, hashlib.sha256).hexdigest()[:_CODE_CHARS]}"

    def require(self, given: str, words: str, actor: str, state: Any) -> None:
        """Raises OperatorError where this is not the phrase of what is there now; nothing was done then."""
        if not hmac.compare_digest(given.encode(), self.phrase(words, actor, state).encode()):
            raise OperatorError(
                "confirm: this is not the phrase of what would be done now; nothing was done",
                remedy="call it without confirm, look at what it shows, and give the phrase that it returns",
            )
