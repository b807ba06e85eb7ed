"""The table of states: each one said once, each that can get stuck with its time and what to do; the page shows it."""

from datetime import timedelta
from pathlib import Path

import pytest

from draggonnb_pipelines.domain.master_states import MASTER_STATES
from draggonnb_pipelines.domain.stuck_states import Moving, StateColumn, limit_words, places, stuck_sql
from draggonnb_pipelines.domain.tenant_states import MODULE_STATES, TENANT_STATES

ALL = (*MASTER_STATES, *TENANT_STATES, *MODULE_STATES)
PAGE = Path(__file__).resolve().parents[2] / "docs/stuck_states.md"


@pytest.mark.parametrize("column", ALL, ids=lambda column: f"{column.table}.{column.column}")
def test_each_state_is_in_exactly_one_of_the_four(column: StateColumn) -> None:
    states = column.states()

    assert sorted(states) == sorted(set(states))
    assert all(reason for reason in [*column.lasting.values(), *column.watched.values()])


def test_every_place_has_a_name_a_time_and_a_remedy() -> None:
    found = list(places(ALL))

    names = [name for name, _, _ in found]
    assert sorted(names) == sorted(set(names))
    assert len(found) >= 20
    for _, _, moving in found:
        assert timedelta(minutes=15) <= moving.limit <= timedelta(days=3)
        assert moving.moved_by
        assert moving.remedy
        assert not moving.remedy.endswith(".")


def test_a_database_is_asked_once_with_a_question_for_each_place() -> None:
    column = StateColumn(
        "master",
        "inbox",
        "state",
        moving=(
            Moving(("received", "claimed"), "t.received_at", timedelta(minutes=90), "a run", "look"),
            Moving((), "t.lease_until", timedelta(days=2), "a run", "look", where="t.run_id is null"),
        ),
    )

    first, union, second = stuck_sql([column]).splitlines()
    assert first == (
        "select 'inbox: received, claimed' as place, count(*) as stuck, min(t.received_at) as oldest from inbox t"
        " where t.state in ('received', 'claimed') and (true)"
        " and t.received_at < %(now)s::timestamptz - interval '5400 seconds' having count(*) > 0"
    )
    assert union == "union all"
    assert second == (
        "select 'inbox: state' as place, count(*) as stuck, min(t.lease_until) as oldest from inbox t"
        " where true and (t.run_id is null)"
        " and t.lease_until < %(now)s::timestamptz - interval '172800 seconds' having count(*) > 0"
    )


@pytest.mark.parametrize(
    ("limit", "words"),
    [
        (timedelta(minutes=30), "30 min"),
        (timedelta(minutes=90), "90 min"),
        (timedelta(hours=6), "6 h"),
        (timedelta(hours=24), "1 day"),
        (timedelta(days=3), "3 days"),
        (timedelta(hours=30), "30 h"),
    ],
)
def test_a_limit_reads_as_people_say_it(limit: timedelta, words: str) -> None:
    assert limit_words(limit) == words


def test_the_page_shows_the_table_as_it_is() -> None:
    text = PAGE.read_text(encoding="utf-8")
    shown = [line for line in text.splitlines() if line.startswith(("| master ", "| client "))]

    assert shown == [*moving_rows(), *other_rows()]


def moving_rows() -> list[str]:
    """The rows of the page's first table."""
    return [
        f"| {_whose(column)} | `{column.table}`: {', '.join(moving.states) or column.column} "
        f"| {limit_words(moving.limit)} | {moving.moved_by} | {moving.reaper or 'nobody'} | {moving.remedy} |"
        for _, column, moving in places(ALL)
    ]


def other_rows() -> list[str]:
    """The rows of the page's second table: states that are not looked at here."""
    rows = []
    for column in ALL:
        said = [f"{state}: {reason}" for state, reason in column.lasting.items()]
        said += [f"{state}: {name} calls" for state, name in column.watched.items()]
        if said or column.ended:
            rows.append(f"| {_whose(column)} | `{column.table}` | {'; '.join(said)} | {', '.join(column.ended)} |")
    return rows


def _whose(column: StateColumn) -> str:
    return "master" if column.database == "master" else "client"
