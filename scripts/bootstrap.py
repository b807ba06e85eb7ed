"""Set-up on a bare machine: a pinned uv, then the locked environment in .venv.

Lives here: finding or fetching uv, and the one `uv sync` that `make` needs. Standard library only, and syntax
that Python 3.8 reads, because it runs before anything is installed (no pip, no venv module, no uv).
Does not live here: what is installed (pyproject.toml and uv.lock say it) and what is run afterwards (Makefile).

`bootstrap.py run` installs what `make demo` and `make up` need, `bootstrap.py dev` the tools of the others too.
"""

import base64
import hashlib
import html
import http.client
import io
import os
import platform
import re
import shutil
import ssl
import subprocess
import sys
import time
import urllib.error
import urllib.request
import zipfile
from pathlib import Path
from urllib.parse import unquote, urljoin, urlsplit, urlunsplit

ROOT = Path(__file__).resolve().parent.parent
TOOLS = ROOT / ".tools"
VENV = ROOT / ".venv"

# To move the pin: change the version, and copy names and hashes from a uv.lock of a project that depends on that uv.
UV_VERSION = "0.13.9"
UV_WHEELS = {
    "linux-x86_64-gnu": (
        "uv-0.13.9-py3-none-manylinux_2_17_x86_64.manylinux2014_x86_64.whl",
        "d7f459fe4fd247d830351c75686d3996ace3c6f3f728eb0e85a30b7ada0cef19",
    ),
    "linux-x86_64-musl": (
        "uv-0.13.9-py3-none-musllinux_1_1_x86_64.whl",
        "2c45530751517d6c3bbc69a19473f6effe47cce047bede01ffd8af7ea7b36b25",
    ),
    # One static build serves both C libraries on this processor.
    "linux-aarch64": (
        "uv-0.13.9-py3-none-manylinux_2_17_aarch64.manylinux2014_aarch64.musllinux_1_1_aarch64.whl",
        "5435c5ce14a56431208ca0996416d310f1598e8c2c8ba707688985a16bb82dbe",
    ),
    "macos-x86_64": (
        "uv-0.13.9-py3-none-macosx_10_12_x86_64.whl",
        "c16ed11e013557536b3e60065f1b912f6407bd6518e041b961e23ef9e6b4fbf5",
    ),
    "macos-aarch64": (
        "uv-0.13.9-py3-none-macosx_11_0_arm64.whl",
        "66c512266d633bef48384a1f53003f41f2a8e7b36fe6e7fbfd3e0fd52d96fa63",
    ),
}
PYPI = "https://pypi.org/simple"
WHEEL_MAX_BYTES = 100_000_000
SYNC_ARGUMENTS = {"run": [], "dev": ["--all-groups"]}
SATISFIED_BY = {"run": ["run", "dev"], "dev": ["dev"]}


class SetupError(Exception):
    """What went wrong and what to do about it, in one line."""


def platform_key(system, machine, libc):
    """The key of UV_WHEELS for this machine. Takes what `platform` says as arguments, so that it can be tested."""
    processor = {"x86_64": "x86_64", "amd64": "x86_64", "aarch64": "aarch64", "arm64": "aarch64"}.get(machine.lower())
    if processor and system == "Darwin":
        return f"macos-{processor}"
    if processor == "aarch64" and system == "Linux":
        return "linux-aarch64"
    if processor == "x86_64" and system == "Linux":
        return "linux-x86_64-gnu" if libc == "glibc" else "linux-x86_64-musl"
    raise SetupError(
        f"no pinned uv for {system} on {machine}: install uv {UV_VERSION} yourself, put it on PATH, and run make again"
    )


def index_url(environment):
    """The package index that the user has chosen for uv or pip, else PyPI. uv's form `name=url` loses its name."""
    for name in ("UV_DEFAULT_INDEX", "UV_INDEX_URL", "PIP_INDEX_URL"):
        value = environment.get(name, "").strip()
        if value:
            return re.sub(r"^[\w.-]+=(?=\w+:)", "", value).rstrip("/")
    return PYPI


def wheel_url(page_url, page, wheel):
    """The address of `wheel` on a simple-index page (PEP 503), or None."""
    for href in re.findall(r"""<a\s[^>]*?href\s*=\s*["']([^"']+)["']""", page, re.IGNORECASE):
        url = urljoin(page_url, html.unescape(href))
        if unquote(urlsplit(url).path).rsplit("/", 1)[-1] == wheel:
            return url.split("#", 1)[0]
    return None


def check_hash(wheel, content, expected_sha256):
    """Refuses a wheel that is not byte for byte the pinned one."""
    actual = hashlib.sha256(content).hexdigest()
    if actual != expected_sha256:
        raise SetupError(
            f"{wheel} has sha256 {actual} but {expected_sha256} is pinned: the download is damaged or the index "
            "serves another file; nothing was installed; try again, or use another index (UV_DEFAULT_INDEX)"
        )


def request_for(url):
    """A request whose `user:password@` moves into a header: urllib would look it up as part of the host name."""
    parts = urlsplit(url)
    credentials, _, host = parts.netloc.rpartition("@")
    request = urllib.request.Request(urlunsplit(parts._replace(netloc=host)))
    if credentials:
        token = base64.b64encode(unquote(credentials).encode()).decode()
        request.add_unredirected_header("Authorization", "Basic " + token)
    return request


def without_credentials(url):
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))


def with_credentials_of(index, url):
    """A mirror that asks for a password asks for it on its files too; other hosts must never see it."""
    mine, theirs = urlsplit(index), urlsplit(url)
    credentials, at, host = mine.netloc.rpartition("@")
    if at and (theirs.scheme, theirs.netloc) == (mine.scheme, host):
        return urlunsplit(theirs._replace(netloc=credentials + at + host))
    return url


def read_url(url, attempts=3):
    """(final address, bytes) with a size cap. Server and connection faults are tried again; a refusal is not."""
    shown = without_credentials(url)
    for attempt in range(1, attempts + 1):
        try:
            with urllib.request.urlopen(request_for(url), timeout=60) as response:
                content = response.read(WHEEL_MAX_BYTES + 1)
            if len(content) > WHEEL_MAX_BYTES:
                raise SetupError(f"{shown} is larger than {WHEEL_MAX_BYTES} bytes: use another index")
            return response.geturl(), content
        except (urllib.error.URLError, http.client.HTTPException, OSError, ValueError) as error:
            answered = isinstance(error, urllib.error.HTTPError)
            if answered:
                error.close()
            reason = error if answered else getattr(error, "reason", error)
            if isinstance(reason, ssl.SSLCertVerificationError):
                raise SetupError(
                    f"{shown}: {reason}: set SSL_CERT_FILE to your CA bundle (Debian: install ca-certificates; "
                    "python.org's macOS build: run 'Install Certificates.command')"
                ) from None
            refused = isinstance(error, ValueError) or (answered and error.code < 500)
            if refused or attempt == attempts:
                raise SetupError(
                    f"cannot read {shown}: {reason}: check the network; "
                    "HTTPS_PROXY, SSL_CERT_FILE and UV_DEFAULT_INDEX are honoured"
                ) from None
            time.sleep(attempt)
    raise AssertionError("unreachable")


def fetch_uv(target):
    """Download, check and unpack the pinned uv to `target`; a half-written file never gets that name."""
    wheel, sha256 = UV_WHEELS[platform_key(platform.system(), platform.machine(), platform.libc_ver()[0])]
    index = index_url(os.environ)
    print(f"Fetching uv {UV_VERSION} into {TOOLS.name}", flush=True)
    page_url, page = read_url(index + "/uv/")
    url = wheel_url(page_url, page.decode("utf-8", "replace"), wheel)
    if url is None:
        raise SetupError(f"{without_credentials(index)} does not offer {wheel}: set UV_DEFAULT_INDEX")
    content = read_url(with_credentials_of(index, url))[1]
    check_hash(wheel, content, sha256)

    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(f"{target.name}.{os.getpid()}.part")
    with zipfile.ZipFile(io.BytesIO(content)) as opened:
        partial.write_bytes(opened.read(f"uv-{UV_VERSION}.data/scripts/uv"))
    partial.chmod(0o755)
    partial.replace(target)


def is_suitable(version_line):
    """Another 0.x may write or read uv.lock differently; a later patch of the same 0.x may not."""
    found = re.match(r"uv (\d+)\.(\d+)\.(\d+)", version_line)
    pinned = tuple(int(part) for part in UV_VERSION.split("."))
    version = tuple(int(part) for part in found.groups()) if found else (0, 0, 0)
    return version[:2] == pinned[:2] and version >= pinned


def find_uv():
    """The uv on PATH if it suits, else ours, fetched once."""
    ours = TOOLS / f"uv-{UV_VERSION}" / "uv"
    for candidate in (shutil.which("uv"), str(ours)):
        if candidate and Path(candidate).exists():
            try:
                answer = subprocess.run([candidate, "--version"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
            except OSError:
                continue
            if answer.returncode == 0 and is_suitable(answer.stdout.decode("utf-8", "replace")):
                return candidate
    fetch_uv(ours)
    return str(ours)


def fingerprint():
    """What a finished set-up depends on. The place counts: scripts in .venv/bin hold absolute paths."""
    digest = hashlib.sha256(str(ROOT).encode())
    for name in ("uv.lock", "pyproject.toml", "scripts/bootstrap.py"):
        digest.update((ROOT / name).read_bytes())
    return digest.hexdigest()


def stamp_of(profile):
    return VENV / f".synced-{profile}"


def is_current(profile):
    """True if .venv already holds this profile, or the larger one, and its Python still runs."""
    wanted = fingerprint()
    stamps = [stamp_of(name) for name in SATISFIED_BY[profile]]
    if not any(stamp.exists() and stamp.read_text() == wanted for stamp in stamps):
        return False
    try:
        return subprocess.run([str(VENV / "bin" / "python"), "-c", ""]).returncode == 0
    except OSError:
        return False


def uv_environment(uv):
    """The user's environment with .venv fixed, and a cache of our own where the home directory is not writable.

    uv brings its own certificate authorities; machines behind a company's proxy have theirs in the system store.
    """
    environment = dict(os.environ, UV_PROJECT_ENVIRONMENT=str(VENV))
    environment.setdefault("UV_SYSTEM_CERTS", "true")
    # Compiled once here, and not by each of five processes; some machines forbid Python to keep what it compiles.
    environment.setdefault("UV_COMPILE_BYTECODE", "1")
    if index_url(environment) != PYPI:
        environment.setdefault("UV_DEFAULT_INDEX", index_url(environment))
    environment.pop("VIRTUAL_ENV", None)
    answer = subprocess.run([uv, "cache", "dir", "--no-config"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    place = Path(answer.stdout.decode().strip() or "/nonexistent")
    nearest = next((folder for folder in (place, *place.parents) if folder.exists()), place)
    if not os.access(str(nearest), os.W_OK):
        environment["UV_CACHE_DIR"] = str(TOOLS / "uv-cache")
    return environment


def install_commands(uv, profile, index):
    """The lock names PyPI, and `--locked` refuses any other index: that one is asked for the same hashes instead."""
    groups = SYNC_ARGUMENTS[profile]
    if index == PYPI:
        return [[uv, "sync", "--locked", "--quiet", *groups]]
    pins, here = str(VENV / "pins.txt"), ["--quiet", "--python", str(VENV)]
    return [
        [uv, "venv", "--quiet", "--allow-existing", str(VENV)],
        [uv, "export", "--quiet", "--frozen", "--no-emit-project", *groups, "--output-file", pins],
        [uv, "pip", "sync", *here, "--require-hashes", pins],
        [uv, "pip", "install", *here, "--no-deps", "--editable", "."],
    ]


def sync(profile):
    """Bring .venv in line with uv.lock. Stamps go first, so that a broken-off sync is seen as unfinished."""
    uv = find_uv()
    environment = uv_environment(uv)
    for name in SYNC_ARGUMENTS:
        if stamp_of(name).exists():
            stamp_of(name).unlink()
    print("Setting up .venv from uv.lock (the first time takes a minute or two)", flush=True)
    for command in install_commands(uv, profile, index_url(environment)):
        if subprocess.run(command, cwd=str(ROOT), env=environment).returncode == 0:
            continue
        find = [uv, "python", "find", "--no-python-downloads", "--system", ">=3.11,<3.14"]
        if subprocess.run(find, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode != 0:
            raise SetupError(
                "no Python 3.11 to 3.13 on this machine, and uv could not fetch one: install it (Debian/Ubuntu: "
                "apt install python3.12 or python3.11, macOS: brew install python@3.12) and run make again"
            )
        raise SetupError("uv failed for the reason above: put it right and run make again")
    stamp_of(profile).write_text(fingerprint())


def main(arguments):
    if len(arguments) != 1 or arguments[0] not in SYNC_ARGUMENTS:
        print("usage: bootstrap.py run|dev", file=sys.stderr)
        return 2
    try:
        if not is_current(arguments[0]):
            sync(arguments[0])
    except (SetupError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
