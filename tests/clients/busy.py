"""Clients of the Python SDK, of FastMCP or of Pydantic AI at work: each one object that is never reconnected.

    busy.py mcp|fastmcp|pydantic-ai URL CLIENTS

They call, with little pauses, until standard input ends. Then each calls once more. A line of JSON is printed for each: its
calls, those that failed (from when to when, in seconds since 1970, and why), and why the last one failed, if it did.
"""

import asyncio
import contextlib
import json
import random
import sys
import time


@contextlib.asynccontextmanager
async def opened(library, url):
    """A function that calls the tool, on one client object."""
    if library == "mcp":
        from mcp.client.client import Client

        async with Client(url) as client:
            yield lambda: client.call_tool("health_check", {})
    elif library == "fastmcp":
        from fastmcp import Client

        async with Client(url) as client:
            yield lambda: client.call_tool("health_check", {})
    else:
        from pydantic_ai.mcp import MCPToolset

        async with MCPToolset(url) as toolset:
            yield lambda: toolset.direct_call_tool("health_check", {})


async def attempt(call):
    began = time.time()
    try:
        result = await asyncio.wait_for(call(), 60)
        if getattr(result, "is_error", False):
            raise RuntimeError(result)
        return None
    except asyncio.CancelledError:
        # The library has torn down whatever the call ran in.
        asyncio.current_task().uncancel()
        return [began, time.time(), "cancelled"]
    except Exception as error:
        return [began, time.time(), f"{type(error).__name__}: {error}"[:200]]


async def work(library, url, ready, done):
    calls, failed, last = 0, [], "it did not open"
    try:
        async with opened(library, url) as call:
            ready.release()
            while not done.is_set():
                failure = await attempt(call)
                calls += 1
                if failure:
                    failed.append(failure)
                await asyncio.sleep(random.uniform(0.02, 0.2))
            failure = await attempt(call)
            last = failure and failure[2]
    except BaseException as error:  # what a closed client object throws at its end is told like a failed call
        if last:
            last = f"{type(error).__name__}: {error}"[:200]
    print(json.dumps({"calls": calls, "failed": failed, "last": last}), flush=True)


async def main(library, url, clients):
    ready, done = asyncio.Semaphore(0), asyncio.Event()
    tasks = [asyncio.create_task(work(library, url, ready, done)) for _ in range(clients)]
    for _ in range(clients):
        await asyncio.wait_for(ready.acquire(), 60)
    print("ready", flush=True)
    await asyncio.to_thread(sys.stdin.read)
    done.set()
    await asyncio.gather(*tasks)


asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3])))
