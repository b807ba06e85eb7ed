"""The rows that history is copied from: real runs, ticks and events of one client on a running stack.

Lives here: having Dagster write them, and finding them. Not here: the copying (`growth_history.py`).
"""

import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import dagster as dg
from dagster._core.events import AssetMaterializationPlannedData

from benchmarks.growth_asks import WebServer, ended
from draggonnb_pipelines.domain.reports import PartitionKey
from draggonnb_pipelines.jobs import content_config
from draggonnb_pipelines.partitions import to_dagster
from draggonnb_pipelines.workflows.leads import lead_analyses, proposals
from tests.stories.system import System, company_of

# Groups whose assets get an event of each client and day.
DAILY_GROUPS = ("leads", "content", "analytics", "billing")
NOT_DAILY = ("agency_reports", "weekly_reports")
CHECKS_OF_CLIENTS = {
    "business_analyses": ["three_quick_wins"],
    "generated_posts": ["brand_rules_kept", "platform_rules_kept", "nothing_said_twice", "claims_have_sources"],
}
METADATA = {"leads": 2, "waiting": 0, "cost (USD)": 0.0123, "prompt": "5f3a9c0d1e2b", "organization": "a client"}
SWEEPS_A_DAY, CHECKS_A_DAY, MOST_RUNS_A_DAY = 96, 24 * 8, 2 * 720


@dataclass
class Patterns:
    """What is copied, by its ids.

    `runs` say how many there are a day, `runs_left` how many of those that made something are left of an old day,
    since partitions still point to them; `skipped` says how many seconds lie between two ticks.
    """

    runs: dict[str, int]
    runs_left: dict[str, int]
    day_key: str
    materializations: dict[str, int] = field(default_factory=dict)
    plans: dict[str, int] = field(default_factory=dict)
    checks_of_clients: list[int] = field(default_factory=list)
    checks_of_hours: list[int] = field(default_factory=list)
    skipped: dict[int, int] = field(default_factory=dict)
    successful: list[int] = field(default_factory=list)
    ledger: dict[str, str | None] = field(default_factory=dict)

    def note_newest(self, instance: dg.DagsterInstance) -> None:
        """One more real event of each asset, from which Dagster takes how far its history reaches."""
        for asset in self.materializations:
            instance.report_runless_asset_event(
                dg.AssetMaterialization(asset, partition=self.day_key, metadata=METADATA)
            )


def make_patterns(system: System, instance: dg.DagsterInstance, web: WebServer, slug: str) -> Patterns:
    """Runs what a day runs, once each, and has one event of every kind written."""
    clients = system.master("select count(*) as n from organizations")[0]["n"]
    sweep = web.launch("publish_due_posts", content_config(shard=0))
    check = web.launch("check_messages")
    system.post_lead(slug, company_of(slug, 1), "pattern")
    lead = "select run_id from runs where pipeline_name = 'qualify_leads' and status = 'SUCCESS'"
    system.wait_until("the lead is worked off", lambda: bool(system.dagster(lead)), seconds=300)
    if {ended(system, run)["status"] for run in (sweep, check)} != {"SUCCESS"}:
        raise RuntimeError("a run that history is to be copied from has failed")
    [worked] = system.dagster(lead)
    day_key = str(to_dagster(PartitionKey(slug, datetime.now(UTC).date())))
    # Leads, requests and due posts: a run for each, and never more than two in two minutes. Of an old day a client
    # keeps the last run of each kind: leads, requests, posts, and what was published of them.
    runs = {sweep: 2 * SWEEPS_A_DAY, check: CHECKS_A_DAY, worked["run_id"]: min(10 * clients, MOST_RUNS_A_DAY)}
    patterns = Patterns(runs, {worked["run_id"]: min(4 * clients, MOST_RUNS_A_DAY)}, day_key)
    _events(system, instance, patterns, worked["run_id"])
    _checks(system, instance, patterns)
    _ticks(system, patterns)
    versions = {
        "competitor_analyses": lead_analyses.competitors_prompt().hash,
        "business_analyses": lead_analyses.business_prompt().hash,
        "proposals": proposals.proposal_prompt().hash,
    }
    patterns.ledger = {asset: versions.get(asset) for asset in patterns.materializations}
    return patterns


def _events(system: System, instance: dg.DagsterInstance, patterns: Patterns, run_id: str) -> None:
    from draggonnb_pipelines.definitions import defs

    graph = defs.resolve_asset_graph()
    daily = [one for one in graph.get_all_asset_keys() if graph.get(one).group_name in DAILY_GROUPS]
    for asset in (one for one in daily if one.to_user_string() not in NOT_DAILY):
        name = asset.to_user_string()
        instance.report_runless_asset_event(
            dg.AssetMaterialization(asset, partition=patterns.day_key, metadata=METADATA)
        )
        planned = AssetMaterializationPlannedData(asset, partition=patterns.day_key, partitions_subset=None)
        event = dg.DagsterEvent.build_asset_materialization_planned_event("qualify_leads", "work", planned)
        instance.report_dagster_event(event, run_id=run_id, log_level="DEBUG")
        newest = "select max(id) as id from event_logs where asset_key = %s and dagster_event_type = %s"
        [done] = system.dagster(newest, asset.to_string(), "ASSET_MATERIALIZATION")
        [plan] = system.dagster(newest, asset.to_string(), "ASSET_MATERIALIZATION_PLANNED")
        patterns.materializations[name], patterns.plans[name] = done["id"], plan["id"]


def _checks(system: System, instance: dg.DagsterInstance, patterns: Patterns) -> None:
    for asset, names in CHECKS_OF_CLIENTS.items():
        for name in names:
            more: dict[str, Any] = {"asset_key": dg.AssetKey(asset), "check_name": name, "partition": patterns.day_key}
            instance.report_runless_asset_event(dg.AssetCheckEvaluation(passed=True, metadata=METADATA, **more))
    of_clients = "select max(id) as id from asset_check_executions where partition = %s group by asset_key, check_name"
    patterns.checks_of_clients = [row["id"] for row in system.dagster(of_clients, patterns.day_key)]
    of_hours = "select max(id) as id from asset_check_executions where partition is null group by asset_key, check_name"
    patterns.checks_of_hours = [row["id"] for row in system.dagster(of_hours)]


def _ticks(system: System, patterns: Patterns) -> None:
    newest = """select max(t.id) as id,
                       (max(i.instigator_body)::jsonb -> 'job_specific_data' ->> 'min_interval')::int as s
                from job_ticks t join instigators i using (selector_id)
                where t.status = %s and t.type = 'SENSOR' group by t.selector_id"""
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline and len(system.dagster(newest, "SKIPPED")) < 10:
        time.sleep(1)
    patterns.skipped = {row["id"]: row["s"] or 30 for row in system.dagster(newest, "SKIPPED")}
    patterns.successful = [row["id"] for row in system.dagster(newest, "SUCCESS")]
