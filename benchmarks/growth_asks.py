"""What is asked while history grows: ticks of every sensor, evaluations of every schedule, pages of the UI, starts.

Lives here: one function for each kind, each giving names with seconds. Not here: the history (`growth_history.py`).
Sensors and schedules are evaluated as the code server does it, in this process; pages by HTTP from the web server, with
the queries of the UI itself.
"""

import os
import signal
import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import httpx

from benchmarks.ui_queries import ui_query
from draggonnb_pipelines.dagster_instance import LOGS_VARIABLE, PG_URL_VARIABLE
from draggonnb_pipelines.event_retention import prune_asset_events
from draggonnb_pipelines.partitions import key
from draggonnb_pipelines.resources.bindings import MasterQueries
from draggonnb_pipelines.run_retention import prune_runs
from draggonnb_pipelines.settings import Settings
from tests.stories.system import System

Seconds = dict[str, float]
TIMES = 5
LOCATION = {"repositoryLocationName": "draggonnb", "repositoryName": "__repository__"}
PAGE_ASSET = "leads"
BACKFILLED = "analytics_snapshots"
EMPTY_JOB = "apply_message_statuses"
# Every client has everything at once: a lead, a request, a wish for numbers, a message, the status of one, a notice of
# a payment, a post that is due, posts to be read.
_BUSY = (
    """insert into inbox (organization_id, topic, source, delivery_id)
       select o.id, t.topic, 'bench', 'busy' from organizations o, unnest(array[
              'leads', 'content', 'analytics', 'notifications', 'whatsapp_status']) t (topic) returning 1""",
    """insert into payments (organization_id, raw_sealed, raw_sha256)
       select id, 'bench', sha256(slug::bytea) from organizations returning 1""",
    "update publishing_agenda set next_due_at = now() returning 1",
    "update analytics_agenda set measure_at = now() returning 1",
)
_AGAIN = (
    """update inbox set state = 'received', batch_id = null, lease_until = null, run_id = null
       where source = 'bench' and state = 'claimed' returning 1""",
    "delete from publisher_shards returning 1",
)
# For the other sensors nothing of it is work.
_WAITED_FOR = (
    "lead_inbox",
    "content_inbox",
    "numbers_due",
    "message_requests",
    "waiting_message_statuses",
    "payment_notices",
    "publishing_agenda",
    "inbox_freshness",
)
_QUIET = (
    "delete from payments where raw_sealed = 'bench' returning 1",
    "delete from inbox where source = 'bench' returning 1",
    "update publishing_agenda set next_due_at = 'infinity' returning 1",
    "update analytics_agenda set measure_at = 'infinity' returning 1",
)


def ticks(system: System, instance: dg.DagsterInstance) -> tuple[Seconds, Seconds]:
    """A tick of each sensor: while nothing waits, and while something waits of every client."""
    idle = {sensor.name: _tick_seconds(sensor, instance) for sensor in _repository().sensor_defs}
    with _without(system, "daemon"):
        for statement in _BUSY:
            system.master(statement)
        try:
            busy = {
                sensor.name: _tick_seconds(sensor, instance, lambda: [system.master(one) for one in _AGAIN])
                for sensor in _repository().sensor_defs
                if sensor.name in _WAITED_FOR
            }
        finally:
            for statement in _QUIET:
                system.master(statement)
    return idle, busy


def schedules(instance: dg.DagsterInstance) -> Seconds:
    """An evaluation of each schedule at the beginning of this hour."""
    at = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)

    def evaluate(schedule: dg.ScheduleDefinition) -> None:
        with dg.build_schedule_context(
            instance=instance, scheduled_execution_time=at, repository_def=_repository()
        ) as context:
            schedule.evaluate_tick(context)

    return {one.name: _median(lambda one=one: evaluate(one)) for one in _repository().schedule_defs}


def checks(instance: dg.DagsterInstance) -> Seconds:
    """The hourly checks that ask the master alone, as a whole run in this process."""
    job = _definitions().resolve_job_def("check_leads")
    quiet = {"loggers": {"console": {"config": {"log_level": "ERROR"}}}}
    seconds = _median(lambda: job.execute_in_process(run_config=quiet, instance=instance), times=2)
    return {"checks of leads, a whole run": seconds}


def prune(settings: Settings) -> tuple[Seconds, int]:
    """What a night's pruning takes where the night before has done it, and how many rows it still found."""
    url, logs = os.environ[PG_URL_VARIABLE], Path(os.environ[LOGS_VARIABLE])
    started = time.perf_counter()
    events = prune_asset_events(url, settings.asset_event_keep_days)
    between = time.perf_counter()
    runs = prune_runs(url, logs, settings.run_keep_days)
    ended = time.perf_counter()
    seconds = {"pruning of a night, events": between - started, "pruning of a night, runs": ended - between}
    return seconds, events.events + events.check_executions + runs.runs + runs.log_rows + runs.backfills


def pages(assets: Sequence[str], backfill_id: str) -> dict[str, list[tuple[str, dict[str, Any]]]]:
    """What each page asks when it opens: names of queries with their variables."""
    asset, all_assets = {"path": [PAGE_ASSET]}, [{"path": [one]} for one in assets]
    events = {"eventTypeSelectors": ["MATERIALIZATION", "OBSERVATION"], "limit": 100}
    running = {"statuses": ["STARTED", "STARTING", "CANCELING"]}
    hour_ago = (datetime.now(UTC) - timedelta(hours=1)).timestamp()
    sensor = {"instigationSelector": LOCATION | {"name": "lead_inbox"}, "limit": 25}
    return {
        "asset page": [
            ("AssetViewDefinitionQuery", {"assetKey": asset}),
            ("AssetGraphLiveQuery", {"assetKeys": [asset]}),
            ("PartitionHealthQuery", {"assetKey": asset}),
            ("LatestAssetPartitionsQuery", {"assetKey": asset, "limit": 1}),
            ("RecentAssetEventsQuery", {"assetKey": asset, **events}),
        ],
        "partition status of one asset": [("PartitionHealthQuery", {"assetKey": asset})],
        "graph of all assets": [("AssetGraphLiveQuery", {"assetKeys": all_assets})],
        "runs page": [
            ("RunsFeedRootQuery", {"limit": 30, "view": "ROOTS"}),
            (
                "RunFeedTabsCountQuery",
                {"view": "ROOTS", "queuedFilter": {"statuses": ["QUEUED"]}, "inProgressFilter": running},
            ),
        ],
        "runs page, failed ones": [
            ("RunsFeedRootQuery", {"limit": 30, "view": "ROOTS", "filter": {"statuses": ["FAILURE"]}})
        ],
        "timeline": [
            ("OngoingRunTimelineQuery", {"limit": 500, "inProgressFilter": running}),
            (
                "CompletedRunTimelineQuery",
                {
                    "limit": 500,
                    "completedFilter": {"statuses": ["SUCCESS", "FAILURE", "CANCELED"], "updatedAfter": hour_ago},
                },
            ),
        ],
        "backfills page": [("RunsFeedRootQuery", {"limit": 30, "view": "BACKFILLS"})],
        "page of one backfill": [("BackfillDetailsQuery", {"backfillId": backfill_id})],
        "ticks of a sensor": [("TickHistoryQuery", sensor)],
    }


class WebServer:
    """Dagster's web server, asked as the UI asks it."""

    def __init__(self, url: str) -> None:
        self._http = httpx.Client(base_url=url, timeout=300, trust_env=False)

    def ask(self, name: str, **variables: Any) -> dict[str, Any]:
        """The answer's data. RuntimeError where the server or the query failed."""
        query = {"operationName": name, "query": ui_query(name), "variables": variables}
        answer = self._http.post("/graphql", json=query).raise_for_status().json()
        if "errors" in answer or '"__typename": "PythonError"' in str(answer):
            raise RuntimeError(f"{name}: {str(answer)[:500]}")
        return answer["data"]

    def pages(self, assets: Sequence[str], backfill_id: str) -> Seconds:
        """Each page's queries, one after the other, warm."""
        return {
            name: _median(lambda asks=asks: [self.ask(ask, **variables) for ask, variables in asks])
            for name, asks in pages(assets, backfill_id).items()
        }

    def status(self) -> float:
        """The status of the partitions of one asset, once."""
        return _timed(lambda: self.ask("PartitionHealthQuery", assetKey={"path": [PAGE_ASSET]}))

    def stop_schedules(self) -> None:
        """So that nothing but what is measured is at work."""
        found = self._http.post("/graphql", json={"query": _SCHEDULES, "variables": {"location": LOCATION}}).json()
        for schedule in found["data"]["schedulesOrError"]["results"]:
            self.ask("StopSchedule", id=schedule["scheduleState"]["id"])

    def launch(self, job: str, config: Mapping[str, Any] | None = None) -> str:
        parameters = {"selector": LOCATION | {"jobName": job}, "mode": "default", "runConfigData": dict(config or {})}
        said = self.ask("LaunchPipelineExecution", executionParams=parameters)
        return said["launchPipelineExecution"]["run"]["id"]

    def launch_backfill(self, slug: str, days: int) -> str:
        today = datetime.now(UTC).date()
        keys = [key(slug, today - timedelta(days=back)) for back in range(days, 0, -1)]
        parameters = {"assetSelection": [{"path": [BACKFILLED]}], "partitionNames": keys, "title": "bench"}
        said = self.ask("LaunchPartitionBackfill", backfillParams=parameters)
        return said["launchPartitionBackfill"]["backfillId"]


_SCHEDULES = """query($location: RepositorySelector!) { schedulesOrError(repositorySelector: $location) {
  ... on Schedules { results { scheduleState { id } } } } }"""


def run_start(system: System, web: WebServer) -> Seconds:
    """From the request of an empty run to its beginning, and to its end."""
    begun, done = [], []
    for _ in range(3):
        asked = time.time()
        run = ended(system, web.launch(EMPTY_JOB))
        begun.append(run["start_time"] - asked)
        done.append(run["end_time"] - asked)
    return {
        "an empty run, to its start": statistics.median(begun),
        "an empty run, to its end": statistics.median(done),
    }


def backfill_start(system: System, web: WebServer, slug: str, days: int) -> tuple[Seconds, str]:
    """From "Materialize" over some days of one client to the answer, and to the run that does it; with its id."""
    asked = time.time()
    backfill_id = web.launch_backfill(slug, days)
    answered = time.time() - asked
    made = (
        "select run_id, extract(epoch from create_timestamp at time zone 'UTC') as at from runs where backfill_id = %s"
    )
    system.wait_until("the backfill has its run", lambda: bool(system.dagster(made, backfill_id)), seconds=300)
    [run] = system.dagster(made, backfill_id)
    ended(system, run["run_id"])
    return {
        "launch of a backfill, to the answer": answered,
        "launch of a backfill, to its run": float(run["at"]) - asked,
    }, backfill_id


def ended(system: System, run_id: str) -> dict[str, Any]:
    """How and when the run has ended, once it has."""
    query = "select status, start_time, end_time from runs where run_id = %s"
    system.wait_until(
        "the run has ended", lambda: system.dagster(query, run_id)[0]["end_time"] is not None, seconds=300
    )
    return system.dagster(query, run_id)[0]


def _tick_seconds(
    sensor: dg.SensorDefinition, instance: dg.DagsterInstance, before: Callable[[], object] = lambda: None
) -> float:
    """The median of its ticks, each from the cursor of the one before; the first is not counted."""
    seconds, cursor = [], None
    for _ in range(TIMES + 1):
        before()
        with dg.build_sensor_context(
            instance=instance, cursor=cursor, repository_def=_repository(), resources={"master": MasterQueries()}
        ) as context:
            started = time.perf_counter()
            cursor = sensor.evaluate_tick(context).cursor
            seconds.append(time.perf_counter() - started)
    return statistics.median(seconds[1:])


def _definitions() -> dg.Definitions:
    from draggonnb_pipelines.definitions import defs  # late: it reads the settings of the stack

    return defs


def _repository() -> dg.RepositoryDefinition:
    return _definitions().get_repository_def()


@contextmanager
def _without(system: System, process: str) -> Iterator[None]:
    """The process stands still meanwhile."""
    os.kill(system.process_id(process), signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(system.process_id(process), signal.SIGCONT)


def _median(work: Callable[[], object], times: int = TIMES) -> float:
    """The first is not counted."""
    work()
    return statistics.median(_timed(work) for _ in range(times))


def _timed(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started
