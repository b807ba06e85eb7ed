"""How long a row may be on its way: what kinds of states there are, and when one of them counts as stuck.

Lives here: the words of the table. Not here: the table itself (`master_states.py`, `tenant_states.py`), the looking,
putting back and telling (`workflows/operations/stuck_states.py`). The SQL in it is ours alone; no value of a row, and
nothing that a person writes, ever becomes part of it.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Literal

Database = Literal["master", "tenant"]
# What puts rows back by functions that run anyway, and may run once more at any time.
Reaper = Literal["outbox", "publish_ledger", "answers", "tokens", "reservations"]


@dataclass(frozen=True, slots=True)
class Moving:
    """Rows that something moves on, and the time after which nothing has.

    Args:
        states: of the column. None: the table has no column for it, and `where` says which rows are meant.
        since: SQL over the table's alias `t`: from when on the row could have been moved on.
        limit: how much later it counts as stuck; generous, since whoever is called must find something.
        moved_by: what ordinarily moves it on.
        remedy: what an operator does.
        reaper: what puts it back before anybody is called.
        where: a further SQL condition.
    """

    states: tuple[str, ...]
    since: str
    limit: timedelta
    moved_by: str
    remedy: str
    reaper: Reaper | None = None
    where: str = "true"


@dataclass(frozen=True, slots=True)
class StateColumn:
    """A table's states. Each one is in exactly one of the four: a test holds this against both schemas.

    Args:
        ended: nothing follows.
        lasting: it may last, with the reason.
        watched: it ends, and something else already calls people: the name of its check or alert.
        moving: it ends, and is looked at here.
    """

    database: Database
    table: str
    column: str
    ended: tuple[str, ...] = ()
    lasting: Mapping[str, str] = field(default_factory=dict)
    watched: Mapping[str, str] = field(default_factory=dict)
    moving: tuple[Moving, ...] = ()

    def states(self) -> list[str]:
        """All states that it speaks of, one by one and with repetitions."""
        moving = [state for one in self.moving for state in one.states]
        return [*self.ended, *self.lasting, *self.watched, *moving]


def places(columns: Sequence[StateColumn]) -> Iterator[tuple[str, StateColumn, Moving]]:
    """What is looked at, each under its name: the table and its states, such as `content_queue: claimed, calling`."""
    for column in columns:
        for moving in column.moving:
            yield f"{column.table}: {', '.join(moving.states) or column.column}", column, moving


def stuck_sql(columns: Sequence[StateColumn]) -> str:
    """One statement over one database; its rows: place, stuck, oldest. `%(now)s` is the moment."""
    return "\nunion all\n".join(_one(place, column, moving) for place, column, moving in places(columns))


def _one(place: str, column: StateColumn, moving: Moving) -> str:
    states = ", ".join(f"'{state}'" for state in moving.states)
    is_meant = f"t.{column.column} in ({states})" if moving.states else "true"
    limit = f"interval '{int(moving.limit.total_seconds())} seconds'"
    return (
        f"select '{place}' as place, count(*) as stuck, min({moving.since}) as oldest from {column.table} t "  # noqa: S608
        f"where {is_meant} and ({moving.where}) and {moving.since} < %(now)s::timestamptz - {limit} "
        "having count(*) > 0"
    )


def limit_words(limit: timedelta) -> str:
    """`90 min`, `6 h`, `3 days`."""
    minutes = limit // timedelta(minutes=1)
    if minutes % 1440 == 0:
        return f"{minutes // 1440} day{'s' * (minutes > 1440)}"
    return f"{minutes // 60} h" if minutes % 60 == 0 else f"{minutes} min"
