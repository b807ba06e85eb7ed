"""What bad input gets at the lead webhook: a 4xx that names what is wrong, and nothing stored."""

import hashlib
import hmac
import json
import time
from typing import Any

import httpx
import pytest

from draggonnb_pipelines.api import security
from draggonnb_pipelines.domain.inbox import webhook_secret_context
from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.resources.vault import Vault
from tests.api.conftest import Api, token_of

PATH = "/webhook/draggonnb/leads"
SECRET_NAME, SECRET_MAIL = "Unmistakable-Reception", "unmistakable@kloof.example"
GOOD = {"name": SECRET_NAME, "email": SECRET_MAIL}
JSON = {"content-type": "application/json"}


async def refused(
    api: Api, http: httpx.AsyncClient, status: int, kind: str, *, path: str = PATH, **request: Any
) -> dict[str, Any]:
    """Send it, check the problem details, and that nothing was stored."""
    answer = await http.post(path, **request)
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert (problem["type"], problem["status"]) == (f"/docs#{kind}", status)
    assert SECRET_NAME not in answer.text
    assert SECRET_MAIL not in answer.text
    assert api.inbox() == []
    return problem


async def test_a_missing_or_wrong_token_is_401_before_the_body_is_read(
    api: Api, http: httpx.AsyncClient, agency: Organization
) -> None:
    for headers in ({}, {"x-webhook-token": "guess"}, {"x-webhook-token": ""}):
        await refused(api, http, 401, "unauthorized", content=b"{not json", headers=JSON | headers)


async def test_another_organizations_token_is_401(
    api: Api, http: httpx.AsyncClient, agency: Organization, outsider: Organization
) -> None:
    await refused(api, http, 401, "unauthorized", json=GOOD, headers=token_of(outsider))


async def test_an_unknown_organization_is_404(api: Api, http: httpx.AsyncClient, agency: Organization) -> None:
    for slug in ("nobody", "NOT-A-SLUG", "a" * 60, "x'--"):
        path = f"/webhook/{slug}/leads"
        await refused(api, http, 404, "unknown", path=path, json=GOOD, headers=token_of(agency))


async def test_an_unknown_organization_goes_through_the_same_checks_as_a_wrong_token(
    api: Api, http: httpx.AsyncClient, agency: Organization, monkeypatch: pytest.MonkeyPatch
) -> None:
    checks: list[int] = []
    original = security.hmac.compare_digest
    monkeypatch.setattr(security.hmac, "compare_digest", lambda a, b: checks.append(len(a)) or original(a, b))

    await http.post(PATH, json=GOOD, headers={"x-webhook-token": "guess"})
    await http.post("/webhook/nobody/leads", json=GOOD, headers={"x-webhook-token": "guess"})
    signed = {"x-draggonnb-signature": f"t={int(time.time())},v1={'0' * 64}"}
    await http.post(PATH, json=GOOD, headers=signed)
    await http.post("/webhook/nobody/leads", json=GOOD, headers=signed)

    assert checks == [32, 32, 64, 64]


@pytest.mark.parametrize("status", ["suspended", "offboarding", "closed", "provisioning"])
async def test_an_organization_that_is_not_active_is_403_for_the_holder_of_the_token(
    api: Api, http: httpx.AsyncClient, agency: Organization, status: str
) -> None:
    api.execute("update organizations set status = %s where id = %s", status, agency.id)

    problem = await refused(api, http, 403, "organization-inactive", json=GOOD, headers=token_of(agency))

    assert status in problem["detail"]


def signature(body: bytes, *, secret: bytes = b"shared-secret", at: float | None = None) -> dict[str, str]:
    moment = str(int(time.time() if at is None else at))
    digest = hmac.new(secret, moment.encode() + b"." + body, hashlib.sha256).hexdigest()
    return JSON | {"x-draggonnb-signature": f"t={moment},v1={digest}"}


def wrong_signatures() -> list[dict[str, str]]:
    """Made when they are sent: what is too early now is right in some minutes."""
    return [
        signature(json.dumps(GOOD).encode(), secret=b"another-secret"),
        signature(json.dumps(GOOD).encode(), at=time.time() - 400),
        signature(json.dumps(GOOD).encode(), at=time.time() + 400),
        signature(b'{"email": "altered@a.example"}'),
        JSON | {"x-draggonnb-signature": "v1=abc"},
        JSON | {"x-draggonnb-signature": ""},
        # A wrong signature is not saved by a right token.
        signature(b"other") | {"x-webhook-token": "token-of-draggonnb"},
    ]


async def test_a_wrong_stale_or_altered_signature_is_401(
    api: Api, http: httpx.AsyncClient, agency: Organization, vault: Vault
) -> None:
    api.execute(
        "update organizations set webhook_secret_sealed = %s where id = %s",
        vault.seal(b"shared-secret", webhook_secret_context(agency.id)),
        agency.id,
    )

    for headers in wrong_signatures():
        await refused(api, http, 401, "unauthorized", content=json.dumps(GOOD).encode(), headers=headers)


async def test_a_body_that_says_it_is_too_large_is_413(api: Api, http: httpx.AsyncClient, agency: Organization) -> None:
    await refused(api, http, 413, "too-large", content=b"x" * (256 * 1024 + 1), headers=token_of(agency) | JSON)


async def test_a_body_that_turns_out_too_large_is_413(api: Api, http: httpx.AsyncClient, agency: Organization) -> None:
    async def endless() -> Any:
        for _ in range(40):
            yield b" " * 16_384

    await refused(api, http, 413, "too-large", content=endless(), headers=token_of(agency) | JSON)


OTHER_TYPES = [
    "",
    "text/plain",
    "application/xml",
    "application/json; charset=utf-16",
    "application/json; charset=iso-8859-1",
    "application/x-www-form-urlencoded; charset=shift_jis",
    "multipart/form-data; boundary=x; charset=utf-7",
]


async def test_another_content_type_or_charset_is_415(api: Api, http: httpx.AsyncClient, agency: Organization) -> None:
    for content_type in OTHER_TYPES:
        headers = token_of(agency) | ({"content-type": content_type} if content_type else {})

        await refused(api, http, 415, "unsupported-media-type", content=json.dumps(GOOD).encode(), headers=headers)


async def test_a_compressed_body_is_415(api: Api, http: httpx.AsyncClient, agency: Organization) -> None:
    headers = token_of(agency) | JSON | {"content-encoding": "gzip"}

    await refused(api, http, 415, "unsupported-media-type", content=b"\x1f\x8b", headers=headers)


BROKEN_JSON = [
    (b"", "not valid JSON"),
    (b'{"email": "a@b.example"', "line 1, column"),
    (b'{"email": "\xff@b.example"}', "not valid UTF-8"),
    (b'{"email": "a@b.example", "email": "c@d.example"}', "same key twice"),
    (b'{"email": "a@b.example", "n": NaN}', "NaN"),
    (b'{"email": "a@b.example", "n": -Infinity}', "Infinity"),
    (b'{"email": "a@b.example", "n": 1e999}', "too large"),
    (b'{"email": "a@b.example", "n": ' + b"9" * 5000 + b"}", "not valid JSON"),
    (b'{"email": "a@b.example", "n": ' + b"[" * 20 + b"]" * 20 + b"}", "20 levels"),
    (b"[" * 100_000, "20 levels"),
]


async def test_json_that_is_broken_or_ambiguous_is_400(api: Api, http: httpx.AsyncClient, agency: Organization) -> None:
    for body, word in BROKEN_JSON:
        problem = await refused(api, http, 400, "malformed", content=body, headers=token_of(agency) | JSON)

        assert word in problem["detail"]


async def test_twenty_levels_are_not_too_many(api: Api, http: httpx.AsyncClient, agency: Organization) -> None:
    body = b'{"email": "a@b.example", "n": ' + b"[" * 19 + b"]" * 19 + b"}"

    answer = await http.post(PATH, content=body, headers=token_of(agency) | JSON)

    assert answer.status_code == 202


UNUSABLE: list[tuple[Any, list[str]]] = [
    ({}, ["email"]),
    ({"name": "Only A Name"}, ["email"]),
    ({"email": "not-an-address"}, ["email"]),
    ({"email": "two@signs@a.example"}, ["email"]),
    ({"email": "no-dot@domain"}, ["email"]),
    ({"email": "a@b.example\r\nBcc: x@y.example"}, ["email"]),
    ({"email": ["a@b.example", "c@d.example"]}, ["email"]),
    ({"email": {"address": "a@b.example"}}, ["email"]),
    ({"phone": "12"}, ["phone"]),
    ({"phone": "+27 82 12"}, ["phone"]),
    ({"email": "a@b.example", "website": "javascript:alert(1)"}, ["website"]),
    ({"email": "a@b.example", "website": "http://user:pw@host.example/"}, ["website"]),
    ({"email": "a@b.example", "name": "x" * 201}, ["name"]),
    ({"email": "a@b.example", "name": "a\nb"}, ["name"]),
    ({"email": "a@b.example", "name": "a\u0000b"}, ["name"]),
    ({"email": "a@b.example", "name": "\u202eelgnis"}, ["name"]),
    ({"email": "a@b.example", "message": "x" * 10_001}, ["message"]),
    ({"email": "a@b.example", "consent": "perhaps"}, ["consent"]),
    ({"email": "a@b.example", "budget": "\u0000"}, ["budget"]),
    ({"email": "a@b.example", "deep": {"x": ["\ud800"]}}, ["deep"]),
    ({"email": "a@b.example", "big": "x" * 40_000}, ["body"]),
    ({"email": "a@b.example", **{f"f{i}": 1 for i in range(80)}}, ["body"]),
    ({"email": "nope", "phone": "nope", "website": "no pe"}, ["email", "phone", "website"]),
    ({"email": "a@b.example", "organization_id": "00000000-0000-0000-0000-000000000000"}, ["organization_id"]),
    ({"lead": {"email": "nope"}}, ["lead.email", "lead.email"]),
    ([{"lead": {"email": "a@b.example"}}, {"lead": {"name": "x"}}], ["[1].lead.email"]),
    ([{"email": "a@b.example"}, 7], ["[1]"]),
    ([{"email": f"n{i}@a.example"} for i in range(101)], ["body"]),
    ([], ["body"]),
    ("text", ["body"]),
    (None, ["body"]),
    ({"leadgen_id": "1"}, ["field_data"]),
    ({"field_data": [{"name": "email"}]}, ["field_data[0]"]),
    ({"entry": [{"changes": [{"value": {"leadgen_id": "1"}}]}]}, ["entry[0].changes[0].value.field_data"]),
    ({"entry": "x", "email": ""}, ["email"]),
    ({"entry": []}, ["body"]),
]


async def test_a_lead_that_cannot_be_taken_is_422_and_names_the_field(
    api: Api, http: httpx.AsyncClient, agency: Organization
) -> None:
    for body, fields in UNUSABLE:
        problem = await refused(
            api, http, 422, "invalid-lead", content=json.dumps(body).encode(), headers=token_of(agency) | JSON
        )

        assert [error["field"] for error in problem["errors"]] == fields
        assert all(error["detail"] for error in problem["errors"])


@pytest.mark.parametrize("value", ["x" * 201, "caf\u00e9".encode().decode("latin-1")])
async def test_a_delivery_id_that_cannot_be_a_key_is_400(
    api: Api, http: httpx.AsyncClient, agency: Organization, value: str
) -> None:
    headers = [(b"x-webhook-token", b"token-of-draggonnb"), (b"x-delivery-id", value.encode("latin-1"))]

    await refused(api, http, 400, "malformed", json=GOOD, headers=headers)


BROKEN_FORMS = [
    (b"email=%FF@a.example", "application/x-www-form-urlencoded"),
    (b"&".join(b"f%d=1" % i for i in range(300)), "application/x-www-form-urlencoded"),
    (b"--x\r\nnonsense", "multipart/form-data"),
    (b"no boundary at all", "multipart/form-data; boundary=x"),
    (
        b'--x\r\ncontent-disposition: form-data; name="cv"; filename="cv.pdf"\r\n\r\n%PDF\r\n--x--\r\n',
        "multipart/form-data; boundary=x",
    ),
]


async def test_a_form_that_cannot_be_read_is_400(api: Api, http: httpx.AsyncClient, agency: Organization) -> None:
    for content, content_type in BROKEN_FORMS:
        headers = token_of(agency) | {"content-type": content_type}

        await refused(api, http, 400, "malformed", content=content, headers=headers)


async def test_a_get_is_405_and_an_unknown_path_404(http: httpx.AsyncClient, agency: Organization) -> None:
    get, unknown = await http.get(PATH), await http.get("/nothing")

    assert (get.status_code, get.json()["type"], get.headers["allow"]) == (405, "/docs#method-not-allowed", "POST")
    assert (unknown.status_code, unknown.json()["type"]) == (404, "/docs#unknown")
