"""Headers that every answer carries, and cookies, of which there are none."""

import httpx
import pytest

from tests.api.conftest import ServeApi

ANSWERS = {
    "/api/health": 200,
    "/docs": 200,
    "/openapi.json": 200,
    "/nowhere": 404,
    "/proposals/nobody": 404,
    "/reviews/nobody": 404,
    "/alerts/nobody": 404,
    "/webhook/nobody/leads": 405,
    "/webhooks/whatsapp": 403,
}


@pytest.mark.parametrize("path", ANSWERS)
def test_every_answer_is_shown_in_no_frame_runs_nothing_and_sets_no_cookie(path: str, serve_api: ServeApi):
    with serve_api() as api:
        answer = httpx.get(api.url + path, trust_env=False)

    assert answer.status_code == ANSWERS[path]
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["x-frame-options"] == "DENY"
    assert answer.headers["referrer-policy"] == "no-referrer"
    policies = answer.headers.get_list("content-security-policy")
    assert len(policies) == 1
    assert policies[0].startswith("default-src 'none'; ")
    assert policies[0].endswith("frame-ancestors 'none'")
    assert "script-src" not in policies[0]
    assert "set-cookie" not in answer.headers
    assert "strict-transport-security" not in answer.headers


def test_behind_tls_browsers_are_told_to_come_by_tls_alone(serve_api: ServeApi):
    with serve_api(public_base_url="https://crm.example.com") as api:
        answers = [httpx.get(api.url + path, trust_env=False) for path in ANSWERS]

    assert [answer.headers["strict-transport-security"] for answer in answers] == ["max-age=31536000"] * len(ANSWERS)


def test_what_a_page_says_for_itself_stays(serve_api: ServeApi):
    with serve_api() as api:
        page = httpx.get(f"{api.url}/proposals/nobody", trust_env=False)

    assert "style-src 'sha256-" in page.headers["content-security-policy"]
    assert page.headers.get_list("x-content-type-options") == ["nosniff"]
