"""When a post's numbers are read: the cadence by its age, and the window of a day.

Lives here: pure rules of time. Not here: reading (`workflows/analytics/collection.py`), what is made of the numbers
(`engagement.py`). The database sets a post's first time by the same rule (`app.first_measure_at`).
"""

from datetime import UTC, date, datetime, time, timedelta

DAY = timedelta(days=1)
DAY_BEGINS = time(6, tzinfo=UTC)
YOUNG = (timedelta(hours=1), timedelta(hours=6))
DAILY_DAYS = 7
LAST_AGE = timedelta(days=90)


def window_of(day: date) -> tuple[datetime, datetime]:
    """From when (inclusive) until when (exclusive) a reading belongs to this UTC day: 06:00 UTC to 06:00 UTC."""
    begins = datetime.combine(day, DAY_BEGINS)
    return begins, begins + DAY


def day_of(moment: datetime) -> date:
    """The day whose window holds this moment."""
    return (moment.astimezone(UTC) - timedelta(hours=DAY_BEGINS.hour)).date()


def next_day_begins(moment: datetime) -> datetime:
    """The first 06:00 UTC after this moment."""
    return window_of(day_of(moment))[1]


def next_measure_at(published_at: datetime, measured_at: datetime) -> datetime | None:
    """When a post is to be read next after `measured_at`; None: never again.

    At 1 hour and 6 hours of age; at each 06:00 UTC in its first 7 days, from the very first one on, so that whatever is
    public then has a reading in the day's window; then at each 7th of these until it is 90 days old. What was missed
    meanwhile is not made up for: a reading later than its time says the same as one at the next.
    """
    first = next_day_begins(published_at)
    number = max((measured_at - first) // DAY + 2, 1)  # of the next 06:00, where the first one is number 1
    if number > DAILY_DAYS:
        number = -(-number // DAILY_DAYS) * DAILY_DAYS
    times = [published_at + age for age in YOUNG] + [first + (number - 1) * DAY]
    coming = min(at for at in times if at > measured_at)
    return coming if coming <= published_at + LAST_AGE else None
