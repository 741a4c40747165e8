#!/usr/bin/env bash
# Talks to our server with the official MCP Inspector, as its users do, before and after a kill -9.
#
#   scripts/inspector.sh      INSPECTOR_CACHE=target/inspector holds what npm installs
set -euo pipefail
cd "$(dirname "$0")/.."

package=@modelcontextprotocol/inspector
cache=${INSPECTOR_CACHE:-target/inspector}
scripts/npm.sh "$cache" "$package@2.12.0"
# As the tests build it: `cargo build` would choose other features and compile every dependency once more.
cargo test --locked --no-run --test suite

folder=$(mktemp -d)
server=
finish() {
  # A server that we end does not exit 0; that is no failure of ours.
  [[ -z $server ]] || { kill "$server" && wait "$server"; } 2>/dev/null || true
  rm -rf "$folder"
}
trap finish EXIT

# Starts a server on address $1 and sets `url`.
serve() {
  "${CARGO_TARGET_DIR:-target}/debug/archonctl" serve --bind "$1" \
    --database-url "sqlite://$folder/archon.db" >"$folder/log" 2>&1 &
  server=$!
  # tail ends with the server: one that dies before it listens fails here at once.
  url=$(timeout 60 grep -m 1 -oE 'http://127\.0\.0\.1:[0-9]+/mcp' < <(tail -n +1 -f --pid="$server" "$folder/log")) ||
    { echo 'the server does not listen; its log:' >&2; cat "$folder/log" >&2; exit 1; }
}

# inspect WANTED ARGUMENT…: asks the server at `url`, or the one that `program` starts, and fails unless the answer holds the
# text WANTED.
program=()
inspect() {
  local wanted=$1 code=0 where=("${program[@]}")
  ((${#where[@]})) || where=("$url" --transport http)
  shift
  # MCP_INSPECTOR_SECRET_STORE: a machine without a desktop has no keychain.
  HOME=$folder MCP_INSPECTOR_SECRET_STORE=memory timeout 60 "$cache/node_modules/.bin/node" \
    "$cache/node_modules/.bin/mcp-inspector" --cli "${where[@]}" --format json -q "$@" \
    >"$folder/output" 2>"$folder/errors" || code=$?
  if [[ $code -eq 0 ]] && grep -qF -- "$wanted" <(tr -d ' \n\\' <"$folder/output"); then
    echo "ok      $*"
  else
    echo "FAILED  $* (exit code $code); wanted: $wanted; got:"
    sed 's/^/        | /' "$folder/output" "$folder/errors"
    exit 1
  fi
}

# The same by way of `archonctl inspector`, which finds npx, and by it the Inspector that is installed in the cache.
by_launcher() {
  local program bin
  program=$(realpath "${CARGO_TARGET_DIR:-target}/debug/archonctl") bin=$(realpath "$cache/node_modules/.bin")
  if (cd "$cache" && HOME=$folder PATH=$bin:$PATH timeout 120 "$program" inspector --cli --url "$url" -- \
    --method tools/call --tool-name health_check --format json -q) >"$folder/output" 2>"$folder/errors" &&
    grep -qF '"status":"healthy"' <(tr -d ' \n\\' <"$folder/output"); then
    echo 'ok      archonctl inspector --cli'
  else
    echo 'FAILED  archonctl inspector --cli; it printed:'
    sed 's/^/        | /' "$folder/output" "$folder/errors"
    exit 1
  fi
}

# All that the Inspector shows of a server.
look() {
  inspect '"name":"archonctl"' --method initialize
  inspect '"name":"find_projects"' --method tools/list
  inspect '"status":"healthy"' --method tools/call --tool-name health_check
  inspect '"title":"Inspected"' --method tools/call --tool-name find_projects --tool-arg query=inspected
}

serve 127.0.0.1:0
inspect '"success":true' --method tools/call --tool-name manage_project --tool-arg action=create --tool-arg title=Inspected
look
{ kill -9 "$server" && wait "$server"; } 2>/dev/null || true
address=${url#http://}
serve "${address%/mcp}"
echo 'killed and started again'
look
by_launcher
echo 'started by the Inspector, on pipes'
{ kill "$server" && wait "$server"; } 2>/dev/null || true
server=
program=("${CARGO_TARGET_DIR:-target}/debug/archonctl" serve --stdio --database-url "sqlite://$folder/archon.db")
look
