"""What a platform says about the tokens of a connected account, and what we keep of them.

Lives here: the words that adapters answer with, the stored credentials, what a refusal means for an account.
Does not live here: the calls (`resources/x.py` and its neighbours), where tokens are stored
(`workflows/publishing/accounts.py`) and when they are refreshed (`workflows/publishing/token_refresh.py`).
"""

import json
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Self

from draggonnb_pipelines.errors import ErrorClass


@dataclass(frozen=True, slots=True)
class TokenPair:
    """What a refresh gave. Where `refresh_token` is None, the old one stays good."""

    access_token: str = field(repr=False)
    refresh_token: str | None = field(default=None, repr=False)
    expires_in_seconds: float | None = None


@dataclass(frozen=True, slots=True)
class TokenState:
    """Whether an access token is good, and until when. None: the platform does not tell.

    Args:
        data_access_expires_at: Meta's second date: from then on the token reads nothing, though it is still valid.
        scopes: the rights that were granted; empty where the platform does not tell.
        reason: why it is not valid, one line for a person.
    """

    is_valid: bool
    expires_at: datetime | None = None
    data_access_expires_at: datetime | None = None
    scopes: tuple[str, ...] = ()
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Credentials:
    """What is stored of an account's tokens, sealed.

    Args:
        access_token: what calls are made with.
        refresh_token: what a new access token is had for; None where the platform gives none, or it was spent.
        issued_at: when the access token was stored.
    """

    access_token: str = field(repr=False)
    refresh_token: str | None = field(repr=False)
    issued_at: datetime

    def dump(self) -> bytes:
        """As JSON, to be sealed."""
        content = {"access_token": self.access_token, "refresh_token": self.refresh_token}
        return json.dumps({**content, "issued_at": self.issued_at.isoformat()}).encode()

    @classmethod
    def load(cls, content: bytes) -> Self:
        """What `dump` made."""
        stored = json.loads(content)
        return cls(stored["access_token"], stored["refresh_token"], datetime.fromisoformat(stored["issued_at"]))

    def without_refresh(self) -> "Credentials":
        """After the refresh token was spent: it is never to be used again."""
        return replace(self, refresh_token=None)


def merge_tokens(
    stored: Credentials | None, access_token: str | None, refresh_token: str | None, *, at: datetime
) -> Credentials | None:
    """What is to be stored now: something new replaces what was there, an empty value never does.

    None where there is no access token, neither a new one nor a stored one.
    """
    access, refresh = (access_token or "").strip(), (refresh_token or "").strip()
    if stored is None:
        return Credentials(access, refresh or None, at) if access else None
    return Credentials(
        access or stored.access_token, refresh or stored.refresh_token, at if access else stored.issued_at
    )


def status_after(error_class: ErrorClass) -> str | None:
    """The account's state after a refusal; None where the account is not at fault."""
    return {
        ErrorClass.AUTH: "reconnect_needed",
        ErrorClass.PERMISSION: "permission_missing",
        ErrorClass.BLOCKED: "blocked",
    }.get(error_class)
