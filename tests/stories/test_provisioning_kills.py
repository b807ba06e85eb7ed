"""Runs that set clients up are killed around every call that makes something: each client has everything once.

The small version is part of `make test`; `make test-kill-clients` runs the whole table.
"""

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import pytest
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from tests.stories.provisioning_ledger import judge
from tests.stories.provisioning_points import ABORTS, MOMENTS, POINTS, Abort, Moment, Point
from tests.stories.provisioning_world import Stay, provisioning_world

CONTROL = "control"
SMALL: dict[str, tuple[Moment, str]] = {
    "supabase_project: POST /supabase/v1/projects": ("late", ""),
    "tenant_schema: GET /supabase/v1/projects/{ref}/config/database/pooler (2)": ("unwritten", "in a late migration"),
    "github_repo: POST /github/repos/{owner}/{name}/generate": ("unheard", ""),
    "vercel_deployment: POST /vercel/v13/deployments": ("unwritten", ""),
    "n8n_webhooks: POST /n8n/api/v1/workflows": ("late", ""),
    "onboarding_email: SMTP DATA owner@": ("unheard", ""),
}
# What comes late may find it done by the run that came after, and be refused.
FATES: dict[Moment, tuple[str, ...]] = {
    "before": ("nothing",),
    "late": ("done", "refused"),
    **dict.fromkeys(("unheard", "unwritten", "error"), ("done",)),
}
console = Console()


@pytest.mark.timeout(120)
def test_kills_at_six_points_leave_each_client_with_everything_once_and_an_aborted_one_with_nothing(
    postgres_dsn: str, master_template: str
) -> None:
    points = [
        point for point in POINTS if SMALL.get(f"{point.call.step}: {point.call.name}") == (point.moment, point.place)
    ]
    assert len(points) == len(SMALL)

    _all_come_through([*points, ABORTS[-1]], 2, postgres_dsn, master_template)


@pytest.mark.kill
@pytest.mark.timeout(1800)
def test_kills_around_every_call_leave_each_client_with_everything_once(
    postgres_dsn: str, master_template: str
) -> None:
    _all_come_through(POINTS, 4, postgres_dsn, master_template)


@pytest.mark.kill
@pytest.mark.timeout(1800)
def test_a_client_that_is_aborted_at_any_step_leaves_nothing_wherever_the_abort_is_killed(
    postgres_dsn: str, master_template: str
) -> None:
    _all_come_through(ABORTS, 4, postgres_dsn, master_template)


@dataclass
class Lane:
    """What one world's clients came to: the stays, who did not come through, what is not as it must be."""

    stays: list[Stay] = field(default_factory=list)
    troubles: dict[str, str] = field(default_factory=dict)
    found: dict[str, list[str]] = field(default_factory=dict)


def _all_come_through(plans: Sequence[Point | Abort], worlds: int, server_dsn: str, master_template: str) -> None:
    started = time.monotonic()
    with ThreadPoolExecutor(worlds) as threads:
        parts = [plans[number::worlds] for number in range(worlds)]
        work = [threads.submit(_lane, number, part, server_dsn, master_template) for number, part in enumerate(parts)]
        lanes = [one.result() for one in work]
    stays = [stay for lane in lanes for stay in lane.stays]
    wrong = {name: why for lane in lanes for name, why in [*lane.troubles.items(), *lane.found.items()]}

    _print(plans, stays, wrong, time.monotonic() - started)
    assert wrong == {}
    assert {stay.plan.name for stay in stays if stay.fate not in FATES[_last(stay.plan).moment]} == set()
    assert len(stays) == len(plans)


def _lane(number: int, plans: Sequence[Point | Abort], server_dsn: str, master_template: str) -> Lane:
    """A world of its own, in which one client comes after the other; beside them one whom nobody disturbs."""
    lane = Lane()
    with provisioning_world(server_dsn, master_template) as world:
        world.open(CONTROL)
        world.run()
        for place, plan in enumerate(plans):
            slug = f"client-{number}{place:03}"
            try:
                come_through = world.pass_through if isinstance(plan, Point) else world.give_up
                lane.stays.append(come_through(plan, slug))  # pyright: ignore[reportArgumentType]
            except AssertionError as error:
                lane.troubles[f"{slug} {plan.name}"] = str(error)
        stood = [stay.slug for stay in lane.stays if isinstance(stay.plan, Point)]
        names = {stay.slug: stay.plan.name for stay in lane.stays}
        found = judge(world, [CONTROL, *stood], sorted(set(names) - set(stood)))
        # Who did not come through is no stranger, and is reported already.
        lane.found = {f"{slug} {names.get(slug, '')}": why for slug, why in found.items() if slug or not lane.troubles}
    return lane


def _last(plan: Point | Abort) -> Point:
    return plan if isinstance(plan, Point) else plan.removing


def _kills(plan: Point | Abort) -> int:
    return plan.moment != "error" if isinstance(plan, Point) else len(plan.stopped) + 1


def _print(plans: Sequence[Point | Abort], stays: Sequence[Stay], wrong: dict[str, object], seconds: float) -> None:
    kills = sum(_kills(stay.plan) for stay in stays)
    table = Table(title=f"{kills} kills, {len(stays)} of {len(plans)} clients came through", title_justify="left")
    table.add_column("stopped at, killed at", overflow="fold")
    for moment in MOMENTS:
        table.add_column(moment, justify="right", no_wrap=True)
    rows: dict[str, dict[Moment, str]] = {}
    for stay in sorted(stays, key=lambda stay: plans.index(stay.plan)):
        point = _last(stay.plan)
        stopped = f"{stay.plan.stopped[-1].call.step} | " if isinstance(stay.plan, Abort) else ""
        row = rows.setdefault(f"{stopped}{point.call.step}: {point.call.name} {point.place}", {})
        row[point.moment] = f"{stay.seconds:.1f} s, {stay.runs}"
    for name, cells in rows.items():
        table.add_row(name, *(cells.get(moment, "") for moment in MOMENTS))
    console.print(table, f"seconds until the end, and the runs that it took after the kill; all: {seconds:.0f} s")
    for moment, words in MOMENTS.items():
        console.print(f"{moment}: {words}")
    for name, why in wrong.items():
        console.print(f"[red]{escape(name)}[/]: {escape(str(why))}")
