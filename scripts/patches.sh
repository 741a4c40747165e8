#!/usr/bin/env bash
# Applies the patches in tests/patches to a copy of the sources and checks that they compile: each shows how few files a
# change of its kind touches (see ARCHITECTURE.md).
set -euo pipefail
cd "$(dirname "$0")/.."

target=$PWD/${CARGO_TARGET_DIR:-target}
copy=$(mktemp -d)
trap 'rm -rf "$copy"' EXIT
git ls-files -z --cached --others --exclude-standard | xargs -0 cp --parents -t "$copy"

for patch in tests/patches/*.patch; do
  files=$(git apply --numstat "$patch" | grep -c $'\tsrc/')
  ((files <= 3)) || { echo "FAILED  $patch touches $files files" >&2; exit 1; }
  (cd "$copy" && git apply "$OLDPWD/$patch")
  echo "ok      $patch touches $files files"
done
cd "$copy"
# As a test: so the dependencies have the features that they have there, and the copy alone is compiled.
CARGO_TARGET_DIR=$target cargo test --locked --no-run --lib
