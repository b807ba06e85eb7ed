"""How often the lead webhook lets a sender in, and what its log keeps to itself."""

import asyncio
import logging

import httpx
import pytest

from draggonnb_pipelines.domain.organizations import Organization
from tests.api.conftest import Api, ServeApi, token_of

PATH = "/webhook/draggonnb/leads"
SECRET_NAME, SECRET_MAIL = "Unmistakable-Reception", "unmistakable@kloof.example"
GOOD = {"name": SECRET_NAME, "email": SECRET_MAIL}
JSON = {"content-type": "application/json"}


async def test_too_many_requests_of_one_organization_are_429_and_another_is_served(
    serve_api: ServeApi, agency: Organization, outsider: Organization
) -> None:
    with serve_api(api_rate_per_minute=3) as api:
        async with httpx.AsyncClient(base_url=api.url) as http:
            sent = [await http.post(PATH, json=GOOD | {"n": i}, headers=token_of(agency)) for i in range(5)]
            other = await http.post("/webhook/outsider/leads", json=GOOD, headers=token_of(outsider))

        assert [answer.status_code for answer in sent] == [202, 202, 202, 429, 429]
        assert 1 <= int(sent[3].headers["retry-after"]) <= 20
        assert other.status_code == 202
        assert len(api.inbox()) == 4


async def test_a_stranger_cannot_use_up_an_organizations_rate(serve_api: ServeApi, agency: Organization) -> None:
    with serve_api(api_rate_per_minute=3) as api:
        async with httpx.AsyncClient(base_url=api.url) as http:
            strangers = [await http.post(PATH, json=GOOD) for _ in range(6)]
            own = await http.post(PATH, json=GOOD, headers=token_of(agency))

    assert {answer.status_code for answer in strangers} == {401}
    assert own.status_code == 202


async def test_a_burst_over_fifty_organizations_passes_the_default_rate(
    api: Api, http: httpx.AsyncClient, agency: Organization
) -> None:
    api.execute(
        """insert into organizations (slug, name, status, webhook_token_sha256, data_key_wrapped)
           select 'org-' || n, 'Org', 'active', sha256(convert_to('token-of-org-' || n, 'UTF8')), null
           from generate_series(1, 50) n"""
    )

    answers = await asyncio.gather(
        *(
            http.post(
                f"/webhook/org-{i % 50 + 1}/leads",
                json=GOOD,
                headers={"x-webhook-token": f"token-of-org-{i % 50 + 1}"},
            )
            for i in range(500)
        )
    )

    # Without a data key nothing can be sealed for them, which is known only after the limits were passed.
    assert {answer.status_code for answer in answers} == {403}


async def test_no_log_line_shows_a_body_a_token_or_personal_data(
    api: Api, http: httpx.AsyncClient, agency: Organization, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    api.execute("alter table inbox add constraint no_poison check (delivery_id <> 'poison')")
    headers = token_of(agency) | JSON

    await http.post(PATH, json=GOOD, headers=headers)
    await http.post(PATH, json=GOOD, headers=headers | {"x-delivery-id": "poison"})
    await http.post(PATH, json=GOOD | {"website": "x y"}, headers=headers)
    await http.post(PATH, content=b'{"email": "' + SECRET_MAIL.encode(), headers=headers)
    await http.post(f"{PATH}?email={SECRET_MAIL}", json=GOOD, headers={"x-webhook-token": "my-wrong-token"})
    await http.get("/proposals/my-proposal-token")
    await http.post("/proposals/my-proposal-token/accept", data=GOOD)

    ours = [r for r in caplog.records if not r.name.startswith(("httpx", "httpcore"))]
    lines = "\n".join(f"{record.getMessage()}\n{record.exc_text or ''}" for record in ours)
    assert "POST /webhook/draggonnb/leads 202" in lines
    assert "POST /webhook/draggonnb/leads 401" in lines
    assert "unexpected CheckViolation" in lines
    for secret in (SECRET_NAME, SECRET_MAIL, "token-of-draggonnb", "my-wrong-token", "my-proposal-token"):
        assert secret not in lines
