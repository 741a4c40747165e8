#!/usr/bin/env bash
# Installs npm packages, and the Node 22 that they need (newer than Debian's), into a folder of their own; does nothing
# where that is done:   scripts/npm.sh FOLDER PACKAGE@VERSION…
set -euo pipefail
cd "$(dirname "$0")/.."

folder=$1
wanted=(node@22 "${@:2}")
if [[ $(cat "$folder/installed" 2>/dev/null) != "${wanted[*]}" ]]; then
  scripts/install.sh node
  mkdir -p "$folder"
  npm install --prefix "$folder" --no-audit --no-fund --loglevel=error "${wanted[@]}"
  "$folder/node_modules/.bin/node" --version
  echo "${wanted[*]}" >"$folder/installed"
fi
