#!/usr/bin/env bash
# What the dashboard costs on a big store: 100,000 sessions, 1,000,000 requests (SESSIONS, REQUESTS), on both databases.
# Time to the first frame, database time of a refresh, key to frame, memory over REFRESHES refreshes, and the share of one
# core that a real dashboard takes on a terminal (tmux) for 30 s. ARCHONCTL names the program.
set -euo pipefail
cd "$(dirname "$0")/.."

program=$(realpath "${ARCHONCTL:-target/debug/archonctl}")
export ARCHONCTL=$program
scripts/install.sh sqlite3 postgres tmux
folder=$(mktemp -d "${TMPDIR:-/tmp}/archonctl-dashboard.XXXXXX")
postgres=$(scripts/postgres.sh start)
socket=$folder/tmux.sock
finish() {
  tmux -S "$socket" kill-server 2>/dev/null || true
  scripts/postgres.sh stop "$postgres"
  rm -rf "$folder"
}
trap finish EXIT

cpu() { # cpu PID: ticks of the processor so far
  awk '{print $14 + $15}' "/proc/$1/stat"
}

for url in "sqlite://$folder/archon.db" "$(<"$postgres/url")"; do
  began=$SECONDS
  scripts/seed-demo.sh --sessions "${SESSIONS:-100000}" --requests "${REQUESTS:-1000000}" "$url"
  echo "== ${url%%:*}, made in $((SECONDS - began)) s"
  "$program" dashboard --measure "${REFRESHES:-30}" --size 120x40 --database-url "$url"
  tmux -S "$socket" -f /dev/null new-session -d -x 120 -y 40 \
    "echo \$\$ >$folder/pid; HOME=$folder exec $program dashboard --database-url '$url'"
  sleep 10
  pid=$(<"$folder/pid")
  before=$(cpu "$pid")
  sleep 30
  ticks=$(($(cpu "$pid") - before))
  echo "on a terminal: $((ticks * 100 / 30 * 10 / $(getconf CLK_TCK)))/10 % of one core over 30 s"
  tmux -S "$socket" kill-server
done
