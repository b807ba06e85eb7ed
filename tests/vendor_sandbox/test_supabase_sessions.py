"""Sessions of the sandbox's Supabase projects: signing in and up, refreshing, who is signed in, how each is refused."""

import time
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import jwt
import psycopg
import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from draggonnb_pipelines.resources.postgres import dsn_for
from tests.sandbox_process import Sandbox
from tests.supabase_calls import auth, management, new_project, secret_key

EMAIL, PASSWORD = "thandi@kloof.example", "correct-horse"
VERIFIER = "v" * 43


class Project:
    """A project that is up, seen with its publishable key."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox
        self.ref = new_project(sandbox)
        self.secret = secret_key(sandbox, self.ref)
        keys = management(sandbox, "GET", f"/projects/{self.ref}/api-keys").json()
        self.key = next(key["api_key"] for key in keys if key["type"] == "publishable")

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> httpx.Response:
        return auth(self.sandbox, self.ref, method, path, body, key=self.key, **headers)

    def settings(self, **values: Any) -> None:
        answer = management(self.sandbox, "PATCH", f"/projects/{self.ref}/config/auth", values)
        assert answer.status_code == 200, answer.text

    def add(self, **change: Any) -> str:
        person = {"email": EMAIL, "password": PASSWORD, "email_confirm": True, **change}
        return auth(self.sandbox, self.ref, "POST", "/admin/users", person, key=self.secret).json()["id"]

    def sign_in(self, **change: str) -> httpx.Response:
        return self.ask("POST", "/token?grant_type=password", {"email": EMAIL, "password": PASSWORD, **change})

    def refresh(self, token: str) -> httpx.Response:
        return self.ask("POST", "/token?grant_type=refresh_token", {"refresh_token": token})

    def user(self, token: str) -> httpx.Response:
        return self.ask("GET", "/user", authorization=f"Bearer {token}")

    def mails(self) -> list[dict[str, Any]]:
        return self.sandbox.public("supabase_mail")


@pytest.fixture
def project(supabase_sandbox: Sandbox) -> Project:
    return Project(supabase_sandbox)


def refusal(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["error_code"]


def test_a_password_opens_a_session_whose_token_anybody_can_check(project: Project):
    user_id = project.add()

    session = project.sign_in(email=EMAIL.upper()).json()

    keys = jwt.PyJWKSet.from_dict(project.ask("GET", "/.well-known/jwks.json", apikey="").json())
    header = jwt.get_unverified_header(session["access_token"])
    claims = jwt.decode(session["access_token"], keys[header["kid"]], audience="authenticated")
    assert (header["alg"], claims["sub"], claims["role"], claims["email"]) == ("ES256", user_id, "authenticated", EMAIL)
    assert claims["iss"] == f"{project.sandbox.url}/supabase/projects/{project.ref}/auth/v1"
    assert claims["exp"] - claims["iat"] == session["expires_in"] == 3600
    assert abs(session["expires_at"] - time.time() - 3600) < 30
    assert (session["token_type"], session["user"]["id"]) == ("bearer", user_id)
    assert project.user(session["access_token"]).json()["email"] == EMAIL


def test_who_may_not_come_in_opens_no_session(project: Project, postgres_dsn: str):
    project.add()
    project.add(email="unconfirmed@kloof.example", email_confirm=False)
    banned = project.add(email="banned@kloof.example")
    auth(
        project.sandbox, project.ref, "PUT", f"/admin/users/{banned}", {"ban_duration": "24h"}, key=project.secret
    ).raise_for_status()

    answers = [
        project.sign_in(password="wrong"),
        project.sign_in(email="nobody@kloof.example"),
        project.sign_in(email="unconfirmed@kloof.example"),
        project.sign_in(email="banned@kloof.example"),
        project.ask("POST", "/token?grant_type=id_token", {}),
    ]

    assert [refusal(answer) for answer in answers] == [
        (400, "invalid_credentials"),
        (400, "invalid_credentials"),
        (400, "email_not_confirmed"),
        (400, "user_banned"),
        (400, "invalid_credentials"),
    ]
    with psycopg.connect(dsn_for(postgres_dsn, f"supabase_{project.ref}")) as conn:
        assert conn.execute("select count(*) from auth.sessions").fetchone() == (0,)


def test_a_refresh_token_is_good_once_and_its_reuse_ends_the_session(project: Project, postgres_dsn: str):
    project.add()
    first = project.sign_in().json()

    second = project.refresh(first["refresh_token"]).json()
    second_tab = project.refresh(first["refresh_token"])
    with psycopg.connect(dsn_for(postgres_dsn, f"supabase_{project.ref}")) as conn:
        conn.execute("update auth.refresh_tokens set updated_at = now() - interval '11 seconds' where revoked")
    thief = project.refresh(first["refresh_token"])
    owner = project.refresh(second["refresh_token"])

    assert second["refresh_token"] != first["refresh_token"]
    assert second_tab.status_code == 200
    assert refusal(thief) == (400, "refresh_token_already_used")
    assert refusal(owner) == (400, "refresh_token_not_found")
    assert refusal(project.user(second["access_token"])) == (403, "session_not_found")


def test_signing_out_ends_the_sessions_that_its_scope_names(project: Project):
    project.add()
    here, there, elsewhere = (project.sign_in().json()["access_token"] for _ in range(3))

    local = project.ask("POST", "/logout?scope=local", authorization=f"Bearer {here}")
    after_local = [project.user(token).status_code for token in (here, there, elsewhere)]
    project.ask("POST", "/logout?scope=others", authorization=f"Bearer {there}")
    after_others = [project.user(token).status_code for token in (there, elsewhere)]

    assert (local.status_code, local.content) == (204, b"")
    assert (after_local, after_others) == ([403, 200, 200], [200, 403])


def test_a_token_that_is_not_ours_or_is_over_is_nobody(project: Project):
    project.add()
    token = project.sign_in().json()["access_token"]
    forged = jwt.encode(jwt.decode(token, options={"verify_signature": False}), "s" * 32, algorithm="HS256")
    project.settings(jwt_exp=-5)
    expired = project.sign_in().json()["access_token"]

    assert [refusal(project.user(bad)) for bad in (forged, expired, "nonsense")] == [(403, "bad_jwt")] * 3
    assert refusal(project.ask("GET", "/user", authorization="")) == (401, "no_authorization")


def test_people_change_their_password_and_their_own_details(project: Project):
    project.add(user_metadata={"city": "Paarl"})
    bearer = f"Bearer {project.sign_in().json()['access_token']}"

    changed = project.ask("PUT", "/user", {"password": "battery-staple", "data": {"name": "T"}}, authorization=bearer)
    same = project.ask("PUT", "/user", {"password": "battery-staple"}, authorization=bearer)
    short = project.ask("PUT", "/user", {"password": "short"}, authorization=bearer)

    assert changed.json()["user_metadata"] == {"city": "Paarl", "name": "T"}
    assert [refusal(same), refusal(short)] == [(422, "same_password"), (422, "weak_password")]
    assert refusal(project.sign_in()) == (400, "invalid_credentials")
    assert project.sign_in(password="battery-staple").status_code == 200


def test_signing_up_waits_for_the_address_and_says_nothing_of_who_is_there(project: Project):
    project.settings(smtp_host="smtp.kloof.example")
    wanted = {"email": EMAIL, "password": PASSWORD, "data": {"full_name": "Thandi"}}

    made = project.ask("POST", "/signup", wanted).json()
    early = project.sign_in()
    httpx.get(project.mails()[0]["link"])
    late = project.sign_in()
    again = project.ask("POST", "/signup", wanted)

    assert (made["email"], made["user_metadata"], "access_token" in made) == (EMAIL, {"full_name": "Thandi"}, False)
    assert refusal(early) == (400, "email_not_confirmed")
    assert late.status_code == 200
    assert (again.status_code, again.json()["identities"], again.json()["id"] == made["id"]) == (200, [], False)
    assert [mail["type"] for mail in project.mails()] == ["signup"]


def test_signing_up_follows_the_projects_settings(project: Project):
    wanted = {"email": EMAIL, "password": PASSWORD}

    no_mailer = project.ask("POST", "/signup", wanted)
    project.settings(mailer_autoconfirm=True)
    at_once = project.ask("POST", "/signup", wanted)
    taken = project.ask("POST", "/signup", wanted)
    project.settings(disable_signup=True)
    closed = project.ask("POST", "/signup", wanted | {"email": "other@kloof.example"})

    assert refusal(no_mailer) == (400, "email_address_not_authorized")
    assert project.user(at_once.json()["access_token"]).json()["email"] == EMAIL
    assert [refusal(taken), refusal(closed)] == [(422, "user_already_exists"), (422, "signup_disabled")]


def test_a_code_by_mail_signs_in_once(project: Project):
    project.settings(smtp_host="smtp.kloof.example")
    project.add()
    project.ask("POST", "/otp", {"email": EMAIL, "create_user": False})
    proof = {"type": "email", "email": EMAIL, "token": project.mails()[0]["code"]}

    wrong = project.ask("POST", "/verify", proof | {"token": "000000x"})
    right = project.ask("POST", "/verify", proof)
    again = project.ask("POST", "/verify", proof)

    assert project.user(right.json()["access_token"]).json()["email"] == EMAIL
    assert [refusal(wrong), refusal(again)] == [(403, "otp_expired")] * 2


def test_strangers_get_no_mail(project: Project):
    project.settings(smtp_host="smtp.kloof.example")

    otp = project.ask("POST", "/otp", {"email": EMAIL, "create_user": False})
    recover = project.ask("POST", "/recover", {"email": EMAIL})
    resend = project.ask("POST", "/resend", {"type": "signup", "email": EMAIL})

    assert refusal(otp) == (422, "otp_disabled")
    assert [(answer.status_code, answer.json()) for answer in (recover, resend)] == [(200, {})] * 2
    assert project.mails() == []


def test_a_link_of_the_pkce_flow_is_worth_nothing_without_the_verifier(project: Project):
    project.settings(smtp_host="smtp.kloof.example", site_url="https://kloof.example")
    project.add()
    body = {"email": EMAIL, "code_challenge": VERIFIER, "code_challenge_method": "plain"}
    project.ask("POST", "/recover?redirect_to=https://kloof.example/new?from=mail", body)

    opened = httpx.get(project.mails()[0]["link"])
    target = urlsplit(opened.headers["location"])
    [code] = parse_qs(target.query)["code"]
    wrong = project.ask("POST", "/token?grant_type=pkce", {"auth_code": code, "code_verifier": "w" * 43})
    right = project.ask("POST", "/token?grant_type=pkce", {"auth_code": code, "code_verifier": VERIFIER})
    again = project.ask("POST", "/token?grant_type=pkce", {"auth_code": code, "code_verifier": VERIFIER})

    assert (target.netloc, parse_qs(target.query)["from"], target.fragment) == ("kloof.example", ["mail"], "")
    assert refusal(wrong) == (400, "bad_code_verifier")
    assert project.user(right.json()["access_token"]).json()["email"] == EMAIL
    assert refusal(again) == (404, "flow_state_not_found")


def test_a_link_without_a_challenge_carries_a_session_that_works(project: Project):
    project.add()
    link = auth(
        project.sandbox,
        project.ref,
        "POST",
        "/admin/generate_link",
        {"type": "recovery", "email": EMAIL},
        key=project.secret,
    )

    opened = httpx.get(link.json()["action_link"])

    session = parse_qs(urlsplit(opened.headers["location"]).fragment)
    assert project.user(session["access_token"][0]).json()["email"] == EMAIL
    assert project.refresh(session["refresh_token"][0]).status_code == 200


def test_the_data_api_says_so_where_no_postgrest_was_named(project: Project):
    answer = httpx.get(
        f"{project.sandbox.url}/supabase/projects/{project.ref}/rest/v1/users", headers={"apikey": project.key}
    )

    assert (answer.status_code, answer.json()["message"]) == (
        503,
        "no PostgREST: name the program in VENDOR_SANDBOX_POSTGREST",
    )


def test_realtime_is_refused_and_nothing_breaks(project: Project):
    url = f"ws://127.0.0.1:{project.sandbox.port}/supabase/projects/{project.ref}/realtime/v1/websocket"
    with pytest.raises(InvalidStatus) as refused, connect(url):
        pass

    assert refused.value.response.status_code == 403
    assert project.ask("GET", "/health").status_code == 200
