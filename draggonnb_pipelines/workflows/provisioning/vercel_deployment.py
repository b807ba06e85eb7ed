"""Provisioning, the client's app on its domain: built once from the repository's head, and answering.

Lives here: the domain with its proof, the production deployment, its wait and its failure. Not here: the project and
its variables (`environment.py`), Vercel's answers (`resources/vercel.py`).

The rows: the deployment under the client's host, `domain`. Later pushes are built by Vercel itself, which is linked to
the repository; a new deployment of ours follows only when the variables change, since a build holds them as they were.
"""

from draggonnb_pipelines.domain.provisioning import Resource, host_name, repo_name
from draggonnb_pipelines.errors import ErrorClass, NeedsReview, VendorError
from draggonnb_pipelines.resources.exchange import Answer
from draggonnb_pipelines.resources.vercel_wire import VENDOR, Deployment, Domain, Project
from draggonnb_pipelines.workflows.provisioning.environment import VARIABLES, linked_project
from draggonnb_pipelines.workflows.provisioning.github_repo import repository_path
from draggonnb_pipelines.workflows.provisioning.stack_ledger import Ledger, Made
from draggonnb_pipelines.workflows.provisioning.stack_steps import earlier, wait

STEP = "vercel_deployment"
DOMAIN = "domain"
# Vercel itself ends a build after 45 minutes.
BUILD_SECONDS = 3600.0
VISIT_SECONDS = 10.0
LOG_CHARACTERS = 300


async def vercel_deployment(ledger: Ledger) -> Resource:
    """The client's app, built for production and answering on its domain; the deployment's row.

    1. the rows of intent  2. the domain, verified  3. the deployment: made, built, answering

    Raises:
        NameTaken: another project has the domain, or ours is linked to another repository by now.
        NotYet: Vercel verifies, builds, or does not serve it yet; or an earlier call may still come to something.
        NeedsReview: the build failed, with its last lines; or nobody has proven the domain, with the record that does.
            Run again, it is built again.
        VendorError: sorted.
        LookupError: an earlier step is not done.
    """
    host = host_name(ledger.client.slug, ledger.stack.settings.vercel_domain)
    planned = await ledger.plan(STEP, VENDOR, host)
    domain = await ledger.plan(STEP, VENDOR, DOMAIN)
    repo = await earlier(ledger, "github_repo", repo_name(ledger.client.slug))
    known = await earlier(ledger, "environment", repo_name(ledger.client.slug))
    project = await linked_project(ledger, str(known.vendor_id), repo)
    if project is None:
        raise VendorError(VENDOR, ErrorClass.INPUT, f"project {known.name} is gone: run `environment` again")
    await _domain(ledger, project, host, domain)
    return await _deployment(ledger, project, repo, planned)


async def _domain(ledger: Ledger, project: Project, host: str, planned: Resource) -> None:
    vercel = ledger.stack.vercel

    async def find(resource: Resource) -> Made | None:
        domain = await vercel.domain(project.id, host)
        return await verified(resource, domain) if domain else None

    async def make(resource: Resource) -> Made:
        return await verified(resource, await vercel.add_domain(project.id, host))

    async def verified(resource: Resource, domain: Domain) -> Made:
        if not domain.is_verified and not await vercel.verify_domain(project.id, host):
            records = "; ".join(f"{one.type} {one.domain} = {one.value}" for one in domain.verification)
            reason = f"{host} is not verified: its DNS needs {records}"
            wait(ledger, resource, reason, then=NeedsReview(f"vercel: {reason}"))
        return Made(host, f"https://{host}", {"project_id": project.id})

    await ledger.ensure(planned, find=find, make=make)


async def _deployment(ledger: Ledger, project: Project, repo: Resource, planned: Resource) -> Resource:
    """Made once for each state of the variables; one whose build failed is not taken for it when it is run again."""
    vercel, github = ledger.stack.vercel, ledger.stack.github
    variables = await earlier(ledger, "environment", VARIABLES)
    meta = {"organization": ledger.client.mark, "environment": variables.secrets["digest"][:16]}
    wanted = {"project_id": project.id, "environment": meta["environment"]}
    if planned.is_ready and wanted.items() <= planned.details.items():
        await _check_answer(ledger, planned)
        return planned

    async def find(resource: Resource) -> Made | None:
        deployment = await _known(ledger, resource, wanted) or await vercel.find_deployment(project.id, None, meta)
        if deployment is None or deployment.id == resource.details.get("failed"):
            return None
        return await live(resource, deployment)

    async def make(resource: Resource) -> Made:
        branch = repo.details["branch"]
        head = await github.branch(*repository_path(repo), branch)
        if head is None:
            raise VendorError(VENDOR, ErrorClass.INPUT, f"{repo.url} has no branch {branch} to build")
        deployment = await vercel.create_deployment(project, head.sha, ref=branch, meta=meta)
        await ledger.note(resource, Made(deployment.id, details={**wanted, "sha": head.sha}))
        return await live(resource, deployment)

    async def live(resource: Resource, deployment: Deployment) -> Made:
        if deployment.is_failed:
            raise await _failure(ledger, resource, deployment)
        if not deployment.is_ready:
            stuck = VendorError(VENDOR, ErrorClass.RETRY, f"deployment {deployment.id} stays {deployment.state}")
            wait(ledger, resource, f"Vercel: {deployment.state.lower()}", then=stuck, seconds=BUILD_SECONDS)
        await _check_answer(ledger, resource)
        return Made(deployment.id, vercel.site(resource.name), {**wanted, "host": deployment.host})

    return await ledger.ensure(planned, find=find, make=make)


async def _known(ledger: Ledger, resource: Resource, wanted: dict[str, str]) -> Deployment | None:
    """The deployment that the row names, if it is of these variables: a list may lag behind."""
    is_of_these = wanted.items() <= resource.details.items() and resource.vendor_id != resource.details.get("failed")
    if resource.vendor_id is None or not is_of_these:
        return None
    try:
        return await ledger.stack.vercel.deployment(resource.vendor_id)
    except VendorError as error:
        if error.status == 404:
            return None
        raise


async def _failure(ledger: Ledger, resource: Resource, deployment: Deployment) -> NeedsReview:
    """Why it will never be ready, with the end of its build's log; noted, so that the next run builds anew."""
    await ledger.note(resource, Made(deployment.id, details={"failed": deployment.id}))
    try:
        lines = await ledger.stack.vercel.events(deployment.id)
    except VendorError as error:
        lines = [f"its log cannot be read: {error.message}"]
    end = " | ".join(lines)[-LOG_CHARACTERS:]
    return NeedsReview(f"vercel: deployment {deployment.id} is {deployment.state}: {end}")


async def _check_answer(ledger: Ledger, resource: Resource) -> None:
    """A visitor of the client's host gets a page, or is led to one.

    Raises:
        NotYet, VendorError: not so, for now or for too long.
    """
    url = ledger.stack.vercel.site(resource.name)
    try:
        await ledger.stack.door.call(
            VENDOR, "GET", url, idempotent=True, sort=_sort_page, attempts=1, read_timeout_seconds=VISIT_SECONDS
        )
    except VendorError as error:
        reason = f"{url} does not answer yet: {error.message}"
        stuck = f"{url} does not answer: {error.message}; does its DNS lead to Vercel?"
        wait(ledger, resource, reason, then=VendorError(VENDOR, ErrorClass.RETRY, stuck, status=error.status))


def _sort_page(answer: Answer) -> VendorError | None:
    if answer.status_code < 400:
        return None
    return VendorError(VENDOR, ErrorClass.RETRY, f"HTTP {answer.status_code}", status=answer.status_code)
