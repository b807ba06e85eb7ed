"""The demo's week: the clock is moved to the next Monday, the post is measured on the way, and the report is sent.

Runs are launched through the web server as an operator would launch them, with the moment in their config; the
sandbox's posts age by as much. Not here: the post itself (`demo_content.py`).
"""

import asyncio
import time
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from datetime import time as wall_time
from pathlib import Path
from typing import Any

import requests
from rich.progress import Progress
from rich.table import Table

from draggonnb_pipelines.cli.processes import Running
from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.errors import OperatorError
from draggonnb_pipelines.resources.stack import open_stack
from draggonnb_pipelines.settings import Settings
from draggonnb_pipelines.sql import load_queries

DEMO = load_queries("demo")
PATIENCE_SECONDS = 120
SIX_UTC = wall_time(6, tzinfo=UTC)
LAUNCH = """mutation($params: ExecutionParams!) { launchRun(executionParams: $params) {
  __typename ... on LaunchRunSuccess { run { runId } } ... on PythonError { message }
  ... on RunConfigValidationInvalid { errors { message } } } }"""
STATUS = "query($id: ID!) { runOrError(runId: $id) { ... on Run { status } } }"
MEASURING, REPORTING = "measure_posts", "report_on_weeks"
LOCATION = {"repositoryLocationName": "draggonnb", "repositoryName": "__repository__"}


@dataclass(frozen=True)
class WeekStory:
    """The week as the databases tell it: the report's row with its figures, its files on disk, the mail about it."""

    week_start: date
    run_ids: list[str]
    report: dict[str, Any]
    files: list[Path]
    mail: dict[str, Any]
    deliveries: list[dict[str, Any]]


async def live_a_week(progress: Progress, running: Running, organization: Organization) -> WeekStory:
    """Measure each morning up to the next Monday, and have the reports of the week written and sent.

    Raises:
        OperatorError: a run failed, or no report came; says where to look.
    """
    settings = running.settings
    moments = mornings(datetime.now(UTC))
    task = progress.add_task("moving the clock", total=len(moments) + 1)
    run_ids = []
    for done, moment in enumerate(moments):
        progress.update(task, completed=done, description=f"it is {moment:%A %d %B, 06:00} UTC: measuring")
        _age_the_sandbox(settings, moment)
        run_ids.append(await asyncio.to_thread(_launch, running, "collect_analytics", MEASURING, moment, everyone=True))
    week_start = (moments[-1] - timedelta(days=7)).date()
    progress.update(task, completed=len(moments), description="writing and sending the weekly reports")
    run_ids.append(await asyncio.to_thread(_launch, running, "report_weeks", REPORTING, moments[-1]))
    report = await _report_of(settings, organization, week_start)
    story = await _story(settings, organization, week_start, run_ids, report)
    progress.update(task, completed=len(moments) + 1, description="the week is measured and reported")
    return story


def mornings(now: datetime) -> list[datetime]:
    """06:00 UTC of each day from tomorrow to the Monday that ends the running week."""
    days_left = 7 - now.weekday()
    return [datetime.combine(now.date() + timedelta(days=ahead), SIX_UTC) for ahead in range(1, days_left + 1)]


def week_tables(running: Running, story: WeekStory) -> tuple[Table, Table]:
    """What the report says, and where it is."""
    figures = Table(title=f"The week from {story.week_start:%A %d %B %Y}", title_justify="left")
    figures.add_column("network", no_wrap=True)
    for name in ("posts", "views", "reach", "engagements"):
        figures.add_column(name, justify="right")
    metrics = story.report["metrics"]
    for platform, figure in metrics["platforms"].items():
        totals = figure["totals"]
        shown = [_shown(totals.get(name, {}).get("value")) for name in ("views", "reach")]
        figures.add_row(platform, str(figure["posts"]["published"]), *shown, _shown(figure["engagements"]["value"]))
    links = Table(show_header=False)
    links.add_column(no_wrap=True)
    links.add_column(overflow="fold")
    for path in story.files:
        links.add_row("report", str(path))
    links.add_row("mail", f"{story.mail['subject']} (to {story.mail['to']})")
    for delivery in story.deliveries:
        links.add_row(delivery["channel"], f"{delivery['status']}: {delivery['event_key']}")
    for run_id in story.run_ids:
        links.add_row("run in the UI", f"{running.ui_url}/runs/{run_id}")
    return figures, links


def _shown(value: float | None) -> str:
    return "not given" if value is None else f"{value:,.0f}".replace(",", " ")


def _age_the_sandbox(settings: Settings, moment: datetime) -> None:
    ahead = (moment - datetime.now(UTC)).total_seconds()
    answer = requests.post(
        f"{settings.sandbox_url}/_sandbox/settings", json={"social_clock_ahead_seconds": ahead}, timeout=10
    )
    answer.raise_for_status()


def _launch(running: Running, job: str, chain: str, moment: datetime, **more: bool) -> str:
    """A run of the job as at this moment, to its good end; its id."""
    config = {"ops": {chain: {"config": {"at": moment.isoformat(), **more}}}}
    params = {"selector": {**LOCATION, "jobName": job}, "runConfigData": config, "mode": "default"}
    answer = _ask(running, LAUNCH, params=params)["launchRun"]
    if answer["__typename"] != "LaunchRunSuccess":
        raise OperatorError(f"Dagster did not launch {job}: {answer}", remedy="read the log of the webserver")
    run_id, deadline = answer["run"]["runId"], time.monotonic() + PATIENCE_SECONDS
    while (status := _ask(running, STATUS, id=run_id)["runOrError"]["status"]) != "SUCCESS":
        if status in ("FAILURE", "CANCELED") or time.monotonic() > deadline:
            raise OperatorError(f"the run {run_id} is {status}", remedy=f"look at {running.ui_url}/runs/{run_id}")
        time.sleep(0.3)
    return run_id


def _ask(running: Running, query: str, **variables: object) -> dict[str, Any]:
    body = {"query": query, "variables": variables}
    answer = requests.post(f"{running.ui_url}/graphql", json=body, timeout=30)
    answer.raise_for_status()
    return answer.json()["data"]


async def _report_of(settings: Settings, organization: Organization, week_start: date) -> dict[str, Any]:
    """The report once it is stored and its messages are on their way."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    async with open_stack(settings) as stack:
        while time.monotonic() < deadline:
            async with stack.tenants.open(organization) as tenant:
                found = await DEMO.week_story(tenant.conn, week_start=week_start)
            if found and found["sent"]:
                return found
            await asyncio.sleep(0.3)
    raise OperatorError("the weekly report was not sent", remedy="look at the last run of the job report_weeks")


async def _story(
    settings: Settings, organization: Organization, week_start: date, run_ids: list[str], report: dict[str, Any]
) -> WeekStory:
    folder = (settings.state_dir / "demo-report").resolve()
    folder.mkdir(exist_ok=True)
    async with open_stack(settings) as stack, stack.tenants.open(organization) as tenant:
        rows = [row async for row in DEMO.week_files(tenant.conn, report_id=report["id"])]
        deliveries = [row async for row in DEMO.week_deliveries(tenant.conn, week_start=week_start)]
    files = [folder / "report.html", *(folder / row["name"] for row in rows)]
    page = report["html"]
    for row in rows:
        page = page.replace(f"report-file:{row['name']}", row["name"])
        (folder / row["name"]).write_bytes(row["content"])
    files[0].write_text(page)
    mail = await asyncio.to_thread(_mail, settings, report["message_id"])
    return WeekStory(week_start, run_ids, report, files, mail, deliveries)


def _mail(settings: Settings, message_id: str) -> dict[str, Any]:
    mails = requests.get(f"{settings.sandbox_url}/_sandbox/public", params={"kind": "mail"}, timeout=10).json()
    [mail, *_] = [one for one in mails if one["message_id"] == message_id]
    return mail
