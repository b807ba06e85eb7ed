"""Whether Dagster's daemon does what it should: its heartbeats, the ticks of schedules and sensors, and the clock.

Lives here: the judgement, from times alone. Not here: the reading of Dagster's database
(`resources/dagster_readings.py`), what is told to whom.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from cronsim import CronSim

STALE_HEARTBEAT = timedelta(seconds=120)  # Dagster writes them every 30 s
# Without these nothing starts: no sensor looks, no schedule ticks, no run leaves the queue.
NEEDED_DAEMONS = ("QUEUED_RUN_COORDINATOR", "SCHEDULER", "SENSOR")
# The daemon starts late ticks of its own after an outage; only what goes on is news.
SCHEDULE_GRACE = timedelta(minutes=5)
SENSOR_GRACE = timedelta(minutes=2)
# Leases and due times are the database's, days and signatures this machine's.
CLOCKS_APART = timedelta(seconds=60)


@dataclass(frozen=True, slots=True)
class Instigator:
    """A schedule or a sensor that is switched on.

    Args:
        cron: of a schedule, by UTC; None for a sensor.
        every: a sensor's least interval; None for a schedule.
        since: when it was switched on; None: nobody wrote it down.
        last_good: the moment of the newest tick that succeeded or had nothing to do; of a schedule the time it was for.
    """

    name: str
    cron: str | None
    every: timedelta | None
    since: datetime | None
    last_good: datetime | None

    @property
    def patience(self) -> timedelta:
        """How long a sensor may be without a good tick."""
        return max(5 * (self.every or timedelta(0)), SENSOR_GRACE)

    @property
    def newest(self) -> datetime | None:
        """Of a sensor: since when it has had no good tick."""
        return self.last_good or self.since

    def is_late(self, now: datetime) -> bool:
        """Whether a tick that was due before the grace time has not succeeded until now."""
        if self.cron is None:
            return self.newest is not None and now - self.newest > self.patience
        due = last_due(self.cron, now - SCHEDULE_GRACE)
        if self.since is not None and self.since > due:
            return False
        return self.last_good is None or self.last_good < due


@dataclass(frozen=True, slots=True)
class DaemonReading:
    """What Dagster's database says: seconds since the heartbeat of each daemon type, and all that is switched on."""

    heartbeats: dict[str, float]
    instigators: tuple[Instigator, ...]

    def faults(self) -> list[str]:
        """What is wrong with the daemon itself, one line each; empty where it lives."""
        if not self.heartbeats:
            return ["the Dagster daemon has never run"]
        limit = STALE_HEARTBEAT.total_seconds()
        stale = {name: age for name, age in self.heartbeats.items() if age > limit}
        lines = [f"no heartbeat of {_names(stale)} for {max(stale.values()):.0f} s"] if stale else []
        missing = [name for name in NEEDED_DAEMONS if name not in self.heartbeats]
        return lines + ([f"{_names(missing)} has never run"] if missing else [])

    def late(self, now: datetime, *, schedules: bool) -> list[str]:
        """Names of the schedules, or else of the sensors, that are late."""
        return [one.name for one in self.instigators if (one.cron is not None) is schedules and one.is_late(now)]

    def code_location(self, now: datetime) -> str:
        """`loaded`, `silent` (the daemon lives and not one sensor ticks: it cannot load our code), or `unknown`.

        The most frequent sensor sets the patience: those that tick each hour would be missed only hours later.
        """
        sensors = [one for one in self.instigators if one.cron is None]
        ticks = [one.newest for one in sensors if one.newest]
        if self.faults() or not ticks:
            return "unknown"
        return "silent" if now - max(ticks) > min(one.patience for one in sensors) else "loaded"


def last_due(cron: str, now: datetime) -> datetime:
    """The newest moment up to `now` for which this cron line (five fields, UTC) asks."""
    return next(CronSim(cron, now.astimezone(UTC) + timedelta(minutes=1), reverse=True))


def clocks_apart(ahead_seconds: float) -> str | None:
    """The complaint about a clock of this machine that is so far ahead of the database's (negative: behind)."""
    if abs(ahead_seconds) <= CLOCKS_APART.total_seconds():
        return None
    where = "ahead of" if ahead_seconds > 0 else "behind"
    return f"this machine's clock is {abs(ahead_seconds):.0f} s {where} the database's"


def _names(names: Sequence[str] | dict[str, float]) -> str:
    return ", ".join(sorted(names))
