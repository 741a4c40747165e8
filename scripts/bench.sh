#!/usr/bin/env bash
# How fast `archonctl serve` answers a tool call, as a share of a bare axum handler that answers a constant.
#
# Phases take turns, round after round, so that a noisy minute hurts all of them; figures are medians over the rounds and
# shares are taken within a round. Server on core 0, load on core 1, where there are two. Every phase starts a fresh
# server on a fresh database below target/bench, which must be a real disk for the durable phases to mean anything.
#
#   scripts/bench.sh [--rounds 5] [--connections 16] [--seconds 5] [--warmup 1] [--phases "bare off durable"]
#
# Prints a table and leaves the figures of every run in target/bench/runs.jsonl, the medians in target/bench/result.json.
set -euo pipefail
cd "$(dirname "$0")/.."

rounds=5 connections=16 seconds=5 warmup=1
# A phase is a name here and a function `serve_NAME` below.
phases=(bare off durable)

usage() { sed -n '/^#!/d; /^#/!q; s/^# \{0,1\}//p' "$0"; }

while (($#)); do
    case $1 in
        --help | -h) usage; exit 0 ;;
        --rounds | --connections | --seconds | --warmup) declare "${1#--}=${2:?$1 needs a value}"; shift 2 ;;
        --phases) read -ra phases <<<"${2:?$1 needs a value}"; shift 2 ;;
        *) echo "bench: unknown option $1" >&2; usage >&2; exit 2 ;;
    esac
done

built="${CARGO_TARGET_DIR:-target}/release"
out=target/bench
db=$out/db

# Each becomes a server that prints `listening on URL`; `exec`, so that its pid is the one we measure and end.
serve_bare() { exec "${on_server[@]}" "$built/examples/bench_bare"; }
serve_off() { serve_archonctl --tracking off; }
serve_durable() { serve_archonctl --tracking on; }
serve_full() { serve_archonctl --tracking on --sync full; }
serve_archonctl() {
    exec "${on_server[@]}" "$built/archonctl" serve --bind 127.0.0.1:0 --database-url "sqlite://$PWD/$db/bench.db" \
        --tokens approx "$@"
}

on_server=() on_load=()
if (($(nproc) >= 2)) && command -v taskset >/dev/null; then
    on_server=(taskset -c 0) on_load=(taskset -c 1)
    pinned=true placement="server pinned to core 0, load to core 1"
else
    pinned=false placement="nothing pinned: fewer than two cores, or no taskset"
fi

server=
end_server() {
    [[ -n $server ]] || return 0
    kill "$server" 2>/dev/null || true
    wait "$server" 2>/dev/null || true
    server=
}
trap end_server EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# Starts the server of phase $1 and sets `url`.
start_server() {
    local log=$out/$1.log
    rm -rf "$db" "$log" && mkdir -p "$db"
    "serve_$1" >"$log" 2>&1 &
    server=$!
    for _ in {1..200}; do
        url=$(grep -som1 'listening on http://[^ "]*' "$log" | sed 's/^listening on //') && return
        kill -0 "$server" 2>/dev/null || break
        sleep 0.05
    done
    echo "bench: the server of phase $1 did not come up; it said:" >&2
    cat "$log" >&2
    exit 1
}

run_phase() {
    local round=$1 phase=$2 figures
    start_server "$phase"
    figures=$("${on_load[@]}" "$built/examples/bench_load" --url "$url" --connections "$connections" \
        --seconds "$seconds" --warmup "$warmup" --pid "$server" --json)
    end_server
    echo "{\"round\":$round,\"phase\":\"$phase\",${figures#\{}" | tee -a "$out/runs.jsonl" >&2
}

# Medians of runs.jsonl (flat objects of numbers and names, as bench_load writes them): a table, and result.json.
summarise() {
    awk -v result="$out/result.json" -v order="${phases[*]}" -v pinned="$pinned" -v rounds="$rounds" \
        -v connections="$connections" -v seconds="$seconds" '
    function median(name, phase,    n, i, j, t, v) {
        for (i = 1; i <= rounds; i++) if ((name, phase, i) in of) v[++n] = of[name, phase, i]
        if (!n) return "null"
        for (i = 2; i <= n; i++) for (j = i; j > 1 && v[j] < v[j - 1]; j--) { t = v[j]; v[j] = v[j - 1]; v[j - 1] = t }
        return n % 2 ? v[(n + 1) / 2] : (v[n / 2] + v[n / 2 + 1]) / 2
    }
    function shown(format, value) { return value == "null" ? "-" : sprintf(format, value) }
    {
        delete field
        gsub(/[{}"]/, "")
        for (i = split($0, pairs, ","); i; i--) { split(pairs[i], pair, ":"); field[pair[1]] = pair[2] }
        for (key in field) if (field[key] != "null" && key != "phase") of[key, field["phase"], field["round"]] = field[key] + 0
    }
    END {
        names = split("calls_per_second percent_of_bare p50_ms p99_ms max_ms server_cpu_us_per_call load_cpu_percent body_bytes", name, " ")
        count = split(order, phase, " ")
        for (p = 1; p <= count; p++) for (r = 1; r <= rounds; r++) if (("calls_per_second", "bare", r) in of)
            of["percent_of_bare", phase[p], r] = 100 * of["calls_per_second", phase[p], r] / of["calls_per_second", "bare", r]
        printf "%-12s %10s %10s %10s %10s %14s %8s %8s\n", "phase", "calls/s", "of bare", "p50 ms", "p99 ms", "CPU µs/call", "load %", "bytes"
        printf "{\"connections\":%d,\"seconds\":%s,\"rounds\":%d,\"pinned\":%s,\"phases\":{", connections, seconds, rounds, pinned >result
        for (p = 1; p <= count; p++) {
            printf "%s\"%s\":{", (p > 1 ? "," : ""), phase[p] >result
            for (n = 1; n <= names; n++) {
                m[name[n]] = median(name[n], phase[p])
                printf "%s\"%s\":%s", (n > 1 ? "," : ""), name[n], m[name[n]] >result
            }
            printf "}" >result
            printf "%-12s %10.0f %10s %10.3f %10.3f %13s %8.0f %8d\n", phase[p], m["calls_per_second"],
                shown("%.1f %%", m["percent_of_bare"]), m["p50_ms"], m["p99_ms"],
                shown("%.1f", m["server_cpu_us_per_call"]), m["load_cpu_percent"], m["body_bytes"]
        }
        print "}}" >result
    }' "$out/runs.jsonl"
}

for phase in "${phases[@]}"; do
    declare -F "serve_$phase" >/dev/null || { echo "bench: there is no phase $phase" >&2; exit 2; }
done
targets=(--example bench_bare --example bench_load)
[[ ${phases[*]} == bare ]] || targets+=(--bin archonctl)
cargo build --release --quiet "${targets[@]}"

mkdir -p "$out"
: >"$out/runs.jsonl"
echo "bench: $rounds rounds of ${phases[*]}, $connections connections, $seconds s each; $placement" >&2
for ((round = 1; round <= rounds; round++)); do
    for phase in "${phases[@]}"; do
        run_phase "$round" "$phase"
    done
done
summarise
