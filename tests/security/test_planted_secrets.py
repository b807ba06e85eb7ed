"""Marked secrets and marked words go through everything that we do; then they are looked for where they must not be.

Lives here: a lead, a post, a payment and a client's set-up on the real stack, requests that fail, and the search: logs,
Dagster's database (events, run configuration, tags, metadata, ticks), answers, health, metrics, audit logs, command
lines, and for secrets every table too, as text and as bytes. Not here: that the workflows do their work (the stories).
"""

import asyncio
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import psycopg
import pytest
import requests
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from draggonnb_pipelines.domain.publishing import Platform
from draggonnb_pipelines.resources.postgres import dsn_for
from draggonnb_pipelines.resources.stack import open_stack
from draggonnb_pipelines.resources.vault import Vault
from draggonnb_pipelines.workflows.publishing.accounts import connect_account
from tests.sandbox_process import free_port_pair
from tests.stories.buyer import buy
from tests.stories.system import System, dagster_dsn, opened, proposal_path, running_system

AGENCY = "draggonnb"
BUYER = "hello@planted-buyer-marked.example"
ACCOUNT = "1700000000000000001"
MASTER_KEY = "UGxhbnRlZCBtYXN0ZXIga2V5IG9mIDMyIGJ5dGVzISE="
# Settings that are secret, each with a value that occurs nowhere else.
SECRETS = {
    "DRAGGONNB_ANTHROPIC_API_KEY": "planted-anthropic-5f1c9a",
    "DRAGGONNB_N8N_API_KEY": "planted-n8n-c07b3e",
    "DRAGGONNB_SMTP_PASSWORD": "planted-smtp-91aa04",
    "DRAGGONNB_WHATSAPP_TOKEN": "planted-whatsapp-e2d86b",
    "DRAGGONNB_WHATSAPP_APP_SECRET": "planted-app-secret-77c1f0",
    "DRAGGONNB_WHATSAPP_VERIFY_TOKEN": "planted-verify-3b9d52",
    "DRAGGONNB_MAIL_BOUNCE_TOKEN": "planted-bounce-token-0a6e18",
    "DRAGGONNB_METRICS_TOKEN": "planted-metrics-token-4cd9e7",
    "DRAGGONNB_MCP_TOKEN": "planted-mcp-token-of-32-characters-b8f2",
}
DSN_PASSWORD = "planted-dsn-password-d41e6f"
ACCOUNT_TOKEN = "planted-account-token-60b7c2"
# What people write, and what must stay in the databases of those to whom they wrote it.
WORDS = {
    "message": "planted-message-8ab35c: our banking password is planted-banking-27fe90",
    "phone": "+27 83 914 6072",
    "brief": "planted-brief-d5c410",
    "comment": "planted-comment-19eb7a",
    "broken body": "planted-broken-body-f36a28",
    "wrong token": "planted-wrong-token-a94d0b",
    "wrong link": "planted-wrong-link-52c8e6",
}
# A post's preview is in the metadata of its asset: it is what everybody is to read, and it may repeat its brief.
ALLOWED = {("Dagster's database", "brief")}
ROWS = "select t::text as row from {table} t"


@pytest.fixture(scope="module")
def system(postgres_dsn: str) -> Iterator[System]:
    """The stack with every secret that can be set without calling a real vendor."""
    port = free_port_pair()
    sandbox = f"http://127.0.0.1:{port}"
    password = conninfo_to_dict(postgres_dsn).get("password") or DSN_PASSWORD
    with running_system(
        make_conninfo(postgres_dsn, password=password),
        **SECRETS,
        DRAGGONNB_MASTER_KEYS=f"k1:{MASTER_KEY}",
        DRAGGONNB_SANDBOX_PORT=str(port),
        VENDOR_SANDBOX_WHATSAPP_APP_SECRET=SECRETS["DRAGGONNB_WHATSAPP_APP_SECRET"],
        DRAGGONNB_ANTHROPIC_BASE_URL=f"{sandbox}/anthropic",
        DRAGGONNB_RESEARCH_CONNECT_TO=json.dumps({"example": f"127.0.0.1:{port}"}),
        DRAGGONNB_WHATSAPP_BASE_URL=f"{sandbox}/graph/v25.0",
        DRAGGONNB_N8N_BASE_URL=f"{sandbox}/n8n",
        DRAGGONNB_SMTP_HOST="127.0.0.1",
        DRAGGONNB_SMTP_PORT=str(port + 1),
        DRAGGONNB_SMTP_USER="planted",
        DRAGGONNB_SMTP_STARTTLS="false",
        DRAGGONNB_LEASE_SECONDS="120",  # nothing is killed here, and a busy machine is no dead run
    ) as running:
        yield running


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_no_secret_and_no_word_of_a_person_is_found_where_it_must_not_be(system: System) -> None:
    answers = _work(system)
    secrets = {**_configured(system), **_given(system)}

    places = {
        "answers": "\n".join(answers),
        "command lines": _command_lines(system),
        "log files": _files(system),
        "Dagster's database": _tables(dagster_dsn(system.settings.dsn), system),
        "audit logs": _audit(system),
    }
    databases = {slug: _tables(dsn, system) for slug, dsn in _databases(system).items()}

    assert all(len(text) > 50 for text in (*places.values(), *databases.values()))  # something was searched
    found = {
        (place, name)
        for place, text in (places | databases).items()
        for name, secret in secrets.items()
        if secret in text or secret.encode().hex() in text
    }
    assert found == set()
    words = [
        (place, name, _around(text, mark))
        for place, text in places.items()
        for name, word in WORDS.items()
        for mark in _marks(word)
        if (place, name) not in ALLOWED
        if mark in text or mark.encode().hex() in text
    ]
    assert words == []
    # And the search does find: what was written to the agency is in its own database, in plain text.
    assert WORDS["message"] in databases[AGENCY]
    assert len(secrets) >= len(SECRETS) + 6


def _around(text: str, mark: str) -> str:
    """Where a person's words were found, for who has to find out why."""
    at = text.find(mark)
    return text[max(0, at - 300) : at + 60]


def _marks(word: str) -> list[str]:
    return re.findall(r"planted-[a-z]+(?:-[a-z]+)*-[0-9a-f]{6}", word) or [word, word.replace(" ", "")]


def _work(system: System) -> list[str]:
    """A lead, a sale with its set-up, a post, and what is refused; returns every answer that an outsider got."""
    system.create(AGENCY)
    lead = {
        "name": "Front desk",
        "email": BUYER,
        "phone": WORDS["phone"],
        "company": "Planted Beans",
        "website": "http://planted-beans.example",
        "message": WORDS["message"],
        "consent": True,
        "consent_text": "You may contact me about my enquiry.",
    }
    taken = system.post_lead(AGENCY, lead, "form-1")
    assert taken.status_code == 202
    done = "select state = 'done' as done from inbox where id = %s"
    system.wait_until("a proposal", lambda: system.master(done, taken.json()["id"])[0]["done"], seconds=240)
    [proposal] = system.tenant(AGENCY, "select id from proposals")
    thanks = buy(system, system.settings.base_url + proposal_path(system, AGENCY, proposal["id"]), BUYER)
    _publish(system)
    state = "select p.state from provisionings p"
    system.wait_until("the stack stands", lambda: system.master(state) == [{"state": "done"}], seconds=240)
    open_runs = "select count(*) as n from runs where status in ('QUEUED', 'STARTING', 'STARTED')"
    system.wait_until("the runs have ended", lambda: system.dagster(open_runs) == [{"n": 0}], seconds=240)
    system.meet("planted-beans")
    return [taken.text, requests.get(thanks, timeout=10).text, *_refused(system), *_watched(system)]


def _publish(system: System) -> None:
    system.sandbox.social_account("x", ACCOUNT, ACCOUNT_TOKEN)

    async def connect() -> None:
        async with open_stack(system.settings) as stack:
            await connect_account(stack, opened(system, AGENCY), Platform.X, ACCOUNT, token=ACCOUNT_TOKEN)

    asyncio.run(connect())
    body = {"brief": WORDS["brief"], "as_soon_as_approved": True, "media": [{"path": "square.jpg", "alt": "Beans"}]}
    headers = {"X-Webhook-Token": system.clients[AGENCY].webhook_token, "X-Delivery-Id": "request-1"}
    answer = system.http.post(f"/webhook/{AGENCY}/generate-content", json=body, headers=headers)
    assert answer.status_code == 202

    def links() -> list[str]:
        mails = [mail["text"] for mail in system.sandbox.public("mail")]
        return [link for text in mails for link in re.findall(r"https?://\S+/reviews/[\w-]+", text)]

    system.wait_until("the review was asked for", lambda: bool(links()), seconds=240)
    decision = {"decision": "approve", "comment": WORDS["comment"]}
    assert requests.post(links()[-1], data=decision, timeout=10).status_code == 200
    public = "select status from social_posts"
    system.wait_until(
        "the post is public", lambda: system.tenant(AGENCY, public) == [{"status": "published"}], seconds=240
    )


def _refused(system: System) -> list[str]:
    """Everything that an outsider can get wrong, with marks in it."""
    leads = f"/webhook/{AGENCY}/leads"
    right = {"X-Webhook-Token": system.clients[AGENCY].webhook_token}
    wrong = {"X-Webhook-Token": WORDS["wrong token"]}
    body, link = WORDS["broken body"], WORDS["wrong link"]
    answers = [
        system.http.post(leads, json={"email": body}, headers=right),
        system.http.post(leads, content=f'{{"{body}":', headers=right | {"content-type": "application/json"}),
        system.http.post(leads, content=body, headers=right | {"content-type": f"text/{body}"}),
        system.http.post(leads, json={"email": "a@b.example"}, headers=wrong),
        system.http.post(leads, json={"email": "a@b.example"}, headers={"X-Draggonnb-Signature": WORDS["wrong token"]}),
        system.http.post(f"/webhook/{AGENCY}/generate-content", json={"brief": [body], "media": body}, headers=right),
        system.http.post("/webhooks/payfast", data={"m_payment_id": body, "signature": body}),
        system.http.post("/webhooks/whatsapp", content=body, headers={"X-Hub-Signature-256": WORDS["wrong token"]}),
        system.http.get(f"/webhooks/whatsapp?hub.mode=subscribe&hub.verify_token={WORDS['wrong token']}"),
        system.http.post("/webhooks/mail/bounces", content=body, headers={"authorization": WORDS["wrong token"]}),
        *(
            system.http.get(f"/{page}/{link}")
            for page in ("proposals", "reviews", "reports", "invoices", "alerts", "unsubscribe", link)
        ),
        system.http.post(f"/reviews/{link}", data={"decision": body, "comment": body}),
        system.http.post(f"/proposals/{link}/accept", data={"name": body}),
        system.http.get(f"/api/usage-metrics?organization={AGENCY}&{link}={body}", headers=wrong),
    ]
    assert {answer.status_code for answer in answers if answer.status_code >= 500} == set()
    assert sum(answer.status_code >= 400 for answer in answers) >= 15
    return [f"{answer.headers} {answer.text}" for answer in answers]


def _watched(system: System) -> list[str]:
    """Health and metrics, with the token and without it."""
    token = {"authorization": f"Bearer {SECRETS['DRAGGONNB_METRICS_TOKEN']}"}
    health, metrics = system.http.get("/api/health"), system.http.get("/metrics", headers=token)
    assert (health.status_code < 500 or "status" in health.json(), metrics.status_code) == (True, 200)
    return [health.text, metrics.text, system.http.get("/metrics").text, system.http.get("/openapi.json").text]


def _configured(system: System) -> dict[str, str]:
    password = str(conninfo_to_dict(system.settings.dsn)["password"])
    return {**SECRETS, "the master key": MASTER_KEY, "the password of the database": password}


def _given(system: System) -> dict[str, str]:
    """What vendors gave us on the way, and what is derived from the clients' keys."""
    found = {"an account's token": ACCOUNT_TOKEN}
    found |= {f"webhook token of {slug}": client.webhook_token for slug, client in system.clients.items()}
    [paid] = system.sandbox.public("payfast")
    found["PayFast's token"] = paid["token"]
    vault = Vault(system.settings.keys)
    for row in system.master(
        "select o.id, o.data_key_wrapped, r.step, r.secrets_sealed from stack_resources r"
        " join organizations o on o.id = r.organization_id where r.secrets_sealed is not null"
    ):
        sealed = vault.tenant_key(row["id"], row["data_key_wrapped"]).open(row["secrets_sealed"], "stack_resources")
        found |= {f"{row['step']} {name}": secret for name, secret in _secret(json.loads(sealed)).items()}
    return found


def _secret(secrets: Mapping[str, Any]) -> dict[str, str]:
    return {name: str(secret) for name, secret in secrets.items() if len(str(secret)) >= 12}


def _databases(system: System) -> dict[str, str]:
    """The master's and each client's."""
    names = {slug: client.organization.database_name for slug, client in system.clients.items()}
    return {"master": system.settings.dsn} | {
        slug: dsn_for(system.settings.dsn, name) for slug, name in names.items() if name
    }


def _tables(dsn: str, system: System) -> str:
    """Every row of every table of ours, as text; binary values stand there in hexadecimal."""
    with psycopg.connect(dsn, autocommit=True) as conn:
        tables = conn.execute(
            "select format('%I.%I', schemaname, tablename) from pg_tables where schemaname = 'public'"
        ).fetchall()
        rows = [row for (table,) in tables for row in conn.execute(ROWS.format(table=table).encode()).fetchall()]
    return "\n".join(str(row[0]) for row in rows)


def _audit(system: System) -> str:
    rows = system.master("select a::text as entry from audit_log a")
    for slug in system.clients:
        rows += system.tenant(slug, "select a::text as entry from audit_log a")
    return "\n".join(row["entry"] for row in rows)


def _files(system: System) -> str:
    """The state folder: logs of processes, runs and steps. The clients' bundles and the key file would not be here."""
    files = [path for path in Path(system.settings.state_dir).rglob("*") if path.is_file()]
    assert any(path.name == "api.log" for path in files)
    return "\n".join(path.read_text(errors="replace") for path in files)


def _command_lines(system: System) -> str:
    children = [process.child.pid for process in system.running.processes if process.child]
    return "\n".join(Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ") for pid in children)
