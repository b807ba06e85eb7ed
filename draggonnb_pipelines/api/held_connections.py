"""A restart of the API that loses no request: the socket that systemd holds, and the end of connections that were
taken and not yet read.

While the API is stopped, requests wait in the held socket's queue. Not here: the socket's unit (deploy/systemd), which
server it is given to (`__main__.py`).
"""

import os
import socket
from collections.abc import Mapping

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

FIRST_HELD_FD = 3  # SD_LISTEN_FDS_START of sd_listen_fds(3)
PATIENCE_SECONDS = 1.0


def held_socket(environment: Mapping[str, str] = os.environ) -> socket.socket | None:
    """The socket of `sd_listen_fds(3)`, if there is exactly one and it is meant for this process."""
    if environment.get("LISTEN_PID") != str(os.getpid()) or environment.get("LISTEN_FDS") != "1":
        return None
    # uvicorn's own `fd` would take it for a Unix socket, and every caller's address would be unknown.
    return socket.socket(fileno=FIRST_HELD_FD)


class PatientProtocol(HttpToolsProtocol):
    """At the end uvicorn closes each connection on which no request is being answered, also one that it has taken a
    moment ago and whose request is on its way. This one waits for it, and closes after that."""

    def shutdown(self) -> None:
        if self.cycle is None or self.cycle.response_complete:
            self.loop.call_later(PATIENCE_SECONDS, super().shutdown)
        else:
            super().shutdown()
