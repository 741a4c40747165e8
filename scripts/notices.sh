#!/usr/bin/env bash
# Writes THIRD-PARTY-NOTICES.txt: the crates that are in the program, their licences, and the texts that those ask us to hand
# on. With --check it says whether the file is up to date with Cargo.lock, and writes nothing.
set -euo pipefail
cd "$(dirname "$0")/.."

scripts/install.sh python3
file=THIRD-PARTY-NOTICES.txt
new=$(mktemp)
trap 'rm -f "$new"' EXIT
cargo metadata --locked --format-version 1 --all-features \
  --filter-platform x86_64-unknown-linux-gnu --filter-platform aarch64-apple-darwin | python3 scripts/notices.py >"$new"
if [[ ${1:-} != --check ]]; then
  cp "$new" "$file"
elif ! diff -u "$file" "$new" | head -n 40; then
  echo "$file is not up to date with Cargo.lock: run scripts/notices.sh" >&2
  exit 1
fi
