"""The vendor sandbox as a real process, and the calls by which tests script it."""

import contextlib
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import requests


class Sandbox:
    """A running sandbox: `url` for HTTP, `smtp_port` for mail."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.smtp_port = port + 1
        self.url = f"http://127.0.0.1:{port}"
        self._session = requests.Session()

    def faults(self, route: str, *steps: dict[str, Any], repeat: bool = False) -> None:
        """Script what a route does next; each step is used once, in order, unless `repeat`."""
        self._post("faults", {"route": route, "steps": list(steps), "repeat": repeat})

    def faults_left(self) -> list[dict[str, Any]]:
        """The scripts that are not used up."""
        return self._get("faults", {})

    def clear_faults(self) -> None:
        self._session.delete(f"{self.url}/_sandbox/faults", timeout=10).raise_for_status()

    def settings(self, **values: Any) -> None:
        self._post("settings", values)

    def reset(self) -> None:
        self._post("reset", {})

    def journal(self, vendor: str | None = None, *, since: int = 0) -> list[dict[str, Any]]:
        """Everything that was asked after entry number `since`, in order."""
        return self._get("journal", {"since": str(since)} | ({"vendor": vendor} if vendor else {}))

    def public(self, kind: str) -> list[dict[str, Any]]:
        """What the outside world sees: delivered WhatsApp messages, mailboxes."""
        return self._get("public", {"kind": kind})

    def disconnect(self) -> None:
        """Reset every connection that other clients have open now."""
        self._post("disconnect", {})

    def social_account(self, platform: str, account: str, token: str, **details: Any) -> None:
        """Make a token good for an account; `refresh_token`, `seconds` until it expires, `scopes`."""
        self._post("social_accounts", {"platform": platform, "id": account, "token": token, **details})

    def social_revoke(self, platform: str, token: str) -> None:
        self._post("social_revoke", {"platform": platform, "token": token})

    def social_post(self, platform: str, post_id: str, account: str, at: datetime, text: str = "A post") -> None:
        """Put a post on a timeline as if it had been published at that moment."""
        body = {"platform": platform, "id": post_id, "account": account, "text": text, "at": at.isoformat()}
        self._post("social_posts", body)

    def social_numbers(self, post_id: str, **numbers: int) -> None:
        """Fix counts of a post, such as `views=10`."""
        self._post("social_numbers", {"id": post_id, "numbers": numbers})

    def whatsapp_template(self, name: str, status: str) -> None:
        """Give a template another state: APPROVED, PENDING, REJECTED, PAUSED, DISABLED, MISSING."""
        self._post("whatsapp_templates", {"name": name, "status": status})

    def signed_media(self, path: str = "media/square.jpg", *, seconds: int = 3600) -> str:
        """The address from which a network can fetch a file of the sandbox's storage."""
        base = f"{self.url}/supabase/storage/v1"
        headers = {"authorization": "Bearer sandbox"}
        answer = self._session.post(
            f"{base}/object/sign/{path}", json={"expiresIn": seconds}, headers=headers, timeout=10
        )
        answer.raise_for_status()
        return base + answer.json()["signedURL"]

    def _post(self, name: str, body: dict[str, Any]) -> None:
        self._session.post(f"{self.url}/_sandbox/{name}", json=body, timeout=10).raise_for_status()

    def _get(self, name: str, query: dict[str, str]) -> list[dict[str, Any]]:
        answer = self._session.get(f"{self.url}/_sandbox/{name}", params=query, timeout=10)
        answer.raise_for_status()
        return answer.json()

    def close(self) -> None:
        self._session.close()


@contextlib.contextmanager
def sandbox_process(
    *,
    webhook_base: str | None = None,
    port: int | None = None,
    app_secret: str | None = None,
    postgrest: Path | None = None,
    github_template: Path | None = None,
) -> Iterator[Sandbox]:
    """Start `python -m vendor_sandbox` on free ports and wait until it answers."""
    sandbox = Sandbox(port or free_port_pair())
    command = [sys.executable, "-m", "vendor_sandbox", "--port", str(sandbox.port)]
    command += ["--smtp-port", str(sandbox.smtp_port)]
    if webhook_base:
        command += ["--webhook-base", webhook_base]
    environment = os.environ | ({"VENDOR_SANDBOX_WHATSAPP_APP_SECRET": app_secret} if app_secret else {})
    environment |= {"VENDOR_SANDBOX_POSTGREST": str(postgrest)} if postgrest else {}
    environment |= {"VENDOR_SANDBOX_GITHUB_TEMPLATE": str(github_template)} if github_template else {}
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, env=environment)
    try:
        _wait_for(f"{sandbox.url}/_sandbox/health", process)
        yield sandbox
    finally:
        sandbox.close()
        process.terminate()
        process.wait(10)


def free_port_pair() -> int:
    """A port p such that p and p + 1 are free now."""
    while True:
        with socket.socket() as first, socket.socket() as second:
            first.bind(("127.0.0.1", 0))
            port = first.getsockname()[1]
            with contextlib.suppress(OSError, OverflowError):
                second.bind(("127.0.0.1", port + 1))
                return port


def _wait_for(url: str, process: subprocess.Popen[bytes], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise RuntimeError(f"the sandbox ended with {process.returncode}")
        with contextlib.suppress(requests.ConnectionError):
            if requests.get(url, timeout=2).ok:
                return
        time.sleep(0.05)
    raise RuntimeError(f"the sandbox did not answer on {url}")
