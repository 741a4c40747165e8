#!/usr/bin/env bash
# Talks to our server from the MCP Inspector's page in a headless Chromium, before and after a kill -9. The page connects by
# itself, not through the proxy that comes with it. Version 1, because the page of version 2 cannot.
#
#   scripts/inspector-page.sh      INSPECTOR_PAGE_CACHE=target/inspector-page holds what npm installs
set -euo pipefail
cd "$(dirname "$0")/.."

package=@modelcontextprotocol/inspector
cache=${INSPECTOR_PAGE_CACHE:-target/inspector-page}
scripts/install.sh chromium
scripts/npm.sh "$cache" "$package@1.0.3" puppeteer-core@25.16.0
# As the tests build it: `cargo build` would choose other features and compile every dependency once more.
cargo test --locked --no-run --test suite

folder=$(mktemp -d)
server=
running=()
finish() {
  # A server that we end does not exit 0; that is no failure of ours.
  for pid in ${server:+"$server"} "${running[@]}"; do { kill "$pid" && wait "$pid"; } 2>/dev/null || true; done
  rm -rf "$folder"
}
trap finish EXIT

# Waits until the log $1 of the process $2 has a match of $3, and prints it.
wait_for() {
  # tail ends with the process: one that dies before fails here at once.
  timeout 60 grep -m 1 -oE "$3" < <(tail -n +1 -f --pid="$2" "$1") ||
    { echo "no $3; the log:" >&2; cat "$1" >&2; exit 1; }
}

archonctl=${CARGO_TARGET_DIR:-target}/debug/archonctl
database=sqlite://$folder/archon.db
modules=$cache/node_modules
node=$modules/.bin/node
picture=$cache/failed.png
rm -f "$picture"
port=$("$node" -e '
  const server = require("node:net").createServer();
  server.listen(0, "127.0.0.1", () => { console.log(server.address().port); server.close(); });')
# By a name: a page of this machine is let in without --allow-origin.
page=http://inspector.example:$port

# Made beforehand, or tail may be there before them.
touch "$folder/pages" "$folder/browser"
HOST=127.0.0.1 CLIENT_PORT=$port MCP_AUTO_OPEN_ENABLED=false "$node" "$modules/$package/client/bin/client.js" \
  >"$folder/pages" 2>&1 &
running+=($!)
wait_for "$folder/pages" $! "http://127\.0\.0\.1:$port" >/dev/null
HOME=$folder chromium --headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking \
  --disable-component-update --disable-sync --user-data-dir="$folder/chromium" --window-size=1400,1000 \
  --host-resolver-rules='MAP *.example 127.0.0.1' --remote-debugging-port=0 about:blank >"$folder/browser" 2>&1 &
running+=($!)
browser=$(wait_for "$folder/browser" $! 'ws://127\.0\.0\.1:[0-9]+/[^ ]+')

# Starts a server on address $1, with a log of its own, and sets `url`.
serve() {
  log=$(mktemp "$folder/log.XXXXXX")
  "$archonctl" serve --bind "$1" --database-url "$database" --allow-origin "$page" >"$log" 2>&1 &
  server=$!
  url=$(wait_for "$log" "$server" 'http://127\.0\.0\.1:[0-9]+/mcp')
}

# expect WHAT WANTED ACTION ARGUMENT…: does it on the page, and fails unless that then shows a match of WANTED, in which a space
# is also the end of a line.
expect() {
  local what=$1 wanted=$2 code=0
  shift 2
  timeout 90 "$node" tests/clients/inspector.mjs "$modules" "$browser" "$picture" "$@" \
    >"$folder/output" 2>&1 || code=$?
  if [[ $code -eq 0 ]] && grep -qE -- "$wanted" <(tr -s '\n' ' ' <"$folder/output"); then
    echo "ok      the page $what"
    return
  fi
  echo "FAILED  the page $what (exit code $code); wanted: $wanted; got:"
  sed 's/^/        | /' "$folder/output"
  [[ ! -e $picture ]] || echo "a picture of it: $picture"
  echo 'the last lines of the browser and of the server:'
  grep -v dbus "$folder/browser" | tail -n 20
  tail -n 20 "$log"
  exit 1
}

healthy='Tool Result: Success .* status: "healthy" .* Valid according to output schema'
serve 127.0.0.1:0
# Browsers refuse port 9, so that no proxy of somebody else takes part.
expect 'connects' "Connected archonctl Version: $("$archonctl" --version | cut -d ' ' -f 2)" \
  connect "$page/?MCP_PROXY_PORT=9" "$url"
expect 'lists the tools' 'Health check .* Session info .* Heartbeat .* Find projects .* Manage a project' list
expect 'runs a tool' "$healthy" run 'Health check'
{ kill -9 "$server" && wait "$server"; } 2>/dev/null || true
address=${url#http://}
serve "${address%/mcp}"
echo 'killed and started again'
expect 'runs it once more' "$healthy" run 'Health check'
expect 'disconnects' Disconnected disconnect

session=$("$archonctl" list --all --database-url "$database" -o jsonl)
count=$(grep -c . <<<"$session" || true)
if [[ $count -ne 1 ]]; then
  echo "FAILED  $count connections were opened, not 1"
  exit 1
fi
id=$("$node" -p 'JSON.parse(process.argv[1]).protocol_session_id' "$session")
told=$("$archonctl" show "$id" --database-url "$database" -o json | "$node" -p '
  const { session, requests } = JSON.parse(require("node:fs").readFileSync(0));
  const asked = requests.map((request) => (request.tool_name ?? request.method) + " " + request.status);
  [session.client_name, session.client_version, session.disconnect_reason, ...asked].join(", ")')
wanted='inspector-client, 1.0.3, client_disconnect, initialize success, tools/list success'
wanted+=', health_check success, health_check success'
if [[ $told != "$wanted" ]]; then
  echo "FAILED  recorded: $told; wanted: $wanted"
  exit 1
fi
echo "ok      one connection, recorded: $told"
