"""Wrong settings, found when a process of the stack is started again with them; and a port that somebody else has.

The API ends, what senders bring waits with them, and systemd's own command (`draggonnb serve api`) is given the wrong
settings. Not here: the machine (`machine.py`), which settings there are (`tests/test_settings.py`).
"""

import base64
import contextlib
import os
import shutil
import tempfile
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import psutil
from psycopg.conninfo import make_conninfo

import draggonnb_pipelines
from faults.catalogue import fault
from faults.scene import Scene
from faults.telling import Told, listen, log_of, verb, watch

OTHER_KEYS = f"k1:{base64.b64encode(os.urandom(32)).decode()}"
SET_RIGHT = "sets it right, and starts the process again"


@fault(
    "env-torn",
    done="`.env` ends in the middle of DRAGGONNB_MASTER_DSN, as after a full disk, and the API is started again",
    operator="writes the file anew from its backup, and starts the process again",
)
def env_torn(scene: Scene) -> Told:
    with _checkout(b'DRAGGONNB_API_PORT=8080\nDRAGGONNB_MASTER_DSN="postgresql://draggonnb@127.0') as settings:
        return _refused(scene, ".env, line 2", **settings)


@fault(
    "env-overwritten",
    done="`.env` is full of zeros, as after a power cut, and the API is started again",
    operator="writes the file anew from its backup, and starts the process again",
)
def env_overwritten(scene: Scene) -> Told:
    with _checkout(bytes(512)) as settings:
        return _refused(scene, ".env is empty", **settings)


@fault("master-keys-wrong", done="the API is started with another installation's master keys", operator=SET_RIGHT)
def master_keys_wrong(scene: Scene) -> Told:
    return _refused(scene, "master keys", DRAGGONNB_MASTER_KEYS=OTHER_KEYS)


@fault("master-keys-missing", done="the API is started without master keys", operator=SET_RIGHT)
def master_keys_missing(scene: Scene) -> Told:
    return _refused(scene, "DRAGGONNB_MASTER_KEYS is not set", DRAGGONNB_MASTER_KEYS="")


@fault("database-misspelt", done="the API is started with a master database that there is not", operator=SET_RIGHT)
def database_misspelt(scene: Scene) -> Told:
    dsn = make_conninfo(scene.system.settings.dsn, dbname="draggonbn")
    return _refused(scene, "draggonbn", DRAGGONNB_MASTER_DSN=dsn)


@fault(
    "state-directory-unwritable",
    done="the API is started with a state directory in which nothing can be made",
    operator="gives it to the user that runs draggonnb, and starts the process again",
)
def state_directory_unwritable(scene: Scene) -> Told:
    return _refused(scene, "state directory", DRAGGONNB_STATE_DIR="/dev/null/draggonnb")


@fault("credential-half-set", done="the API is started with PayFast's key and no merchant id", operator=SET_RIGHT)
def credential_half_set(scene: Scene) -> Told:
    with scene.restarted("api", DRAGGONNB_PAYFAST_MERCHANT_KEY="half"):
        scene.begins()
        return listen(scene, log_of(scene, "api", "DRAGGONNB_PAYFAST_MERCHANT_ID"), seconds=120)


@fault(
    "port-taken",
    done="another program takes the API's port while it is started again",
    operator="ends the other program, or gives the API a port of its own",
)
def port_taken(scene: Scene) -> Told:
    with scene.unsupervised():
        api = scene.process("api")
        api.kill()
        scene.system.wait_until("its port is free", lambda: api.status() == psutil.STATUS_ZOMBIE, seconds=10)
        stranger = ThreadingHTTPServer(("127.0.0.1", scene.system.settings.api_port), _Stranger)
    threading.Thread(target=stranger.serve_forever, daemon=True).start()
    try:
        return listen(scene, watch(scene, "is not our API"), seconds=120)
    finally:
        stranger.shutdown()
        stranger.server_close()


class _Stranger(BaseHTTPRequestHandler):
    """Answers everything with a page of its own, and takes nothing in."""

    def do_GET(self) -> None:
        self.send_error(404)

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: it is not ours."""


def _refused(scene: Scene, about: str, **environment: str) -> Told:
    """The API is away, and does not start with these settings; with its own it comes back after this."""
    with scene.unsupervised():
        scene.process("api").kill()
        scene.begins()
        return listen(scene, verb(scene, "serve api", about, code=1, **environment), seconds=120)


@contextlib.contextmanager
def _checkout(env_file: bytes) -> Iterator[dict[str, str]]:
    """The settings of a checkout of our code with this `.env`, which alone says where the database is."""
    code = Path(draggonnb_pipelines.__file__).parent
    with tempfile.TemporaryDirectory(prefix="draggonnb-", dir="/var/tmp") as name:
        shutil.copytree(code, Path(name) / code.name, ignore=shutil.ignore_patterns("__pycache__"))
        (Path(name) / ".env").write_bytes(env_file)
        yield {"PYTHONPATH": name, "DRAGGONNB_MASTER_DSN": ""}
