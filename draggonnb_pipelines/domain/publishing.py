"""What is published where, and what a platform said about it: the words that adapters and the publish ledger share.

Not here: the calls (`resources/facebook.py`, `instagram.py`, `linkedin.py`, `x.py`), the rules that a post must keep
before it is scheduled (`post_rules.py`), and the ledger itself (`workflows/publishing/publishing.py`).
"""

import hashlib
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any


class Platform(StrEnum):
    """The networks that posts go to; the values are the ids of `social_platforms`."""

    FACEBOOK = "facebook"
    INSTAGRAM = "instagram"
    LINKEDIN = "linkedin"
    X = "x"


class Part(StrEnum):
    """What one row of the ledger puts before the public: the post, a reply that goes on with it, a first comment."""

    POST = "post"
    REPLY = "reply"
    COMMENT = "comment"


@dataclass(frozen=True, slots=True)
class Media:
    """One file, as a platform may fetch it. `url` is signed and lives for hours."""

    url: str = field(repr=False)
    content_type: str
    size_bytes: int
    width: int | None = None
    height: int | None = None
    duration_seconds: float | None = None
    alt_text: str | None = None

    @property
    def is_video(self) -> bool:
        return self.content_type.startswith("video/")


@dataclass(frozen=True, slots=True)
class Payload:
    """What exactly is to appear.

    Args:
        text: as people read it; an adapter escapes it where its platform wants that.
        media: in order; empty for replies and comments.
        parent_id: of a reply or comment: the platform's id of what it answers.
        made_with_ai: said to the platforms that ask for it.
    """

    part: Part
    text: str
    media: tuple[Media, ...] = ()
    parent_id: str | None = None
    made_with_ai: bool = False


@dataclass(frozen=True, slots=True)
class Account:
    """Whom we publish for: a page, an Instagram account, an organization's page, a user of X."""

    platform: Platform
    external_id: str
    token: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Limits:
    """What an answer's headers say about quotas. Times are when calls may go on; None: nothing was said.

    Args:
        account_remaining, account_resets_at: of this account's own window.
        app_remaining, app_resets_at: of our app, which all clients share.
        app_percent: Meta's way of saying it: how much of the app's quota is used, 0 to 100 and above.
        resume_at: the platform asks for silence until then, whoever of the two is meant.
    """

    account_remaining: int | None = None
    account_resets_at: datetime | None = None
    app_remaining: int | None = None
    app_resets_at: datetime | None = None
    app_percent: float | None = None
    resume_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Prepared:
    """How far the work before the irreversible call has come. `progress` is stored before the next step begins."""

    progress: Mapping[str, Any]
    is_ready: bool
    look_again_seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Published:
    """It is public. `cost_usd` is what the platform charges for the call."""

    platform_post_id: str
    url: str | None
    limits: Limits | None = None
    cost_usd: Decimal = Decimal(0)


@dataclass(frozen=True, slots=True)
class Found:
    """The post as the platform shows it, found by reading it back."""

    platform_post_id: str
    url: str | None
    published_at: datetime | None


def fingerprint(text: str) -> str:
    """By what a post is recognised when the platform is read back: its words, whatever white space surrounds them."""
    plain = " ".join(unicodedata.normalize("NFC", text).split())
    return hashlib.sha256(plain.encode()).hexdigest()
