#!/usr/bin/env bash
# Whether one client can keep another out of a server that has no option set: first as a principal among others, then as an
# address where no tokens are asked for; by opening sessions, by opening and closing them, by calls, half requests, idle
# connections and bodies that do not end.
#
#   scripts/crowd.sh [--minutes 10] [--seconds N] [PROGRAM]      default: the release build
#
# Says how long one in a hundred of the other client's calls takes at least, quiet and under each attack, how far the
# server's memory grows, and its log. It fails where the other is refused or more than three times as slow as before,
# memory grows by more than 300 MiB, or the log is longer than 1 MB.
set -euo pipefail
cd "$(dirname "$0")/.."

seconds=600 program=''
while (($#)); do
  case $1 in
    --minutes) seconds=$((${2:?$1 needs a value} * 60)); shift 2 ;;
    --seconds) seconds=${2:?$1 needs a value}; shift 2 ;;
    -*) sed -n '2,/^set/{/^set/d; s/^# \{0,1\}//p}' "$0" >&2; exit 2 ;;
    *) program=$1; shift ;;
  esac
done

if [[ -z $program ]]; then
  cargo build --release --locked --quiet --bin archonctl
  program=${CARGO_TARGET_DIR:-target}/release/archonctl
fi
exec python3 tests/clients/crowd.py "$program" "$seconds"
