"""Publish times as people say them: a wall time in an IANA zone, and the one instant that it means.

Lives here: reading such a time, what happens in the gap and the overlap of a change of the clocks, the text that is
kept beside UTC, and the refusals. Not here: which times are free (`posting_slots.py`), times that come again
(`recurrence.py`), and what becomes of a post whose time has passed (`staleness.py`).
"""

import difflib
import re
import zoneinfo
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from functools import lru_cache
from typing import Annotated, NamedTuple
from zoneinfo import ZoneInfo

from pydantic import AfterValidator

from draggonnb_pipelines.errors import DraggonnbError

GRACE = timedelta(minutes=5)
# A year, whether or not a leap day lies in it.
MAX_AHEAD = timedelta(days=366)
_MINUTE = timedelta(minutes=1)
# `localtime` is whatever this machine is set to, `Factory` a placeholder; both stand among the files of the database.
_NOT_A_PLACE = frozenset({"localtime", "Factory"})
_TIME = re.compile(
    r"(?P<date>\d{4}-\d\d-\d\d)[T ](?P<clock>[0-2]\d:[0-5]\d)(?::[0-5]\d(?:\.\d{1,9})?)?"
    r"(?P<offset>Z|[+-](?:[01]\d|2[0-3]):?[0-5]\d)?(?: (?P<zone>[A-Za-z]\S*))?",
    re.ASCII,
)


def _whole_minutes(at: time) -> time:
    if at.tzinfo or at.second or at.microsecond:
        raise ValueError("must be a wall time in whole minutes such as 09:00, without a zone")
    return at


# A field of a rule that holds on many days.
TimeOfDay = Annotated[time, AfterValidator(_whole_minutes)]


class WallTimeRefused(DraggonnbError):
    """A time that cannot be meant. The message names the field, the value and the limit.

    `nearest`: for a time that the clocks skip, the last wall time before the gap and the first one after it.
    """

    def __init__(self, field: str, value: str, detail: str, *, nearest: tuple[datetime, ...] = ()) -> None:
        super().__init__(f"{field} {value!r}: {detail}")
        self.field = field
        self.value = value
        self.detail = detail
        self.nearest = nearest


@dataclass(frozen=True, slots=True)
class WallTime:
    """What the person chose. `local` has no zone of its own; `fold` 1 means the second of two equal clock times."""

    local: datetime
    zone: str
    fold: int = 0


@dataclass(frozen=True, slots=True)
class Resolved:
    """A wall time with the instant that it means: `utc` is aware, `local` naive, both in whole minutes."""

    utc: datetime
    local: datetime
    zone: str


class Gap(NamedTuple):
    """Wall times that no clock shows: between `last_before` and `first_after` lies one minute of real time."""

    last_before: datetime
    first_after: datetime


def publish_time(value: str, zone: str, *, now: datetime, field: str = "scheduled_for", fold: int = 0) -> Resolved:
    """The instant at which a post is to appear, from what a form or an API call says.

    Args:
        value: `2026-12-01T09:00` is wall time in `zone`; with an offset or Z it is that instant, and `zone` is kept
            beside it. Seconds are cut off: publishing is punctual to the minute.
        zone: the organization's IANA zone.
        now: aware.
        fold: 1 for the second of two equal wall times, on the night when the clocks go back.

    Raises:
        WallTimeRefused: not such a time, inside a gap, more than 5 minutes past, more than a year ahead.
    """
    local, offset, own_zone = _parts(value, field)
    if own_zone:
        raise WallTimeRefused(field, value, "give the time without a zone's name: the organization's zone is used")
    resolved = resolve(local, zone, fold=fold, field=field) if offset is None else _at(local - offset, zone)
    late = now - resolved.utc
    if late > GRACE:
        limit = f"{in_words(GRACE)} at most is taken as now"
        raise WallTimeRefused(field, value, f"is {in_words(late)} in the past; {limit}")
    if -late > MAX_AHEAD:
        limit = f"{MAX_AHEAD.days} days at most can be planned"
        raise WallTimeRefused(field, value, f"is {in_words(-late)} ahead; {limit}")
    return resolved


def resolve(local: datetime, zone: str, *, fold: int = 0, field: str = "scheduled_for") -> Resolved:
    """The instant of a naive wall time in a zone.

    A time that comes twice means its first occurrence, as RFC 5545 section 3.3.5 has it and as calendars show it;
    `fold=1` asks for the second. A time inside a gap is refused and not moved: whoever asks is there to choose.

    Raises:
        WallTimeRefused: unknown zone, or no clock of the zone shows that time; `nearest` says which they do show.
    """
    tz = zone_named(zone)
    local = local.replace(second=0, microsecond=0, fold=0)
    if gap := gap_at(local, zone):
        before, after = (f"{moment:%Y-%m-%d %H:%M}" for moment in gap)
        detail = f"the clocks of {zone} skip this time; the nearest real times are {before} and {after}"
        raise WallTimeRefused(field, f"{local:%Y-%m-%d %H:%M}", detail, nearest=tuple(gap))
    return Resolved(local.replace(tzinfo=tz, fold=fold).astimezone(UTC), local, zone)


def gap_at(local: datetime, zone: str) -> Gap | None:
    """The gap that a naive wall time lies in, or None if clocks of the zone show it.

    In a gap Python reads `fold` 0 with the offset before the change and 1 with the one after it (PEP 495), so the
    change itself lies between the two instants.
    """
    tz = zone_named(zone)
    late, early = (local.replace(tzinfo=tz, fold=fold).astimezone(UTC) for fold in (0, 1))
    if late.astimezone(tz).replace(tzinfo=None, fold=0) == local:
        return None
    offset_before = early.astimezone(tz).utcoffset()
    while late - early > _MINUTE:
        middle = early + (late - early) // _MINUTE // 2 * _MINUTE
        if middle.astimezone(tz).utcoffset() == offset_before:
            early = middle
        else:
            late = middle
    return Gap(*(moment.astimezone(tz).replace(tzinfo=None, fold=0) for moment in (early, late)))


def as_text(resolved: Resolved) -> str:
    """`2026-12-01 09:00 Africa/Johannesburg`: what `social_posts.scheduled_local` holds.

    The second of two equal wall times bears its offset (`2026-11-01 01:30-05:00 America/New_York`); without it the
    text would mean the first.
    """
    there = resolved.utc.astimezone(zone_named(resolved.zone))
    offset = there.isoformat(timespec="minutes")[16:] if there.fold else ""
    return f"{resolved.local:%Y-%m-%d %H:%M}{offset} {resolved.zone}"


def from_text(text: str, *, field: str = "scheduled_local") -> WallTime:
    """Read `as_text` back; `resolve` it again where a zone's rules may have changed since.

    Raises:
        WallTimeRefused: not such a text, unknown zone, or an offset that the zone does not have at that time.
    """
    local, offset, zone = _parts(text, field)
    if zone is None:
        raise WallTimeRefused(field, text, "needs a zone, such as 2026-12-01 09:00 Africa/Johannesburg")
    tz = zone_named(zone, field=field)
    offsets = [local.replace(tzinfo=tz, fold=fold).utcoffset() for fold in (0, 1)]
    if offset is not None and offset not in offsets:
        raise WallTimeRefused(field, text, f"{zone} does not have that offset at that time")
    return WallTime(local, zone, fold=0 if offset is None else offsets.index(offset))


def zone_named(zone: str, *, field: str = "timezone") -> ZoneInfo:
    """The zone, or WallTimeRefused with names that come close. The machine's own zone (`localtime`) is no answer."""
    if zone in _zones():
        return ZoneInfo(zone)
    cities = {name.rpartition("/")[2].casefold(): name for name in sorted(_zones())}
    whole = {name.casefold(): name for name in _zones()}
    wanted = zone.strip()[:60].replace(" ", "_").casefold()
    close = [whole[wanted]] if wanted in whole else [cities[wanted]] if wanted in cities else []
    close = close or [whole[name] for name in difflib.get_close_matches(wanted, sorted(whole), n=3, cutoff=0.75)]
    hint = f"did you mean {' or '.join(close)}?" if close else "use one such as Africa/Johannesburg"
    raise WallTimeRefused(field, zone[:60], f"is not an IANA time zone; {hint}")


def in_words(duration: timedelta) -> str:
    """`3 days 4 hours`, `2 hours 5 minutes`, `40 minutes`: the two largest units, the rest cut off."""
    minutes = int(duration / _MINUTE)
    if minutes < 1:
        return "less than a minute"
    days, hours, minutes = minutes // 1440, minutes // 60 % 24, minutes % 60
    counts = [(days, "day"), (hours, "hour"), (0 if days else minutes, "minute")]
    return " ".join(f"{count} {unit}{'s' if count != 1 else ''}" for count, unit in counts if count)


def _parts(value: str, field: str) -> tuple[datetime, timedelta | None, str | None]:
    """Local time, offset and name of the zone as they stand in the text."""
    match = _TIME.fullmatch(value.strip())
    if match is None:
        raise WallTimeRefused(field, value[:60], "is not a time; write it as 2026-12-01T09:00")
    try:
        local = datetime.fromisoformat(f"{match['date']} {match['clock']}")
        # Zones and offsets reach a day to either side, which the first and the last year cannot give.
        if not 1900 <= local.year <= 2999:
            raise ValueError("year")
    except ValueError as error:
        raise WallTimeRefused(field, value[:60], "is no day or no time of the calendar") from error
    offset = datetime.strptime(match["offset"], "%z").utcoffset() if match["offset"] else None
    return local, offset, match["zone"]


def _at(naive_utc: datetime, zone: str) -> Resolved:
    utc = naive_utc.replace(tzinfo=UTC)
    return Resolved(utc, utc.astimezone(zone_named(zone)).replace(tzinfo=None, fold=0), zone)


@lru_cache(maxsize=1)
def _zones() -> frozenset[str]:
    """Listing them reads 600 files, so once."""
    return frozenset(zoneinfo.available_timezones()) - _NOT_A_PLACE
