"""Provisioning, the client's environment: its project at Vercel, and the variables that its app reads.

Lives here: making or finding the project, setting its variables. Not here: domain and deployments
(`vercel_deployment.py`), Vercel's answers (`resources/vercel.py`).

The project is made here and not with the deployment: variables belong to a project, and a build reads only those that
are set before it starts. The rows: the project under its name, `variables`.
"""

import json

from draggonnb_pipelines.domain.provisioning import Resource, repo_name
from draggonnb_pipelines.resources.vercel_wire import VENDOR, Project, Variable
from draggonnb_pipelines.workflows.organizations import webhook_token
from draggonnb_pipelines.workflows.provisioning.github_repo import repository_path
from draggonnb_pipelines.workflows.provisioning.stack_ledger import Ledger, Made, NameTaken
from draggonnb_pipelines.workflows.provisioning.stack_steps import app_access, digest, earlier

STEP = "environment"
VARIABLES = "variables"


async def environment(ledger: Ledger) -> Resource:
    """The client's project at Vercel, linked to our repository, with its variables; its row.

    Raises:
        NameTaken: there is a project of that name that is linked to another repository.
        NotYet: an earlier call may still make the project.
        VendorError: sorted; CONFIG with code "github_app" where Vercel may not see the repository.
        LookupError: an earlier step is not done.
    """
    name = repo_name(ledger.client.slug)
    planned = await ledger.plan(STEP, VENDOR, name)
    variables = await ledger.plan(STEP, VENDOR, VARIABLES)
    repo = await earlier(ledger, "github_repo", name)
    project = await _project(ledger, repo, planned)
    await _set_variables(ledger, project, variables)
    return project


async def linked_project(ledger: Ledger, known: str, repo: Resource) -> Project | None:
    """The project of this name or id.

    Raises:
        NameTaken: it is linked to another repository, or to none.
    """
    project = await ledger.stack.vercel.project(known)
    if project is not None and str(project.repo_id) != repo.vendor_id:
        raise NameTaken(VENDOR, project.name, f"it is not linked to {repo.details['full_name']}")
    return project


async def _project(ledger: Ledger, repo: Resource, planned: Resource) -> Resource:
    full_name = "/".join(repository_path(repo))

    async def find(resource: Resource) -> Made | None:
        # By the id first: somebody may have renamed it.
        for known in filter(None, (resource.vendor_id, resource.name)):
            if project := await linked_project(ledger, known, repo):
                return made(project)
        return None

    async def make(resource: Resource) -> Made:
        return made(await ledger.stack.vercel.create_project(resource.name, full_name))

    def made(project: Project) -> Made:
        return Made(project.id, details={"project": project.name, "repository_id": repo.vendor_id})

    return await ledger.ensure(planned, find=find, make=make)


async def _set_variables(ledger: Ledger, project: Resource, planned: Resource) -> None:
    """All in one call, and only where one changed: most can never be read back, so the row keeps a digest of all."""
    variables = await _variables(ledger)
    state = digest(json.dumps([project.vendor_id, *(one.model_dump() for one in variables)]))
    if planned.is_ready and planned.secrets.get("digest") == state:
        return

    async def put(resource: Resource) -> Made:
        await ledger.stack.vercel.set_env(str(project.vendor_id), variables)
        names = [one.key for one in variables]
        return Made(f"{project.vendor_id}/{VARIABLES}", details={"names": names}, secrets={"digest": state})

    await ledger.put(planned, put)


async def _variables(ledger: Ledger) -> list[Variable]:
    access, client, stack = await app_access(ledger), ledger.client, ledger.stack
    webhooks = f"{stack.settings.n8n_url}/webhook/{client.slug}"
    # Derived from the client's own key, so that it is known before the entries in n8n are made.
    token = webhook_token(client.organization, stack.tenants)
    return [
        *(Variable(key=key, value=value, kind="plain") for key, value in access.public.items()),
        Variable(key="DRAGGONNB_WEBHOOK_URL", value=webhooks, kind="plain"),
        Variable(key="DRAGGONNB_WEBHOOK_TOKEN", value=token, kind="sensitive"),
        Variable(key="SUPABASE_SECRET_KEY", value=access.secret_key, kind="sensitive"),
    ]
