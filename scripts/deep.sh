#!/usr/bin/env bash
# What takes too long for every change: the whole suite several times over, ten rounds of kills on both databases, the
# benchmarks. Run it before a release and read what it prints.
set -euo pipefail
cd "$(dirname "$0")/.."

scripts/install.sh cc curl sqlite3 postgres
postgres=$(scripts/postgres.sh start)
trap 'scripts/postgres.sh stop "$postgres"' EXIT
ARCHONCTL_TEST_POSTGRES=$(<"$postgres/url")
export ARCHONCTL_TEST_POSTGRES

# Different numbers of threads put the tests into different orders beside each other.
for threads in 1 2 8; do
  echo "== the suite, $threads at a time"
  cargo test -- --test-threads "$threads"
done
for round in {1..10}; do
  echo "== kills, round $round of 10"
  cargo test --test suite session::survival
done
echo '== a minute of three servers that are killed in turn, 300 clients, directly and behind PgBouncer'
scripts/install.sh pgbouncer
ARCHONCTL_TEST_LONG=1 cargo test --test suite replicas::
echo '== the program tests itself, ten times on each database, shuffled'
scripts/selftest.sh --repeat 10 --shuffle
scripts/bench.sh
echo "== operators and a big store"
scripts/operator-bench.sh
