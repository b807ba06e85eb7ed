"""The weekly times at which a client wants to post, and the next one that is still free.

Lives here: slots, the search, and public holidays. Not here: what a wall time means on the nights when the clocks
change (`wall_time.py`), and who holds which slot (the database; the taken times come in).
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import date, datetime, time, timedelta
from functools import lru_cache
from types import MappingProxyType

from pydantic import BaseModel, ConfigDict, Field

from draggonnb_pipelines.domain.publishing import Platform
from draggonnb_pipelines.domain.wall_time import Resolved, TimeOfDay, gap_at, resolve, zone_named


class Slot(BaseModel):
    """One time of the week. `weekday` is 1 (Monday) to 7 (ISO 8601); no platforms means all of them."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    weekday: int = Field(ge=1, le=7)
    at: TimeOfDay
    platforms: frozenset[Platform] = frozenset()

    def serves(self, platform: Platform) -> bool:
        return not self.platforms or platform in self.platforms


# No claim to be the best time, which only a client's own figures can tell: office hours, one post a working day.
DEFAULT_SLOTS = tuple(Slot(weekday=weekday, at=time(9)) for weekday in range(1, 6))


def next_free_slot(
    slots: Sequence[Slot],
    zone: str,
    after_utc: datetime,
    taken: Collection[datetime],
    platform: Platform,
    *,
    skip_holidays: str | None = None,
    horizon_days: int = 60,
) -> Resolved | None:
    """The first slot after `after_utc` that no post of the account holds; None if there is none within the horizon.

    A slot inside a gap of the clocks does not exist on that day and is passed over; one that comes twice is its first
    occurrence.

    Args:
        slots: of the client; without any, DEFAULT_SLOTS. A client with slots, but none for this platform, gets None.
        zone: the client's IANA zone, in which the slots and the holidays are meant.
        after_utc: aware; a slot at that very instant is over.
        taken: aware instants that are spoken for; their seconds do not matter.
        skip_holidays: country code (ISO 3166-1, such as ZA) whose public holidays are left out.

    Raises:
        WallTimeRefused: unknown zone.
        ValueError: no calendar of holidays for that country.
    """
    minutes_taken = {moment.replace(second=0, microsecond=0) for moment in taken}
    fitting = sorted((slot for slot in slots or DEFAULT_SLOTS if slot.serves(platform)), key=lambda slot: slot.at)
    for day in _days(after_utc.astimezone(zone_named(zone)).date(), horizon_days):
        of_day = [slot for slot in fitting if slot.weekday == day.isoweekday()]
        if not of_day or (skip_holidays and day in public_holidays(skip_holidays, day.year)):
            continue
        for slot in of_day:
            local = datetime.combine(day, slot.at)
            if gap_at(local, zone):
                continue
            resolved = resolve(local, zone)
            if resolved.utc > after_utc and resolved.utc not in minutes_taken:
                return resolved
    return None


@lru_cache(maxsize=64)
def public_holidays(country: str, year: int) -> Mapping[date, str]:
    """The public holidays of a country in a year with their names, days given in place of Sundays included.

    Those of the whole country only: provinces and cantons are not asked for.

    Raises:
        ValueError: no calendar for that country.
    """
    # 0.4 s of import and first use, which those who skip no holidays do not pay.
    import holidays

    try:
        return MappingProxyType(dict(holidays.country_holidays(country, years=year)))
    except NotImplementedError as error:
        raise ValueError(f"country {country!r} has no calendar of holidays; use a code such as ZA") from error


def _days(first: date, horizon_days: int) -> Iterator[date]:
    return (first + timedelta(days=number) for number in range(horizon_days + 1))
