"""What strangers get of a client's app: their words are shown as words, and forged sessions show nothing."""

import base64
import json
import time
from typing import Any
from urllib.parse import unquote

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from tests.client.app.stage import OWNER, Stage

ATTACK = "<img src=x onerror=window.wasHere=1><script>window.wasHere=1</script>"
PLANTED = """
with c as (insert into contacts (name, company) values (%s, %s) returning id),
l as (insert into leads (contact_id, source, company_name, website, message, received_at)
      select id, 'web', %s, 'javascript:window.wasHere=1', %s, now() from c returning id, contact_id),
d as (insert into deals (contact_id, lead_id, title) select contact_id, id, %s from l),
p as (insert into social_posts (title, content, variants, platform_ids, status, scheduled_for)
      values (%s, %s, jsonb_build_object('facebook', jsonb_build_object('text', %s::text)), '{facebook}', 'in_review',
              now() + interval '1 day'))
select id from l
"""
OF_THE_ORGANIZATION = ("contacts", "leads", "social_posts", "users", "invoices")


def test_what_strangers_write_is_words_on_every_page_and_never_runs(stage: Stage):
    owner = stage.owner()
    [lead] = stage.system.tenant(stage.slug, PLANTED, *[ATTACK] * 8)

    for path in ("/leads", f"/leads/{lead['id']}", "/leads/deals", "/approvals", "/calendar", "/dashboard"):
        owner.goto(path)
        owner.get_by_text("<img src=x", exact=False).first.wait_for()
        owner.wait_for_timeout(300)

        assert owner.evaluate("window.wasHere ?? null") is None, path
        assert owner.locator("img[src=x]").count() == 0, path
        assert owner.locator("a[href^='javascript:' i]").count() == 0, path


@pytest.mark.parametrize("kind", ["changed", "unsigned", "by another key", "expired"])
def test_a_session_that_auth_did_not_give_sees_nothing(stage: Stage, kind: str):
    page = stage.owner()
    [cookie] = [one for one in page.context.cookies() if "auth-token" in one.get("name", "")]
    session = json.loads(base64.urlsafe_b64decode(unquote(cookie["value"]).removeprefix("base64-") + "=="))  # pyright: ignore
    token = _forged(session["access_token"], kind)
    forged = json.dumps(session | {"access_token": token, "refresh_token": "guessed", "expires_at": time.time() + 3600})
    cookie["value"] = "base64-" + base64.urlsafe_b64encode(forged.encode()).decode().rstrip("=")  # pyright: ignore

    stranger = stage.page()
    stranger.context.add_cookies([cookie])  # pyright: ignore[reportArgumentType]
    for path in ("/dashboard", "/leads", "/settings/team"):
        stranger.goto(path)
        assert stranger.url.startswith(f"{stage.url}/login"), path
        assert OWNER not in stranger.content(), path
    asked = stranger.evaluate("fetch('/api/usage-metrics').then((answer) => answer.status)")

    assert asked == 401
    key = stage.deployment.variables["NEXT_PUBLIC_SUPABASE_PUBLISHABLE_KEY"]
    headers = {"apikey": key, "authorization": f"Bearer {token}"}
    answers = [httpx.get(f"{stage.supabase_url}/rest/v1/{name}", headers=headers) for name in OF_THE_ORGANIZATION]
    assert [answer.status_code for answer in answers] == [401] * len(OF_THE_ORGANIZATION)


def _forged(token: str, kind: str) -> str:
    """A token as Auth gives it, but for one thing."""
    header, payload, signature = token.split(".")
    claims: dict[str, Any] = jwt.decode(token, options={"verify_signature": False})
    if kind == "changed":
        return f"{header}.{_part(claims | {'role': 'service_role'})}.{signature}"
    if kind == "unsigned":
        return f"{_part({'alg': 'none', 'typ': 'JWT'})}.{payload}."
    if kind == "expired":
        claims |= {"iat": int(time.time()) - 7200, "exp": int(time.time()) - 3600}
    key = ec.generate_private_key(ec.SECP256R1())
    return jwt.encode(claims, key, algorithm="ES256", headers={"kid": jwt.get_unverified_header(token)["kid"]})


def _part(content: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(content).encode()).decode().rstrip("=")
