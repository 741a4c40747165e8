#!/usr/bin/env bash
# A throw-away PgBouncer in transaction mode on 127.0.0.1, before a PostgreSQL, for tests.
#
#   folder=$(scripts/pgbouncer.sh start HOST:PORT)    before the PostgreSQL there, all of its databases
#   cat "$folder/address"                             its own host and port
#   scripts/pgbouncer.sh stop "$folder"               ends it and removes the folder
set -euo pipefail

# It refuses to run as root, as PostgreSQL does. From /, because that user may not read the folder we stand in.
as_postgres() (
  cd /
  if [[ $EUID -eq 0 ]]; then runuser -u postgres -- "$@"; else "$@"; fi
)

start() {
  local target=$1 folder port
  command -v pgbouncer >/dev/null || { echo 'no pgbouncer on this machine' >&2; exit 1; }
  folder=$(as_postgres mktemp -d /tmp/archonctl-pgbouncer.XXXXXX)
  for _ in {1..20}; do
    port=$((20000 + RANDOM % 12000))
    # Few connections, so that clients really share them.
    cat >"$folder/pgbouncer.ini" <<CONF
[databases]
* = host=${target%:*} port=${target##*:} user=postgres
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = $port
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = 10
max_client_conn = 300
server_reset_query =
# A PostgreSQL that was away is asked again soon, not after 15 s.
server_login_retry = 1
logfile = $folder/log
pidfile = $folder/pid
CONF
    as_postgres pgbouncer -q -d "$folder/pgbouncer.ini" >/dev/null 2>&1 || continue
    for _ in {1..100}; do
      if [[ -s $folder/pid ]] && (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then
        echo "127.0.0.1:$port" >"$folder/address"
        echo "$folder"
        return
      fi
      sleep 0.05
    done
  done
  echo 'PgBouncer does not start' >&2
  cat "$folder/log" >&2 2>/dev/null
  rm -rf "$folder"
  exit 1
}

stop() {
  local folder=$1
  [[ $folder == */archonctl-pgbouncer.* && -d $folder ]] || { echo "not a folder of ours: $folder" >&2; exit 2; }
  if [[ -s $folder/pid ]]; then kill -INT "$(<"$folder/pid")" 2>/dev/null || true; fi
  rm -rf "$folder"
}

case "$*" in
  'start '*:*) start "$2" ;;
  'stop '*) stop "$2" ;;
  *) echo "usage: $0 start HOST:PORT | stop FOLDER" >&2; exit 2 ;;
esac
