#!/usr/bin/env bash
# Whether a server under steady load is after a long time what it was at its beginning.
#
#   scripts/soak.sh [--minutes 10] [--rate CALLS_A_SECOND]       default: half of what it reaches for some seconds before
#
# The server commits each row on SQLite before its answer. Meanwhile sessions are opened, ended by DELETE and left to the
# cleanup, which runs every 5 s; an operator ends others, twice a second; rows older than half a minute are removed; a
# dashboard runs on a terminal. What is judged begins a minute after the load, when removing has caught up with storing.
#
# Every 10 s memory, descriptors, WAL and p99 are taken: a line of JSON each in target/bench/soak.jsonl, and tables. It
# fails where a call went wrong, or where the last third is worse than the first by more than the table allows.
set -euo pipefail
cd "$(dirname "$0")/.."

minutes=10 rate=''
while (($#)); do
  case $1 in
    --minutes | --rate) declare "${1#--}=${2:?$1 needs a value}"; shift 2 ;;
    *) sed -n '2,/^set/{/^set/d; s/^# \{0,1\}//p}' "$0" >&2; exit 2 ;;
  esac
done

# shellcheck source=scripts/bench/servers.sh
. scripts/bench/servers.sh
scripts/install.sh cc tmux
cargo build --release --locked --quiet --bin archonctl --example bench_load --example bench_report

if [[ -z $rate ]]; then
  start durable
  peak=$(load calls --url "${urls[0]}" --seconds 5)
  end_servers
  rate=$(sed 's/.*"per_second":\([0-9]*\).*/\1/' <<<"$peak")
  rate=$((rate / 2))
fi
echo "soak: $minutes minutes at $rate calls/s" >&2

serve_options=(--session-timeout 20s --cleanup-interval 5s --retention 30s)
start durable
socket=$out/soak.sock operator=''
stop_all() {
  [[ -z $operator ]] || kill "$operator" 2>/dev/null || true
  tmux -S "$socket" kill-server 2>/dev/null || true
  finish
}
trap stop_all EXIT

archonctl() { "${on_load[@]}" "$built/archonctl" "$@" --database-url "$database"; }

# Ends by turns the session that came last and all that have been left alone.
operate() {
  local id
  while sleep 1; do
    id=$(archonctl list --limit 1 --output csv | sed -n '2s/,.*//p')
    [[ -z $id ]] || archonctl expire "$id" --yes --reason soak || true
    archonctl expire --idle 10s --yes --reason soak || true
  done
}
operate >"$out/soak.operator.log" 2>&1 &
operator=$!
tmux -S "$socket" -f /dev/null new-session -d -x 120 -y 40 \
  "HOME=$out exec ${on_load[*]} $built/archonctl dashboard --database-url '$database' 2>$out/soak.dashboard.log"

load soak --url "${urls[0]}" --pid "${pids[0]}" --database "$db/bench.db" --rate "$rate" \
  --warmup 60 --seconds "$((minutes * 60))" | tee "$out/soak.jsonl" >&2
tmux -S "$socket" has-session || { echo 'soak: the dashboard is gone:' >&2; cat "$out/soak.dashboard.log" >&2; exit 1; }
"$built/examples/bench_report" soak "$out/soak.jsonl"
