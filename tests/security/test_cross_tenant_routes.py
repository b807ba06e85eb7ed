"""Every route of the API, tried by one client for what is another's: with its own credentials, and with links of its
own making. A route that `ATTEMPTS` does not name fails, and so does a name without a route.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from fastapi.routing import iter_route_contexts
from pydantic import SecretStr

from draggonnb_pipelines.api.app import create_app
from draggonnb_pipelines.resources.mail_message import message_id
from draggonnb_pipelines.settings import Settings
from tests.api.conftest import Api, ServeApi, token_of
from tests.domain.test_bounces import report
from tests.security.two_clients import TwoClients, told

MAIL_TOKEN = "token-of-the-mail-server"
LEAD = {"email": "a@rooibos.example", "message": "Tea"}
CONTENT = {"brief": "Say hello", "platforms": ["facebook"]}
MESSAGE = {"event": "stock_low", "title": "Beans", "message": "They run out."}


@dataclass(frozen=True)
class Try:
    """One request, and the status of its answer."""

    path: str
    status: int
    sent: Mapping[str, Any]


Attempt = Callable[[TwoClients], list[Try]]


def webhook(topic: str, body: dict[str, Any], *own: tuple[int, Callable[[TwoClients], dict[str, Any]]]) -> Attempt:
    """The asker's token and signature at the other's address; then at its own, what names things of the other's."""

    def tries(clients: TwoClients) -> list[Try]:
        token, raw = token_of(clients.asker), json.dumps(body).encode()
        theirs, mine = (f"/webhook/{one.slug}/{topic}" for one in (clients.other, clients.asker))
        return [
            Try(theirs, 401, {"json": body, "headers": token}),
            Try(theirs, 401, {"content": raw, "headers": clients.signature(raw)}),
            Try(mine, 202, {"content": raw, "headers": clients.signature(raw)}),
            *(Try(mine, status, {"json": body | more(clients), "headers": token}) for status, more in own),
        ]

    return tries


def links(kind: str, path: str, status: int = 404, **form: str) -> Attempt:
    """Each forged link."""
    return lambda clients: [
        Try(path.format(token), status, {"data": form} if form else {}) for token in clients.forged[kind]
    ]


def claims_to_be_the_other(clients: TwoClients) -> dict[str, Any]:
    return {"organization_id": str(clients.other.id)}


def bounces(clients: TwoClients) -> list[Try]:
    """With the asker's webhook token; then as the mail server, about a mail of the other's under the asker's name."""
    about = message_id("lead:2", "owner@kloof.example", f"{clients.asker.slug}.draggonnb.app")
    proofs = {401: f"Bearer token-of-{clients.asker.slug}", 200: f"Bearer {MAIL_TOKEN}"}
    body = report(about=about, recipient="owner@kloof.example")
    return [
        Try("/webhooks/mail/bounces", status, {"content": body, "headers": {"authorization": proof}})
        for status, proof in proofs.items()
    ]


def statuses(clients: TwoClients) -> list[Try]:
    """The asker signs with what it has in the place of Meta."""
    body = b'{"entry": [{"changes": [{"field": "messages", "value": {"statuses": []}}]}]}'
    signature = clients.signature(body)["x-draggonnb-signature"].rpartition("=")[2]
    headers = [{"x-hub-signature-256": f"sha256={signature}"}, clients.signature(body), token_of(clients.asker)]
    return [Try("/webhooks/whatsapp", 401, {"content": body, "headers": one}) for one in headers]


def payfast_notice(clients: TwoClients) -> list[Try]:
    """Kept as it came, and believed by nobody: what a notice changes is decided after four checks."""
    form = {"m_payment_id": "DRG-other", "pf_payment_id": "1", "payment_status": "COMPLETE", "signature": "0" * 32}
    return [Try("/webhooks/payfast", 200, {"data": form})]


def usage(clients: TwoClients) -> list[Try]:
    path, headers = f"/api/usage-metrics?organization={clients.other.slug}", token_of(clients.asker)
    return [Try(path, 401, {"headers": headers}), Try(path, 401, {"headers": clients.signature(b"")})]


NOTHING_OF_A_TENANT = "it holds nothing of a tenant"
ATTEMPTS: dict[str, Attempt | str] = {
    "POST /webhook/{slug}/leads": webhook("leads", LEAD, (422, claims_to_be_the_other)),
    "POST /webhook/{slug}/generate-content": webhook("generate-content", CONTENT, (422, claims_to_be_the_other)),
    "POST /webhook/{slug}/analytics": webhook("analytics", {}, (422, claims_to_be_the_other)),
    "POST /webhook/{slug}/notifications": webhook(
        "notifications",
        MESSAGE | {"to": {"roles": ["owner"]}},
        (422, claims_to_be_the_other),
        # Taken, since the run looks whom the organization has; it finds nobody (tests/workflows/messages).
        (202, lambda clients: {"to": {"contacts": [str(clients.ids["contact"])], "emails": ["owner@kloof.example"]}}),
    ),
    "GET /docs": NOTHING_OF_A_TENANT,
    "GET /openapi.json": NOTHING_OF_A_TENANT,
    "GET /api/health": NOTHING_OF_A_TENANT,
    "GET /metrics": NOTHING_OF_A_TENANT,
    "GET /webhooks/whatsapp": "Meta's question whether the address is ours; it holds nothing of a tenant",
    "POST /webhooks/whatsapp": statuses,
    "POST /webhooks/payfast": payfast_notice,
    "POST /webhooks/mail/bounces": bounces,
    "GET /api/usage-metrics": usage,
    "GET /proposals/{token}": links("proposal", "/proposals/{}"),
    "POST /proposals/{token}/accept": links(
        "proposal", "/proposals/{}/accept", name="The asker", email="a@rooibos.example", agree="yes"
    ),
    "GET /proposals/{token}/plans": links("proposal", "/proposals/{}/plans"),
    "POST /proposals/{token}/plans": links("proposal", "/proposals/{}/plans", plan="starter", terms="0"),
    "GET /checkouts/{token}": links("checkout", "/checkouts/{}"),
    "GET /checkouts/{token}/thanks": links("checkout", "/checkouts/{}/thanks"),
    "GET /checkouts/{token}/cancelled": links("checkout", "/checkouts/{}/cancelled"),
    "GET /invoices/{token}": links("invoice", "/invoices/{}"),
    "GET /reviews/{token}": links("review", "/reviews/{}"),
    "POST /reviews/{token}": links("review", "/reviews/{}", decision="approve"),
    "GET /reports/{token}": links("report", "/reports/{}"),
    "GET /reports/{token}/{name}": links("report", "/reports/{}/week.pdf"),
    "GET /alerts/{token}": links("alert", "/alerts/{}"),
    "POST /alerts/{token}": links("alert", "/alerts/{}"),
    "GET /unsubscribe/{token}": links("mail", "/unsubscribe/{}"),
    "POST /unsubscribe/{token}": links("mail", "/unsubscribe/{}"),
}
# Pages that the other's own links open: else a 404 of the forged ones would say nothing.
OWN = ("proposals", "proposal"), ("checkouts", "checkout"), ("invoices", "invoice"), ("reviews", "review")
OWN += ("reports", "report"), ("alerts", "alert"), ("unsubscribe", "mail")


def routes_of(settings: Settings) -> list[str]:
    """`METHOD /path` of each; HEAD goes with GET."""
    contexts = iter_route_contexts(create_app(settings).routes)
    found = {f"{method} {route.path}" for route in contexts for method in route.methods or ("OTHER",)}
    return sorted({route.replace("HEAD ", "GET ") for route in found})


@pytest.fixture
def api(serve_api: ServeApi) -> Iterator[Api]:
    with serve_api(mail_bounce_token=SecretStr(MAIL_TOKEN), api_rate_per_minute=1000) as running:
        yield running


def test_every_route_has_its_attempt_or_the_reason_why_there_is_none(api_settings: Settings) -> None:
    assert routes_of(api_settings) == sorted(ATTEMPTS)


async def test_no_route_gives_or_changes_anything_of_another_client(api: Api, clients: TwoClients) -> None:
    before = clients.everything_of_the_other()
    answers: list[tuple[str, int, int, list[str]]] = []

    async with httpx.AsyncClient(base_url=api.url, timeout=20) as http:
        for route, attempt in ATTEMPTS.items():
            method, _, path = route.partition(" ")
            status = 403 if path == "/webhooks/whatsapp" else 200
            for one in [Try(path, status, {})] if isinstance(attempt, str) else attempt(clients):
                answer = await http.request(method, one.path, **one.sent)
                given = told(answer.text + str(answer.headers), clients, str(answer.request.url))
                answers.append((f"{method} {one.path}", one.status, answer.status_code, given))

    assert [one for one in answers if one[1] != one[2] or one[3]] == []
    assert len(answers) > 60
    assert clients.everything_of_the_other() == before
    assert len(before) > 50


async def test_the_others_own_links_open_what_the_forged_ones_do_not(api: Api, clients: TwoClients) -> None:
    async with httpx.AsyncClient(base_url=api.url, timeout=20) as http:
        opened = {kind: (await http.get(f"/{page}/{clients.links[kind]}")).status_code for page, kind in OWN}

    assert opened == dict.fromkeys(clients.links, 200)
