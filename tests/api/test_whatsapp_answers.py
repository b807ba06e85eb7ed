"""An alert is answered by a text from the phone of one of its people, and by nobody else's."""

import hashlib
import hmac
import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import httpx
import psycopg
import pytest
from psycopg.rows import DictRow, dict_row

from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.resources.postgres import dsn_for
from draggonnb_pipelines.resources.whatsapp import IncomingText, parse_texts
from tests.api.conftest import APP_SECRET, Api

PATH = "/webhooks/whatsapp"
NOW = datetime(2026, 11, 23, 8, tzinfo=UTC)
OURS, THEIRS, LOOKING, STRANGER = "27820000001", "27820000002", "27820000003", "27829999999"
TenantRows = Callable[..., list[dict[str, Any]]]


@pytest.fixture
def tenant_rows(api: Api) -> TenantRows:
    def ask(organization: Organization, query: str, *values: object) -> list[dict[str, Any]]:
        dsn = dsn_for(api.master_dsn, str(organization.database_name))
        connect = psycopg.Connection[DictRow].connect
        with connect(dsn, autocommit=True, row_factory=dict_row) as conn:
            cursor = conn.execute(query.encode(), values or None)
            return cursor.fetchall() if cursor.description else []

    return ask


@pytest.fixture
def code(api: Api, agency: Organization, outsider: Organization, tenant_rows: TenantRows) -> str:
    """Of an alert of the outsider, whose people and the agency's have phones."""
    api.clock.moment = NOW
    tenant_rows(agency, "update users set phone_e164 = %s where role = 'owner'", f"+{OURS}")
    tenant_rows(outsider, "update users set phone_e164 = %s where role = 'owner'", f"+{THEIRS}")
    tenant_rows(
        outsider, "insert into users (email, role, phone_e164) values ('v@x.example', 'viewer', %s)", f"+{LOOKING}"
    )
    query = "insert into alerts (event_key, event, subject, lines) values ('k', 'publish_failed', 's', '[]')"
    [row] = tenant_rows(outsider, f"{query} returning id")
    return str(row["id"])[:8]


def written(*texts: tuple[str | None, str]) -> dict[str, Any]:
    """Messages as Meta brings them; `from` may be missing."""
    messages = [
        {"id": "wamid.in", "type": "text", "text": {"body": body}} | ({"from": sender} if sender else {})
        for sender, body in texts
    ]
    body = json.dumps({"entry": [{"changes": [{"field": "messages", "value": {"messages": messages}}]}]}).encode()
    digest = hmac.new(APP_SECRET.encode(), body, hashlib.sha256).hexdigest()
    return {"content": body, "headers": {"x-hub-signature-256": f"sha256={digest}"}}


ANSWERED = "select acknowledged_by, acknowledged_at from alerts"
AUDIT = "select actor from audit_log where action = 'alert.acknowledged'"


async def test_a_person_of_the_organization_answers_once(
    api: Api, http: httpx.AsyncClient, outsider: Organization, code: str, tenant_rows: TenantRows
) -> None:
    answers = [await http.post(PATH, **written((THEIRS, f" Ack  outsider {code.upper()} "))) for _ in range(2)]

    assert [answer.status_code for answer in answers] == [200, 200]
    [owner] = tenant_rows(outsider, "select email from users where role = 'owner'")
    assert tenant_rows(outsider, ANSWERED) == [{"acknowledged_by": owner["email"], "acknowledged_at": NOW}]
    assert tenant_rows(outsider, AUDIT) == [{"actor": f"whatsapp:{owner['email']}"}]
    assert api.inbox() == []


async def test_the_agencys_person_answers_in_its_name_and_our_audit_knows_who(
    api: Api, http: httpx.AsyncClient, agency: Organization, outsider: Organization, code: str, tenant_rows: TenantRows
) -> None:
    assert (await http.post(PATH, **written((OURS, f"ack outsider {code}")))).status_code == 200

    [owner] = tenant_rows(agency, "select email from users where role = 'owner'")
    assert [row["acknowledged_by"] for row in tenant_rows(outsider, ANSWERED)] == ["DraggonnB"]
    assert api.rows(AUDIT) == [{"actor": f"whatsapp:{owner['email']}"}]


@pytest.mark.parametrize(
    ("sender", "text"),
    [
        (STRANGER, "ack outsider {code}"),
        (LOOKING, "ack outsider {code}"),
        (None, "ack outsider {code}"),
        ("+" + THEIRS, "ack outsider {code}"),
        (THEIRS, "ack draggonnb {code}"),
        (THEIRS, "ack nobody {code}"),
        (THEIRS, "ack outsider 0000000%"),
        (THEIRS, "ack outsider ffffffff"),
        (THEIRS, "ack outsider"),
        (THEIRS, "please ack outsider {code}"),
    ],
)
async def test_anybody_elses_and_any_other_text_answers_nothing(
    api: Api,
    http: httpx.AsyncClient,
    outsider: Organization,
    code: str,
    tenant_rows: TenantRows,
    sender: str | None,
    text: str,
) -> None:
    answer = await http.post(PATH, **written((sender, text.format(code=code))))

    assert (answer.status_code, answer.json()) == (200, {"stored": 0})
    assert tenant_rows(outsider, ANSWERED) == [{"acknowledged_by": None, "acknowledged_at": None}]
    assert api.rows(AUDIT) == []
    assert api.inbox() == []


async def test_without_metas_signature_nothing_is_answered(
    http: httpx.AsyncClient, outsider: Organization, code: str, tenant_rows: TenantRows
) -> None:
    request = written((THEIRS, f"ack outsider {code}"))

    assert (await http.post(PATH, content=request["content"])).status_code == 401

    assert tenant_rows(outsider, ANSWERED) == [{"acknowledged_by": None, "acknowledged_at": None}]


async def test_while_the_clients_database_is_away_meta_is_told_to_come_again(
    api: Api, http: httpx.AsyncClient, outsider: Organization, code: str
) -> None:
    api.execute("update organizations set database_name = 'no_such_database' where slug = 'outsider'")
    try:
        answer = await http.post(PATH, **written((THEIRS, f"ack outsider {code}")))
    finally:
        api.execute("update organizations set database_name = %s where slug = 'outsider'", outsider.database_name)

    assert (answer.status_code, "retry-after" in answer.headers) == (503, True)


@pytest.mark.parametrize(
    "message",
    [
        {},
        {"from": THEIRS},
        {"from": THEIRS, "text": "ack"},
        {"from": THEIRS, "text": {"body": 5}},
        {"from": 27820000002, "text": {"body": "ack"}},
        {"from": THEIRS, "text": {"body": "a\x00b"}},
        {"from": THEIRS, "text": {"body": "a" * 201}},
    ],
)
def test_what_is_no_short_text_is_passed_over_and_the_one_beside_it_is_read(message: dict[str, Any]) -> None:
    good = {"from": THEIRS, "text": {"body": "hello"}}

    texts = parse_texts({"entry": [{"changes": [{"value": {"messages": [message, good]}}]}]})

    assert texts == [IncomingText(f"+{THEIRS}", "hello")]
