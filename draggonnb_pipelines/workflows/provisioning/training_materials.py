"""Provisioning, the training materials: written by Claude for this client, one commit in the client's repository.

Lives here: the question, its facts, the commit. Not here: asking and paying (`generation.py`), what the answer becomes
(`domain/training.py`).
"""

import json
from functools import cache
from typing import Any

from draggonnb_pipelines.domain.contact_details import region_of
from draggonnb_pipelines.domain.provisioning import WEBHOOKS, Client, Resource, repo_name, webhook_path
from draggonnb_pipelines.domain.training import FOLDER, TrainingAnswer, training_files
from draggonnb_pipelines.prompts import Prompt, fence, load_prompt
from draggonnb_pipelines.resources.claude import ClaudeRequest, strict_schema
from draggonnb_pipelines.resources.github_wire import VENDOR
from draggonnb_pipelines.resources.stack import Stack
from draggonnb_pipelines.sql import load_queries
from draggonnb_pipelines.workflows.ai_budgets import BudgetHeld, Subject
from draggonnb_pipelines.workflows.generation import Asker, build_request
from draggonnb_pipelines.workflows.provisioning.onboarding_email import app_url
from draggonnb_pipelines.workflows.provisioning.stack_ledger import Ledger, Made, NotYet

ONBOARDING = load_queries("onboarding")
STEP = "training_materials"
HELD_SECONDS = 60.0


@cache
def training_prompt() -> Prompt:
    return load_prompt(STEP, strict_schema(TrainingAnswer))


async def training_materials(ledger: Ledger) -> Resource:
    """Guides and answers for this client stand in its repository, below docs/training; their row.

    The answer is stored before the commit is made, and a commit of files that are there already is none: what is run
    again costs nothing and adds nothing. Once they stand, they are the client's, and are not written again.

    Raises:
        NotYet: questions under way hold the organization's AI budget.
        NeedsReview: Claude refused, answered unusably at every try, or a budget is spent.
        VendorError: sorted.
    """
    repo = await ledger.resource("github_repo", repo_name(ledger.client.slug))
    row = await ledger.plan(STEP, VENDOR, FOLDER)
    if row.is_ready:
        return row

    async def write(resource: Resource) -> Made:
        client, stack = ledger.client, ledger.stack
        question = await build_question(stack, client)
        subject = Subject(purpose=STEP)
        try:
            generation = await Asker(stack).ask(client.organization, subject, question, TrainingAnswer)
        except BudgetHeld as held:
            raise NotYet(str(held), HELD_SECONDS) from held
        files = training_files(generation.answer, client.organization.name)
        owner, _, name = repo.details["full_name"].partition("/")
        branch = repo.details["branch"]
        message = f"Add the training materials of {client.organization.name}"
        commit = await stack.github.commit_files(owner, name, branch, files, message)
        url = f"{repo.url}/tree/{branch}/{FOLDER}" if repo.url else None
        return Made(commit, url, {"generation_id": str(generation.id), "files": sorted(files)})

    return await ledger.put(row, write)


async def build_question(stack: Stack, client: Client) -> ClaudeRequest:
    """The question about one client: asked again it is the same question, for as long as its facts are."""
    async with stack.tenants.open(client.organization) as tenant:
        checklist = [row async for row in ONBOARDING.checklist_titles(tenant.conn)]
    base = stack.settings.base_url
    facts = {
        "name": client.organization.name,
        "app": app_url(stack, client),
        "plan": client.plan_key,
        "time_zone": client.organization.timezone,
        "web_addresses_for_other_systems": [f"{base}/webhook/{webhook_path(client.slug, kind)}" for kind in WEBHOOKS],
        "address_for_the_lead_form": f"{base}/webhook/{client.slug}/leads",
    }
    values = {
        "agency": stack.settings.seller_name,
        "country": region_of(client.organization.locale),
        "client": _block(facts),
        "checklist": _block(checklist),
    }
    return build_request(stack.settings, training_prompt(), STEP, values)


def _block(value: Any) -> str:
    return fence(json.dumps(value, ensure_ascii=False, indent=1))
