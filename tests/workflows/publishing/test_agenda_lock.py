"""The connection on which a publishing run holds its lock; what the lock means is in `test_agenda.py`."""

from uuid import uuid4

from draggonnb_pipelines.resources.stack import Stack
from draggonnb_pipelines.workflows.publishing import agenda

# Of the session, since over a Unix socket the server answers `show` with 0.
TOLD = "select name, reset_val from pg_settings where name ~ '^tcp_' and source = 'client' order by name"


async def test_the_server_looks_after_half_a_minute_whether_a_silent_run_is_still_there(stack: Stack) -> None:
    async with await agenda._locked(stack.master, str(uuid4())) as conn:
        told = dict(await (await conn.execute(TOLD)).fetchall())

    idle, interval, count = (int(told[f"tcp_keepalives_{name}"]) for name in ("idle", "interval", "count"))
    assert idle + interval * count <= 30
    assert told["tcp_user_timeout"] == "20000"
