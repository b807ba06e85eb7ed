"""Whether a request for content can be done: against the client's accounts, templates, files, slots and rules.

Lives here: `Desk` (what a client has, read once for all its requests) and the refusals, before anything is charged.
Not here: what can be told from the request alone (`domain/content_requests.py`), the steps (`content.py`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from difflib import get_close_matches
from typing import Any
from uuid import UUID

from pydantic import ValidationError

from draggonnb_pipelines.domain.brand_rules import BrandRules
from draggonnb_pipelines.domain.content_requests import RECURRING_SOURCE, ContentSubmission, MediaWish, Schedule
from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.domain.post_rules import Draft, check_post
from draggonnb_pipelines.domain.posting_slots import Slot, next_free_slot
from draggonnb_pipelines.domain.publishing import Media, Platform
from draggonnb_pipelines.domain.submissions import Fault
from draggonnb_pipelines.domain.wall_time import Resolved, WallTimeRefused, from_text, publish_time, resolve
from draggonnb_pipelines.errors import ErrorClass, VendorError
from draggonnb_pipelines.resources.postgres import TenantDb
from draggonnb_pipelines.resources.stack import Stack
from draggonnb_pipelines.sql import load_queries

CONTENT = load_queries("content")
LOOK_SECONDS = 600  # how long the address lives by which we look at a file
_WHY_NOT = {
    "reconnect_needed": "needs to be connected again",
    "permission_missing": "lacks a permission",
    "blocked": "is blocked by the platform",
    "disconnected": "is disconnected",
}


@dataclass(frozen=True)
class Desk:
    """What a client has and wants, as far as its requests are checked against it."""

    organization: Organization
    rules: Mapping[str, Any]
    accounts: Sequence[Mapping[str, Any]]
    templates: Mapping[str, Mapping[str, Any]]
    slots: Sequence[Slot]
    brand: BrandRules | None
    brand_faults: tuple[Fault, ...] = ()

    @property
    def connected(self) -> tuple[Platform, ...]:
        return tuple(
            dict.fromkeys(Platform(row["platform_id"]) for row in self.accounts if row["status"] == "connected")
        )

    @property
    def holidays(self) -> str | None:
        return self.rules["country"] if self.rules["skips_public_holidays"] else None

    def free_slot(self, platforms: Sequence[Platform], after: datetime, taken: Sequence[datetime]) -> Resolved | None:
        """The next free slot that serves all the platforms; where none does, one of the first platform's."""
        shared = [slot for slot in self.slots if all(map(slot.serves, platforms))] or self.slots
        zone = self.organization.timezone
        return next_free_slot(shared, zone, after, taken, platforms[0], skip_holidays=self.holidays)


@dataclass(frozen=True)
class Checked:
    """A request after the checks. With faults it is refused; without, it has platforms and the files' facts.

    `left_out`: platforms that nobody named and that cannot take it, with the reason.
    """

    submission: ContentSubmission
    platforms: tuple[Platform, ...]
    template_id: UUID | None
    media: tuple[dict[str, Any], ...]
    faults: tuple[Fault, ...]
    left_out: Mapping[Platform, str]


async def read_desk(tenant: TenantDb) -> Desk:
    """Everything in five small queries."""
    rules = await CONTENT.desk(tenant.conn)
    try:
        brand, faults = BrandRules(**{name: rules[name] for name in BrandRules.model_fields}), ()
    except ValidationError as error:
        brand, faults = (
            None,
            tuple(
                Fault(field=".".join(["brand_rules", *map(str, fault["loc"])]), detail=fault["msg"])
                for fault in error.errors()[:5]
            ),
        )
    return Desk(
        tenant.organization,
        rules,
        accounts=[row async for row in CONTENT.accounts(tenant.conn)],
        templates={row["name"].casefold(): row async for row in CONTENT.templates(tenant.conn)},
        slots=[_slot(row) async for row in CONTENT.slots(tenant.conn)],
        brand=brand,
        brand_faults=faults,
    )


async def check_request(stack: Stack, desk: Desk, submission: ContentSubmission, received_at: datetime) -> Checked:
    """Everything that is wrong with a request, judged as of when it was received.

    Raises:
        VendorError: the storage cannot be asked now.
    """
    platforms, faults = _platforms(desk, submission)
    faults += desk.brand_faults
    template = None
    if submission.template is not None:
        template = desk.templates.get(submission.template.casefold())
        if template is None:
            faults.append(Fault(field="template", detail=_no_template(submission.template, desk)))
    media, media_faults = await _media(stack, desk, submission.media)
    faults += media_faults
    left_out: dict[Platform, str] = {}
    if not media_faults:
        for platform in platforms:
            if refused := media_refused(platform, media):
                left_out[platform] = "; ".join(refused)
    if submission.platforms or len(left_out) == len(platforms):
        faults += [Fault(field="media", detail=reason) for reason in left_out.values()]
    else:
        platforms = tuple(platform for platform in platforms if platform not in left_out)
    faults += _time_faults(desk, submission, platforms, received_at, stack.now())
    template_id = template["id"] if template else None
    return Checked(submission, platforms, template_id, tuple(media), tuple(faults), left_out)


def planned_time(schedule: Schedule, source: str, zone: str, received_at: datetime) -> Resolved | None:
    """The wall time that a request names, or None.

    Raises:
        WallTimeRefused: past (but an occurrence of a recurring request is late, not wrong), in a gap of the clocks.
    """
    if schedule.publish_at is None:
        return None
    if source == RECURRING_SOURCE:
        wall = from_text(schedule.publish_at)
        return resolve(wall.local, wall.zone, fold=wall.fold)
    return publish_time(schedule.publish_at, zone, now=received_at, field="publish_at")


def media_refused(platform: Platform, media: Sequence[Mapping[str, Any]]) -> list[str]:
    """What a platform has against the files of a post, whatever its text will be."""
    # Any text that breaks no limit: what is left to find fault with is the files.
    return [fault.message for fault in check_post(platform, Draft(text="x", media=as_media(media)))]


def as_media(media: Sequence[Mapping[str, Any]]) -> tuple[Media, ...]:
    """The stored facts of files as the rules take them; nobody fetches anything by these."""
    return tuple(
        Media(
            url="",
            content_type=one["content_type"],
            size_bytes=one["size_bytes"],
            width=one["width"],
            height=one["height"],
            duration_seconds=one["duration_seconds"],
            alt_text=one["alt"],
        )
        for one in media
    )


def _platforms(desk: Desk, submission: ContentSubmission) -> tuple[tuple[Platform, ...], list[Fault]]:
    connected = desk.connected
    if not submission.platforms:
        if connected:
            return connected, []
        return (), [Fault(field="platforms", detail="no account is connected; connect one, then send it again")]
    faults = []
    for platform in submission.platforms:
        if platform in connected:
            continue
        dead = next((row for row in desk.accounts if row["platform_id"] == platform), None)
        if dead:
            why = f"{platform}: the account {dead['name']} {_WHY_NOT[dead['status']]}"
        else:
            why = f"{platform}: no account is connected; connected are: {', '.join(connected) or 'none'}"
        faults.append(Fault(field="platforms", detail=why))
    return submission.platforms, faults


def _no_template(name: str, desk: Desk) -> str:
    known = [row["name"] for row in desk.templates.values()]
    close = [desk.templates[key]["name"] for key in get_close_matches(name.casefold(), desk.templates, n=2)]
    hint = f"did you mean {' or '.join(close)}?" if close else f"there are: {', '.join(known[:10]) or 'none'}"
    return f"{name!r} is none of the templates; {hint}"


async def _media(stack: Stack, desk: Desk, wishes: Sequence[MediaWish]) -> tuple[list[dict[str, Any]], list[Fault]]:
    media, faults = [], []
    for place, wish in enumerate(wishes):
        try:
            url = await stack.storage.sign(desk.rules["media_bucket"], wish.path, seconds=LOOK_SECONDS)
            found = await stack.storage.inspect(url)
        except VendorError as error:
            if error.error_class not in (ErrorClass.INPUT, ErrorClass.PERMISSION):
                raise
            faults.append(Fault(field=f"media[{place}].path", detail=error.message))
            continue
        media.append(
            {
                "path": wish.path,
                "alt": wish.alt,
                "content_type": found.content_type,
                "size_bytes": found.size_bytes,
                "width": found.width,
                "height": found.height,
                "duration_seconds": found.duration_seconds,
                "etag": found.etag,
            }
        )
    return media, faults


def _time_faults(
    desk: Desk, submission: ContentSubmission, platforms: Sequence[Platform], received_at: datetime, now: datetime
) -> list[Fault]:
    schedule = submission.schedule
    try:
        planned_time(schedule, submission.source, desk.organization.timezone, received_at)
    except WallTimeRefused as refused:
        return [Fault(field=refused.field, detail=f"{refused.value!r} {refused.detail}")]
    if schedule.next_free_slot and platforms and desk.free_slot(platforms, now, []) is None:
        detail = f"no posting slot serves {', '.join(platforms)} within 60 days; add one, or name a time"
        return [Fault(field="next_free_slot", detail=detail)]
    return []


def _slot(row: Mapping[str, Any]) -> Slot:
    return Slot(
        weekday=row["weekday"],
        at=row["at_local"].replace(second=0, microsecond=0),
        platforms=frozenset(Platform(platform) for platform in row["platform_ids"]),
    )
