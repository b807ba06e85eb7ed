"""A request for content as somebody sent it: what it is about, where it goes, and when.

Lives here: `ContentSubmission`, which the API seals into the inbox and the content workflow reads back, and how the
senders' names for its fields become one. Not here: whether accounts, templates and files exist
(`workflows/content/content_checks.py`), and what platforms take (`post_rules.py`).
"""

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import TypeVar

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from draggonnb_pipelines.domain.contact_details import (
    Unusable,
    email_address,
    has_forbidden_characters,
    one_line,
    paragraphs,
    yes_or_no,
)
from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.domain.publishing import Platform
from draggonnb_pipelines.domain.submissions import Fault, SubmissionRefused
from draggonnb_pipelines.domain.wall_time import WallTimeRefused, publish_time

TOPIC = "content"
API_SOURCE = "api"
RECURRING_SOURCE = "recurring"
BRIEF_CHARS = (3, 4000)
MAX_MEDIA = 20  # LinkedIn's, the largest of the platforms
MAX_ALT_CHARS = 4086  # LinkedIn's, the largest of the platforms
ALIASES = {
    "brief": ("brief", "topic", "prompt", "idea", "message"),
    "platforms": ("platforms", "platform", "networks", "channels"),
    "template": ("template", "template_name", "content_template"),
    "media": ("media", "images", "files", "attachments"),
    "publish_at": ("publish_at", "scheduled_for", "schedule_at", "publish_time"),
    "next_free_slot": ("next_free_slot",),
    "as_soon_as_approved": ("as_soon_as_approved", "asap"),
    "requested_by": ("requested_by", "requester", "requested_by_email"),
    "source": ("source",),
    "delivery_id": ("delivery_id",),
    "organization_id": ("organization_id",),
}
_PLATFORM_NAMES = {platform.value: platform for platform in Platform} | {
    "fb": Platform.FACEBOOK,
    "ig": Platform.INSTAGRAM,
    "insta": Platform.INSTAGRAM,
    "li": Platform.LINKEDIN,
    "twitter": Platform.X,
}
_SOURCE = re.compile(r"[a-z0-9][a-z0-9_.-]{0,63}")
_WORD = re.compile(r"[\w .-]{1,40}")
T = TypeVar("T")


class MediaWish(BaseModel):
    """A file of the client's storage, by its path in the bucket, and its description for those who cannot see it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    path: str = Field(min_length=1, max_length=500)
    alt: str | None = Field(default=None, max_length=MAX_ALT_CHARS)


class Schedule(BaseModel):
    """When it is to appear: at a wall time of the organization, in the next free slot, or at once after approval."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    publish_at: str | None = None
    next_free_slot: bool = False
    as_soon_as_approved: bool = False


class ContentSubmission(BaseModel):
    """One request, checked as far as it can be without looking anything up.

    Args:
        platforms: empty: all that are connected and can take it.
        template: the name of one of the client's templates.
        requested_by: who is told what became of it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    source: str = Field(default=API_SOURCE, pattern=rf"^{_SOURCE.pattern}$")
    delivery_id: str | None = Field(default=None, min_length=1, max_length=200)
    brief: str = Field(min_length=BRIEF_CHARS[0], max_length=BRIEF_CHARS[1])
    platforms: tuple[Platform, ...] = ()
    template: str | None = Field(default=None, max_length=120)
    media: tuple[MediaWish, ...] = Field(default=(), max_length=MAX_MEDIA)
    schedule: Schedule = Schedule(next_free_slot=True)
    requested_by: str | None = Field(default=None, max_length=254)


def read_request(body: JsonValue, organization: Organization, *, now: datetime) -> ContentSubmission:
    """The request in a body, as JSON object or form.

    A field may be called by any one of its `ALIASES`. Names that are not known are refused, since a misspelled
    `publish_at` must not publish at another time.

    Raises:
        SubmissionRefused: names each wrong field, its limit and the value, where it is not a text.
    """
    if isinstance(body, list) and len(body) == 1:
        body = body[0]
    if not isinstance(body, dict):
        raise SubmissionRefused([Fault(field="body", detail="must be one object with at least `brief`")])
    return _Reader(body, organization, now).read()


def read_recurring(body: Mapping[str, JsonValue], organization: Organization, at: str) -> ContentSubmission:
    """The request of one occurrence: `at` is its wall time, which may be over by now (then it is late, not wrong).

    Raises:
        SubmissionRefused: as `read_request`; also where the request names a time of its own.
    """
    submission = _Reader(body, organization, None).read()
    if submission.schedule != Schedule(next_free_slot=True):
        raise SubmissionRefused([Fault(field="request", detail="must name no time: the recurrence gives it")])
    schedule = Schedule(publish_at=at)
    return submission.model_copy(update={"source": RECURRING_SOURCE, "schedule": schedule, "delivery_id": None})


class _Reader:
    """Reads one body; every fault is kept, so that the sender learns all of them at once."""

    def __init__(self, body: Mapping[str, JsonValue], organization: Organization, now: datetime | None) -> None:
        self._organization = organization
        self._now = now
        self._faults: list[Fault] = []
        self._given: dict[str, tuple[str, JsonValue]] = {}
        names = {alias: field for field, aliases in ALIASES.items() for alias in aliases}
        for key, value in body.items():
            word = re.sub(r"[^a-z0-9]+", "_", key.lower()).strip("_")
            field = names.get(word)
            if field is None:
                self._refuse(_shown(key) or "body", f"is not known here; the fields are {', '.join(ALIASES)}")
            elif value in (None, "", []):
                continue
            elif field in self._given:
                self._refuse(_shown(key) or field, f"says the same as {self._given[field][0]}; send one of them")
            else:
                self._given[field] = (_shown(key) or field, value)

    def read(self) -> ContentSubmission:
        self._check_organization()
        source = self._read("source", _source) or API_SOURCE
        delivery_id = self._read("delivery_id", lambda value: one_line(_text(value), 200))
        brief = self._read("brief", _brief)
        platforms = self._read("platforms", _platforms) or ()
        template = self._read("template", lambda value: one_line(_text(value), 120))
        media = self._media()
        schedule = self._schedule()
        email = self._read("requested_by", lambda value: email_address(_text(value)))
        if "brief" not in self._given:
            self._refuse("brief", f"is missing; say in {BRIEF_CHARS[0]} to {BRIEF_CHARS[1]} characters what to post")
        if self._faults or brief is None:
            raise SubmissionRefused(self._faults)
        return ContentSubmission(
            source=source,
            delivery_id=delivery_id,
            brief=brief,
            platforms=platforms,
            template=template,
            media=media,
            schedule=schedule,
            requested_by=email.as_given if email else None,
        )

    def _read(self, field: str, check: Callable[[JsonValue], T]) -> T | None:
        if field not in self._given:
            return None
        name, value = self._given[field]
        try:
            return check(value)
        except Unusable as error:
            self._refuse(name, str(error))
            return None

    def _media(self) -> tuple[MediaWish, ...]:
        name, value = self._given.get("media", ("media", []))
        items = value if isinstance(value, list) else [value]
        if len(items) > MAX_MEDIA:
            self._refuse(name, f"has {len(items)} files; at most {MAX_MEDIA}")
            return ()
        wishes = []
        for place, item in enumerate(items):
            try:
                wishes.append(_media_wish(item))
            except Unusable as error:
                self._refuse(f"{name}[{place}]", str(error))
        if len({wish.path for wish in wishes}) < len(wishes):
            self._refuse(name, "names a file twice")
        return tuple(wishes)

    def _schedule(self) -> Schedule:
        wanted = [name for name in ("next_free_slot", "as_soon_as_approved") if self._read(name, yes_or_no)]
        publish_at = self._read("publish_at", self._publish_at)
        if publish_at:
            wanted.append("publish_at")
        if len(wanted) > 1:
            self._refuse(wanted[-1], f"contradicts {wanted[0]}; send one of them")
        if publish_at:
            return Schedule(publish_at=publish_at)
        soon = "as_soon_as_approved" in wanted
        return Schedule(next_free_slot=not soon, as_soon_as_approved=soon)

    def _publish_at(self, value: JsonValue) -> str:
        text = _text(value).strip()
        if self._now is not None:
            try:
                publish_time(text, self._organization.timezone, now=self._now, field="publish_at")
            except WallTimeRefused as refused:
                raise Unusable(f"{refused.value!r} {refused.detail}") from refused
        return text

    def _check_organization(self) -> None:
        name, claimed = self._given.get("organization_id", ("organization_id", None))
        own = (str(self._organization.id), self._organization.slug)
        if claimed is not None and str(claimed).lower() not in own:
            self._refuse(name, "is another organization than this address; send it to that one's own webhook")

    def _refuse(self, field: str, detail: str) -> None:
        self._faults.append(Fault(field=field[:100], detail=detail))


def _brief(value: JsonValue) -> str:
    brief = paragraphs(_text(value), BRIEF_CHARS[1]) or ""
    if len(brief) < BRIEF_CHARS[0]:
        raise Unusable(f"must have at least {BRIEF_CHARS[0]} characters, has {len(brief)}")
    return brief


def _platforms(value: JsonValue) -> tuple[Platform, ...]:
    """A list, or names divided by commas, as forms send them."""
    names = value if isinstance(value, list) else _text(value).split(",")
    chosen: dict[Platform, None] = {}
    for name in names:
        word = _text(name).strip().lower()
        if word not in _PLATFORM_NAMES:
            known = ", ".join(Platform)
            raise Unusable(f"{_shown(word) or 'a value'!r} is none of the platforms: {known}")
        chosen[_PLATFORM_NAMES[word]] = None
    return tuple(chosen)


def _media_wish(item: JsonValue) -> MediaWish:
    fields = item if isinstance(item, dict) else {"path": item}
    unknown = sorted(set(fields) - {"path", "alt", "alt_text"})
    if unknown:
        raise Unusable(f"has an unknown field {_shown(unknown[0]) or ''!r}; give path and alt")
    path = one_line(_text(fields.get("path") or ""), 500)
    alt = fields.get("alt") or fields.get("alt_text")
    if path is None:
        raise Unusable("must have a path in the media storage")
    if "://" in path or path.startswith("/") or "\\" in path or {"", ".", ".."} & set(path.split("/")):
        raise Unusable("must be a path in the media storage, such as 2026/pie.jpg; addresses are not fetched")
    return MediaWish(path=path, alt=paragraphs(_text(alt), MAX_ALT_CHARS) if alt else None)


def _source(value: JsonValue) -> str:
    source = _text(value).strip().lower()
    if not _SOURCE.fullmatch(source) or source == RECURRING_SOURCE:
        raise Unusable(f"must be one word of a-z, 0-9, _, . and -, at most 64, and not {RECURRING_SOURCE!r}")
    return source


def _text(value: JsonValue) -> str:
    if not isinstance(value, str):
        raise Unusable("must be text")
    if has_forbidden_characters(value):
        raise Unusable("must not contain control characters")
    return value


def _shown(word: str) -> str | None:
    """A name as a refusal may repeat it: short and plain, or not at all."""
    return word if _WORD.fullmatch(word) else None
