#!/usr/bin/env bash
# Runs the official MCP conformance suite: against our server on a database of its own, or against the one at a URL.
#
#   scripts/conformance.sh [URL]      CONFORMANCE_CACHE=target/conformance holds what npm installs
set -euo pipefail
cd "$(dirname "$0")/.."

suite=@modelcontextprotocol/conformance
cache=${CONFORMANCE_CACHE:-target/conformance}
scenarios=(server-initialize ping tools-list dns-rebinding-protection server-session-lifecycle)
revisions=(2025-03-26 2025-06-18 2025-11-25)

scripts/npm.sh "$cache" "$suite@0.2.0-alpha.12"

folder=$(mktemp -d)
server=
finish() {
  # A server that we end does not exit 0; that is no failure of ours.
  [[ -z $server ]] || { kill "$server" && wait "$server"; } 2>/dev/null || true
  rm -rf "$folder"
}
trap finish EXIT

url=${1:-}
if [[ -z $url ]]; then
  # As the tests build it: `cargo build` would choose other features and compile every dependency once more.
  cargo test --locked --no-run --test suite
  "${CARGO_TARGET_DIR:-target}/debug/archonctl" serve --bind 127.0.0.1:0 \
    --database-url "sqlite://$folder/archon.db" >"$folder/log" 2>&1 &
  server=$!
  # tail ends with the server: one that dies before it listens fails here at once.
  url=$(timeout 60 grep -m 1 -oE 'http://127\.0\.0\.1:[0-9]+/mcp' < <(tail -n +1 -f --pid="$server" "$folder/log")) ||
    { echo 'the server does not listen; its log:' >&2; cat "$folder/log" >&2; exit 1; }
fi

# --force: without it a scenario from before or after a revision is skipped, and a skip exits 0. So is a check within a
# scenario; therefore we ask for the line that says that all passed, not for the exit code alone.
passes() {
  timeout 120 "$cache/node_modules/.bin/node" --require ./scripts/loopback.cjs "$cache/node_modules/$suite/dist/index.js" \
    server --url "$url" --scenario "$1" --spec-version "$2" --force -o "$folder/results" >"$folder/output" 2>&1 &&
    grep -qE '^Passed: ([1-9][0-9]*)/\1, 0 failed, 0 warnings' "$folder/output" &&
    ! grep -q SKIPPED "$folder/output"
}

failed=0
for revision in "${revisions[@]}"; do
  for scenario in "${scenarios[@]}"; do
    if passes "$scenario" "$revision"; then
      echo "ok      $revision  $scenario"
    else
      echo "FAILED  $revision  $scenario"
      sed 's/^/        | /' "$folder/output"
      failed=$((failed + 1))
    fi
  done
done
if [[ $failed -gt 0 ]]; then
  echo "$failed of $((${#scenarios[@]} * ${#revisions[@]})) scenarios failed"
  [[ -z $server ]] || { echo "the server's last lines:"; tail -n 40 "$folder/log"; }
  exit 1
fi
