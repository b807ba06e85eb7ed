"""The Auth of the sandbox's Supabase projects: people in the project's own tables, keys, links, and how it refuses."""

import uuid
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import psycopg
import pytest

from draggonnb_pipelines.resources.postgres import dsn_for
from tests.sandbox_process import Sandbox
from tests.supabase_calls import auth, management, new_project, secret_key, wait_for

ID = uuid.UUID("11111111-1111-5111-8111-111111111111")
OWNER = "owner@kloof.example"


class Project:
    """A project that is up, with a secret key of it."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox
        self.ref = new_project(sandbox)
        self.key = secret_key(sandbox, self.ref)

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> httpx.Response:
        return auth(self.sandbox, self.ref, method, path, body, **{"key": self.key, **headers})

    def settings(self, **values: Any) -> None:
        answer = management(self.sandbox, "PATCH", f"/projects/{self.ref}/config/auth", values)
        assert answer.status_code == 200, answer.text


@pytest.fixture
def project(supabase_sandbox: Sandbox) -> Project:
    return Project(supabase_sandbox)


def new_owner(project: Project, **change: Any) -> httpx.Response:
    return project.ask("POST", "/admin/users", {"id": str(ID), "email": OWNER, "email_confirm": True, **change})


def after_hash(answer: httpx.Response) -> tuple[str, dict[str, str]]:
    """Where a link leads to, and what stands behind its #."""
    target, _, fragment = answer.headers["location"].partition("#")
    return target, {name: values[0] for name, values in parse_qs(fragment).items()}


def test_a_person_is_made_under_a_chosen_id_in_the_projects_own_table(project: Project, postgres_dsn: str):
    made = new_owner(project, email="Owner@Kloof.example", user_metadata={"full_name": "Owner"})

    body = made.json()
    assert (made.status_code, body["id"], body["email"]) == (200, str(ID), OWNER)
    assert body["app_metadata"] == {"provider": "email", "providers": ["email"]}
    assert body["identities"][0]["identity_data"]["sub"] == str(ID)
    assert body["email_confirmed_at"]
    assert not {"encrypted_password", "confirmation_token", "recovery_token"} & set(body)
    with psycopg.connect(dsn_for(postgres_dsn, f"supabase_{project.ref}")) as conn:
        rows = conn.execute("select u.id, u.email, i.email from auth.users u join auth.identities i on true").fetchall()
    assert rows == [(ID, OWNER, OWNER)]


def test_an_address_or_an_id_is_there_once(project: Project):
    new_owner(project)

    same_address = new_owner(project, id=str(uuid.uuid4()))
    same_id = new_owner(project, email="other@kloof.example")

    assert same_address.status_code == 422
    assert same_address.headers["x-sb-error-code"] == "email_exists"
    assert (same_address.json()["code"], same_address.json()["error_code"]) == (422, "email_exists")
    assert (same_id.status_code, same_id.json()["error_code"]) == (500, "unexpected_failure")
    assert len(project.ask("GET", "/admin/users").json()["users"]) == 1


def test_the_newer_version_of_the_api_words_errors_otherwise(project: Project):
    new_owner(project)

    answer = project.ask("POST", "/admin/users", {"email": OWNER}, x_supabase_api_version="2024-01-01")

    assert answer.json()["code"] == "email_exists"
    assert set(answer.json()) == {"code", "message"}
    assert answer.headers["x-supabase-api-version"] == "2024-01-01"


def test_people_are_listed_in_pages_and_by_parts_of_their_address(project: Project):
    for name in ("ann", "ben", "joanne"):
        project.ask("POST", "/admin/users", {"email": f"{name}@kloof.example"})

    page = project.ask("GET", "/admin/users?page=2&per_page=2")
    filtered = project.ask("GET", "/admin/users?filter=ann").json()["users"]

    assert [user["email"] for user in page.json()["users"]] == ["ann@kloof.example"]
    assert page.headers["x-total-count"] == "3"
    assert (
        page.headers["link"] == f'</supabase/projects/{project.ref}/auth/v1/admin/users?per_page=2&page=2>; rel="last"'
    )
    assert sorted(user["email"] for user in filtered) == ["ann@kloof.example", "joanne@kloof.example"]


def test_a_person_is_changed_and_deleted(project: Project):
    new_owner(project, user_metadata={"full_name": "Owner", "city": "Durban"})

    changed = project.ask("PUT", f"/admin/users/{ID}", {"user_metadata": {"city": "Paarl"}, "ban_duration": "24h"})
    deleted = project.ask("DELETE", f"/admin/users/{ID}")
    again = project.ask("DELETE", f"/admin/users/{ID}")

    assert changed.json()["user_metadata"] == {"full_name": "Owner", "city": "Paarl"}
    assert changed.json()["banned_until"]
    assert (deleted.status_code, deleted.json()) == (200, {})
    assert (again.status_code, again.json()["error_code"]) == (404, "user_not_found")


def test_only_a_secret_key_is_an_admins(project: Project):
    keys = management(project.sandbox, "GET", f"/projects/{project.ref}/api-keys").json()
    publishable = next(key["api_key"] for key in keys if key["type"] == "publishable")

    refused = project.ask("GET", "/admin/users", key=publishable)
    wrong = project.ask("GET", "/admin/users", key="sb_secret_of_another_project")
    no_bearer = project.ask("GET", "/admin/users", authorization="")
    health = project.ask("GET", "/health", key=publishable)

    assert (refused.status_code, refused.json()["error_code"]) == (403, "not_admin")
    assert (wrong.status_code, wrong.json()["message"]) == (401, "Invalid API key")
    assert (no_bearer.status_code, no_bearer.json()["error_code"]) == (401, "no_authorization")
    assert (health.status_code, health.json()["name"]) == (200, "GoTrue")


def test_a_link_signs_in_once_and_leads_where_it_is_allowed_to(project: Project):
    project.settings(site_url="https://kloof.example", uri_allow_list="https://app.kloof.example/**")
    new_owner(project)
    wanted = {"type": "recovery", "email": OWNER, "redirect_to": "https://app.kloof.example/start"}

    link = project.ask("POST", "/admin/generate_link", wanted).json()
    first = httpx.get(link["action_link"])
    second = httpx.get(link["action_link"])

    assert link["verification_type"] == "recovery"
    assert parse_qs(urlsplit(link["action_link"]).query)["token"] == [link["hashed_token"]]
    target, session = after_hash(first)
    assert (first.status_code, target, session["type"]) == (303, "https://app.kloof.example/start", "recovery")
    assert session["access_token"]
    target, problem = after_hash(second)
    assert (target, problem["error_code"]) == ("https://app.kloof.example/start", "otp_expired")


def test_a_redirect_that_is_not_allowed_becomes_the_site(project: Project):
    project.settings(site_url="https://kloof.example")
    new_owner(project)

    link = project.ask(
        "POST", "/admin/generate_link?redirect_to=https://evil.example", {"type": "magiclink", "email": OWNER}
    )

    assert link.json()["redirect_to"] == "https://kloof.example"


def test_links_expire_and_a_new_one_ends_the_old(project: Project):
    new_owner(project)
    body = {"type": "recovery", "email": OWNER}
    old, new = (project.ask("POST", "/admin/generate_link", body).json()["action_link"] for _ in range(2))

    replaced = after_hash(httpx.get(old))[1]
    project.settings(mailer_otp_exp=0)
    late = after_hash(httpx.get(new))[1]

    assert (replaced["error_code"], late["error_code"]) == ("otp_expired", "otp_expired")


def test_links_for_strangers_differ_by_their_type(project: Project):
    new_owner(project)

    recovery = project.ask("POST", "/admin/generate_link", {"type": "recovery", "email": "new@kloof.example"})
    magic = project.ask("POST", "/admin/generate_link", {"type": "magiclink", "email": "new@kloof.example"})
    confirmed = project.ask("POST", "/admin/generate_link", {"type": "invite", "email": OWNER})

    assert (recovery.status_code, recovery.json()["error_code"]) == (404, "user_not_found")
    assert (magic.status_code, magic.json()["verification_type"]) == (200, "signup")
    assert (confirmed.status_code, confirmed.json()["error_code"]) == (422, "email_exists")


def test_an_invitation_needs_a_mailer_of_ones_own(project: Project):
    body = {"email": "new@kloof.example"}

    refused = project.ask("POST", "/invite", body)
    project.settings(smtp_host="smtp.kloof.example")
    invited = [project.ask("POST", "/invite", body) for _ in range(2)]

    assert (refused.status_code, refused.json()["error_code"]) == (400, "email_address_not_authorized")
    assert [answer.status_code for answer in invited] == [200, 200]
    mails = project.sandbox.public("supabase_mail")
    assert [mail["to"] for mail in mails] == ["new@kloof.example", "new@kloof.example"]
    assert after_hash(httpx.get(mails[1]["link"]))[1]["type"] == "invite"
    assert project.ask("POST", "/invite", body).json()["error_code"] == "email_exists"


def test_a_project_that_is_not_up_has_no_auth(project: Project):
    management(project.sandbox, "POST", f"/projects/{project.ref}/pause")
    paused = project.ask("GET", "/health")
    wait_for(project.sandbox, project.ref, "INACTIVE")
    management(project.sandbox, "DELETE", f"/projects/{project.ref}")
    gone = project.ask("GET", "/health")

    assert (paused.status_code, gone.status_code) == (540, 404)
