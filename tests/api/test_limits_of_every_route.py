"""No route answers without end: each is limited by address, and none takes a body that is larger than it can use."""

import re

import httpx
import pytest
from starlette.routing import Route

from draggonnb_pipelines.api.app import create_app
from draggonnb_pipelines.settings import Settings
from tests.api.conftest import Api, ServeApi

# Answered from memory; who watches us asks often.
UNLIMITED = {"GET /api/health", "GET /metrics"}
LARGE = b"x" * (1024 * 1024)


def routes_of(settings: Settings) -> list[tuple[str, str]]:
    """Every method and address, with something in the place of each parameter: the described ones, and the plain."""
    app = create_app(settings)
    found = {(method.upper(), path) for path, methods in app.openapi()["paths"].items() for method in methods}
    for route in app.routes:
        if isinstance(route, Route):
            found |= {(method, route.path) for method in route.methods or () if method != "HEAD"}
    return sorted((method, re.sub(r"\{\w+\}", "nobody", path)) for method, path in found)


async def test_whoever_asks_too_often_is_told_when_to_come_again_on_every_route(
    serve_api: ServeApi, api_settings: Settings
) -> None:
    unlimited = []
    routes = routes_of(api_settings)

    with serve_api(api_rate_per_minute=1, trusted_proxies=["127.0.0.1"]) as api:
        async with httpx.AsyncClient(base_url=api.url) as http:
            for number, (method, path) in enumerate(routes):
                # From an address of its own, since several routes share one allowance. Meta's, n8n's and PayFast's
                # addresses bring the traffic of many clients and may ask ten times as often.
                caller = {"x-forwarded-for": f"203.0.113.{number}"}
                answers = [await http.request(method, path, headers=caller) for _ in range(12)]
                throttled = [answer for answer in answers if answer.status_code == 429]
                if throttled:
                    assert int(throttled[0].headers["retry-after"]) >= 1
                else:
                    unlimited.append(f"{method} {path}")

    assert len(routes) >= 20
    assert set(unlimited) <= UNLIMITED


async def test_a_large_body_is_refused_everywhere_and_nothing_is_stored(api: Api, api_settings: Settings) -> None:
    taken = []
    async with httpx.AsyncClient(base_url=api.url, timeout=20) as http:
        for method, path in routes_of(api_settings):
            if method == "POST":
                form = {"content-type": "application/x-www-form-urlencoded"}
                answer = await http.post(path, content=LARGE, headers=form)
                taken.append((path, answer.status_code))

    assert len(taken) >= 10
    assert [one for one in taken if not 400 <= one[1] < 500] == []
    assert {path for path, status in taken if status == 413} >= {"/webhook/nobody/leads", "/webhooks/payfast"}
    assert api.inbox() == []
    assert api.rows("select id from payments") == []


@pytest.mark.parametrize("address", ["/docs", "/openapi.json"])
async def test_the_description_of_the_api_is_served_as_often_as_pages_are(serve_api: ServeApi, address: str) -> None:
    with serve_api(api_rate_per_minute=2) as api:
        async with httpx.AsyncClient(base_url=api.url) as http:
            answers = [await http.get(address) for _ in range(3)]

    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert answers[2].headers["content-type"] == "application/problem+json"
