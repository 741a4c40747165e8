"""A server made with FastMCP, its sessions in memory: scripts/foreign.sh talks to it, kills it and starts it again.

python fastmcp_server.py PORT
"""

import sys

from fastmcp import FastMCP

server = FastMCP("calculator")


@server.tool
def sum(a: int, b: int) -> int:
    """Adds two numbers."""
    return a + b


server.run(transport="http", host="127.0.0.1", port=int(sys.argv[1]), path="/mcp", show_banner=False)
