"""The tool `health`: what the running API says, and what is told where it is not there."""

import asyncio
import dataclasses
import sys

from draggonnb_pipelines.resources.stack import Stack
from tests.cli.conftest import ROOT
from tests.mcp_server.desk import connected
from tests.sandbox_process import Sandbox


async def test_health_is_down_where_no_api_answers(stack: Stack):
    async with connected(stack) as reader:
        answer = await reader.ok("health")

    assert answer["status"] == "down"
    assert answer["report"] == {"status": "down", "reason": "the API does not answer: ConnectError"}
    assert answer["url"] == f"http://127.0.0.1:{stack.settings.api_port}/api/health"


async def test_health_is_what_the_running_api_says(stack: Stack, environment: dict[str, str]):
    own = environment | {"DRAGGONNB_API_PORT": str(stack.settings.api_port)}
    api = await asyncio.create_subprocess_exec(sys.executable, "-m", "draggonnb_pipelines.api", env=own, cwd=ROOT)
    try:
        async with asyncio.timeout(60), connected(stack) as reader:
            answer = await reader.ok("health")
            for _ in range(300):
                if "reason" not in answer["report"]:
                    break
                await asyncio.sleep(0.2)
                answer = await reader.ok("health")
    finally:
        api.terminate()
        await api.wait()

    assert answer["status"] == answer["report"]["status"] != "down"
    assert answer["report"]["services"]["database"] == "connected"


async def test_health_is_down_where_another_program_has_the_port(stack: Stack, sandbox: Sandbox):
    taken = dataclasses.replace(stack, settings=stack.settings.model_copy(update={"api_port": sandbox.port}))

    async with connected(taken) as reader:
        answer = await reader.ok("health")

    assert answer["report"] == {"status": "down", "reason": "what answers there is not our API"}
