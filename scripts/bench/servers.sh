# shellcheck shell=bash
# The servers that are measured, how each is started and ended. Sourced by scripts/bench.sh and scripts/soak.sh.
#
#   start SUBJECT           on a fresh store; sets `urls`, `pids`, and `measured`: those whose CPU time counts
#   respawn PORT            the same server again on its store, without waiting for it
#   end_servers             and what they stored
#   load COMMAND…           the load generator, on a core of its own where there are two

built=${CARGO_TARGET_DIR:-target}/release
foreign=${CARGO_TARGET_DIR:-target}/foreign
out=${CARGO_TARGET_DIR:-target}/bench
db=$PWD/$out/db
mkdir -p "$out"
# A thousand connections need more than the usual 1,024 descriptors, on both sides.
ulimit -n "$(ulimit -Hn)"

on_server=() on_load=()
placement='nothing is pinned to a core'
if (($(nproc) >= 2)) && command -v taskset >/dev/null; then
  on_server=(taskset -c 0) on_load=(taskset -c 1)
  placement='servers and PostgreSQL on one core, the load on another'
fi

load() { "${on_load[@]}" "$built/examples/bench_load" "$@"; }

label() {
  case $1 in
    bare) echo 'bare axum handler' ;;
    off) echo 'archonctl, tracking off' ;;
    durable) echo 'archonctl, SQLite' ;;
    full) echo 'archonctl, SQLite `--sync full`' ;;
    postgres) echo 'archonctl, PostgreSQL' ;;
    replicas) echo 'two archonctl, one PostgreSQL' ;;
    rmcp) echo "rmcp $(scripts/foreign-servers.sh version rmcp)" ;;
    typescript) echo "TypeScript SDK $(scripts/foreign-servers.sh version typescript)" ;;
    mcp) echo "Python SDK $(scripts/foreign-servers.sh version mcp)" ;;
    fastmcp) echo "FastMCP $(scripts/foreign-servers.sh version fastmcp)" ;;
    *) return 1 ;;
  esac
}

# Becomes the server on a port; each prints or logs `listening on URL`. With exec, so that its pid is the one we measure.
serve() {
  local subject=$1 port=$2
  case $subject in
    bare) exec "${on_server[@]}" "$built/examples/bench_bare" ;;
    off) serve_archonctl "$port" --tracking off ;;
    full) serve_archonctl "$port" --sync full ;;
    durable | postgres | replicas) serve_archonctl "$port" "${serve_options[@]}" ;;
    *) exec "${on_server[@]}" scripts/foreign-servers.sh run "bench-$subject" "$foreign" "$port" ;;
  esac
}
serve_options=()
serve_archonctl() {
  exec "${on_server[@]}" "$built/archonctl" serve --bind "127.0.0.1:$1" --database-url "$database" \
    --max-sessions 10000000 --max-initialize-rate 0 "${@:2}"
}

subject='' database='' postgres='' urls=() pids=() measured=()

start() {
  subject=$1 urls=() pids=()
  fresh_store
  spawn 0
  [[ $subject != replicas ]] || spawn 0
  measured=("${pids[@]}")
  [[ $subject != postgres && $subject != replicas ]] || measured+=("$(head -n 1 "$postgres/data/postmaster.pid")")
  for number in "${!pids[@]}"; do await_url "$number"; done
}

respawn() {
  pids=()
  spawn "$1"
}

spawn() {
  local log=$out/$subject.${#pids[@]}.log
  # Before it begins, lest somebody read what the one before said.
  : >"$log"
  serve "$subject" "$1" >>"$log" 2>&1 </dev/null &
  pids+=($!)
}

await_url() {
  local log=$out/$subject.$1.log url
  for _ in {1..1000}; do
    if url=$(grep -som1 'listening on http://[^ "]*' "$log"); then
      urls+=("${url#listening on }")
      return
    fi
    kill -0 "${pids[$1]}" 2>/dev/null || break
    sleep 0.02
  done
  echo "$0: $subject did not come up; it said:" >&2
  cat "$log" >&2
  exit 1
}

fresh_store() {
  rm -rf "$db" && mkdir -p "$db"
  database=sqlite://$db/bench.db
  if [[ $subject == postgres || $subject == replicas ]]; then
    # One cluster for the whole run, that syncs as PostgreSQL does by default; a database for each server.
    [[ $postgres ]] || postgres=$("${on_server[@]}" scripts/postgres.sh start --fsync)
    database=$(<"$postgres/url")
    PGOPTIONS='-c client_min_messages=warning' psql --quiet --no-psqlrc -v ON_ERROR_STOP=1 "$database" \
      -c 'DROP DATABASE IF EXISTS bench WITH (FORCE)' -c 'CREATE DATABASE bench' -c CHECKPOINT
    database=${database%/*}/bench
  fi
}

end_servers() {
  ((${#pids[@]})) || return 0
  kill "${pids[@]}" 2>/dev/null || true
  wait "${pids[@]}" 2>/dev/null || true
  pids=()
  rm -rf "$db"
}

finish() {
  end_servers
  [[ ! $postgres ]] || scripts/postgres.sh stop "$postgres"
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
