#!/usr/bin/env bash
# Clocks that are set and machines that sleep, for real: a server whose wall clock libfaketime sets two hours ahead, back and
# a month ahead while it runs, and one that is stopped (SIGSTOP) for longer than any timeout. Its client goes on each time,
# under the session that it has; on SQLite, and on PostgreSQL, whose own clock is right.
#
#   scripts/clocks.sh [PROGRAM]      target/debug/archonctl unless another is given
set -euo pipefail
cd "$(dirname "$0")/.."

program=$(realpath "${1:-${CARGO_TARGET_DIR:-target}/debug/archonctl}")
scripts/install.sh faketime postgres sqlite3
preload=$(find /usr/lib -name libfaketimeMT.so.1 | head -n 1)
folder=$(mktemp -d)
postgres=$(scripts/postgres.sh start)
server=
stop() {
  [[ -z $server ]] || { kill -CONT "$server"; kill -9 "$server" && wait "$server"; } 2>/dev/null || true
  server=
}
trap 'stop; scripts/postgres.sh stop "$postgres"; rm -rf "$folder"' EXIT

ctl() {
  env -i PATH="$PATH" HOME="$folder" ARCHONCTL_URL="$url" DATABASE_URL="$database" timeout 60 "$program" "$@"
}

# start DATABASE OPTION…: on a free port, with a session that is remembered.
start() {
  database=$1
  shift
  : >"$folder/log"
  rm -rf "$folder/.local"
  echo +0 >"$folder/time"
  env -i PATH="$PATH" HOME="$folder" LD_PRELOAD="$preload" FAKETIME_TIMESTAMP_FILE="$folder/time" FAKETIME_NO_CACHE=1 \
    FAKETIME_DONT_FAKE_MONOTONIC=1 "$program" serve --bind 127.0.0.1:0 --database-url "$database" "$@" 2>>"$folder/log" &
  server=$!
  for _ in {1..200}; do
    url=$(sed -n 's|.*listening on \(http://[^" ]*\).*|\1|p' "$folder/log")
    [[ -z $url ]] || break
    sleep 0.1
  done
  ctl init >/dev/null
  ctl call health_check --no-reinit >/dev/null
}

# goes_on WHAT: the remembered session is served, and its Archon session has not ended.
goes_on() {
  ctl call health_check --no-reinit >/dev/null
  local ended
  ended=$(ctl events -o jsonl | grep -c '"kind":"ended"' || true)
  if [[ $ended -ne 0 ]]; then
    echo "FAILED  $1: $ended ends"
    cat "$folder/log"
    exit 1
  fi
  echo "ok      $1"
}

for database in "sqlite://$folder/clocks.db" "$(<"$postgres/url")"; do
  kind=${database%%:*}
  start "$database"
  for step in +2h +0 -2h +30d; do
    echo "$step" >"$folder/time"
    # The clock is ticked once a second.
    sleep 3
    goes_on "$kind: the wall clock set to $step"
  done
  stop
  start "$database" --session-timeout 4s --protocol-session-timeout 4s --cleanup-interval 1s
  kill -STOP "$server"
  sleep 9
  kill -CONT "$server"
  goes_on "$kind: stopped for nine seconds, with a timeout of four"
  stop
done
