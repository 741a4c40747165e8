"""The official Python client, idle for longer than the session timeout: one client object, never reconnected.

    idle.py URL SECONDS
"""

import asyncio
import sys

from mcp.client.client import Client


async def main(url: str, seconds: float) -> None:
    async with Client(url) as client:
        for turn in ("before", "after"):
            result = await client.call_tool("health_check", {})
            if result.is_error:
                raise SystemExit(f"{turn} the pause: {result}")
            if turn == "before":
                await asyncio.sleep(seconds)
    print("python: the same client goes on after the pause")


asyncio.run(main(sys.argv[1], float(sys.argv[2])))
