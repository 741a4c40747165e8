#!/usr/bin/env bash
# Writes what `archonctl completions` prints to completions/. A test compares the two.
set -euo pipefail
cd "$(dirname "$0")/.."

# As the tests build it: `cargo build` would choose other features and compile every dependency once more.
cargo test --locked --no-run --test suite
program=${CARGO_TARGET_DIR:-target}/debug/archonctl
while read -r shell file; do
  "$program" completions "$shell" >"completions/$file"
done <<'FILES'
bash archonctl.bash
zsh _archonctl
fish archonctl.fish
powershell archonctl.ps1
elvish archonctl.elv
FILES
