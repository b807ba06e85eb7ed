"""Seven daily, four weekly and six monthly backups stay; where backups have stopped, the last ones never go."""

from datetime import UTC, datetime, timedelta, timezone

from draggonnb_pipelines.domain.backup_retention import kept

NIGHT = datetime(2026, 11, 25, 0, 30, tzinfo=UTC)  # a Wednesday


def nights(count: int) -> list[datetime]:
    return [NIGHT - timedelta(days=number) for number in range(count)]


def test_a_year_of_nights_leaves_seven_days_four_weeks_and_six_months():
    stays = kept(nights(365))

    assert sorted(f"{moment:%Y-%m-%d}" for moment in stays) == [
        *("2026-06-30", "2026-07-31", "2026-08-31", "2026-09-30", "2026-10-31"),  # the newest of older months
        *("2026-11-08", "2026-11-15"),  # Sundays, the newest of older weeks; the 22nd is among the days
        *("2026-11-19", "2026-11-20", "2026-11-21", "2026-11-22", "2026-11-23", "2026-11-24", "2026-11-25"),
    ]


def test_a_week_of_nights_stays_whole():
    assert kept(nights(7)) == set(nights(7))


def test_of_a_day_with_several_the_newest_stays():
    morning, noon = NIGHT, NIGHT.replace(hour=12)

    assert kept([morning, noon]) == {noon}


def test_where_backups_stopped_the_last_ones_stay_for_ever():
    stopped = [moment - timedelta(days=900) for moment in nights(5)]

    assert kept(stopped) == set(stopped)


def test_days_are_of_utc_whatever_zone_a_moment_is_told_in():
    late = datetime(2026, 11, 24, 23, 30, tzinfo=UTC)
    same_day_here = late.astimezone(timezone(timedelta(hours=2)))

    assert kept([NIGHT, same_day_here]) == {NIGHT, late}


def test_of_nothing_nothing_is_kept():
    assert kept([]) == set()
