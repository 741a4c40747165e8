#!/usr/bin/env bash
# A throw-away PostgreSQL on 127.0.0.1, for tests and benchmarks.
#
#   folder=$(scripts/postgres.sh start)           quick and careless, for tests
#   folder=$(scripts/postgres.sh start --fsync)   as durable as PostgreSQL is by default, for benchmarks
#   cat "$folder/url"                             the URL of its maintenance database
#   scripts/postgres.sh pause "$folder"           ends it as a crash would, and keeps the folder
#   scripts/postgres.sh kill "$folder"            kills each of its processes, as the system does when memory is short
#   scripts/postgres.sh resume "$folder"          starts it again on the same port
#   scripts/postgres.sh freeze "$folder"          stops the clock for all of its processes
#   scripts/postgres.sh thaw "$folder"            lets them go on
#   scripts/postgres.sh stop "$folder"            ends it and removes the folder
#   scripts/postgres.sh programs                  the folder that holds initdb; fails where there is none
#
# Whoever can open a connection on this machine is its superuser: put nothing of value into it.
set -euo pipefail

programs() {
  # Debian keeps the server's programs off the PATH, in a folder a version.
  local found
  found=$(command -v initdb || printf '%s\n' /usr/lib/postgresql/*/bin/initdb | sort -V | tail -n 1)
  [[ -x $found ]] || return 1
  dirname "$found"
}

# PostgreSQL refuses to run as root. From /, because that user may not read the folder we stand in.
as_postgres() (
  cd /
  if [[ $EUID -eq 0 ]]; then runuser -u postgres -- "$@"; else "$@"; fi
)

start() {
  local durability=$1 bin port
  bin=$(programs) || { echo 'no PostgreSQL server programs on this machine' >&2; exit 1; }
  folder=$(as_postgres mktemp -d "${TMPDIR:-/tmp}/archonctl-postgres.XXXXXX" 2>/dev/null ||
    as_postgres mktemp -d /tmp/archonctl-postgres.XXXXXX)
  trap 'stop "$folder"' EXIT

  as_postgres "$bin/initdb" -D "$folder/data" -U postgres --auth=trust --encoding=UTF8 --locale=C --no-sync >"$folder/log" ||
    fail 'initdb failed'
  cat >>"$folder/data/postgresql.conf" <<CONF
listen_addresses = '127.0.0.1'
unix_socket_directories = '$folder'
max_connections = 300
synchronous_commit = on
$durability
CONF

  for _ in {1..20}; do
    # Below the ports that the system hands out, so that no client's own port is ever in the way.
    port=$((20000 + RANDOM % 12000))
    rm -f "$folder/log"
    if as_postgres "$bin/pg_ctl" start -D "$folder/data" -l "$folder/log" -w -t 60 -o "-p $port" >/dev/null; then
      echo "postgres://postgres@127.0.0.1:$port/postgres" >"$folder/url"
      trap - EXIT
      echo "$folder"
      return
    fi
    grep -q 'Address already in use' "$folder/log" || break
  done
  fail 'PostgreSQL does not start'
}

ours() {
  [[ $1 == */archonctl-postgres.* && -d $1 ]] || { echo "not a folder of ours: $1" >&2; exit 2; }
}

pause() {
  ours "$1"
  as_postgres "$(programs)/pg_ctl" stop -D "$1/data" -m immediate -w >/dev/null
}

resume() {
  ours "$1"
  local port
  port=$(sed 's|.*:\([0-9]*\)/.*|\1|' "$1/url")
  as_postgres "$(programs)/pg_ctl" start -D "$1/data" -l "$1/log" -w -t 60 -o "-p $port" >/dev/null
}

# The first of its processes, and then those that it has begun.
processes() {
  local first
  first=$(head -n 1 "$1/data/postmaster.pid")
  echo "$first"
  ps -A -o pid= -o ppid= | awk -v first="$first" '$2 == first { print $1 }'
}

# Sends all of them a signal. The first one comes first: after that there are no new ones.
signal() {
  local first pid
  first=$(head -n 1 "$2/data/postmaster.pid")
  kill "-$1" "$first"
  for pid in $(processes "$2"); do
    # One may have ended meanwhile.
    [[ $pid == "$first" ]] || kill "-$1" "$pid" 2>/dev/null || true
  done
}

kill_all() {
  ours "$1"
  local pids pid
  # Before the first one dies: then nobody knows any more whose they were.
  signal STOP "$1"
  pids=$(processes "$1")
  # shellcheck disable=SC2086
  kill -KILL $pids 2>/dev/null || true
  for pid in $pids; do
    # It is over when nothing is left but what a parent may collect.
    while state=$(ps -o state= -p "$pid") && [[ $state != Z* ]]; do sleep 0.01; done
  done
  # Whoever collects it may be slow, and PostgreSQL would take it for alive.
  rm "$1/data/postmaster.pid" "$1"/.s.PGSQL.*.lock
}

freeze() {
  ours "$1"
  signal STOP "$1"
}

thaw() {
  ours "$1"
  signal CONT "$1"
}

fail() {
  echo "$1; the end of its log:" >&2
  tail -n 20 "$folder/log" >&2
  exit 1
}

stop() {
  local folder=$1
  ours "$folder"
  # By the pid in the data folder; "immediate", since nothing in there is kept.
  if [[ -e $folder/data/postmaster.pid ]]; then
    # A frozen one would never hear of it.
    signal CONT "$folder" 2>/dev/null || true
    as_postgres "$(programs)/pg_ctl" stop -D "$folder/data" -m immediate -w >/dev/null || true
  fi
  rm -rf "$folder"
}

case "$*" in
  start) start $'fsync = off\nfull_page_writes = off' ;;
  'start --fsync') start '' ;;
  'pause '*) pause "$2" ;;
  'kill '*) kill_all "$2" ;;
  'resume '*) resume "$2" ;;
  'freeze '*) freeze "$2" ;;
  'thaw '*) thaw "$2" ;;
  'stop '*) stop "$2" ;;
  programs) programs ;;
  *) echo "usage: $0 start [--fsync] | pause | kill | resume | freeze | thaw | stop FOLDER | programs" >&2; exit 2 ;;
esac
