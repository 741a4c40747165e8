#!/usr/bin/env bash
# What takes too long for every change: the whole suite several times over, ten rounds of kills on both databases, replicas
# in full (a minute in which nothing fails, ten in which everything does), ten minutes of fuzzing a reader, ten of a client
# that wants all for itself, the benchmarks.
# Run it before a release and read what it prints. A step that fails does not hide the others: what failed is said at the
# end.
set -euo pipefail
cd "$(dirname "$0")/.."

scripts/install.sh cc curl sqlite3 postgres pgbouncer
postgres=$(scripts/postgres.sh start)
failed=()
finish() {
  scripts/postgres.sh stop "$postgres"
  ((${#failed[@]} == 0)) || printf 'FAILED: %s\n' "${failed[@]}"
}
trap finish EXIT
ARCHONCTL_TEST_POSTGRES=$(<"$postgres/url")
export ARCHONCTL_TEST_POSTGRES

step() {
  local name=$1
  shift
  printf '\n[%5d s] == %s\n' "$SECONDS" "$name"
  "$@" || failed+=("$name")
}

# Different numbers of threads put the tests into different orders beside each other.
for threads in 1 2 8; do
  step "the suite, $threads at a time" cargo test -- --test-threads "$threads"
done
for round in {1..10}; do
  step "kills, round $round of 10" cargo test --test suite session::survival
done
step 'told to stop, and killed in a first start, at 100 random moments' \
  env ARCHONCTL_TEST_ROUNDS=100 cargo test --test suite stopping::moments -- --nocapture
step 'three servers, killed and restarted in turn, directly, behind PgBouncer and behind a balancer' \
  env ARCHONCTL_TEST_LONG=1 cargo test --test suite replicas:: -- --skip calm:: --skip faults:: --nocapture
# One at a time: this is about what a quiet machine can do. As it is released, because of the load.
step 'three servers and nothing fails, directly and behind PgBouncer' \
  env ARCHONCTL_TEST_LONG=1 cargo test --release --test suite replicas::calm -- --test-threads 1 --nocapture
step 'three servers and everything fails at random, directly and behind PgBouncer' \
  env ARCHONCTL_TEST_LONG=1 cargo test --test suite replicas::faults -- --test-threads 1 --nocapture
step 'clocks that are set, and a machine that sleeps' scripts/clocks.sh
step 'ten clients of each kind of others, while the server restarts' env FOREIGN_LONG=1 scripts/foreign.sh
step "the Inspector's page in a browser, while the server restarts" scripts/inspector-page.sh
step 'an hour of a dashboard' env ARCHONCTL_TEST_LONG=1 cargo test --test suite dashboard::lasting
step 'the program tests itself, ten times on each database, shuffled' scripts/selftest.sh --repeat 10 --shuffle
step 'cases of an attack, the slow ones too' \
  env CASES_SLOW=/dev/null CASES_SECONDS=3600 PGFOLDER="$postgres" scripts/cases.sh ../shared/cases/hardening
step 'whatever a stranger may send' scripts/fuzz.sh
step 'one client that tries to keep another out' scripts/crowd.sh
step 'how fast it answers' scripts/bench.sh
step 'ten minutes at half of that' scripts/soak.sh
((${#failed[@]} == 0))
