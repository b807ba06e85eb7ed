"""What the vendors, the mailboxes and the databases have of each client, against what they must have: each thing once.

Not here: how it came about.
"""

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import psycopg
from psycopg.rows import tuple_row

from draggonnb_pipelines.domain.provisioning import WEBHOOKS, project_name, repo_name, webhook_path
from draggonnb_pipelines.resources.postgres import dsn_for
from draggonnb_pipelines.workflows.provisioning.orphans import compare_with_vendors
from tests.stories.provisioning_points import SALES
from tests.stories.provisioning_worker import opened
from tests.stories.provisioning_world import World
from tests.supabase_calls import management

Portrait = dict[str, Any]
ROWS = """
select r.step || ' ' || r.name as name, r.state from stack_resources r join organizations o on o.id = r.organization_id
where o.slug = %(slug)s
"""
STANDING = """
select o.status, p.state, p.run_id is null as is_free, o.data_key_wrapped is not null as has_key,
       (select count(*) from kickoff_calls k where k.organization_id = o.id) as calls
from organizations o join provisionings p on p.organization_id = o.id where o.slug = %(slug)s
"""
KINDS = ("supabase", "github", "vercel", "n8n", "n8n_credential", "mail")
INSIDE = {
    "people in Auth": "select count(*) from auth.users",
    "people": "select count(*) from users where role = 'owner' and auth_user_id is not null",
    "entries": "select count(*) from n8n_webhooks where is_active",
    "calls to come": "select count(*) from activities where type = 'call'",
    "mails not sent": "select count(*) from notification_deliveries where channel = 'email' and status <> 'sent'",
}


def judge(world: World, slugs: Sequence[str], aborted: Sequence[str] = ()) -> dict[str, list[str]]:
    """What is not as it must be, by client; "" for what belongs to none. `slugs` have everything, `aborted` nothing."""
    public = {kind: world.sandbox.public(kind) for kind in KINDS}
    found = {slug: _differences(_portrait(world, slug, public), _whole(slug)) for slug in slugs}
    found |= {slug: _left(_portrait(world, slug, public), slug) for slug in aborted}
    found[""] = [*_strangers(world, slugs, public), *asyncio.run(_orphans(world))]
    return {slug: differences for slug, differences in found.items() if differences}


def _whole(slug: str) -> Portrait:
    """A client that has everything, once."""
    name, owner, host = slug.replace("-", " ").title(), f"owner@{slug}.example", f"{slug}.draggonnb.app"
    entries = sorted(webhook_path(slug, kind) for kind in WEBHOOKS)
    call = f"First call: {name} and DraggonnB"
    rows = (
        *(f"supabase_project {project_name(slug)}", f"tenant_schema {project_name(slug)}"),
        *(f"api_keys {key}" for key in ("publishable", "secret_app", "secret_n8n", "secret_agency")),
        *(f"github_repo {one}" for one in (repo_name(slug), "configuration", "actions")),
        *(f"environment {one}" for one in (repo_name(slug), "variables")),
        *(f"vercel_deployment {one}" for one in (host, "domain")),
        *(f"n8n_webhooks {path}" for path in entries),
        *("onboarding_email owner", "onboarding_email welcome_mail"),
        *("training_materials docs/training", "kickoff_call invitation"),
    )
    return {
        "projects": 1,
        "keys": ["default", "default", "publishable", "secret_agency", "secret_app", "secret_n8n"],
        "repositories": 1,
        "commits": ["Initial commit", f"Configure {slug}", f"Add the training materials of {name}"],
        "secrets and variables": 2 + 6,
        "sites": 1,
        "domains": [host],
        "deployments": ["production"],
        "entries in n8n": [(path, "answers") for path in entries],
        "credentials": 1,
        "mails": sorted(
            [
                (owner, f"Welcome: {name} is ready for you to sign in"),
                *((owner, call), (SALES, call)),
                (owner, f"{name}: your system is running"),
                (SALES, f"New client: {name} is running"),
            ]
        ),
        "standing": {"status": "active", "state": "done", "is_free": True, "calls": 1, "has_key": True},
        "rows": dict.fromkeys(sorted(rows), "ready"),
        **dict.fromkeys(INSIDE, 1),
        "entries": 3,
        "mails not sent": 0,
    }


def _left(portrait: Portrait, slug: str) -> list[str]:
    """What there is of an aborted client beyond what stays: its row with its key, mails, entries that are archived."""
    found = {
        **portrait,
        "entries in n8n": [name for name, how in portrait["entries in n8n"] if how != "archived"],
        "rows": sorted(set(portrait["rows"].values()) - {"removed"}),
        "mails": sorted(one for one, count in Counter(portrait["mails"]).items() if count > 1),
    }
    nothing = {
        **dict.fromkeys(("projects", "repositories", "secrets and variables", "sites", "credentials"), 0),
        **{name: [] for name in ("commits", "domains", "deployments", "entries in n8n", "rows", "mails")},
        "standing": {"status": "closed", "state": "aborted", "is_free": True, "calls": 0, "has_key": True},
    }
    return _differences(found, nothing)


def _portrait(world: World, slug: str, public: Mapping[str, list[dict[str, Any]]]) -> Portrait:
    """What there is of a client."""
    projects = [one for one in public["supabase"] if one["name"] == project_name(slug)]
    repos = [one for one in public["github"] if one["full_name"] == f"draggonnb/{repo_name(slug)}"]
    sites = [one for one in public["vercel"] if one["name"] == repo_name(slug)]
    name = slug.replace("-", " ").title()
    portrait = {
        "projects": len(projects),
        "repositories": len(repos),
        "commits": [message for repo in repos for message in repo["commits"]],
        "secrets and variables": sum(len(repo["secrets"]) + len(repo["variables"]) for repo in repos),
        "sites": len(sites),
        "domains": [domain for site in sites for domain in site["domains"]],
        "deployments": [one["target"] for site in sites for one in site["deployments"]],
        "entries in n8n": sorted(
            (one["name"], "archived" if one["archived"] else "answers" if one["active"] else "silent")
            for one in public["n8n"]
            if one["name"].startswith(f"{slug}/")
        ),
        "credentials": sum(one["name"] == slug for one in public["n8n_credential"]),
        "mails": sorted(
            (one["recipient"], one["subject"])
            for one in public["mail"]
            if one["recipient"] == f"owner@{slug}.example" or name in one["subject"]
        ),
        "standing": world.ask(STANDING, slug=slug)[0],
        "rows": {row["name"]: row["state"] for row in sorted(world.ask(ROWS, slug=slug), key=lambda row: row["name"])},
    }
    for project in projects[:1]:
        portrait |= _inside(world, project["ref"])
    return portrait


def _inside(world: World, ref: str) -> Portrait:
    keys = management(world.sandbox, "GET", f"/projects/{ref}/api-keys").json()
    with psycopg.connect(dsn_for(world.server_dsn, f"supabase_{ref}"), row_factory=tuple_row) as conn:
        counts = {name: conn.execute(query.encode()).fetchall()[0][0] for name, query in INSIDE.items()}
    return {"keys": sorted(key["name"] for key in keys if key["type"] != "legacy"), **counts}


def _differences(found: Portrait, whole: Portrait) -> list[str]:
    return [
        f"{name}: {found.get(name)!r}, not {wanted!r}" for name, wanted in whole.items() if found.get(name) != wanted
    ]


def _strangers(world: World, slugs: Sequence[str], public: Mapping[str, list[dict[str, Any]]]) -> list[str]:
    """What belongs to none of these clients."""
    refs, databases = {one["ref"] for one in public["supabase"]}, world.databases()
    deletions = [one["path"] for one in world.sandbox.journal("supabase") if one["method"] == "DELETE"]
    deleted = {path.rpartition("/")[2] for path in deletions}
    known = {project_name(slug) for slug in slugs}
    strange = [f"project {one['name']}" for one in public["supabase"] if one["name"] not in known]
    repos = {f"draggonnb/{repo_name(slug)}" for slug in slugs} | {"draggonnb/client-template"}
    strange += [f"repository {one['full_name']}" for one in public["github"] if one["full_name"] not in repos]
    sites = {repo_name(slug) for slug in slugs}
    strange += [f"site {one['name']}" for one in public["vercel"] if one["name"] not in sites]
    doubled = Counter(str(row["starts_at"]) for row in world.ask("select starts_at from kickoff_calls"))
    strange += [f"half hour {start} for {count} clients" for start, count in doubled.items() if count > 1]
    strange += [f"no database of project {ref}" for ref in refs - databases]
    return [*strange, *(f"a database without its project: {ref}" for ref in deleted & databases)]


async def _orphans(world: World) -> list[str]:
    async with opened(world.values) as stack:
        compared = await compare_with_vendors(stack)
    unread = [f"{vendor} could not be read: {why}" for vendor, why in compared.unread.items()]
    return [*map(str, compared.findings), *unread]
