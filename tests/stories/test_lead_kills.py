"""Run workers are killed with SIGKILL again and again while leads come in: nothing is lost, nothing is doubled.

The small version is part of `make test`; `pytest -m kill` runs the full one. What is random is seeded and printed.
"""

import os
import random
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from rich.console import Console
from rich.table import Table

from tests.stories.killer import PHASES, START_UP, Killer
from tests.stories.lead_ledger import Ledger, count_leads, inbox_states
from tests.stories.system import System, company_of, running_system

OUTSIDER = "outsider"
CLAUDE_LATENCY_SECONDS = 0.3
console = Console()


@dataclass(frozen=True)
class Campaign:
    """How much comes in, in how many waves, and how often is killed after each wave."""

    organizations: int
    waves: int
    leads_per_wave: int
    kills_per_wave: int
    end_seconds: float

    @property
    def slugs(self) -> list[str]:
        return [f"client-{number}" for number in range(1, self.organizations + 1)]

    @property
    def leads(self) -> int:
        return self.organizations * self.waves * self.leads_per_wave


SMALL = Campaign(organizations=5, waves=1, leads_per_wave=8, kills_per_wave=3, end_seconds=90)
FULL = Campaign(organizations=20, waves=10, leads_per_wave=1, kills_per_wave=3, end_seconds=300)


@pytest.fixture
def fresh_system(postgres_dsn: str) -> Iterator[System]:
    with running_system(postgres_dsn) as running:
        yield running


@pytest.mark.timeout(240)
def test_three_kills_of_run_workers_neither_lose_nor_double_any_of_forty_leads(fresh_system: System) -> None:
    _killed_at_random(fresh_system, SMALL)


@pytest.mark.kill
@pytest.mark.timeout(1500)
def test_thirty_kills_of_run_workers_neither_lose_nor_double_any_of_two_hundred_leads(fresh_system: System) -> None:
    _killed_at_random(fresh_system, FULL)


def _killed_at_random(system: System, campaign: Campaign) -> None:
    seed = int(os.environ.get("DRAGGONNB_KILL_SEED") or time.time())
    console.print(f"\nDRAGGONNB_KILL_SEED={seed}")
    system.create(OUTSIDER, *campaign.slugs)
    system.sandbox.settings(claude_latency_seconds=CLAUDE_LATENCY_SECONDS)
    untouched = system.table_counts(OUTSIDER)
    killer = Killer(system, random.Random(seed))
    started = time.monotonic()

    for wave in range(campaign.waves):
        _post_wave(system, campaign, wave)
        for _ in range(campaign.kills_per_wave):
            phase = killer.kill_one()
            console.print(f"{time.monotonic() - started:6.1f} s  kill {killer.kills.total():2}  {phase}")
    killed_seconds = time.monotonic() - started
    system.wait_until(
        "all leads are done",
        lambda: set(inbox_states(system)) <= {"done", "dead"},
        seconds=campaign.end_seconds,
    )

    ledger = count_leads(system, campaign.slugs)
    _print(system, killer.kills, ledger, killed_seconds, time.monotonic() - started)
    assert inbox_states(system) == {"done": campaign.leads}
    assert ledger.odd == []
    assert ledger.leads == {"whole": campaign.leads}
    assert killer.kills.total() == campaign.waves * campaign.kills_per_wave
    assert ledger.figures["messages on WhatsApp"] == campaign.leads
    assert ledger.figures["mails in the mailbox"] == campaign.leads
    assert ledger.figures["usable answers of Claude"] == 3 * campaign.leads
    deliveries = system.master(
        "select count(distinct (organization_id, lead_id)) as n from inbox where topic = 'leads'"
    )
    assert deliveries == [{"n": campaign.leads}]
    assert system.table_counts(OUTSIDER) == untouched


def _post_wave(system: System, campaign: Campaign, wave: int) -> None:
    for number in range(wave * campaign.leads_per_wave, (wave + 1) * campaign.leads_per_wave):
        for slug in campaign.slugs:
            answer = system.post_lead(slug, company_of(slug, number), f"{slug}-{number}")
            assert answer.status_code == 202, answer.text


def _print(system: System, kills: Counter[str], ledger: Ledger, killed_seconds: float, seconds: float) -> None:
    runs = system.dagster("select status, count(*) as n from runs where pipeline_name = 'qualify_leads' group by 1")
    lines = {
        **{f"kills in {phase}": kills[phase] for phase in [START_UP, *PHASES.values()]},
        "kills": kills.total(),
        **{f"inbox {state}": n for state, n in inbox_states(system).items()},
        **{f"leads {kind}": n for kind, n in ledger.leads.items()},
        **ledger.figures,
        **{f"runs {row['status']}": row["n"] for row in runs},
        "seconds with kills": round(killed_seconds),
        "seconds until all was done": round(seconds),
    }
    table = Table(title=f"{kills.total()} kills of run workers", title_justify="left", show_header=False)
    for name, value in lines.items():
        table.add_row(name, str(value))
    console.print(table)
    for lead in ledger.odd[:10]:
        console.print(lead)
