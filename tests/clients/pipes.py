"""The Python SDK's client on the pipes of a server that it starts: what a call says before its answer, and what it asks.

    pipes.py COMMAND ARGUMENT…
"""

import asyncio
import sys

from mcp import ClientSession, StdioServerParameters, stdio_client, types


async def main(command, *arguments):
    steps, logged = [], []

    async def on_progress(progress, total, message):
        steps.append((progress, total, message))

    async def on_log(params):
        logged.append(str(params.level))

    async def on_roots(context):
        return types.ListRootsResult(roots=[])

    server = StdioServerParameters(command=command, args=list(arguments))
    async with stdio_client(server) as (read, write):
        async with ClientSession(read, write, list_roots_callback=on_roots, logging_callback=on_log) as session:
            opened = await session.initialize()
            assert opened.server_info.name == "archonctl", opened
            names = [tool.name for tool in (await session.list_tools()).tools]
            assert "health_check" in names, names
            healthy = await session.call_tool("health_check", {})
            assert not healthy.is_error, healthy
            done = await session.call_tool("test_progress", {"steps": 3}, progress_callback=on_progress)
            assert done.structured_content == {"steps": 3}, done
            assert steps == [(n, 3.0, f"step {n}") for n in (1, 2, 3)], steps
            await session.call_tool("test_log", {})
            assert logged and "debug" not in logged, logged
            asked = await session.call_tool("test_ask", {"what": "roots"})
            assert asked.structured_content == {"answer": {"roots": []}}, asked
            page = await session.read_resource("test://page/7")
            assert page.contents[0].text == "page 7", page
            greeting = await session.get_prompt("test_greeting", {"name": "Ada"})
            assert greeting.messages[0].content.text == "Please greet Ada.", greeting
    print("ok      the Python SDK on the pipes of a server")


asyncio.run(main(*sys.argv[1:]))
