"""The journal: what was asked, without secrets, in memory and in a file."""

import json
from pathlib import Path

import httpx

from tests.sandbox_process import Sandbox
from vendor_sandbox.journal import BODY_MAX_BYTES, Journal


def test_every_request_is_there_in_order_and_secrets_are_not(sandbox: Sandbox) -> None:
    httpx.get(sandbox.url, headers={"host": "walmer-dental.example"})
    httpx.post(f"{sandbox.url}/graph/v25.0/1/messages", json={"to": "1"}, headers={"authorization": "Bearer secret"})
    httpx.get(f"{sandbox.url}/anthropic/v1/models", headers={"x-api-key": "secret"})

    site, message, models = sandbox.journal()
    assert [site["vendor"], message["vendor"], models["vendor"]] == ["websites", "whatsapp", "claude"]
    assert (site["path"], site["status"]) == ("walmer-dental.example/", 200)
    assert (message["route"], message["body"]) == ("POST /graph/{version}/{phone}/messages", {"to": "1"})
    assert (message["status"], message["accepted"]) == (400, False)
    assert "secret" not in json.dumps([message, models])
    assert sandbox.journal("claude") == [models]


def test_since_gives_only_what_came_later_also_after_a_reset(sandbox: Sandbox) -> None:
    url = f"{sandbox.url}/_sandbox/journal"
    httpx.get(sandbox.url, headers={"host": "a.example"})
    last = httpx.get(url).json()[-1]["id"]
    sandbox.reset()
    httpx.get(sandbox.url, headers={"host": "b.example"})

    assert [entry["path"] for entry in httpx.get(url, params={"since": last}).json()] == ["b.example/"]


def test_the_file_holds_one_line_per_finished_request(tmp_path: Path) -> None:
    file = tmp_path / "journal.jsonl"
    journal = Journal(file)
    entry = journal.open_entry("mail", "SMTP DATA", "DATA", "a@b.example", {"Authorization": "x"}, b"hello")
    assert file.read_text() == ""

    journal.close_entry(entry, status=250, accepted=True, fault=None)
    journal.close()

    line = json.loads(file.read_text())
    assert (line["body"], line["status"], line["headers"]) == ("hello", 250, {"Authorization": "[redacted]"})


def test_a_long_body_is_capped() -> None:
    journal = Journal()
    journal.open_entry("claude", "r", "POST", "/", {}, b"x" * (BODY_MAX_BYTES + 5))

    assert len(journal.select()[0]["body"]) == BODY_MAX_BYTES
