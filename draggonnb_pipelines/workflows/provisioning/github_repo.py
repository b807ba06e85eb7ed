"""Provisioning, the client's repository: made from the template, configured by one commit, with what its Actions need.

Lives here: making or finding the repository, its mark, the configuration's commit, secrets and variables. Not here:
what the configuration holds (`domain/client_config.py`), GitHub's answers (`resources/github.py`).

The rows: the repository under its name, `configuration` (the commit), `actions` (secrets and variables).
"""

from hashlib import sha256

from draggonnb_pipelines.domain.client_config import CONFIG_PATH, client_config
from draggonnb_pipelines.domain.provisioning import Resource, project_name, repo_name
from draggonnb_pipelines.errors import ErrorClass, NeedsReview, VendorError
from draggonnb_pipelines.resources.github_wire import VENDOR, Repository
from draggonnb_pipelines.workflows.provisioning.stack_ledger import Ledger, Made, NameTaken
from draggonnb_pipelines.workflows.provisioning.stack_steps import app_access, digest, earlier, wait

STEP = "github_repo"
CONFIGURATION = "configuration"
ACTIONS = "actions"
TOPIC = "draggonnb-client"


async def github_repo(ledger: Ledger) -> Resource:
    """The client's private repository, configured; its row.

    1. the rows of intent  2. the repository, with our mark in its description and topics  3. the configuration, one
    commit as soon as the copy of the template has arrived  4. secrets and variables of its Actions

    Raises:
        NameTaken: there is a repository of that name without our mark, or of another template.
        NeedsReview: it is ours and archived.
        NotYet: the copy has not arrived, or an earlier call may still make the repository.
        VendorError: sorted.
    """
    settings = ledger.stack.settings
    planned = await ledger.plan(
        STEP, VENDOR, repo_name(ledger.client.slug), details={"template": settings.github_template}
    )
    configuration = await ledger.plan(STEP, VENDOR, CONFIGURATION)
    actions = await ledger.plan(STEP, VENDOR, ACTIONS)
    repo = await _repository(ledger, planned)
    await _configure(ledger, repo, configuration)
    await _equip(ledger, repo, actions)
    return repo


def carries_mark(repo: Repository, mark: str, template: str | None) -> bool:
    """Whether a repository of which only the name is known is the client's. GitHub's names have no case."""
    is_copy = template is None or (repo.template or "").lower() == template.lower()
    return is_copy and mark in {*repo.topics, *(repo.description or "").split()}


def repository_path(repo: Resource) -> tuple[str, str]:
    """Owner and name as they are now: somebody may have renamed it."""
    owner, _, name = repo.details["full_name"].partition("/")
    return owner, name


async def _repository(ledger: Ledger, planned: Resource) -> Resource:
    github, owner, mark = ledger.stack.github, ledger.stack.settings.github_owner, ledger.client.mark
    # As planned, not as set now: a client keeps the template that it was made from.
    template: str = planned.details["template"]

    async def find(resource: Resource) -> Made | None:
        repo = await github.repo(owner, resource.name)
        if repo is None:
            return None
        if str(repo.id) != resource.vendor_id and not carries_mark(repo, mark, template):
            if repo.full_name.lower() != f"{owner}/{resource.name}".lower():
                return None  # a stranger's that was renamed: GitHub only still leads there from its old name
            raise NameTaken(VENDOR, repo.full_name, f"it does not carry {mark} or is not made from {template}")
        if repo.is_archived:
            raise NeedsReview(f"github: {repo.full_name} is this client's and archived: unarchive it at {repo.url}")
        return await marked(repo)

    async def make(resource: Resource) -> Made:
        # The mark goes with the call itself: a repository whose answer is lost is known by it.
        description = f"App of a DraggonnB client {mark}"
        return await marked(await github.create_from_template(template, owner, resource.name, description=description))

    async def marked(repo: Repository) -> Made:
        if not repo.topics >= {TOPIC, mark}:
            there, _, name = repo.full_name.partition("/")
            await github.set_topics(there, name, {*repo.topics, TOPIC, mark})
        return Made(str(repo.id), repo.url, {"full_name": repo.full_name, "branch": repo.default_branch})

    return await ledger.ensure(planned, find=find, make=make)


async def _configure(ledger: Ledger, repo: Resource, planned: Resource) -> None:
    """One commit, and another one only when what we would write changes: what people change there since is theirs."""
    github, (owner, name), branch = ledger.stack.github, repository_path(repo), repo.details["branch"]
    content = client_config(ledger.client.organization).encode()
    details = {"repository_id": repo.vendor_id, "sha256": sha256(content).hexdigest()}
    if planned.is_ready and details.items() <= planned.details.items():
        return
    if await github.branch(owner, name, branch) is None:
        stuck = f"{repo.url} is still without its branch {branch}: is the template {repo.details['template']} empty?"
        wait(ledger, repo, f"GitHub copies the template to {name}", then=VendorError(VENDOR, ErrorClass.RETRY, stuck))

    async def put(resource: Resource) -> Made:
        message = f"Configure {ledger.client.slug}"
        sha = await github.commit_files(owner, name, branch, {CONFIG_PATH: content}, message)
        return Made(sha, f"{repo.url}/commit/{sha}", details)

    await ledger.put(planned, put)


async def _equip(ledger: Ledger, repo: Resource, planned: Resource) -> None:
    """Secrets and variables of the repository's Actions; only what is not there as it should be is sent.

    A secret can never be read back and its box is random, so the row keeps a digest of each value, sealed.
    """
    github, (owner, name) = ledger.stack.github, repository_path(repo)
    project = await earlier(ledger, "supabase_project", project_name(ledger.client.slug))
    access = await app_access(ledger)
    secrets = {"SUPABASE_DB_PASSWORD": project.secrets["db_pass"], "SUPABASE_SECRET_KEY": access.secret_key}
    variables = {**access.public, "SUPABASE_PROJECT_REF": access.ref}
    is_known = planned.is_ready and planned.details.get("repository_id") == repo.vendor_id
    digests = {key: digest(value) for key, value in secrets.items()}
    stale = {key for key in digests if not is_known or planned.secrets.get(key) != digests[key]}
    changed = {
        key: value for key, value in variables.items() if not is_known or planned.details["variables"].get(key) != value
    }
    if not stale and not changed:
        return

    async def put(resource: Resource) -> Made:
        for key in sorted(stale):
            await github.put_secret(owner, name, key, secrets[key])
        for key, value in changed.items():
            await github.put_variable(owner, name, key, value)
        details = {"repository_id": repo.vendor_id, "secrets": sorted(secrets), "variables": variables}
        return Made(f"{repo.vendor_id}/{ACTIONS}", f"{repo.url}/settings/secrets/actions", details, digests)

    await ledger.put(planned, put)
