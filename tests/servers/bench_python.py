"""One tool as a server made with the Python SDK or with FastMCP, for scripts/bench.sh: sessions in memory, no access log.

python bench_python.py mcp|fastmcp PORT      0 takes a free port
"""

import json
import socket
import sys

import uvicorn


def health_check() -> str:
    """Whether the server is ready."""
    at = "2026-11-20T10:00:00.000Z"
    health = {"status": "healthy", "database": True, "database_ms": 0.275, "last_health_check": at}
    return json.dumps({"success": True, "health": health, "uptime_seconds": 1.22, "timestamp": at})


def with_mcp():
    from mcp.server.mcpserver import MCPServer

    server = MCPServer("bench", log_level="WARNING")
    server.add_tool(health_check)
    return server.streamable_http_app(json_response=True)


def with_fastmcp():
    from fastmcp import FastMCP

    server = FastMCP("bench")
    server.tool(health_check)
    return server.http_app(path="/mcp", json_response=True)


app = {"mcp": with_mcp, "fastmcp": with_fastmcp}[sys.argv[1]]()
listener = socket.socket()
listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
listener.bind(("127.0.0.1", int(sys.argv[2])))
listener.listen(1024)
print(f"listening on http://127.0.0.1:{listener.getsockname()[1]}/mcp", flush=True)
uvicorn.Server(uvicorn.Config(app, log_level="warning", access_log=False)).run(sockets=[listener])
