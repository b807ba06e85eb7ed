"""The Caddyfile: read and run by Caddy itself, over a server that only says what reached it."""

import contextlib
import json
import os
import re
import shutil
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import pytest
from starlette.routing import Route

from draggonnb_pipelines.api.app import create_app
from draggonnb_pipelines.settings import load_settings
from tests.cli.conftest import ROOT
from tests.conftest import MASTER_KEYS
from tests.sandbox_process import free_port_pair

CADDYFILE = ROOT / "deploy" / "Caddyfile"
SECRET = "s3cretTokenOfOneProposal"
# Of "open-sesame", with the least work that bcrypt knows: `caddy hash-password` asks for a second of it.
PASSWORD_HASH = "$2b$04$abcdefghijklmnopqrstuuXcjcm5avyCiJoD2uS24xa2lb6fjMB3G"
# Reached on the machine itself alone.
PRIVATE = {"/metrics"}


class Behind(BaseHTTPRequestHandler):
    """Says which path and headers reached it."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        length = int(self.headers.get("Content-Length", 0))
        self.rfile.read(length)
        body = json.dumps({"path": self.path, "headers": dict(self.headers), "bytes": length}).encode()
        self.send_response(200)
        self.send_header("X-Content-Type-Options", "nosniff")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_GET

    def log_message(self, format: str, *args: object) -> None:
        pass


@dataclass
class Caddy:
    """A running Caddy; `site` is one of api, ui, view."""

    port: int
    log: Path
    hosts: dict[str, str] = field(default_factory=dict)

    def ask(self, method: str, site: str, path: str, **more: object) -> httpx.Response:
        headers = {"Host": f"{site}.localhost:{self.port}"} | dict(more.pop("headers", {}))  # pyright: ignore
        url = f"http://127.0.0.1:{self.port}{path}"
        with httpx.Client(trust_env=False, timeout=20) as client:
            return client.request(method, url, headers=headers, **more)  # pyright: ignore[reportArgumentType]


@pytest.fixture(scope="module")
def program() -> str:
    found = shutil.which("caddy")
    if found is None:
        pytest.skip("there is no caddy on PATH: Debian and Ubuntu have it as a package")
    return found


def environment(port: int, **ports: int) -> dict[str, str]:
    sites = {"DRAGGONNB_HOST": "api", "DRAGGONNB_UI_HOST": "ui", "DRAGGONNB_VIEW_HOST": "view"}
    hosts = {name: f"http://{site}.localhost:{port}" for name, site in sites.items()}
    hashes = dict.fromkeys(("DRAGGONNB_UI_PASSWORD_HASH", "DRAGGONNB_VIEW_PASSWORD_HASH"), PASSWORD_HASH)
    return os.environ | hosts | hashes | {f"DRAGGONNB_{name}": str(value) for name, value in ports.items()}


@pytest.fixture(scope="module")
def caddy(program: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Caddy]:
    folder, port = tmp_path_factory.mktemp("caddy"), free_port_pair()
    with ThreadingHTTPServer(("127.0.0.1", 0), Behind) as behind:
        threading.Thread(target=behind.serve_forever, daemon=True).start()
        ports = dict.fromkeys(("API_PORT", "UI_PORT", "UI_VIEW_PORT"), behind.server_port)
        own = {"HOME": str(folder), "XDG_DATA_HOME": str(folder), "XDG_CONFIG_HOME": str(folder)}
        # Its admin door has a fixed port; the configuration of production keeps it.
        config = folder / "Caddyfile"
        config.write_text(CADDYFILE.read_text().replace("{\n", "{\n\tadmin off\n", 1))
        with (folder / "log").open("wb") as log:
            command = [program, "run", "--config", str(config), "--adapter", "caddyfile"]
            process = subprocess.Popen(command, env=environment(port, **ports) | own, stdout=log, stderr=log)
            try:
                _wait(port, process, folder / "log")
                yield Caddy(port, folder / "log")
            finally:
                process.terminate()
                process.wait(15)
                behind.shutdown()


def test_caddy_finds_the_file_valid(program: str, tmp_path: Path):
    command = [program, "validate", "--config", str(CADDYFILE), "--adapter", "caddyfile"]
    own = {"HOME": str(tmp_path), "XDG_DATA_HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path)}

    done = subprocess.run(command, env=environment(80) | own, capture_output=True, text=True)

    assert done.returncode == 0, done.stderr
    assert "Valid configuration" in done.stdout + done.stderr


def test_every_address_of_the_api_is_public_or_named_as_private():
    settings = load_settings(_env_file=None, master_dsn="postgresql:///none", master_keys=MASTER_KEYS)
    app = create_app(settings)
    [public] = re.findall(r"@public path (.*)", CADDYFILE.read_text())

    routes = {route.path for route in app.routes if isinstance(route, Route)} | set(app.openapi()["paths"])

    hidden = {path for path in routes if not any(_matches(pattern, path) for pattern in public.split())}
    assert hidden - PRIVATE == set()
    assert all(any(_matches(pattern, path) for path in routes) for pattern in public.split())


def _matches(pattern: str, path: str) -> bool:
    return path.startswith(pattern[:-1]) if pattern.endswith("*") else path == pattern


def test_what_is_public_reaches_the_api_with_the_callers_address_and_nothing_else_does(caddy: Caddy):
    webhook = caddy.ask(
        "POST", "api", "/webhook/kloof-coffee/leads", content=b"{}", headers={"X-Forwarded-For": "8.8.8.8"}
    )

    assert (webhook.status_code, webhook.json()["path"]) == (200, "/webhook/kloof-coffee/leads")
    assert webhook.json()["headers"]["X-Forwarded-For"] == "127.0.0.1"
    for path in ("/metrics", "/", "/admin", "/graphql", "/api/healthz", "/webhook"):
        refused = caddy.ask("GET", "api", path)
        assert (path, refused.status_code, refused.content) == (path, 404, b"")


def test_every_answer_says_hsts_and_nosniff_and_not_which_server_it_is(caddy: Caddy):
    for site, path, status in (
        ("api", "/api/health", 200),
        ("api", "/nowhere", 404),
        ("ui", "/runs", 401),
        ("view", "/runs", 401),
    ):
        answer = caddy.ask("GET", site, path)

        assert (site, path, answer.status_code) == (site, path, status)
        assert answer.headers.get_list("strict-transport-security") == ["max-age=31536000"]
        assert answer.headers.get_list("x-content-type-options") == ["nosniff"]
        assert answer.headers.get_list("x-frame-options") == ["DENY"]
        assert "server" not in answer.headers


@pytest.mark.parametrize(("site", "user"), [("ui", "operator"), ("view", "viewer")])
def test_dagsters_ui_asks_who_comes_and_does_not_learn_the_password(caddy: Caddy, site: str, user: str):
    strangers = [caddy.ask("GET", site, "/runs"), caddy.ask("GET", site, "/runs", auth=(user, "guessed"))]
    other = caddy.ask("GET", site, "/runs", auth=("viewer" if user == "operator" else "operator", "open-sesame"))
    known = caddy.ask("GET", site, "/runs", auth=(user, "open-sesame"))

    assert [answer.status_code for answer in (*strangers, other)] == [401, 401, 401]
    assert known.status_code == 200
    assert "Authorization" not in known.json()["headers"]
    assert known.headers["x-frame-options"] == "DENY"


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_another_page_cannot_use_the_password_that_the_browser_keeps(caddy: Caddy, site: str):
    mutation, who = "/graphql?query=mutation+%7B+launchRun+%7D", ("operator", "open-sesame")

    foreign = caddy.ask("POST", "ui", mutation, auth=who, headers={"Sec-Fetch-Site": site})
    own = caddy.ask("POST", "ui", mutation, auth=who, headers={"Sec-Fetch-Site": "same-origin"})

    assert (foreign.status_code, foreign.content) == (403, b"")
    assert own.status_code == 200


def test_a_body_that_is_too_large_does_not_reach_the_api_whole(caddy: Caddy):
    answer = caddy.ask("POST", "api", "/webhook/kloof-coffee/leads", content=b"x" * 3_000_000)

    assert answer.status_code in (413, 502)


def test_no_secret_of_a_link_a_query_or_a_header_gets_into_the_log(caddy: Caddy):
    headers = {"X-Webhook-Token": "h3aderToken", "Referer": f"https://crm.example/reviews/{SECRET}"}
    for place in ("alerts", "checkouts", "invoices", "proposals", "reports", "reviews", "unsubscribe"):
        caddy.ask("GET", "api", f"/{place}/{SECRET}?asked={SECRET}", headers=headers)
    caddy.ask("POST", "api", f"/proposals/{SECRET}/accept", headers=headers)
    caddy.ask("GET", "ui", "/runs", auth=("operator", "p4ssword"))

    lines = [json.loads(line) for line in caddy.log.read_text().splitlines() if line.startswith("{")]
    paths = {line["request"]["uri"] for line in lines if "request" in line}
    assert {"/proposals/--", "/proposals/-/accept", "/unsubscribe/--"} <= paths
    written = caddy.log.read_text()
    for secret in (SECRET, "h3aderToken", "p4ssword", "open-sesame"):
        assert secret not in written


def _wait(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(httpx.HTTPError):
            httpx.get(f"http://127.0.0.1:{port}/", timeout=2, trust_env=False)
            return
        time.sleep(0.1)
    raise AssertionError(f"Caddy does not answer: {log.read_text()[-2000:]}")
