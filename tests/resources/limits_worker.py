"""A process with many callers of one vendor: `python -m tests.resources.limits_worker RATE CALLERS SECONDS SKEW`.

The master's DSN comes by stdin. Its clock is off by SKEW seconds. Prints the machine's time of each call that was let
through, a line each, as it happens.
"""

import asyncio
import sys
import time

from draggonnb_pipelines.resources.postgres import MasterDb
from draggonnb_pipelines.resources.vendor_limits import VendorLimits


async def main(rate: float, callers: int, seconds: float, skew: float, dsn: str) -> None:
    ends = time.monotonic() + seconds

    async def call_again_and_again(limits: VendorLimits) -> None:
        while time.monotonic() < ends:
            await limits.admit("claude", max_wait_seconds=60)
            sys.stdout.write(f"{time.time()}\n")
            sys.stdout.flush()

    async with MasterDb(dsn, max_connections=1) as master:
        limits = VendorLimits(master, {"claude": rate}, monotonic=lambda: time.monotonic() + skew)
        callings = [asyncio.create_task(call_again_and_again(limits)) for _ in range(callers)]
        await asyncio.wait(callings, timeout=seconds)


if __name__ == "__main__":
    rate, callers, seconds, skew = sys.argv[1:5]
    asyncio.run(main(float(rate), int(callers), float(seconds), float(skew), sys.stdin.readline().strip()))
