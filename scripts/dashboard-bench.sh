#!/usr/bin/env bash
# What the dashboard costs on a big store, on SQLite and PostgreSQL, while a server works on it:
#
#   scripts/dashboard-bench.sh [--json]      one JSON object a database, in one line each
#
# The store has SESSIONS sessions and REQUESTS requests (100,000 and 1,000,000); a client calls twice a second, so that each
# refresh has something new. Told are the time to the first frame, the database's time for a refresh (over REFRESHES of them)
# and for each question, key to frame, the memory before and after ENDURED refreshes of all screens (1,800 are an hour), and
# the share of one core that a dashboard takes on a terminal (tmux) over 30 s. ARCHONCTL names the program, DATABASES those
# to measure on ("sqlite postgres").
set -euo pipefail
cd "$(dirname "$0")/.."

json=false
case ${1-} in
  '') ;;
  --json) json=true ;;
  *) sed -n '2,10s/^# \{0,1\}//p' "$0" >&2; exit 2 ;;
esac

program=$(realpath "${ARCHONCTL:-target/debug/archonctl}")
export ARCHONCTL=$program
scripts/install.sh sqlite3 postgres tmux >&2
folder=$(mktemp -d "${TMPDIR:-/tmp}/archonctl-dashboard.XXXXXX")
postgres=$(scripts/postgres.sh start)
socket=$folder/tmux.sock
work=()
rest() { # ends the server and its client
  ((${#work[@]} == 0)) || kill "${work[@]}" 2>/dev/null || true
  work=()
  wait
}
finish() {
  tmux -S "$socket" kill-server 2>/dev/null || true
  rest
  scripts/postgres.sh stop "$postgres"
  rm -rf "$folder"
}
trap finish EXIT

# A server on the database, and a client that calls it twice a second.
begin_work() { # begin_work DATABASE_URL
  local url=
  "$program" serve --bind 127.0.0.1:0 --database-url "$1" >"$folder/serve.log" 2>&1 &
  work+=($!)
  for _ in {1..300}; do
    url=$(grep -som1 'listening on http://[^ "]*' "$folder/serve.log" | sed 's/^listening on //') && break
    sleep 0.1
  done
  [[ $url ]] || { cat "$folder/serve.log" >&2; exit 1; }
  while sleep 0.5; do HOME=$folder "$program" call health_check --url "$url" >/dev/null 2>&1 || true; done &
  work+=($!)
}

ticks() { # ticks PID: of the processor, so far
  awk '{print $14 + $15}' "/proc/$1/stat"
}

# The share of one core of a dashboard on a terminal, in percent.
share() { # share DATABASE_URL
  local pid before
  tmux -S "$socket" -f /dev/null new-session -d -x 120 -y 40 \
    "echo \$\$ >$folder/pid; HOME=$folder exec $program dashboard --database-url '$1'"
  sleep 10
  pid=$(<"$folder/pid")
  before=$(ticks "$pid")
  sleep 30
  awk -v ticks=$(($(ticks "$pid") - before)) -v a_second="$(getconf CLK_TCK)" 'BEGIN {printf "%.1f", ticks * 100 / 30 / a_second}'
  tmux -S "$socket" kill-server
}

for kind in ${DATABASES:-sqlite postgres}; do
  url=sqlite://$folder/archon.db began=$SECONDS
  [[ $kind == sqlite ]] || url=$(<"$postgres/url")
  scripts/seed-demo.sh --sessions "${SESSIONS:-100000}" --requests "${REQUESTS:-1000000}" "$url" >&2
  # A store of a month was tidied up long ago.
  [[ $kind == sqlite ]] || psql --quiet --no-psqlrc -c 'VACUUM ANALYZE' -c CHECKPOINT "$url"
  echo "== $kind, made in $((SECONDS - began)) s" >&2
  begin_work "$url"
  costs=$("$program" dashboard --measure "${REFRESHES:-30}" --database-url "$url")
  memory=$("$program" dashboard --endure "${ENDURED:-1800}" --database-url "$url")
  cpu=$(share "$url")
  rest
  if $json; then
    echo "{\"database\":\"$kind\",\"cpu_percent\":$cpu,\"endured\":$memory,${costs#\{}"
  else
    printf '%s\n%s\n%s %% of one core on a terminal\n' "$costs" "$memory" "$cpu"
  fi
done
