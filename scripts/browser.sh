#!/usr/bin/env bash
# Talks to our server from pages in a headless Chromium: one of this machine on another port, one that is let in by name, and
# a stranger's, which gets nothing.
set -euo pipefail
cd "$(dirname "$0")/.."

scripts/install.sh chromium python3
# As the tests build it: `cargo build` would choose other features and compile every dependency once more.
cargo test --locked --no-run --test suite

folder=$(mktemp -d)
running=()
finish() {
  # A server that we end does not exit 0; that is no failure of ours.
  for pid in "${running[@]}"; do { kill "$pid" && wait "$pid"; } 2>/dev/null || true; done
  rm -rf "$folder"
}
trap finish EXIT

# Waits until the log $1 of the process $2 has a match of $3, and prints it.
wait_for() {
  # tail ends with the process: one that dies before fails here at once.
  timeout 60 grep -m 1 -oE "$3" < <(tail -n +1 -f --pid="$2" "$1") ||
    { echo "no $3; the log:" >&2; cat "$1" >&2; exit 1; }
}

archonctl=${CARGO_TARGET_DIR:-target}/debug/archonctl
database=sqlite://$folder/archon.db
"$archonctl" serve --bind 127.0.0.1:0 --database-url "$database" --allow-origin 'http://*.app.example:*' \
  >"$folder/log" 2>&1 &
running+=($!)
url=$(wait_for "$folder/log" $! 'http://127\.0\.0\.1:[0-9]+/mcp')
python3 -u -m http.server --bind 127.0.0.1 --directory tests/clients 0 >"$folder/pages" 2>&1 &
running+=($!)
port=$(wait_for "$folder/pages" $! 'port [0-9]+')
port=${port#port }

# visit HOST: what the page, served under that name, writes down.
visit() {
  HOME=$folder timeout 60 chromium --headless --no-sandbox --disable-gpu --disable-quic --no-first-run \
    --disable-background-networking --disable-component-update --disable-sync --user-data-dir="$folder/chromium" \
    --host-resolver-rules='MAP *.example 127.0.0.1' --virtual-time-budget=20000 --dump-dom \
    "http://$1:$port/browser.html?url=$url" 2>"$folder/errors" | sed -n '/<pre id="told">/,/<\/pre>/p' |
    sed 's/<[^>]*>//g; /^$/d'
}

# expect HOST LINE…: fails unless the page wrote exactly these lines.
expect() {
  local host=$1 said
  shift
  said=$(visit "$host")
  if [[ $said == "$(printf '%s\n' "$@")" ]]; then
    echo "ok      a page from $host"
  else
    echo "FAILED  a page from $host; it wrote:"
    sed 's/^/        | /' <<<"$said"
    echo 'wanted:'
    printf '        | %s\n' "$@"
    tail -n 20 "$folder/errors" "$folder/log"
    exit 1
  fi
}

served=('initialize 200 2025-11-25' 'Mcp-Session-Id true' 'call 200 false' 'X-Archon-Session-Id true' 'delete 204'
  'after 404 session_ended')
expect 127.0.0.1 "${served[@]}"
expect www.app.example "${served[@]}"
expect stranger.example 'nothing: TypeError'

sessions=$("$archonctl" list --all --database-url "$database" -o jsonl | wc -l)
if [[ $sessions -ne 2 ]]; then
  echo "FAILED  $sessions sessions were opened, not 2"
  exit 1
fi
