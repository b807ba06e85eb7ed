"""When a message may reach its reader: after the quiet hours, and once a day with the digest.

Lives here: wall times of an organization's zone, made instants, on nights when the clocks change too. Pure: the moment
comes in as an argument. Not here: which events may wait (`events.py`).
"""

from datetime import UTC, date, datetime, time, timedelta

from draggonnb_pipelines.domain.wall_time import gap_at, zone_named

DIGEST_AT = time(8, 0)


def quiet_end(now: datetime, zone: str, quiet_from: time | None, quiet_until: time | None) -> datetime | None:
    """When the quiet hours end in which `now` lies (UTC), or None outside of them.

    Args:
        now: aware.
        quiet_from, quiet_until: wall times in `zone`; hours that pass midnight have `quiet_from` after `quiet_until`.

    The wall clock decides: hours that the clocks skip are skipped, hours that come twice are quiet twice. An end
    inside a gap is the first wall time after it.
    """
    if quiet_from is None or quiet_until is None:
        return None
    local = now.astimezone(zone_named(zone))
    passes_midnight = quiet_from > quiet_until
    at = local.time()
    is_quiet = (at >= quiet_from or at < quiet_until) if passes_midnight else quiet_from <= at < quiet_until
    if not is_quiet:
        return None
    day = local.date() + timedelta(days=1) if passes_midnight and at >= quiet_from else local.date()
    return _instant(day, quiet_until, zone, after=now)


def digest_moment(now: datetime, zone: str) -> tuple[date, datetime]:
    """The latest digest that is due at `now`: the local day whose morning it is, and that morning (UTC)."""
    today = now.astimezone(zone_named(zone)).date()
    for day in (today, today - timedelta(days=1)):
        morning = _instant(day, DIGEST_AT, zone)
        if morning <= now:
            return day, morning
    raise AssertionError("a morning lies within the last two local days")


def _instant(day: date, at: time, zone: str, *, after: datetime | None = None) -> datetime:
    """The instant of a wall time; of one that comes twice the first, or the first after `after`."""
    local = datetime.combine(day, at)
    if gap := gap_at(local, zone):
        local = gap.first_after
    first, second = (local.replace(tzinfo=zone_named(zone), fold=fold).astimezone(UTC) for fold in (0, 1))
    return first if after is None or first > after else second
