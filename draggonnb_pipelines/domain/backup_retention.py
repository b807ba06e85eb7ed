"""Which backups of one database are kept: seven daily, four weekly, six monthly ones.

Lives here: the decision, from the times alone. Does not live here: deleting (`workflows/operations/backups.py`).
"""

from collections.abc import Callable, Hashable, Iterable
from datetime import UTC, datetime

DAILY, WEEKLY, MONTHLY = 7, 4, 6


def kept(taken: Iterable[datetime]) -> set[datetime]:
    """Of good backups, by the moments at which they were taken (aware), those that stay.

    The newest one of each of the seven newest UTC days that have one, of the four newest ISO weeks, and of the six
    newest months. Counted are days with a backup, not days of the calendar: where backups have stopped, the last good
    ones never go.
    """
    newest_first = sorted((moment.astimezone(UTC) for moment in taken), reverse=True)
    return {
        *_newest_of_each(newest_first, lambda moment: moment.date(), DAILY),
        *_newest_of_each(newest_first, lambda moment: tuple(moment.isocalendar())[:2], WEEKLY),
        *_newest_of_each(newest_first, lambda moment: (moment.year, moment.month), MONTHLY),
    }


def _newest_of_each(
    newest_first: list[datetime], period_of: Callable[[datetime], Hashable], periods: int
) -> list[datetime]:
    found: dict[Hashable, datetime] = {}
    for moment in newest_first:
        found.setdefault(period_of(moment), moment)
    return list(found.values())[:periods]
