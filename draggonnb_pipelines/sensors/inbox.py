"""What the sensors of the inbox share: handing waiting rows to runs, in batches."""

from uuid import uuid4

from draggonnb_pipelines.resources.postgres import Connection
from draggonnb_pipelines.settings import load_settings
from draggonnb_pipelines.sql import load_queries

INBOX = load_queries("inbox")
# Runs of one shard at once. What comes in meanwhile waits for the next one: few runs, each with much to do.
OPEN_BATCHES = 2
START_SECONDS = 120  # how long a run may take to claim its batch, before the rows are handed out again


async def dispatch_batches(conn: Connection, *, topic: str) -> dict[str, int]:
    """Hand the waiting rows to a new batch per shard: batch id -> rows. If the tick dies after this, the lease ends."""
    settings = load_settings()
    await INBOX.bury_hopeless(conn, topic=topic, max_attempts=settings.max_attempts)
    batches: dict[str, int] = {}
    for shard in range(settings.shards):
        for suspects in (False, True):
            place = {"topic": topic, "shards": settings.shards, "shard": shard, "suspects": suspects}
            if await INBOX.count_open_batches(conn, **place) >= OPEN_BATCHES:
                continue
            batch_id = uuid4()
            rows = INBOX.dispatch_batch(
                conn, **place, batch_id=batch_id, row_limit=settings.batch_size, lease_seconds=START_SECONDS
            )
            if count := len([row async for row in rows]):
                batches[str(batch_id)] = count
    return batches


def vendors_tag() -> str:
    """Run tag that says whether vendors are real: nobody should mistake a sandbox's run for the real thing."""
    sandboxed = load_settings().sandboxed_vendors
    return f"SANDBOX {','.join(sandboxed)}" if sandboxed else "live"
