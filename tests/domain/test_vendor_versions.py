"""The register of versions: each one's last day, and what an operator hears of it sixty days before."""

from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from draggonnb_pipelines.domain.vendor_versions import (
    CLIENT_NODE,
    GITHUB_VERSIONS,
    GRAPH_VERSIONS,
    LINKEDIN_VERSIONS,
    InUse,
    sunset_of,
    verdict_on,
    version_ends,
    versions_in_use,
)
from draggonnb_pipelines.resources.github_wire import API_VERSION
from draggonnb_pipelines.settings import load_settings

TODAY = date(2026, 11, 23)
ROOT = Path(__file__).resolve().parents[2]


def in_use(**changes: Any) -> list[InUse]:
    usual = {
        "linkedin": "202607",
        "graph": "v25.0",
        "claude_model": "claude-sonnet-5-5",
        "supabase_key": "sb_secret_1",
        "github": "2022-11-28",
        "postgres": 18,
    }
    return versions_in_use(**(usual | changes))


@pytest.mark.parametrize(
    ("version", "end"),
    [
        ("v17.0", date(2026, 1, 26)),
        ("v20.0", date(2026, 9, 24)),
        ("v21.0", date(2027, 1, 21)),
        ("v25.0", date(2028, 7, 29)),
        ("v26.0", None),
        ("v27.0", None),
    ],
)
def test_each_graph_version_ends_on_its_day(version: str, end: date | None) -> None:
    assert version_ends(version) == end


def test_later_graph_versions_end_later() -> None:
    ends = [end for end in GRAPH_VERSIONS.values() if end is not None]

    assert ends == sorted(ends)
    assert len(ends) == len(GRAPH_VERSIONS) - 1


def test_every_linkedin_version_has_its_day_one_year_later():
    assert sunset_of("202603") == date(2027, 3, 16)
    assert sunset_of("202512") is None
    for version, sunset in LINKEDIN_VERSIONS.items():
        assert (sunset.year, sunset.month) == (int(version[:4]) + 1, int(version[4:]))
        assert 14 <= sunset.day <= 18


def test_what_ships_with_us_lives_for_sixty_days_and_more():
    settings = load_settings(_env_file=None)

    verdict = verdict_on(
        in_use(linkedin=settings.linkedin_version, graph=settings.graph_version, claude_model=settings.claude_model),
        TODAY,
    )

    assert verdict.faults == []
    assert verdict.ends == {
        "LinkedIn 202607": "2027-07-15",
        "Graph v25.0": "2028-07-29",
        "model claude-sonnet-5-5": "no end announced",
        "Supabase secret key": "no end announced",
        "GitHub 2022-11-28": "2028-03-10",
        "n8n API v1": "no end announced",
        "Postgres 18": "2030-11-14",
        "Node 22": "2027-04-30",
    }


@pytest.mark.parametrize(
    ("days", "fault"),
    [
        (61, []),
        (60, []),
        (59, ["LinkedIn 202607 ends on 2027-07-15, in 59 days: set DRAGGONNB_LINKEDIN_VERSION to 202610"]),
        (1, ["LinkedIn 202607 ends on 2027-07-15, in 1 days: set DRAGGONNB_LINKEDIN_VERSION to 202610"]),
        (0, ["LinkedIn 202607 ended on 2027-07-15: set DRAGGONNB_LINKEDIN_VERSION to 202610"]),
    ],
)
def test_a_version_counts_as_near_its_end_sixty_days_before(days: int, fault: list[str]) -> None:
    linkedin = [one for one in in_use() if one.name.startswith("LinkedIn")]

    assert verdict_on(linkedin, date(2027, 7, 15) - timedelta(days=days)).faults == fault


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"graph": "v21.0"}, "Graph v21.0 ends on 2027-01-21, in 59 days: set DRAGGONNB_GRAPH_VERSION to v26.0"),
        ({"graph": "v18.0"}, "Graph v18.0 ended on 2026-01-26: set DRAGGONNB_GRAPH_VERSION to v26.0"),
        (
            {"claude_model": "claude-sonnet-4-5"},
            "model claude-sonnet-4-5 ends on 2026-11-30, in 7 days: set DRAGGONNB_CLAUDE_MODEL",
        ),
        (
            {"supabase_key": "eyJhbGciOiJIUzI1NiJ9.e30.x"},
            "Supabase legacy key ends on 2026-12-31, in 38 days: set DRAGGONNB_STORAGE_KEY to a key that begins with "
            "sb_secret_",
        ),
        (
            {"postgres": 14},
            "Postgres 14 ended on 2026-11-12: move to a newer server: draggonnb backup create --all, then restore "
            "there",
        ),
    ],
)
def test_each_kind_of_version_is_told_ahead_of_its_end(changes: dict[str, Any], fault: str) -> None:
    assert verdict_on(in_use(**changes), TODAY).faults == [fault]


def test_versions_that_nobody_knows_fail_where_the_vendor_would_refuse_them() -> None:
    verdict = verdict_on(in_use(linkedin="209901", postgres=9, graph="v99.0"), TODAY)

    assert [fault.partition(" is not in our register")[0] for fault in verdict.faults] == [
        "LinkedIn 209901",
        "Postgres 9",
    ]
    assert verdict.ends["Graph v99.0"] == "no end announced"


def test_the_register_speaks_of_what_the_code_uses() -> None:
    deploy = (ROOT / "client_template/.github/workflows/deploy.yml").read_text(encoding="utf-8")

    assert API_VERSION in GITHUB_VERSIONS
    assert f"node-version: {CLIENT_NODE}\n" in deploy
