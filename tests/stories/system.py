"""The whole stack as it runs in production (API, code server, daemon, run workers), started for one test or benchmark.

Lives here: start and stop, settings, and plain questions to its databases. The vendors are the sandbox's; the web
server of Dagster's UI is left out. Not here: what is posted and what must come of it.
"""

import asyncio
import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import dagster as dg
import httpx
import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict
from psycopg.rows import DictRow, dict_row

from draggonnb_pipelines.cli.installation import dagster_database, open_installation
from draggonnb_pipelines.cli.processes import Running, running_stack
from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.domain.provisioning import project_name
from draggonnb_pipelines.resources.migrations import ensure_database, ensure_tenant_template
from draggonnb_pipelines.resources.postgres import MasterDb, Tenants, dsn_for
from draggonnb_pipelines.resources.vault import Vault
from draggonnb_pipelines.settings import Settings, load_settings
from draggonnb_pipelines.workflows.organizations import (
    CreatedOrganization,
    NewOrganization,
    create_organization,
    webhook_token,
)
from tests.conftest import MASTER_KEYS
from tests.sandbox_process import Sandbox, free_port_pair
from tests.supabase_calls import management

# Waiting times of minutes, made seconds; what a worker may do is left as it is.
IMPATIENT = {
    "DRAGGONNB_LEASE_SECONDS": "10",
    "DRAGGONNB_NOTIFICATION_LEASE_SECONDS": "15",
    "DRAGGONNB_NOTIFICATION_SETTLE_SECONDS": "5",
    "DRAGGONNB_PROVISION_POLL_SECONDS": "0.2",
    "DRAGGONNB_RETRY_BASE_SECONDS": "1",
    "DRAGGONNB_SENSOR_INTERVAL_SECONDS": "1",
}
DEADLINE_STEP_SECONDS = 0.2
AGAIN = """mutation($parent: ReexecutionParams!) { launchRunReexecution(reexecutionParams: $parent) {
  ... on LaunchRunSuccess { run { runId } } ... on PythonError { message } } }"""


@dataclass
class System:
    """A running stack. `http` speaks to the API, `sandbox` to the vendors' control surface."""

    running: Running
    sandbox: Sandbox
    http: httpx.Client
    clients: dict[str, CreatedOrganization] = field(default_factory=dict)

    @property
    def settings(self) -> Settings:
        return self.running.settings

    def process_id(self, name: str) -> int:
        """Of one of the stack's own processes, such as `code server`."""
        [child] = [process.child for process in self.running.processes if process.name == name]
        assert child is not None
        return child.pid

    def create(self, *slugs: str) -> None:
        """Organizations with their databases and an owner who is told about leads."""
        asyncio.run(self._create(slugs))

    def meet(self, slug: str) -> None:
        """An organization that came to be by itself: from here on it is among `clients`, if its project stands."""
        columns = ", ".join(Organization.__dataclass_fields__)
        [row] = self.master(f"select {columns} from organizations where slug = %s", slug)
        [ref] = [one["ref"] for one in self.sandbox.public("supabase") if one["name"] == project_name(slug)]
        organization = Organization(**row)
        token = webhook_token(organization, Tenants(self.settings.dsn, Vault(self.settings.keys)))
        inside = replace(organization, database_name=f"supabase_{ref}")
        self.clients[slug] = CreatedOrganization(inside, token, webhook_secret="", is_new=True)

    def post_lead(self, slug: str, body: dict[str, object], delivery_id: str) -> httpx.Response:
        """One enquiry, as the server behind a web form sends it."""
        headers = {"X-Webhook-Token": self.clients[slug].webhook_token, "X-Delivery-Id": delivery_id}
        return self.http.post(f"/webhook/{slug}/leads", json=body, headers=headers)

    def master(self, query: str, *values: object) -> list[dict[str, Any]]:
        return _rows(self.settings.dsn, query, values)

    def tenant(self, slug: str, query: str, *values: object) -> list[dict[str, Any]]:
        name = self.clients[slug].organization.database_name
        assert name is not None
        return _rows(dsn_for(self.settings.dsn, name), query, values)

    def dagster(self, query: str, *values: object) -> list[dict[str, Any]]:
        return _rows(dagster_dsn(self.settings.dsn), query, values)

    def launch(self, job: str, config: Mapping[str, Any], *, ends: str = "SUCCESS", seconds: float = 60) -> str:
        """A run of a job, as a schedule or a person asks for it, to its end, which is a good one by default; its id."""
        run_id = str(uuid.uuid4())
        options = ["-l", "draggonnb", "-j", job, "--config-json", json.dumps(config), "--run-id", run_id]
        self._dagster([sys.executable, "-m", "dagster", "job", "launch"], options)
        return self._until_ended(run_id, ends, seconds)

    def launch_again(self, run_id: str) -> str:
        """The button "Re-execute from failure" of the UI, to its good end; the new run's id."""
        parent = {"parentRunId": run_id, "strategy": "FROM_FAILURE"}
        options = ["-t", AGAIN, "-v", json.dumps({"parent": parent})]
        said = self._dagster([str(Path(sys.executable).with_name("dagster-graphql"))], options)
        run = json.loads(said)["data"]["launchRunReexecution"]
        return self._until_ended(run["run"]["runId"], "SUCCESS")

    def _dagster(self, command: Sequence[str], options: Sequence[str]) -> str:
        workspace = self.settings.state_dir.resolve() / "dagster" / "workspace.yaml"
        command = [*command, "-w", str(workspace), *options]
        environment = os.environ | dagster_environment(self.settings)
        how: dict[str, Any] = {"check": True, "capture_output": True, "text": True, "timeout": 60}
        return subprocess.run(command, env=environment, **how).stdout

    def _until_ended(self, run_id: str, status: str, seconds: float = 60) -> str:
        query = "select pipeline_name as job, status from runs where run_id = %s"
        ended = ("SUCCESS", "FAILURE", "CANCELED")
        self.wait_until("the run has ended", lambda: self.dagster(query, run_id)[0]["status"] in ended, seconds=seconds)
        [run] = self.dagster(query, run_id)
        assert run["status"] == status, f"{run['job']} {run_id}"
        return run_id

    def materialized(self, *assets: str) -> dict[str, set[str]]:
        """The partitions of these assets, as Dagster knows them."""
        with self._instance() as instance:
            return {asset: set(instance.get_materialized_partitions(dg.AssetKey(asset))) for asset in assets}

    def colours(self, asset: str, partitions: Sequence[str], definition: dg.PartitionsDefinition) -> dict[str, str]:
        """What the UI shows of these partitions; those without a colour are left out."""
        with self._instance() as instance:
            found = instance.get_status_by_partition(dg.AssetKey(asset), partitions, definition) or {}
        return {partition: status.value for partition, status in found.items() if status}

    @contextlib.contextmanager
    def _instance(self) -> Iterator[dg.DagsterInstance]:
        home = self.settings.state_dir.resolve() / "dagster"
        with in_environment(dagster_environment(self.settings)), dg.DagsterInstance.from_config(str(home)) as instance:
            yield instance

    def table_counts(self, slug: str) -> dict[str, int]:
        """Rows of every table of a tenant's database, ours and Supabase's."""
        tables = self.tenant(
            slug,
            "select format('%I.%I', schemaname, tablename) as name from pg_tables"
            " where schemaname not in ('pg_catalog', 'information_schema') order by 1",
        )
        counts = [f"select '{table['name']}' as name, count(*) as rows from {table['name']}" for table in tables]
        return {row["name"]: row["rows"] for row in self.tenant(slug, " union all ".join(counts))}

    def wait_until(self, what: str, holds: Callable[[], bool], *, seconds: float) -> None:
        """Ask until it holds. AssertionError names what did not, and how the inbox stands."""
        deadline = time.monotonic() + seconds
        while not holds():
            if time.monotonic() > deadline:
                rows = self.master(
                    "select topic, state, stage, attempts, last_error, count(*) from inbox group by 1, 2, 3, 4, 5"
                )
                raise AssertionError(f"after {seconds} s still not: {what}; inbox: {rows}")
            time.sleep(DEADLINE_STEP_SECONDS)

    async def _create(self, slugs: Sequence[str]) -> None:
        vault = Vault(self.settings.keys)
        prefix = f"story_{uuid.uuid4().hex[:8]}_"
        async with MasterDb(self.settings.dsn, max_connections=2) as master:
            for slug in slugs:
                new = NewOrganization(slug, slug.replace("-", " ").title(), f"sales@{slug}.example", "+27821234567")
                self.clients[slug] = await create_organization(
                    new, master=master, vault=vault, server_dsn=self.settings.dsn, prefix=prefix
                )


@contextlib.contextmanager
def running_system(server_dsn: str, **environment: str) -> Iterator[System]:
    """The stack on free ports, a state directory and databases of its own; all of them are removed at the end.

    Args:
        environment: settings by their full names, over those of `IMPATIENT`.
    """
    name = f"story_master_{uuid.uuid4().hex[:8]}"
    ensure_tenant_template(server_dsn)
    ensure_database(server_dsn, name)
    home = Path(tempfile.mkdtemp(prefix="draggonnb-story-", dir="/var/tmp"))
    sandbox_port = free_port_pair()
    values = {
        "DRAGGONNB_STATE_DIR": str(home),
        "DRAGGONNB_MASTER_DSN": dsn_for(server_dsn, name),
        "DRAGGONNB_MASTER_KEYS": MASTER_KEYS,
        "DRAGGONNB_SANDBOX_PORT": str(sandbox_port),
        "DRAGGONNB_API_PORT": str(free_port_pair()),
        **IMPATIENT,
        **environment,
    }
    try:
        with (
            in_environment(values),
            open_installation(load_settings()) as settings,
            running_stack(settings, web_server=False) as running,
            httpx.Client(base_url=running.settings.base_url, timeout=20, trust_env=False) as http,
            contextlib.closing(Sandbox(running.settings.sandbox_port)) as sandbox,
        ):
            yield System(running, sandbox, http)
            for project in sandbox.public("supabase"):  # with their databases
                management(sandbox, "DELETE", f"/projects/{project['ref']}")
    finally:
        _drop_databases(server_dsn, name)
        shutil.rmtree(home, ignore_errors=True)


def dagster_dsn(master_dsn: str) -> str:
    """Dagster's own database lies beside the master database."""
    return dsn_for(master_dsn, f"{conninfo_to_dict(master_dsn)['dbname']}_dagster")


def dagster_environment(settings: Settings) -> dict[str, str]:
    """What a process needs that speaks to the Dagster of this stack."""
    home = settings.state_dir.resolve() / "dagster"
    return {
        "DAGSTER_HOME": str(home),
        "DRAGGONNB_DAGSTER_PG_URL": dagster_database(settings),
        "DRAGGONNB_DAGSTER_LOGS": str(home / "logs"),
    }


def company_of(slug: str, number: int) -> dict[str, object]:
    """An enquiry that no other enquiry resembles: its own person, company and web site."""
    company = f"{slug}-enquiry-{number}"
    return {
        "name": f"Front desk {number}",
        "email": f"office@{company}.example",
        "company": company.replace("-", " ").title(),
        "website": f"http://{company}.example",
        "message": "We want more regular customers and do not know where to start with social media.",
        "consent": True,
        "consent_text": "You may contact me about my enquiry.",
    }


def opened(system: System, slug: str) -> Organization:
    return system.clients[slug].organization


def proposal_path(system: System, slug: str, proposal_id: uuid.UUID) -> str:
    """Where the prospect reaches a proposal; its token is derived, never stored."""
    tenants = Tenants(system.settings.dsn, Vault(system.settings.keys))
    return f"/proposals/{tenants.key(opened(system, slug)).derive_token('proposal', str(proposal_id))}"


@contextlib.contextmanager
def in_environment(values: dict[str, str]) -> Iterator[None]:
    """The settings of the children, who read them from the environment as in production."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _rows(dsn: str, query: str, values: Sequence[object]) -> list[dict[str, Any]]:
    with contextlib.closing(psycopg.Connection[DictRow].connect(dsn, autocommit=True, row_factory=dict_row)) as conn:
        cursor = conn.execute(query.encode(), values or None)
        return cursor.fetchall() if cursor.description else []


def _drop_databases(server_dsn: str, master: str) -> None:
    names = [
        row["database_name"]
        for row in _rows(dsn_for(server_dsn, master), "select database_name from organizations", ())
        if row["database_name"]
    ]
    with contextlib.closing(psycopg.connect(server_dsn, autocommit=True)) as conn:
        for name in [*names, f"{master}_dagster", master]:
            conn.execute(sql.SQL("drop database if exists {} with (force)").format(sql.Identifier(name)))
