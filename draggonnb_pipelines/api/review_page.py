"""What the review page shows: a post platform by platform, its files, its time, and what the checks found.

Lives here: from the post's row to the values of the template. Nothing is loaded from elsewhere, so files are described
and not shown.
Not here: whose page it is and in which state (`reviews.py`).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import PurePosixPath
from typing import Any
from zoneinfo import ZoneInfo

from draggonnb_pipelines.api.pages import environment
from draggonnb_pipelines.domain.publishing import Platform
from draggonnb_pipelines.domain.x_length import weighted_length
from draggonnb_pipelines.workflows.content.review_decisions import Review, State
from draggonnb_pipelines.workflows.leads.proposal_page import local_day

WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
PUBLISHED = frozenset({"published", "partly_published"})


@dataclass(frozen=True, slots=True)
class Text:
    """One text that appears, with its length as the platform counts it. `most` is None where none is known."""

    title: str
    body: str
    length: int
    most: int | None

    @property
    def is_too_long(self) -> bool:
        return self.most is not None and self.length > self.most


@dataclass(frozen=True, slots=True)
class Preview:
    """The post on one platform: the text, the parts that continue it, the first comment."""

    platform_id: str
    name: str
    texts: tuple[Text, ...]


@dataclass(frozen=True, slots=True)
class File:
    """A picture or video as the page describes it."""

    name: str
    kind: str
    details: str
    alt: str | None


def review_html(review: Review, state: State, now: datetime, *, form: Any, action: str) -> str:
    """The whole document."""
    post = review.post
    zone = ZoneInfo(post["time_zone"] or review.organization.timezone)
    goes_out: datetime | None = post["scheduled_for"]
    return (
        environment()
        .get_template("review.html.j2")
        .render(
            organization=review.organization.name,
            title=post["title"] or "A post for your review",
            state=state,
            is_published=post["status"] in PUBLISHED,
            goes_out=_local_moment(goes_out, zone) if goes_out else None,
            goes_out_utc=f"{goes_out.astimezone(UTC):%Y-%m-%d %H:%M} UTC" if goes_out else None,
            is_late=state == "open" and goes_out is not None and goes_out < now,
            zone=zone.key,
            valid_until=local_day(review.expires_at, zone),
            previews=[_preview(review, platform_id) for platform_id in post["platform_ids"]],
            files=[_file(media) for media in post["media"]],
            is_edited=post["revision"] > 1,
            findings=[_finding(review, finding) for finding in post["findings"]],
            decided=_local_moment(post["decided_at"], zone) if post["decided_at"] else None,
            decided_by=post["decided_by"],
            comment=post["comment"],
            form=form,
            action=action,
        )
    )


def _preview(review: Review, platform_id: str) -> Preview:
    variant = review.post["variants"].get(platform_id) or {}
    thread = variant.get("thread") or []
    parts = [variant.get("text") or review.post["content"], *thread]
    most = review.text_limits.get(platform_id)
    texts = [
        Text(f"Part {number} of {len(parts)}" if thread else "", part, _length(platform_id, part), most)
        for number, part in enumerate(parts, 1)
    ]
    if comment := variant.get("first_comment"):
        texts.append(Text("First comment", comment, _length(platform_id, comment), None))
    return Preview(platform_id, review.platform_names.get(platform_id, platform_id), tuple(texts))


def _length(platform_id: str, text: str) -> int:
    return weighted_length(text) if platform_id == Platform.X else len(text)


def _file(media: Mapping[str, Any]) -> File:
    content_type = str(media.get("content_type") or "")
    width, height, seconds = media.get("width"), media.get("height"), media.get("duration_seconds")
    details = [content_type.partition("/")[2].upper()]
    details += [f"{width} × {height} pixels"] if width and height else []
    details += [f"{seconds:g} seconds"] if seconds else []
    details += [_size(media["size_bytes"])] if media.get("size_bytes") else []
    kind = "Video" if content_type.startswith("video/") else "Picture"
    name = PurePosixPath(str(media.get("path") or "file")).name
    return File(name, kind, ", ".join(filter(None, details)), media.get("alt") or None)


def _finding(review: Review, finding: Mapping[str, Any]) -> dict[str, str]:
    platform_id = finding.get("platform")
    name = review.platform_names.get(platform_id, platform_id) if platform_id else "All platforms"
    return {
        "severity": str(finding.get("severity") or "note"),
        "platform": str(name),
        "reason": str(finding.get("reason") or finding.get("rule") or ""),
    }


def _size(size_bytes: int) -> str:
    return f"{size_bytes / 1e6:.1f} MB" if size_bytes >= 1_000_000 else f"{max(size_bytes / 1e3, 0.1):.0f} kB"


def _local_moment(moment: datetime, zone: ZoneInfo) -> str:
    """`Tuesday, 1 December 2026, 09:00`, whatever the locale of the server."""
    local = moment.astimezone(zone)
    return f"{WEEKDAYS[local.weekday()]}, {local_day(moment, zone)}, {local:%H:%M}"
