"""Reading LinkedIn back: is what we may have published there?

Lives here: the finder by author and the list of comments, page by page, and the comparison. Does not live here: what
follows from the answer (the publish ledger).
Source: Microsoft Learn, LinkedIn Posts API (finder by author), Comments API, pagination.

Absence is only ever said after the whole window was read. The finder sorts by last change, newest first, and no post
was changed before it was created: so the first post that was last changed before the window ends it.
"""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

from draggonnb_pipelines.domain.little_text import unescape
from draggonnb_pipelines.domain.publishing import Found, Payload, fingerprint
from draggonnb_pipelines.resources.linkedin_wire import Call, json_of, quoted, unreadable

PAGE = 100
MAX_PAGES = 50
# Any other state is public or on its way there.
_NEVER_PUBLIC = frozenset({"DRAFT", "PUBLISH_FAILED"})


async def find_post(
    call: Call, author: str, payload: Payload, *, since: datetime, taken: frozenset[str]
) -> Found | None:
    """The oldest post of the author made at or after `since` with the payload's text, or None.

    Raises:
        VendorError: some page could not be read.
    """
    wanted = fingerprint(payload.text)
    matches: list[tuple[datetime, str]] = []
    query = f"/rest/posts?author={quoted(author)}&q=author&sortBy=LAST_MODIFIED"
    async for element in _elements(call, query, headers={"X-RestLi-Method": "FINDER"}, key="id"):
        created, changed = _time(element.get("createdAt")), _time(element.get("lastModifiedAt"))
        commentary = element.get("commentary", "")
        if created is None or changed is None or not isinstance(commentary, str):
            raise unreadable("a post")
        if changed < since:
            break
        if created < since or element["id"] in taken or element.get("lifecycleState") in _NEVER_PUBLIC:
            continue
        if fingerprint(unescape(commentary)) == wanted:
            matches.append((created, element["id"]))
    return _oldest(matches)


async def find_comment(
    call: Call, actor: str, payload: Payload, *, since: datetime, taken: frozenset[str]
) -> Found | None:
    """The oldest comment of the actor below the payload's parent with its text, or None. Raises as `find_post`."""
    wanted = fingerprint(payload.text)
    matches: list[tuple[datetime, str]] = []
    # Their order is not documented: all are read.
    query = f"/rest/socialActions/{quoted(payload.parent_id or '')}/comments?"
    async for element in _elements(call, query, headers={}, key="commentUrn"):
        if element.get("actor") != actor or element["commentUrn"] in taken:
            continue
        created, text = comment_time(element), _get(element, "message", "text")
        if created is None or not isinstance(text, str):
            raise unreadable("a comment")
        if created >= since and fingerprint(text) == wanted:
            matches.append((created, element["commentUrn"]))
    return _oldest(matches)


def post_time(post: dict[str, Any]) -> datetime | None:
    """When a post was made, by its `publishedAt` or `createdAt`."""
    return _time(post.get("publishedAt")) or _time(post.get("createdAt"))


def comment_time(comment: dict[str, Any]) -> datetime | None:
    return _time(_get(comment, "created", "time"))


async def _elements(call: Call, query: str, *, headers: dict[str, str], key: str) -> AsyncIterator[dict[str, Any]]:
    """The elements of all pages. A page after a full one begins with the last element of that, so that nothing slips
    through if the list grows shorter in between. A page that is not full may hide elements: only `links` ends it."""
    start, last = 0, None
    for _ in range(MAX_PAGES):
        separator = "" if query.endswith("?") else "&"
        body = json_of(await call("GET", f"{query}{separator}start={start}&count={PAGE}", headers=headers))
        elements, links = body.get("elements"), _get(body, "paging", "links")
        if not isinstance(elements, list) or not isinstance(links, list):
            raise unreadable("a page of the list")
        if any(not isinstance(element, dict) or not isinstance(element.get(key), str) for element in elements):
            raise unreadable("an element of the list")
        if last is not None and all(element[key] != last for element in elements):
            raise unreadable("the list, which changed meanwhile,")
        for element in elements:
            yield element
        is_full = len(elements) >= PAGE
        if not is_full and not any(isinstance(link, dict) and link.get("rel") == "next" for link in links):
            return
        start, last = (start + PAGE - 1, elements[-1][key]) if is_full else (start + PAGE, None)
    raise unreadable(f"the list to its end: more than {MAX_PAGES * PAGE} elements")


def _oldest(matches: list[tuple[datetime, str]]) -> Found | None:
    if not matches:
        return None
    made_at, urn = min(matches)
    return Found(urn, None, made_at)


def _get(parent: Any, *keys: str) -> Any:
    for key in keys:
        parent = parent.get(key) if isinstance(parent, dict) else None
    return parent


def _time(milliseconds: Any) -> datetime | None:
    if not isinstance(milliseconds, int) or isinstance(milliseconds, bool):
        return None
    try:
        return datetime.fromtimestamp(milliseconds / 1000, UTC)
    except (ValueError, OverflowError, OSError):
        return None
