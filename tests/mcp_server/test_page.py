"""docs/mcp.md names the tools and their arguments as the server has them."""

import re

from draggonnb_pipelines.resources.stack import Stack
from tests.cli.conftest import ROOT
from tests.mcp_server.desk import connected


async def test_the_page_has_every_tool_with_its_arguments(stack: Stack):
    rows = re.findall(r"^\| `(\w+)` \|([^|]*)\|", (ROOT / "docs" / "mcp.md").read_text(), re.MULTILINE)
    page = {name: re.findall(r"`(\w+)`", arguments) for name, arguments in rows}

    async with connected(stack, allow_writes=True) as writer:
        tools = {tool.name: list(tool.input_schema["properties"]) for tool in (await writer.client.list_tools()).tools}

    assert {name: arguments for name, arguments in page.items() if name in tools} == tools
