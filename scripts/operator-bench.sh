#!/usr/bin/env bash
# Whether operators get their answers at once from a big store: 100,000 sessions, 1,000,000 requests, on both databases.
# Each command runs five times; the median counts, and must be under 200 ms (LIMIT_MS). ARCHONCTL names the program.
set -euo pipefail
cd "$(dirname "$0")/.."

program=${ARCHONCTL:-target/debug/archonctl}
export ARCHONCTL=$program
limit=${LIMIT_MS:-200}
scripts/install.sh sqlite3 postgres
folder=$(mktemp -d "${TMPDIR:-/tmp}/archonctl-operator.XXXXXX")
postgres=$(scripts/postgres.sh start)
trap 'scripts/postgres.sh stop "$postgres"; rm -rf "$folder"' EXIT
missed=0

median() { # median URL ARGUMENT…: milliseconds
  local url=$1 began times=()
  shift
  for _ in {1..5}; do
    began=$(date +%s%N)
    "$program" "$@" --database-url "$url" >/dev/null 2>&1
    times+=($((($(date +%s%N) - began) / 1000000)))
  done
  printf '%s\n' "${times[@]}" | sort -n | sed -n 3p
}

for url in "sqlite://$folder/archon.db" "$(<"$postgres/url")"; do
  began=$SECONDS
  scripts/seed-demo.sh "$url"
  echo "== ${url%%:*}, made in $((SECONDS - began)) s"
  id=$("$program" list -n 1 -o csv --database-url "$url" | sed -n '2s/,.*//p')
  for command in list 'list --all' "show $id" "show ${id:0:8}" requests events stats 'stats --by client' 'stats --by session' \
    'stats --by user' 'stats --by day' 'stats --by hour' 'stats --since 1h'; do
    read -ra arguments <<<"$command"
    took=$(median "$url" "${arguments[@]}")
    verdict=ok
    if ((took >= limit)); then verdict='too slow' missed=1; fi
    printf '%6s ms  %-9s %s\n' "$took" "$verdict" "$command"
  done
done
exit "$missed"
