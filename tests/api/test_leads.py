"""The lead webhook: what comes in is stored once, sealed, and answered with its id."""

import asyncio
import hashlib
import hmac
import json
import time
import uuid

import httpx

from draggonnb_pipelines.domain.inbox import parsed_context, raw_context, webhook_secret_context
from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.domain.submissions import LeadSubmission
from draggonnb_pipelines.resources.postgres import Tenants
from draggonnb_pipelines.resources.vault import Vault
from tests.api.conftest import Api, ServeApi, token_of

LEAD = {"name": "Front Desk", "email": "Front@Kloof-Coffee.example", "phone": "082 123 4567", "message": "Hello"}


async def test_a_form_post_is_stored_sealed_and_answered_with_its_id(
    api: Api, http: httpx.AsyncClient, agency: Organization, outsider: Organization, tenants: Tenants
) -> None:
    answer = await http.post("/webhook/draggonnb/leads", json=LEAD, headers=token_of(agency))

    assert answer.status_code == 202
    (row,) = api.inbox()
    assert answer.json() == {"id": str(row["id"]), "status": "accepted", "duplicate": False}
    assert (row["organization_id"], row["topic"], row["source"]) == (agency.id, "leads", "web_form")
    assert (row["state"], row["content_type"], row["attempts"]) == ("received", "application/json", 0)
    assert b"Front" not in row["raw_sealed"] + row["parsed_sealed"]
    key = tenants.key(agency)
    assert json.loads(key.open(row["raw_sealed"], raw_context(agency.id))) == LEAD
    parsed = LeadSubmission.model_validate_json(key.open(row["parsed_sealed"], parsed_context(agency.id)))
    assert (parsed.name, parsed.email_key, parsed.phone_e164) == (
        "Front Desk",
        "front@kloof-coffee.example",
        "+27821234567",
    )


async def test_a_repeat_gets_the_first_ones_id_and_stores_nothing(
    api: Api, http: httpx.AsyncClient, agency: Organization
) -> None:
    first = await http.post("/webhook/draggonnb/leads", json=LEAD, headers=token_of(agency))

    second = await http.post("/webhook/draggonnb/leads", json=LEAD, headers=token_of(agency))

    assert second.status_code == 202
    assert second.json() == {"id": first.json()["id"], "status": "accepted", "duplicate": True}
    assert len(api.inbox()) == 1


async def test_a_delivery_id_with_another_body_keeps_the_first_and_says_so(
    api: Api, http: httpx.AsyncClient, agency: Organization
) -> None:
    headers = token_of(agency) | {"idempotency-key": "submission-7"}
    first = await http.post("/webhook/draggonnb/leads", json=LEAD, headers=headers)

    second = await http.post("/webhook/draggonnb/leads", json=LEAD | {"message": "Changed"}, headers=headers)

    assert second.json() == {"id": first.json()["id"], "status": "accepted", "duplicate": True, "changed": True}
    assert [row["delivery_id"] for row in api.inbox()] == ["submission-7"]


async def test_the_same_delivery_twenty_times_at_once_is_one_row_with_one_id(
    api: Api, http: httpx.AsyncClient, agency: Organization
) -> None:
    headers = token_of(agency) | {"x-delivery-id": "meta-1"}

    answers = await asyncio.gather(
        *(http.post("/webhook/draggonnb/leads", json=LEAD, headers=headers) for _ in range(20))
    )

    assert {answer.status_code for answer in answers} == {202}
    assert len({answer.json()["id"] for answer in answers}) == 1
    assert [answer.json()["duplicate"] for answer in answers].count(False) == 1
    assert len(api.inbox()) == 1


async def test_the_same_delivery_to_two_api_processes_at_once_is_one_row(
    serve_api: ServeApi, agency: Organization
) -> None:
    with serve_api() as one, serve_api() as two:
        async with httpx.AsyncClient(timeout=20) as http:
            sends = [
                http.post(
                    f"{api.url}/webhook/draggonnb/leads",
                    json=LEAD,
                    headers=token_of(agency) | {"x-delivery-id": f"d{i % 5}"},
                )
                for i in range(40)
                for api in (one, two)
            ]
            answers = await asyncio.gather(*sends)

        assert {answer.status_code for answer in answers} == {202}
        assert [row["delivery_id"] for row in sorted(one.inbox(), key=lambda row: row["delivery_id"])] == [
            "d0",
            "d1",
            "d2",
            "d3",
            "d4",
        ]
        assert len({answer.json()["id"] for answer in answers}) == 5


async def test_many_leads_at_once_are_all_stored_each_under_its_own_id(
    api: Api, http: httpx.AsyncClient, agency: Organization
) -> None:
    answers = await asyncio.gather(
        *(
            http.post("/webhook/draggonnb/leads", json={"email": f"n{i}@a.example"}, headers=token_of(agency))
            for i in range(200)
        )
    )

    stored = {str(row["id"]) for row in api.inbox()}
    assert len(stored) == 200
    assert {answer.json()["id"] for answer in answers} == stored


async def test_two_organizations_with_the_same_delivery_id_do_not_meet(
    api: Api, http: httpx.AsyncClient, agency: Organization, outsider: Organization, tenants: Tenants
) -> None:
    ids = [
        (
            await http.post(
                f"/webhook/{organization.slug}/leads",
                json=LEAD,
                headers=token_of(organization) | {"x-delivery-id": "same"},
            )
        ).json()["id"]
        for organization in (agency, outsider)
    ]

    assert len(set(ids)) == 2
    assert {row["organization_id"] for row in api.inbox()} == {agency.id, outsider.id}


async def test_a_meta_lead_is_keyed_by_its_lead_id(api: Api, http: httpx.AsyncClient, agency: Organization) -> None:
    lead = {
        "id": "1122334455",
        "created_time": "2026-11-23T05:00:00+0000",
        "form_id": "77",
        "field_data": [{"name": "email", "values": ["lead@meta.example"]}],
    }

    envelope = {"entry": [{"changes": [{"field": "leadgen", "value": {**lead, "leadgen_id": "1122334455"}}]}]}
    first = await http.post("/webhook/draggonnb/leads", json=lead, headers=token_of(agency))
    second = await http.post("/webhook/draggonnb/leads", json=envelope, headers=token_of(agency))

    assert first.json()["id"] == second.json()["id"]
    (row,) = api.inbox()
    assert (row["source"], row["delivery_id"]) == ("meta_lead_ads", "1122334455")


async def test_a_list_from_n8n_is_stored_lead_by_lead(api: Api, http: httpx.AsyncClient, agency: Organization) -> None:
    body = [
        {"organization_id": str(agency.id), "source": "Facebook", "lead": {"email": f"n{i}@a.example"}}
        for i in range(3)
    ]
    headers = token_of(agency) | {"x-delivery-id": "execution-9"}

    first = await http.post("/webhook/draggonnb/leads", json=body, headers=headers)
    second = await http.post("/webhook/draggonnb/leads", json=body, headers=headers)

    assert first.json()["status"] == "accepted"
    assert [lead["duplicate"] for lead in first.json()["leads"]] == [False, False, False]
    assert [lead["id"] for lead in first.json()["leads"]] == [lead["id"] for lead in second.json()["leads"]]
    assert sorted((row["source"], row["delivery_id"]) for row in api.inbox()) == [
        ("facebook", "execution-9#0"),
        ("facebook", "execution-9#1"),
        ("facebook", "execution-9#2"),
    ]


async def test_forms_of_both_kinds_are_read(api: Api, http: httpx.AsyncClient, agency: Organization) -> None:
    fields = {"email": "form@a.example", "name": "Zoë"}

    urlencoded = await http.post("/webhook/draggonnb/leads", data=fields, headers=token_of(agency))
    latin = await http.post(
        "/webhook/draggonnb/leads",
        content=b"email=latin@a.example&name=Zo%EB",
        headers=token_of(agency) | {"content-type": "application/x-www-form-urlencoded; charset=ISO-8859-1"},
    )
    boundary = "xyz"
    part = f'--{boundary}\r\ncontent-disposition: form-data; name="email"\r\n\r\nmulti@a.example\r\n--{boundary}--\r\n'
    multipart = await http.post(
        "/webhook/draggonnb/leads",
        content=part.encode(),
        headers=token_of(agency) | {"content-type": f"multipart/form-data; boundary={boundary}"},
    )

    assert [answer.status_code for answer in (urlencoded, latin, multipart)] == [202, 202, 202]
    assert len(api.inbox()) == 3


async def test_a_signed_body_needs_no_token(
    api: Api, http: httpx.AsyncClient, agency: Organization, vault: Vault
) -> None:
    api.execute(
        "update organizations set webhook_secret_sealed = %s where id = %s",
        vault.seal(b"shared-secret", webhook_secret_context(agency.id)),
        agency.id,
    )
    body = json.dumps(LEAD).encode()
    moment = str(int(time.time()))
    digest = hmac.new(b"shared-secret", moment.encode() + b"." + body, hashlib.sha256).hexdigest()

    answer = await http.post(
        "/webhook/draggonnb/leads",
        content=body,
        headers={"content-type": "application/json", "x-draggonnb-signature": f"t={moment},v1={digest}"},
    )

    assert answer.status_code == 202


async def test_a_row_that_the_database_refuses_fails_its_own_request_alone(
    api: Api, http: httpx.AsyncClient, agency: Organization
) -> None:
    api.execute("alter table inbox add constraint no_poison check (delivery_id <> 'poison')")

    answers = await asyncio.gather(
        *(
            http.post(
                "/webhook/draggonnb/leads",
                json=LEAD,
                headers=token_of(agency) | {"x-delivery-id": "poison" if i == 13 else f"fine-{i}"},
            )
            for i in range(30)
        )
    )

    assert [i for i, answer in enumerate(answers) if answer.status_code != 202] == [13]
    assert answers[13].status_code == 500
    assert answers[13].json()["type"] == "/docs#internal"
    assert len(api.inbox()) == 29


async def test_a_database_connection_that_died_unnoticed_loses_nothing(
    api: Api, http: httpx.AsyncClient, agency: Organization
) -> None:
    await http.post("/webhook/draggonnb/leads", json=LEAD, headers=token_of(agency))
    api.execute(
        "select pg_terminate_backend(pid) from pg_stat_activity "
        "where datname = current_database() and pid <> pg_backend_pid()"
    )

    answer = await http.post("/webhook/draggonnb/leads", json={"phone": "+27821234567"}, headers=token_of(agency))

    assert answer.status_code == 202
    assert len(api.inbox()) == 2


async def test_ids_are_random_uuids(http: httpx.AsyncClient, agency: Organization) -> None:
    answer = await http.post("/webhook/draggonnb/leads", json=LEAD, headers=token_of(agency))

    assert uuid.UUID(answer.json()["id"]).version == 4
