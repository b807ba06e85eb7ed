"""A vendor whose TLS certificate ends: WhatsApp behind a gateway whose certificate is made and renewed here.

Not here: what a certificate must be valid for (`tests/resources/test_http_tls.py`).
"""

import asyncio
import contextlib
import ssl
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from faults.catalogue import fault
from faults.scene import Scene
from faults.telling import Told, Voice, doctor, listen
from tests.sandbox_process import free_port_pair
from tests.tls_servers import certificate_for

HOST = "localhost"


@fault(
    "certificate-expired",
    done="WhatsApp's TLS certificate ends, and is renewed half a minute later",
    operator="nothing: messages wait until the vendor renews it",
)
def certificate_expired(scene: Scene) -> Told:
    with tempfile.TemporaryDirectory(prefix="draggonnb-", dir="/var/tmp") as name:
        # Its own authority: what a run believes is in the same file, and read anew by each run.
        certificate = certificate_for(HOST, Path(name) / "whatsapp.pem", days_left=-1)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        with _gateway(scene.sandbox.port, context) as port:
            settings = {
                "SSL_CERT_FILE": str(certificate),
                "DRAGGONNB_WHATSAPP_TOKEN": "sandbox",
                "DRAGGONNB_WHATSAPP_APP_SECRET": "not used by runs",
                "DRAGGONNB_WHATSAPP_BUSINESS_ACCOUNT_ID": "sandbox",
                "DRAGGONNB_WHATSAPP_BASE_URL": f"https://{HOST}:{port}/graph/v25.0",
            }
            with scene.restarted("code server", **settings):
                scene.begins()
                told = listen(scene, _outbox(scene), doctor(scene, "certificate has expired", **settings), seconds=120)
                time.sleep(max(30 - scene.seconds, 0))
                before = _gone_out(scene)
                context.load_cert_chain(certificate_for(HOST, certificate))
                scene.system.wait_until("messages go out", lambda: _gone_out(scene) > before, seconds=120)
    return told


def _outbox(scene: Scene) -> Voice:
    query = "select status || ': ' || last_error as said from notification_deliveries where last_error like '%expired%'"

    def says() -> str | None:
        return next((row["said"] for client in scene.clients for row in scene.rows(client, query)), None)

    return Voice("the client's outbox", says)


def _gone_out(scene: Scene) -> int:
    return len(scene.sandbox.public("whatsapp"))


@contextlib.contextmanager
def _gateway(to_port: int, context: ssl.SSLContext) -> Iterator[int]:
    """TLS on a port of its own, plain HTTP behind it; in a thread, until the end of this."""
    port, loop, is_open = free_port_pair(), asyncio.new_event_loop(), threading.Event()

    async def pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while some := await reader.read(65_536):
                writer.write(some)
                await writer.drain()
        writer.close()

    async def pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        behind = await asyncio.open_connection("127.0.0.1", to_port)
        await asyncio.gather(pipe(reader, behind[1]), pipe(behind[0], writer))

    async def serve() -> None:
        async with await asyncio.start_server(pass_on, "127.0.0.1", port, ssl=context):
            is_open.set()
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.Event().wait()

    task = loop.create_task(serve())
    thread = threading.Thread(target=lambda: loop.run_until_complete(task), daemon=True)
    thread.start()
    is_open.wait(5)
    try:
        yield port
    finally:
        loop.call_soon_threadsafe(task.cancel)
        thread.join(5)
