"""A client's stack as assets, one each for what a vendor holds, partitioned by organization."""

import dagster as dg

from draggonnb_pipelines.domain.provisioning import STEPS
from draggonnb_pipelines.domain.reports import PartitionKey, StepReport
from draggonnb_pipelines.partitions import organizations
from draggonnb_pipelines.resources.bindings import RunStack
from draggonnb_pipelines.tenant_runs import TenantRun, TenantStep, tenant_asset, tenant_chain
from draggonnb_pipelines.workflows.provisioning.provisioning import take_waiting
from draggonnb_pipelines.workflows.provisioning.provisioning_reports import set_up

GROUP = "provisioning"
CHAIN = "set_up_stacks"
OWNERS = ["team:provisioning"]
# Description and kinds of each step; the order is the domain's.
ABOUT: dict[str, tuple[str, set[str]]] = {
    "supabase_project": ("The client's own Supabase project, healthy.", {"supabase"}),
    "tenant_schema": (
        "Its tables, by the migrations of every client. A backfill brings all clients up to date.",
        {"postgres"},
    ),
    "api_keys": ("One publishable key, and one secret key for each consumer.", {"supabase"}),
    "github_repo": ("The repository from the template, with the client's configuration and secrets.", {"github"}),
    "environment": ("The project at Vercel and the variables that the app reads.", {"vercel"}),
    "vercel_deployment": ("The app, built, on its domain, and answering.", {"vercel"}),
    "n8n_webhooks": ("The client's entry points in the shared n8n, each behind the client's token.", {"n8n"}),
    "onboarding_email": ("The first user, and the welcome with a link to sign in.", {"email"}),
    "training_materials": ("Guides that Claude wrote for this client, in its repository.", {"anthropic", "github"}),
    "kickoff_call": ("The first call: a free half hour, the invitation, and everybody told.", {"email"}),
}


def waiting_clients(run: TenantRun[None], stack: RunStack) -> list[PartitionKey]:
    """Clients that are paid for and wait; the sensor `paid_clients` launches the run."""
    return [PartitionKey(slug) for slug in stack.run(take_waiting, run.run_id)]


def _step(position: int, name: str) -> TenantStep:
    description, kinds = ABOUT[name]

    @tenant_asset(
        name=name,
        group=GROUP,
        description=description,
        kinds=kinds,
        owners=OWNERS,
        # Nothing upstream of the first one: Dagster starts no run without partitions below an asset it does not select.
        deps=STEPS[max(position - 1, 0) : position],
        partitions_def=organizations,
    )
    def work(run: TenantRun[None], stack: RunStack) -> StepReport:
        return stack.run(set_up, run.run_id, name, run.keys)

    return work


# Nothing retries the chain: who is not done waits in master, and the sensor asks for the next run.
provisioning_assets: dg.AssetsDefinition = tenant_chain(
    CHAIN, [_step(position, name) for position, name in enumerate(STEPS)], keys=waiting_clients
)
