"""The social networks' common memory: accounts, their tokens, and what stands on their timelines.

Lives here: who may post for whom, adding and taking away posts, reading a timeline back, the page that a post's
public link shows. Does not live here: any network's wire (`facebook.py`, `instagram.py`, `linkedin.py`, `x.py`).

A token `sandbox-<account id>` is always good for that account, without an expiry; others are made by registering an
account or by a network's own token endpoint.
"""

import html
import itertools
import time
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

STANDING_TOKEN = "sandbox-"
# From the clock, so that a sandbox that is started again gives no id a second time.
_numbers = itertools.count(int(time.time() * 1000) - 1_700_000_000_000)


@dataclass
class Grant:
    """A token that was given out: for whom, until when (monotonic seconds; None: for ever), with which rights."""

    account: str
    expires: float | None = None
    scopes: frozenset[str] | None = None
    is_revoked: bool = False

    @property
    def is_expired(self) -> bool:
        return self.expires is not None and time.monotonic() >= self.expires


@dataclass
class SocialPost:
    """One thing on a timeline: a post, or with `parent` a reply or comment."""

    platform: str
    id: str
    account: str
    text: str
    media: list[dict[str, Any]]
    parent: str | None
    url: str
    at: datetime
    visible_from: float
    extra: dict[str, Any] = field(default_factory=dict)
    is_deleted: bool = False

    @property
    def is_visible(self) -> bool:
        """Read-backs lag behind acceptance, as on the real networks."""
        return not self.is_deleted and time.monotonic() >= self.visible_from

    def public(self) -> dict[str, Any]:
        """As /_sandbox/public shows it."""
        return {
            "kind": self.platform,
            "id": self.id,
            "account": self.account,
            "text": self.text,
            "media": self.media,
            "parent": self.parent,
            "url": self.url,
            "at": self.at.isoformat(),
            "deleted": self.is_deleted,
        }


class SocialNetworks:
    """All accounts and posts of all networks."""

    def __init__(self) -> None:
        self.grants: dict[tuple[str, str], Grant] = {}
        self.posts: dict[tuple[str, str], SocialPost] = {}
        self.timelines: dict[tuple[str, str], list[SocialPost]] = defaultdict(list)
        self.replies: dict[tuple[str, str], list[SocialPost]] = defaultdict(list)
        self.uploads: dict[str, dict[str, Any]] = {}
        self.limits: dict[tuple[str, str], dict[str, Any]] = {}
        self.numbers: dict[str, dict[str, int]] = {}

    def grant(
        self, platform: str, token: str, account: str, *, seconds: float | None = None, scopes: list[str] | None = None
    ) -> None:
        """Make a token good for an account."""
        expires = time.monotonic() + seconds if seconds is not None else None
        self.grants[platform, token] = Grant(account, expires, frozenset(scopes) if scopes is not None else None)

    def account_of(self, platform: str, token: str) -> Grant | None:
        """Whom this token speaks for; None where nobody gave it out. The caller looks at expiry, rights, revocation."""
        known = self.grants.get((platform, token))
        if known is None and token.startswith(STANDING_TOKEN):
            return Grant(token.removeprefix(STANDING_TOKEN))
        return known

    def add(
        self,
        platform: str,
        post_id: str,
        account: str,
        text: str,
        url: str,
        *,
        media: list[dict[str, Any]] | None = None,
        parent: str | None = None,
        lag_seconds: float = 0.0,
        **extra: Any,
    ) -> SocialPost:
        """Make something public: on the account's timeline, or under its parent."""
        visible_from = time.monotonic() + lag_seconds
        post = SocialPost(
            platform, post_id, account, text, media or [], parent, url, datetime.now(UTC), visible_from, extra
        )
        self.posts[platform, post_id] = post
        self.timelines[platform, account].append(post)
        if parent is not None:
            self.replies[platform, parent].append(post)
        return post

    def get(self, platform: str, post_id: str) -> SocialPost | None:
        """A post that stands, or None."""
        post = self.posts.get((platform, post_id))
        return None if post is None or post.is_deleted else post

    def delete(self, platform: str, post_id: str) -> bool:
        """Take it away; False where it is not there (any more)."""
        post = self.get(platform, post_id)
        if post is None:
            return False
        post.is_deleted = True
        return True

    def everything(self) -> list[dict[str, Any]]:
        """All that ever became public, in order per account; deleted ones marked."""
        return [post.public() for timeline in self.timelines.values() for post in timeline]

    def clear(self) -> None:
        memories = (self.grants, self.posts, self.timelines, self.replies, self.uploads, self.limits, self.numbers)
        for memory in memories:
            memory.clear()


def next_number() -> int:
    """Grows with every call: for ids that sort by time."""
    return next(_numbers)


def page_of(post: SocialPost, replies: list[SocialPost]) -> str:
    """The public page of a post, so that links in demos and tables lead somewhere."""
    bodies = "".join(
        f"<article><p><b>{html.escape(one.account)}</b> · {one.at:%Y-%m-%d %H:%M:%S} UTC</p>"
        f"<p>{html.escape(one.text).replace(chr(10), '<br>')}</p>"
        + "".join(
            f"<p>[{html.escape(str(item.get('type', 'media')))}] {html.escape(str(item.get('alt') or ''))}</p>"
            for item in one.media
        )
        + "</article>"
        for one in [post, *(reply for reply in replies if not reply.is_deleted)]
    )
    style = "body{font:16px/1.5 system-ui;max-width:36rem;margin:2rem auto}article{border:1px solid #ccc;padding:1rem}"
    return (
        f"<!doctype html><meta charset=utf-8><title>{post.platform} (sandbox)</title><style>{style}</style>"
        f"<h1>{post.platform} <small>sandbox</small></h1>{bodies}"
    )
