"""Runs that measure, report and tell are killed around every call and between their commits; each post is read once a
turn, each week is reported once, each reader is told once on each channel."""

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import pytest
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from tests.stories.report_ledger import judge, transmissions
from tests.stories.report_points import PLANS, SMALL, Plan
from tests.stories.report_world import Stay, report_world

console = Console()


@pytest.mark.timeout(300)
def test_kills_at_six_points_leave_each_week_measured_reported_and_told_once(
    postgres_dsn: str, master_template: str, tenant_template: str
) -> None:
    _all_come_through(SMALL, 2, postgres_dsn, master_template)


@pytest.mark.kill
@pytest.mark.timeout(1800)
def test_kills_around_every_call_and_commit_leave_each_week_measured_reported_and_told_once(
    postgres_dsn: str, master_template: str, tenant_template: str
) -> None:
    _all_come_through(PLANS, 4, postgres_dsn, master_template)


@dataclass
class Lane:
    """What one world's Mondays came to: the stays, what is not as it must be, and how often mails were sent."""

    stays: list[Stay] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    transmissions: int = 0


def _all_come_through(plans: Sequence[Plan], worlds: int, server_dsn: str, master_template: str) -> None:
    started = time.monotonic()
    with ThreadPoolExecutor(worlds) as threads:
        parts = [plans[number::worlds] for number in range(worlds)]
        work = [threads.submit(_lane, number, part, server_dsn, master_template) for number, part in enumerate(parts)]
        lanes = [one.result() for one in work]

    _print(plans, lanes, time.monotonic() - started)
    assert [what for lane in lanes for what in lane.wrong] == []
    assert sum(len(lane.stays) for lane in lanes) == len(plans)


def _lane(number: int, plans: Sequence[Plan], server_dsn: str, master_template: str) -> Lane:
    """A world of its own, in which one Monday comes after the other."""
    lane = Lane()
    with report_world(server_dsn, master_template, seed=number) as world:
        for plan in plans:
            try:
                lane.stays.append(world.pass_through(plan))
            except AssertionError as error:
                lane.wrong.append(f"{plan.name}: {error}")
                break
            known = set(lane.wrong)
            lane.wrong += [f"{plan.name}: {what}" for what in judge(world) if not any(what in one for one in known)]
        lane.transmissions = transmissions(world)
    return lane


def _print(plans: Sequence[Plan], lanes: Sequence[Lane], seconds: float) -> None:
    stays = [stay for lane in lanes for stay in lane.stays]
    kills = sum(stay.plan.kills for stay in stays)
    table = Table(title=f"{kills} kills, {len(stays)} of {len(plans)} Mondays came through", title_justify="left")
    table.add_column("killed at", overflow="fold")
    table.add_column("seconds", justify="right")
    table.add_column("runs after it", justify="right")
    for stay in sorted(stays, key=lambda stay: plans.index(stay.plan)):
        table.add_row(escape(stay.plan.name), f"{stay.seconds:.1f}", str(stay.runs))
    sent = sum(lane.transmissions for lane in lanes)
    console.print(table, f"{sent} mails handed over, each shown once; all: {seconds:.0f} s")
    for what in (what for lane in lanes for what in lane.wrong):
        console.print(f"[red]{escape(what)}[/]")
