#!/usr/bin/env bash
# MCP servers of others, as their users have them, each with its sessions in memory:
#
#   scripts/foreign-servers.sh install FOLDER            into that folder; does nothing where that is done
#   scripts/foreign-servers.sh run NAME FOLDER PORT      in this process, on 127.0.0.1
#   scripts/foreign-servers.sh version NAME
#
# NAME: everything (the reference server of the TypeScript SDK, from npm), fastmcp (from PyPI), rmcp (the Rust SDK's, built
# here as an example). For benchmarks, with one tool, at their quickest: bench-rmcp (built for release), bench-typescript
# (the TypeScript SDK's packages), bench-mcp (the Python SDK), bench-fastmcp; these print `listening on URL`, and 0 is a port.
# The clients of tests/clients/ are installed as well: of the SDKs for TypeScript (sdk is version 1, client version 2) and Python,
# of FastMCP and of Pydantic AI.
set -euo pipefail
cd "$(dirname "$0")/.."

everything=2026.8.31
typescript=2.4.0 typescript_node=2.1.2
typescript_1=1.32.2
fastmcp=4.2.3
mcp=2.3.0
pydantic_ai=2.68.0

install() {
  local folder=$1 python="fastmcp==$fastmcp mcp==$mcp pydantic-ai-slim[mcp]==$pydantic_ai"
  scripts/npm.sh "$folder/npm" "@modelcontextprotocol/server-everything@$everything" \
    "@modelcontextprotocol/server@$typescript" "@modelcontextprotocol/node@$typescript_node" \
    "@modelcontextprotocol/client@$typescript" "@modelcontextprotocol/sdk@$typescript_1"
  if [[ $(cat "$folder/python/installed" 2>/dev/null) != "$python" ]]; then
    scripts/install.sh python
    python3 -m venv --clear "$folder/python"
    # In words: several requirements.
    # shellcheck disable=SC2086
    "$folder/python/bin/python" -m pip install --quiet --disable-pip-version-check $python
    echo "$python" >"$folder/python/installed"
  fi
}

# With exec, so that whoever started this ends the server by its pid.
run() {
  local name=$1 folder=$2 port=$3 target=${CARGO_TARGET_DIR:-target}
  local node=$folder/npm/node_modules/.bin/node python=$folder/python/bin/python
  case $name in
    everything)
      PORT=$port exec "$node" --require ./scripts/loopback.cjs \
        "$folder/npm/node_modules/@modelcontextprotocol/server-everything/dist/index.js" streamableHttp
      ;;
    fastmcp) exec "$python" tests/servers/fastmcp_server.py "$port" ;;
    rmcp) exec "$target/debug/examples/rmcp_server" "127.0.0.1:$port" ;;
    bench-rmcp) exec "$target/release/examples/bench_rmcp" "127.0.0.1:$port" ;;
    bench-typescript) exec "$node" tests/servers/bench_typescript.mjs "$folder/npm/node_modules" "$port" ;;
    bench-mcp | bench-fastmcp) exec "$python" tests/servers/bench_python.py "${name#bench-}" "$port" ;;
    *) echo "no server $name" >&2; exit 2 ;;
  esac
}

version() {
  case ${1#bench-} in
    everything) echo "$everything" ;;
    typescript) echo "$typescript" ;;
    fastmcp) echo "$fastmcp" ;;
    mcp) echo "$mcp" ;;
    rmcp) sed -n 's/^rmcp = .*"=\([0-9.]*\)".*/\1/p' Cargo.toml ;;
  esac
}

case ${1:-} in
  install) install "${2:?FOLDER}" ;;
  run) run "${2:?NAME}" "${3:?FOLDER}" "${4:?PORT}" ;;
  version) version "${2:?NAME}" ;;
  *) sed -n '2,13s/^# \{0,1\}//p' "$0" >&2; exit 2 ;;
esac
