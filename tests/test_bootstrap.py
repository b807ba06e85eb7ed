"""The decisions of scripts/bootstrap.py: which wheel, from where, and what a person reads when it goes wrong."""

import hashlib
import importlib.util
import io
import subprocess
import sys
import threading
import zipfile
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

SCRIPT = Path(__file__).resolve().parent.parent / "scripts" / "bootstrap.py"


@pytest.fixture
def bootstrap(tmp_path: Path) -> Any:
    """The script as a module of this test's own, with its tools in a directory of this test's own."""
    spec = importlib.util.spec_from_file_location("bootstrap_under_test", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module: Any = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.TOOLS = tmp_path / ".tools"
    return module


class Index(ThreadingHTTPServer):
    """A package index on loopback that serves `files` by path and keeps the Authorization header of each request."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.asked: list[tuple[str, str | None]] = []
        super().__init__(("127.0.0.1", 0), IndexHandler)

    @property
    def netloc(self) -> str:
        return f"127.0.0.1:{self.server_port}"


class IndexHandler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        assert isinstance(self.server, Index)
        self.server.asked.append((self.path, self.headers.get("Authorization")))
        body = self.server.files.get(self.path)
        self.send_response(404 if body is None else 200)
        self.send_header("Content-Length", str(len(body or b"")))
        self.end_headers()
        self.wfile.write(body or b"")

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def index() -> Iterator[Index]:
    with Index() as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.mark.parametrize(
    ("system", "machine", "libc", "key"),
    [
        ("Linux", "x86_64", "glibc", "linux-x86_64-gnu"),
        ("Linux", "x86_64", "", "linux-x86_64-musl"),
        ("Linux", "aarch64", "glibc", "linux-aarch64"),
        ("Linux", "aarch64", "", "linux-aarch64"),
        ("Darwin", "x86_64", "", "macos-x86_64"),
        ("Darwin", "arm64", "", "macos-aarch64"),
    ],
)
def test_each_supported_platform_has_a_pinned_wheel(
    bootstrap: Any, system: str, machine: str, libc: str, key: str
) -> None:
    assert bootstrap.platform_key(system, machine, libc) == key

    wheel, sha256 = bootstrap.UV_WHEELS[key]
    assert wheel.startswith(f"uv-{bootstrap.UV_VERSION}-py3-none-")
    assert len(bytes.fromhex(sha256)) == 32


@pytest.mark.parametrize(("system", "machine"), [("Windows", "AMD64"), ("Linux", "riscv64"), ("FreeBSD", "amd64")])
def test_an_unsupported_platform_is_told_which_uv_to_install(bootstrap: Any, system: str, machine: str) -> None:
    with pytest.raises(bootstrap.SetupError) as caught:
        bootstrap.platform_key(system, machine, "")

    assert str(caught.value) == (
        f"no pinned uv for {system} on {machine}: install uv 0.13.9 yourself, put it on PATH, and run make again"
    )


@pytest.mark.parametrize(
    ("environment", "index"),
    [
        ({}, "https://pypi.org/simple"),
        ({"PIP_INDEX_URL": ""}, "https://pypi.org/simple"),
        ({"PIP_INDEX_URL": "https://pip.test/simple/"}, "https://pip.test/simple"),
        ({"PIP_INDEX_URL": "https://pip.test", "UV_INDEX_URL": "https://uv.test"}, "https://uv.test"),
        ({"UV_INDEX_URL": "https://uv.test", "UV_DEFAULT_INDEX": "corp=https://corp.test"}, "https://corp.test"),
        ({"UV_DEFAULT_INDEX": "https://me:pass=word@corp.test"}, "https://me:pass=word@corp.test"),
    ],
)
def test_the_index_is_the_one_chosen_for_uv_then_for_pip(
    bootstrap: Any, environment: dict[str, str], index: str
) -> None:
    assert bootstrap.index_url(environment) == index


def test_a_wheel_is_found_on_an_index_page_by_its_whole_name(bootstrap: Any) -> None:
    page = (
        '<a href="../../files/uv-0.13.9-py3-none-any.whl.metadata">no</a>'
        '<a data-requires-python="&gt;=3.8" href="../../files/uv-0.13.9-py3-none-any.whl#sha256=00">yes</a>'
    )

    assert (
        bootstrap.wheel_url("https://index.test/simple/uv/", page, "uv-0.13.9-py3-none-any.whl")
        == "https://index.test/files/uv-0.13.9-py3-none-any.whl"
    )
    assert bootstrap.wheel_url("https://index.test/simple/uv/", page, "uv-0.13.8-py3-none-any.whl") is None


@pytest.mark.parametrize(
    ("version_line", "suits"),
    [
        ("uv 0.13.9 (x86_64-unknown-linux-gnu)", True),
        ("uv 0.13.12", True),
        ("uv 0.13.8", False),
        ("uv 0.14.0", False),
        ("uv 1.13.9", False),
        ("something else", False),
    ],
)
def test_a_uv_on_path_suits_if_it_is_the_pinned_one_or_a_later_patch(
    bootstrap: Any, version_line: str, suits: bool
) -> None:
    assert bootstrap.is_suitable(version_line) is suits


def wheel_of(bootstrap: Any, script: bytes) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr(f"uv-{bootstrap.UV_VERSION}.data/scripts/uv", script)
    return content.getvalue()


def pin(bootstrap: Any, wheel: str, sha256: str) -> None:
    bootstrap.UV_WHEELS = dict.fromkeys(bootstrap.UV_WHEELS, (wheel, sha256))


def test_the_pinned_wheel_is_fetched_unpacked_and_runnable(
    bootstrap: Any, index: Index, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = wheel_of(bootstrap, b"#!/bin/sh\necho uv 0.13.9\n")
    pin(bootstrap, "uv-0.13.9-any.whl", hashlib.sha256(content).hexdigest())
    index.files = {"/simple/uv/": b'<a href="/files/uv-0.13.9-any.whl">w</a>', "/files/uv-0.13.9-any.whl": content}
    monkeypatch.setenv("UV_DEFAULT_INDEX", f"http://me:secret@{index.netloc}/simple")
    target = bootstrap.TOOLS / "uv-0.13.9" / "uv"

    bootstrap.fetch_uv(target)

    assert subprocess.check_output([target]) == b"uv 0.13.9\n"
    assert list(target.parent.iterdir()) == [target]
    basic = "Basic bWU6c2VjcmV0"
    assert index.asked == [("/simple/uv/", basic), ("/files/uv-0.13.9-any.whl", basic)]


def test_a_wheel_with_another_hash_is_refused_and_nothing_is_installed(
    bootstrap: Any, index: Index, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = wheel_of(bootstrap, b"#!/bin/sh\necho malice\n")
    pin(bootstrap, "uv-0.13.9-any.whl", "0" * 64)
    index.files = {"/simple/uv/": b'<a href="/files/uv-0.13.9-any.whl">w</a>', "/files/uv-0.13.9-any.whl": content}
    monkeypatch.setenv("UV_DEFAULT_INDEX", f"http://{index.netloc}/simple")

    with pytest.raises(bootstrap.SetupError) as caught:
        bootstrap.fetch_uv(bootstrap.TOOLS / "uv-0.13.9" / "uv")

    assert str(caught.value) == (
        f"uv-0.13.9-any.whl has sha256 {hashlib.sha256(content).hexdigest()} but {'0' * 64} is pinned: the download "
        "is damaged or the index serves another file; nothing was installed; try again, or use another index "
        "(UV_DEFAULT_INDEX)"
    )
    assert not bootstrap.TOOLS.exists()


def test_an_index_that_does_not_answer_is_named_without_its_password(
    bootstrap: Any, index: Index, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UV_DEFAULT_INDEX", f"http://me:secret@{index.netloc}/elsewhere")

    with pytest.raises(bootstrap.SetupError) as caught:
        bootstrap.fetch_uv(bootstrap.TOOLS / "uv-0.13.9" / "uv")

    assert str(caught.value) == (
        f"cannot read http://{index.netloc}/elsewhere/uv/: HTTP Error 404: Not Found: check the network; "
        "HTTPS_PROXY, SSL_CERT_FILE and UV_DEFAULT_INDEX are honoured"
    )
    assert len(index.asked) == 1


def test_credentials_of_the_index_stay_with_its_host(bootstrap: Any) -> None:
    with_credentials = bootstrap.with_credentials_of

    assert with_credentials("https://me:pw@corp.test/simple", "https://corp.test/f.whl") == (
        "https://me:pw@corp.test/f.whl"
    )
    assert with_credentials("https://me:pw@corp.test/simple", "https://files.test/f.whl") == "https://files.test/f.whl"
    assert with_credentials("https://me:pw@corp.test/simple", "http://corp.test/f.whl") == "http://corp.test/f.whl"


def test_another_index_is_asked_for_the_locked_hashes_and_pypi_for_the_lock_itself(bootstrap: Any) -> None:
    assert bootstrap.install_commands("uv", "run", "https://pypi.org/simple") == [["uv", "sync", "--locked", "--quiet"]]

    commands = bootstrap.install_commands("uv", "dev", "https://corp.test/simple")

    assert [command[1] for command in commands] == ["venv", "export", "pip", "pip"]
    assert {"--frozen", "--all-groups", "--no-emit-project"} <= set(commands[1])
    assert "--require-hashes" in commands[2]
    assert "--no-deps" in commands[3]


def test_a_finished_set_up_is_stale_when_the_lock_the_place_or_the_profile_changes(
    bootstrap: Any, tmp_path: Path
) -> None:
    bootstrap.ROOT, bootstrap.VENV = tmp_path, tmp_path / ".venv"
    (tmp_path / "scripts").mkdir()
    (tmp_path / ".venv" / "bin").mkdir(parents=True)
    (tmp_path / ".venv" / "bin" / "python").symlink_to(sys.executable)
    for name in ("uv.lock", "pyproject.toml", "scripts/bootstrap.py"):
        (tmp_path / name).write_text(name)
    bootstrap.stamp_of("run").write_text(bootstrap.fingerprint())

    assert bootstrap.is_current("run")
    assert not bootstrap.is_current("dev")

    bootstrap.stamp_of("run").rename(bootstrap.stamp_of("dev"))
    assert bootstrap.is_current("run")
    assert bootstrap.is_current("dev")

    (tmp_path / "uv.lock").write_text("another")
    assert not bootstrap.is_current("run")
    assert not bootstrap.is_current("dev")


def test_a_wrong_verb_shows_the_usage() -> None:
    answer = subprocess.run([sys.executable, str(SCRIPT), "everything"], capture_output=True, text=True)

    assert (answer.returncode, answer.stderr) == (2, "usage: bootstrap.py run|dev\n")
