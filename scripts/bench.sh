#!/usr/bin/env bash
# What `archonctl serve` reaches, next to a bare axum handler that answers a constant and, with --peers, to the MCP servers
# that people would use instead.
#
#   scripts/bench.sh [--peers] [--quick] [--only "calls latency …"] [--subjects "bare off durable …"]
#                    [--rounds 5] [--seconds 3] [--warmup 1] [--connections 16] [--restored "1000 100000 1000000"]
#   scripts/bench.sh --readme        puts the figures of the last run into README.md, and measures nothing
#
# Sections (--only): calls; latency, the same under 1, 16, 64 and 1,000 connections; sessions, how many are opened a second;
# memory, of idle ones; restart, the time from `kill -9` to the first answer, and who is alive then; dashboard; operators.
# Subjects: bare, off (nothing tracked), durable (each row committed on SQLite before its answer), full (and synced),
# postgres, replicas (two servers on it: a session opened at one is used at the other), and with --peers rmcp, typescript,
# mcp, fastmcp. --peers installs these from their registries. All of it takes half an hour, --quick two minutes.
#
# Subjects take turns, round after round, so that a noisy minute hurts all of them; figures are medians over the rounds, and
# shares are taken within a round. Each starts on a fresh database below target/bench, which must lie on a real disk.
# Prints tables; every run is in target/bench/runs.jsonl, the medians and the machine in target/bench/result.json.
set -euo pipefail
cd "$(dirname "$0")/.."

rounds=5 seconds=3 warmup=1 connections=16 peers=() readme=false
subjects=(bare off durable full postgres replicas)
sections=(calls latency sessions memory restart dashboard operators)
latency=(1 16 64 1000) idle=(10000 100000) restored=(1000 100000 1000000)

usage() { sed -n '/^#!/d; /^#/!q; s/^# \{0,1\}//p' "$0"; }

while (($#)); do
  case $1 in
    --help | -h) usage; exit 0 ;;
    --peers) peers=(rmcp typescript mcp fastmcp); shift ;;
    --quick)
      rounds=1 seconds=1 warmup=0.3 latency=(1 64 1000) idle=(10000) restored=(1000 10000)
      sections=(calls latency sessions memory restart)
      shift
      ;;
    --readme) readme=true; shift ;;
    --only) read -ra sections <<<"${2:?$1 needs a value}"; shift 2 ;;
    --subjects) read -ra subjects <<<"${2:?$1 needs a value}"; shift 2 ;;
    --restored) read -ra restored <<<"${2:?$1 needs a value}"; shift 2 ;;
    --rounds | --connections | --seconds | --warmup) declare "${1#--}=${2:?$1 needs a value}"; shift 2 ;;
    *) echo "bench: unknown option $1" >&2; usage >&2; exit 2 ;;
  esac
done

for section in "${sections[@]}"; do
  [[ $section =~ ^(calls|latency|sessions|memory|restart|dashboard|operators)$ ]] ||
    { echo "bench: there is no section $section" >&2; exit 2; }
done

# shellcheck source=scripts/bench/servers.sh
. scripts/bench/servers.sh

if $readme; then
  "$built/examples/bench_report" readme "$out/result.json" README.md
  exit
fi

failed=0
# record SECTION SIZE ROUND COMMAND…: the command's line of JSON, as a figure of the subject at hand
record() {
  local figures
  figures=$("${@:4}") || { echo "bench: $subject, $1, $2: not as it should be" >&2; failed=1; }
  [[ $figures == \{* ]] || return 0
  echo "{\"section\":\"$1\",\"subject\":\"$subject\",\"size\":$2,\"round\":$3,${figures#\{}" | tee -a "$out/runs.jsonl" >&2
}

# among NAME…: those of the subjects and peers that are named
among() {
  local name
  for name in "${subjects[@]}" "${peers[@]}"; do
    [[ " $* " != *" $name "* ]] || echo "$name"
  done
}

# window COMMAND SECTION CONNECTIONS ROUND SUBJECT: requests for some seconds
window() {
  start "$5"
  record "$2" "$3" "$4" load "$1" --connections "$3" --seconds "$seconds" --warmup "$warmup" \
    "${urls[@]/#/--url=}" "${measured[@]/#/--pid=}"
  end_servers
}

calls() {
  local round name
  for ((round = 1; round <= rounds; round++)); do
    for name in "${subjects[@]}" "${peers[@]}"; do window calls calls "$connections" "$round" "$name"; done
  done
}

latency() {
  local round size name
  for ((round = 1; round <= (rounds + 1) / 2; round++)); do
    for size in "${latency[@]}"; do
      for name in $(among bare off durable postgres rmcp); do window calls latency "$size" "$round" "$name"; done
    done
  done
}

sessions() {
  local round name
  for ((round = 1; round <= rounds; round++)); do
    for name in $(among durable postgres rmcp typescript mcp fastmcp); do
      window sessions sessions "$connections" "$round" "$name"
    done
  done
}

# fill SIZE: so many sessions, opened by clients and left open; their ids in target/bench/ids
fill() { load open --url "${urls[0]}" --pid "${pids[0]}" --sessions "$1" --ids "$out/ids"; }

# at SIZE FIRST: who is asked there. Peers at the first size alone: a hundred thousand of their sessions are gigabytes, and
# minutes. PostgreSQL not at a million, which would take it five.
at() {
  local names=(durable)
  (($1 > 100000)) || names+=(postgres)
  (($1 != $2)) || names+=("${peers[@]}")
  among "${names[@]}"
}

memory() {
  local size name
  for size in "${idle[@]}"; do
    for name in $(at "$size" "${idle[0]}"); do
      start "$name"
      record memory "$size" 1 fill "$size"
      end_servers
    done
  done
}

restart() {
  local size name
  for size in "${restored[@]}"; do
    for name in $(at "$size" "${restored[0]}"); do
      start "$name"
      if fill "$size" >/dev/null; then killed_and_started "$size"; else failed=1; fi
      end_servers
    done
  done
}

# Three times over, each asking ten thousand sessions picked at random.
killed_and_started() {
  local round port=${urls[0]##*:}
  for round in 1 2 3; do
    shuf -n 10000 "$out/ids" >"$out/asked"
    since=$(date +%s%N)
    kill -9 "${pids[@]}"
    wait "${pids[@]}" 2>/dev/null || true
    respawn "${port%%/*}"
    record restart "$1" "$round" ask_again
  done
}
ask_again() {
  local figures recovered
  figures=$(load restored --url "${urls[0]}" --ids "$out/asked" --since "$since") || return
  # What our server says of its database, counted in SQL behind the first answers.
  recovered=$(grep -o 'Recovered [0-9]*' "$out/$subject.0.log" || true)
  echo "${figures%\}}${recovered:+,\"recovered\":${recovered#Recovered }}}"
}

# These two measure by themselves; what they print is shown as it is.
dashboard() { ARCHONCTL=$built/archonctl scripts/dashboard-bench.sh --json | tee "$out/dashboard.jsonl" || failed=1; }
operators() { ARCHONCTL=$built/archonctl scripts/operator-bench.sh | tee "$out/operators.txt" || failed=1; }

targets=(--bin archonctl --example bench_bare --example bench_load --example bench_report)
scripts/install.sh cc
[[ -z $(among postgres replicas) ]] || scripts/install.sh postgres
if ((${#peers[@]})); then
  targets+=(--example bench_rmcp)
  scripts/foreign-servers.sh install "$foreign" >&2
fi
cargo build --release --locked --quiet "${targets[@]}"

: >"$out/runs.jsonl"
for subject in "${subjects[@]}" "${peers[@]}"; do
  name=$(label "$subject") || { echo "bench: there is no subject $subject" >&2; exit 2; }
  echo "{\"section\":\"subject\",\"subject\":\"$subject\",\"label\":\"$name\"}" >>"$out/runs.jsonl"
done
text="Medians of $rounds rounds of $seconds s in which all take turns, $connections connections; $placement."
echo "{\"section\":\"conditions\",\"subject\":\"\",\"text\":\"$text\"}" >>"$out/runs.jsonl"
for section in "${sections[@]}"; do "$section"; done
if grep -q '"round"' "$out/runs.jsonl"; then
  "$built/examples/bench_report" summary "$out/runs.jsonl" >"$out/result.json"
  "$built/examples/bench_report" tables "$out/result.json"
fi
exit "$failed"
