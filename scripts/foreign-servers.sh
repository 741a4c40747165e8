#!/usr/bin/env bash
# MCP servers of others, as their users have them, each with its sessions in memory:
#
#   scripts/foreign-servers.sh install FOLDER            into that folder; does nothing where that is done
#   scripts/foreign-servers.sh run NAME FOLDER PORT      in this process, on 127.0.0.1
#
# NAME: everything (the reference server of the TypeScript SDK, from npm), fastmcp (from PyPI), rmcp (the Rust SDK's, built
# here as an example).
set -euo pipefail
cd "$(dirname "$0")/.."

everything=@modelcontextprotocol/server-everything@2026.8.31
fastmcp=fastmcp==4.1.2

install() {
  local folder=$1
  scripts/npm.sh "$folder/npm" "$everything"
  if [[ $(cat "$folder/python/installed" 2>/dev/null) != "$fastmcp" ]]; then
    scripts/install.sh python
    python3 -m venv --clear "$folder/python"
    "$folder/python/bin/pip" install --quiet --disable-pip-version-check "$fastmcp"
    echo "$fastmcp" >"$folder/python/installed"
  fi
}

# With exec, so that whoever started this ends the server by its pid.
run() {
  local name=$1 folder=$2 port=$3
  case $name in
    everything)
      PORT=$port exec "$folder/npm/node_modules/.bin/node" --require ./scripts/loopback.cjs \
        "$folder/npm/node_modules/@modelcontextprotocol/server-everything/dist/index.js" streamableHttp
      ;;
    fastmcp) exec "$folder/python/bin/python" tests/servers/fastmcp_server.py "$port" ;;
    rmcp) exec "${CARGO_TARGET_DIR:-target}/debug/examples/rmcp_server" "127.0.0.1:$port" ;;
    *) echo "no server $name; there are: everything fastmcp rmcp" >&2; exit 2 ;;
  esac
}

case ${1:-} in
  install) install "${2:?FOLDER}" ;;
  run) run "${2:?NAME}" "${3:?FOLDER}" "${4:?PORT}" ;;
  *) sed -n '2,8s/^# \{0,1\}//p' "$0" >&2; exit 2 ;;
esac
