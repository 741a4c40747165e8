#!/usr/bin/env bash
# Our client on servers of others: init, tools, call, close, with a kill -9 and a restart that costs them their sessions; and
# clients of others on our server, idle for longer than the session timeout, and at work while the server restarts.
#
#   scripts/foreign.sh [NAME…]      everything fastmcp rmcp; FOREIGN_CACHE=target/foreign holds what is installed
#
# With FOREIGN_LONG=1 ten clients of each kind and twenty restarts, instead of one and two.
set -euo pipefail
cd "$(dirname "$0")/.."

cache=${FOREIGN_CACHE:-target/foreign}
names=("$@")
[[ $# -gt 0 ]] || names=(everything fastmcp rmcp)
scripts/install.sh sqlite3 systemd-socket-activate
scripts/foreign-servers.sh install "$cache"
# With the example, so that dependencies have the features that the tests gave them, and are not compiled once more.
cargo build --locked --bins --example rmcp_server --example busy_rmcp

folder=$(mktemp -d)
server=
stop() {
  # A server that we end does not exit 0; that is no failure of ours.
  [[ -z $server ]] || { kill -9 "$server" && wait "$server"; } 2>/dev/null || true
  server=
}
trap 'stop; rm -rf "$folder"' EXIT

free_port() {
  "$cache/npm/node_modules/.bin/node" -e '
    const server = require("node:net").createServer();
    server.listen(0, "127.0.0.1", () => { console.log(server.address().port); server.close(); });'
}

# Starts server $1 on port $2, and returns once it listens.
start() {
  scripts/foreign-servers.sh run "$1" "$cache" "$2" >>"$folder/log" 2>&1 &
  server=$!
  local until=$((SECONDS + 60))
  until (exec 3<>"/dev/tcp/127.0.0.1/$2") 2>/dev/null; do
    if ! kill -0 "$server" 2>/dev/null || [[ $SECONDS -ge $until ]]; then
      echo "$1 does not listen; its log:" >&2
      cat "$folder/log" >&2
      exit 1
    fi
    sleep 0.1
  done
}

# expect CODE WANTED ARGUMENT…: runs archonctl, and fails unless it ends with that code and its outputs hold the text WANTED;
# with !WANTED, unless they do not.
expect() {
  local wanted_code=$1 wanted=$2 code=0 found=yes
  shift 2
  env -i PATH="$PATH" HOME="$folder" ARCHONCTL_URL="$url" timeout 60 "${CARGO_TARGET_DIR:-target}/debug/archonctl" "$@" \
    >"$folder/output" 2>&1 || code=$?
  grep -qF -- "${wanted#!}" "$folder/output" || found=no
  if [[ $code -eq $wanted_code && $found == $([[ $wanted == !* ]] && echo no || echo yes) ]]; then
    echo "ok      $name: $*"
  else
    echo "FAILED  $name: $* (exit code $code, wanted $wanted_code and: $wanted); it printed:"
    sed 's/^/        | /' "$folder/output"
    echo 'the last lines of the server:'
    tail -n 20 "$folder/log"
    exit 1
  fi
}

for name in "${names[@]}"; do
  tool=sum
  [[ $name != everything ]] || tool=get-sum
  port=$(free_port)
  url=http://127.0.0.1:$port/mcp
  start "$name" "$port"
  expect 0 'Protocol session  ' init
  expect 0 "$tool" tools
  expect 0 "\"name\":\"$tool\"" tools -o jsonl
  expect 0 "archonctl call $tool a=1 b=1" tools "$tool"
  expect 5 "did you mean $tool(" tools "${tool}x"
  expect 0 42 call "$tool" a=19 b=23
  expect 0 '!note: ' call "$tool" --args '{"a": 1, "b": 2}'
  expect 2 'takes' call "$tool" a=one b=2
  expect 2 "did you mean b? $tool(" call "$tool" a=1 bb=2
  expect 5 "did you mean $tool(" call "${tool}x" a=1 b=2
  expect 5 'missing; ' call "$tool" --args '{"a": 1}'
  expect 0 '20 calls, 0 without an answer, 0 with an error' call "$tool" a=1 b=2 --repeat 20 --concurrency 4
  stop
  expect 4 'no server answers at' call "$tool" a=1 b=2 --retries 0
  start "$name" "$port"
  expect 6 'archonctl init' call "$tool" a=1 b=2 --no-reinit
  expect 0 'note: the server had lost session' call "$tool" a=1 b=2
  expect 0 '!note: ' call "$tool" a=1 b=2
  expect 0 'ended session' close
  expect 6 'is remembered' close
  expect 0 3 call "$tool" a=1 b=2
  stop
done

# And clients of others on our server: each is idle for longer than the session timeout, and goes on with its next call.
name='clients of others'
port=$(free_port)
url=http://127.0.0.1:$port/mcp
program=${CARGO_TARGET_DIR:-target}/debug/archonctl
env -i PATH="$PATH" HOME="$folder" "$program" serve --bind "127.0.0.1:$port" --database-url "sqlite://$folder/idle.db" \
  --session-timeout 2s --cleanup-interval 1s >>"$folder/log" 2>&1 &
server=$!
until (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; do sleep 0.1; done
timeout 60 "$cache/python/bin/python" tests/clients/idle.py "$url" 4
timeout 60 "$cache/npm/node_modules/.bin/node" tests/clients/idle.mjs "$cache/npm/node_modules" "$url" 4
kill "$server"
wait "$server"
server=
ended=$(sqlite3 "$folder/idle.db" "SELECT COUNT(*) FROM archon_mcp_sessions WHERE disconnect_reason = 'timeout'")
if [[ $ended -ne 2 ]]; then
  echo "FAILED  $name: $ended Archon sessions ended for their time, not 2"
  exit 1
fi

# And what a call says before its answer, by a port and by pipes.
name='clients that hear'
port=$(free_port)
node=$cache/npm/node_modules/.bin/node modules=$cache/npm/node_modules
pipes=("$program" serve --stdio --test-tools --database-url "sqlite://$folder/pipes.db")
env -i PATH="$PATH" HOME="$folder" "$program" serve --test-tools --bind "127.0.0.1:$port" \
  --database-url "sqlite://$folder/talking.db" >>"$folder/log" 2>&1 &
server=$!
until (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; do sleep 0.1; done
timeout 60 "$node" tests/clients/talking.mjs "$modules" "http://127.0.0.1:$port/mcp"
HOME=$folder timeout 60 "$node" tests/clients/talking.mjs "$modules" "${pipes[@]}"
HOME=$folder timeout 60 "$cache/python/bin/python" tests/clients/pipes.py "${pipes[@]}" 2>>"$folder/log"
kill "$server"
wait "$server"
server=

# Behind a port that outlives the server no client object is lost by a restart.
clients=1 restarts=2 replaced=1
[[ -z ${FOREIGN_LONG:-} ]] || clients=10 restarts=20 replaced=5
python=$cache/python/bin/python node="$cache/npm/node_modules/.bin/node tests/clients/busy.mjs $cache/npm/node_modules"
busy=(
  "$python tests/clients/busy.py mcp URL $clients"
  "$python tests/clients/busy.py fastmcp URL $clients"
  "$python tests/clients/busy.py pydantic-ai URL $clients"
  "$node sdk URL $clients"
  "$node client URL $clients"
  "${CARGO_TARGET_DIR:-target}/debug/examples/busy_rmcp URL $clients"
)
for kept in "keep-port $restarts" "socket $restarts" "keep-port replace:$replaced"; do
  # In words: who keeps the port, and what happens.
  # shellcheck disable=SC2086
  timeout 600 python3 tests/clients/restarts.py "$program" $kept "${busy[@]}"
done
