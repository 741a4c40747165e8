#!/usr/bin/env bash
# The program tests itself: all scenarios on SQLite and on a PostgreSQL of their own, each once, with a JUnit report each in
# target/selftest. Arguments go to `archonctl selftest`: scripts/selftest.sh --repeat 10 --shuffle
set -euo pipefail
cd "$(dirname "$0")/.."

scripts/install.sh cc postgres
# With an example, so that dependencies have the features that the tests gave them, and are not compiled once more.
cargo build --locked --bins --example rmcp_server
postgres=$(scripts/postgres.sh start)
trap 'scripts/postgres.sh stop "$postgres"' EXIT

archonctl=${CARGO_TARGET_DIR:-target}/debug/archonctl
reports=${CARGO_TARGET_DIR:-target}/selftest
mkdir -p "$reports"
"$archonctl" selftest --junit "$reports/sqlite.xml" "$@"
"$archonctl" selftest --junit "$reports/postgres.xml" --database-url "$(<"$postgres/url")" "$@"
