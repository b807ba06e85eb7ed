"""The first call with a new client: the next half hour that is free, and the invitation to it.

Lives here: office hours, the search, the iCalendar object. Not here: who holds which half hour (the database), the
mail that carries the invitation (`workflows/provisioning/kickoff_call.py`).
Sources: RFC 5545 (iCalendar), RFC 5546 3.2.2 (REQUEST), 3.2.5 (CANCEL).
"""

from collections.abc import Collection, Sequence
from datetime import UTC, datetime, time, timedelta

from icalendar import Calendar, Event, vCalAddress, vText

from draggonnb_pipelines.domain.posting_slots import public_holidays
from draggonnb_pipelines.domain.wall_time import gap_at, resolve, zone_named

CALL = timedelta(minutes=30)
OPENS, CLOSES = time(9), time(17)
COUNTRY = "ZA"
# An invitation for the same hour would reach nobody in time.
NOTICE = timedelta(hours=24)
HORIZON_DAYS = 60


def next_half_hour(now: datetime, zone: str, taken: Collection[datetime]) -> datetime | None:
    """The first free half hour in office hours on a working day, a day from now at the earliest; None within 60 days.

    Args:
        now: aware.
        zone: the agency's IANA zone, in which office hours and days are meant; the public holidays are South Africa's.
        taken: aware beginnings of calls that are given away.

    Returns:
        Its beginning, UTC.

    Raises:
        WallTimeRefused: unknown zone.
    """
    first = now + NOTICE
    day = first.astimezone(zone_named(zone)).date()
    for number in range(HORIZON_DAYS + 1):
        date = day + timedelta(days=number)
        if date.isoweekday() > 5 or date in public_holidays(COUNTRY, date.year):
            continue
        local, closes = datetime.combine(date, OPENS), datetime.combine(date, CLOSES)
        while local + CALL <= closes:
            if not gap_at(local, zone):
                starts_at = resolve(local, zone).utc
                if starts_at >= first and starts_at not in taken:
                    return starts_at
            local += CALL
    return None


def invitation(
    *,
    uid: str,
    starts_at: datetime,
    ends_at: datetime,
    written_at: datetime,
    summary: str,
    description: str,
    organizer: tuple[str, str],
    attendees: Sequence[tuple[str, str]],
    is_cancelled: bool = False,
) -> str:
    """An invitation as calendars take it by mail. Equal arguments give the same text, so a repetition changes nothing.

    Args:
        uid: the event's identity, for as long as it lives.
        starts_at, ends_at, written_at: aware.
        organizer, attendees: name and address of each.
        is_cancelled: take the event of this `uid` out of their calendars again.
    """
    event = Event()
    event.add("uid", uid)
    event.add("dtstamp", written_at.astimezone(UTC).replace(microsecond=0))
    event.add("dtstart", starts_at.astimezone(UTC))
    event.add("dtend", ends_at.astimezone(UTC))
    event.add("sequence", int(is_cancelled))
    event.add("status", "CANCELLED" if is_cancelled else "CONFIRMED")
    event.add("summary", summary)
    event.add("description", description)
    event.add("organizer", _person(*organizer))
    for attendee in attendees:
        person = _person(*attendee)
        person.params |= {"ROLE": vText("REQ-PARTICIPANT"), "PARTSTAT": vText("NEEDS-ACTION"), "RSVP": vText("TRUE")}
        event.add("attendee", person, encode=False)
    calendar = Calendar()
    calendar.add("prodid", "-//DraggonnB//Kickoff call//EN")
    calendar.add("version", "2.0")
    calendar.add("method", "CANCEL" if is_cancelled else "REQUEST")
    calendar.add_component(event)
    return calendar.to_ical().decode()


def _person(name: str, address: str) -> vCalAddress:
    person = vCalAddress(f"mailto:{address}")
    # Control characters and quotes cannot stand in a parameter (RFC 5545, 3.2).
    plain = "".join(character for character in name if character.isprintable() and character != '"').strip()
    if plain:
        person.params["CN"] = vText(plain)
    return person
