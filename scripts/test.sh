#!/usr/bin/env bash
# Runs all tests, on SQLite and on a PostgreSQL of their own. Arguments go to the test runner: scripts/test.sh architecture
set -euo pipefail
cd "$(dirname "$0")/.."

scripts/install.sh cc curl sqlite3 tmux

postgres=
trap '[[ -z $postgres ]] || scripts/postgres.sh stop "$postgres"' EXIT
if scripts/install.sh postgres pgbouncer && postgres=$(scripts/postgres.sh start); then
  ARCHONCTL_TEST_POSTGRES=$(<"$postgres/url")
  export ARCHONCTL_TEST_POSTGRES
elif [[ -n ${CI:-} ]]; then
  echo 'no PostgreSQL, and CI is set: half of the tests is no test' >&2
  exit 1
else
  echo 'no PostgreSQL: testing on SQLite only' >&2
  unset ARCHONCTL_TEST_POSTGRES
fi

if cargo nextest --version >/dev/null 2>&1; then
  # Most tests wait for servers that start, stop or are stopped: several more than there are processors keep those busy.
  NEXTEST_TEST_THREADS=${NEXTEST_TEST_THREADS:-$(($(nproc) * 3))} cargo nextest run "$@"
  # nextest leaves out the examples in the documentation.
  [[ $# -gt 0 ]] || cargo test --quiet --doc
else
  cargo test "$@"
fi
