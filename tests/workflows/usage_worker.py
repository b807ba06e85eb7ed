"""A process that reserves: `python -m tests.workflows.usage_worker SLUG METRIC SECONDS KEY...`.

Settings come by the environment. Each key is asked for on a connection of its own; all wait at one gate, an advisory
lock that the test holds. Prints what was granted as one line of JSON, and holds it until it is ended.
"""

import asyncio
import dataclasses
import json
import sys
from datetime import timedelta

from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.resources.postgres import MasterDb
from draggonnb_pipelines.resources.stack import Stack, open_stack
from draggonnb_pipelines.settings import load_settings
from draggonnb_pipelines.sql import load_queries
from draggonnb_pipelines.workflows.billing.usage import reserve

GATE = 20261123


async def main(slug: str, metric: str, seconds: float, keys: list[str]) -> None:
    settings = load_settings()
    async with open_stack(settings) as opened, MasterDb(settings.dsn, max_connections=1) as master:
        stack = dataclasses.replace(opened, master=master)
        async with master.connection() as conn:
            row = await load_queries("organizations").get_organization(conn, slug=slug)
        asked = [_ask(stack, Organization(**row), metric, seconds, key) for key in keys]
        granted = await asyncio.gather(*asked)
        sys.stdout.write(json.dumps(sorted(frozenset().union(*granted))) + "\n")
        sys.stdout.flush()
        await asyncio.sleep(600)


async def _ask(stack: Stack, organization: Organization, metric: str, seconds: float, key: str) -> frozenset[str]:
    async with stack.tenants.open(organization) as tenant:
        await tenant.conn.execute("select pg_advisory_lock_shared(%s), pg_advisory_unlock_shared(%s)", (GATE, GATE))
        now = stack.now()
        reserved = await reserve(stack, tenant, metric, [key], at=now, expires_at=now + timedelta(seconds=seconds))
        return reserved.granted


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], float(sys.argv[3]), sys.argv[4:]))
