"""POST /webhooks/payfast: every notice is stored as it came, once, and nothing else is done."""

import asyncio
import logging
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from draggonnb_pipelines.api import payfast
from draggonnb_pipelines.domain.itn import MAX_ITN_BYTES, RAW_CONTEXT
from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.resources.vault import Vault
from tests.api.conftest import Api, ServeApi
from tests.payfast_till import control
from tests.sandbox_process import Sandbox
from tests.servers import database_down

FORM = {"content-type": "application/x-www-form-urlencoded"}
NOTICE = b"m_payment_id=DRG-1&pf_payment_id=3000001&payment_status=COMPLETE&custom_str1=&signature=" + b"0" * 32


def stored(api: Api) -> list[dict[str, Any]]:
    return api.rows("select * from payments order by received_at")


async def send(http: httpx.AsyncClient, body: bytes, **headers: str) -> httpx.Response:
    return await http.post("/webhooks/payfast", content=body, headers=FORM | headers)


@pytest.mark.parametrize(
    "body",
    [NOTICE, b"", b"\x00\xff not a form %%%", NOTICE + b"&signature=", b"a" * MAX_ITN_BYTES],
    ids=["notice", "empty", "bytes", "odd", "largest"],
)
async def test_a_notice_is_kept_to_the_byte_and_sealed(
    api: Api, http: httpx.AsyncClient, body: bytes, vault: Vault
) -> None:
    answer = await send(http, body)

    assert (answer.status_code, answer.content) == (200, b"")
    [row] = stored(api)
    assert vault.open(row["raw_sealed"], RAW_CONTEXT) == body
    assert not body or bytes(body[:20]) not in bytes(row["raw_sealed"])
    assert (row["state"], row["deliveries"], str(row["source_ip"])) == ("received", 1, "127.0.0.1")
    assert (row["checks"], row["m_payment_id"], row["organization_id"]) == ({}, None, None)
    assert api.rows("select 1 from subscriptions union all select 1 from checkouts") == []


async def test_the_same_notice_is_counted_and_not_stored_again(api: Api, http: httpx.AsyncClient) -> None:
    answers = await asyncio.gather(*(send(http, NOTICE) for _ in range(20)))
    other = await send(http, NOTICE + b"x")

    assert {answer.status_code for answer in [*answers, other]} == {200}
    assert [row["deliveries"] for row in stored(api)] == [20, 1]


async def test_a_repeat_leaves_what_was_decided(api: Api, http: httpx.AsyncClient) -> None:
    await send(http, NOTICE)
    api.execute("update payments set state = 'applied', applied_at = now(), m_payment_id = 'DRG-1'")

    await send(http, NOTICE)

    [row] = stored(api)
    assert (row["state"], row["m_payment_id"], row["deliveries"]) == ("applied", "DRG-1", 2)


async def test_the_same_words_from_another_address_are_another_notice(
    api: Api, http: httpx.AsyncClient, sandbox: Sandbox
) -> None:
    order = {"url": f"{api.url}/webhooks/payfast", "body": NOTICE.decode()}
    await send(http, NOTICE)
    forged = await control(sandbox, "itn", source="127.0.0.2", times=2, **order)

    assert forged.json() == {"statuses": [200, 200]}
    assert [(str(row["source_ip"]), row["deliveries"]) for row in stored(api)] == [("127.0.0.1", 1), ("127.0.0.2", 2)]


@pytest.mark.parametrize(
    ("trusted", "source"), [([], "127.0.0.1"), (["127.0.0.1"], "197.97.145.150"), (["10.0.0.1"], "127.0.0.1")]
)
async def test_the_source_is_the_one_that_trusted_proxies_name(
    serve_api: ServeApi, trusted: list[str], source: str
) -> None:
    with serve_api(trusted_proxies=trusted) as api:
        async with httpx.AsyncClient(base_url=api.url) as http:
            await send(http, NOTICE, **{"x-forwarded-for": "197.97.145.150"})

        assert [str(row["source_ip"]) for row in stored(api)] == [source]


@pytest.mark.parametrize(
    ("forwarded", "source"),
    [("::ffff:197.97.145.150", "197.97.145.150"), ("fe80::1%eth0", "fe80::1"), ("nonsense", None)],
)
async def test_an_odd_address_is_told_or_left_open_and_the_notice_kept(
    serve_api: ServeApi, forwarded: str, source: str | None
) -> None:
    with serve_api(trusted_proxies=["127.0.0.1"]) as api:
        async with httpx.AsyncClient(base_url=api.url) as http:
            answers = [await send(http, NOTICE, **{"x-forwarded-for": forwarded}) for _ in range(2)]

        assert [answer.status_code for answer in answers] == [200, 200]
        [row] = stored(api)
        assert (str(row["source_ip"]) if row["source_ip"] else None, row["deliveries"]) == (source, 2)


async def test_what_is_too_large_is_413_and_not_kept(api: Api, http: httpx.AsyncClient) -> None:
    async def in_pieces() -> AsyncIterator[bytes]:
        for _ in range(20):
            yield b"a" * 1000

    declared = await send(http, b"a" * (MAX_ITN_BYTES + 1))
    chunked = await http.post("/webhooks/payfast", content=in_pieces(), headers=FORM)

    assert (declared.status_code, chunked.status_code) == (413, 413)
    assert stored(api) == []


async def test_payfast_comes_again_while_the_master_database_is_away_and_loses_nothing(
    api: Api, http: httpx.AsyncClient, postgres_dsn: str
) -> None:
    with database_down(postgres_dsn, api.master_dsn):
        refused = await send(http, NOTICE)
    taken = await send(http, NOTICE)

    assert (refused.status_code, refused.headers["retry-after"]) == (503, "30")
    assert taken.status_code == 200
    assert [row["deliveries"] for row in stored(api)] == [1]


@pytest.fixture
def few_strangers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(payfast, "STRANGERS_PER_MINUTE", 3)


@pytest.mark.usefixtures("few_strangers")
async def test_strangers_cannot_fill_the_database_nor_keep_payfast_out(
    api: Api, http: httpx.AsyncClient, sandbox: Sandbox
) -> None:
    order = {"url": f"{api.url}/webhooks/payfast", "body": "forged", "source": "127.0.0.2"}
    forged = await control(sandbox, "itn", times=5, **order)
    genuine = [await send(http, NOTICE) for _ in range(5)]

    assert forged.json() == {"statuses": [200, 200, 200, 429, 429]}
    assert {answer.status_code for answer in genuine} == {200}
    assert [row["deliveries"] for row in stored(api)] == [3, 5]


async def test_nobody_reads_notices_by_get(api: Api, http: httpx.AsyncClient) -> None:
    assert (await http.get("/webhooks/payfast")).status_code == 405


async def test_no_log_line_shows_a_notice(
    api: Api, http: httpx.AsyncClient, agency: Organization, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)

    await send(http, b"name_first=Unmistakable&email_address=unmistakable%40kloof.example")
    api.execute("alter table payments add constraint none_more check (deliveries < 2)")
    failed = await send(http, b"name_first=Unmistakable&email_address=unmistakable%40kloof.example")

    assert failed.status_code == 500
    assert "nmistakable" not in "\n".join(record.getMessage() for record in caplog.records)
