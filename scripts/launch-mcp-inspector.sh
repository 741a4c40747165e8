#!/usr/bin/env bash
# Opens the official MCP Inspector on a running server. All arguments go to `archonctl inspector`:
#
#   scripts/launch-mcp-inspector.sh
#   scripts/launch-mcp-inspector.sh --url http://127.0.0.1:9000/mcp --token-file token
#   scripts/launch-mcp-inspector.sh --cli -- --method tools/list
set -euo pipefail
here=$(dirname "$0")/..

# The one that is installed, else the newest that was built here, else one that is built now.
if command -v archonctl >/dev/null; then
  exec archonctl inspector "$@"
fi
target=${CARGO_TARGET_DIR:-$here/target}
program=$(ls -t "$target"/{release,debug}/archonctl 2>/dev/null | head -n 1 || true)
if [[ -n $program ]]; then
  exec "$program" inspector "$@"
fi
exec cargo run --release --quiet --manifest-path "$here/Cargo.toml" -- inspector "$@"
