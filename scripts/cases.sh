#!/usr/bin/env bash
# Runs a folder of cases: small programs that take the path of an archonctl, print one line, and exit 0 when it is right, 1
# when it is wrong, 2 when they could not be tried here.
#
#   scripts/cases.sh FOLDER           with the program that the tests built, two at a time, within 90 seconds
#   scripts/cases.sh FOLDER LIST      with another list than scripts/cases.known of those that are not mended yet
#
# Cases that take long are named in scripts/cases.slow, and left to scripts/deep.sh (CASES_SLOW names another list).
#
# A case is a .py or .sh file in the folder itself. None is: what begins with `_`, what another file there imports, run.sh.
# It fails on a case that is wrong and not on the list, on one that is on the list and right (take it off), on one that was
# out of time, where CI is set also on one that could not be tried and is not on the list; and without any case.
set -euo pipefail

if [[ ${1:-} == --one ]]; then
  # One case, from xargs below: $2 the file, $3 the program, $4 where its outcome goes, $5 when all must be over.
  name=$(basename "$2") began=$SECONDS code=0
  left=$(($5 - $(date +%s)))
  if [[ $left -le 0 ]]; then
    code=124
  else
    case $2 in *.sh) with=bash ;; *) with=python3 ;; esac
    cd "$(dirname "$2")"
    timeout --kill-after=5 "$left" "$with" "$2" "$3" >"$4/$name.said" 2>"$4/$name.err" </dev/null || code=$?
  fi
  echo "$code $((SECONDS - began))" >"$4/$name.code"
  exit 0
fi

[[ $# -eq 1 || $# -eq 2 ]] || { echo "usage: $0 FOLDER [LIST]" >&2; exit 2; }
[[ -d $1 ]] || { echo "there is no folder of cases at $1" >&2; exit 1; }
here=$(cd "$(dirname "$0")" && pwd)
folder=$(cd "$1" && pwd)
known=${2:-$here/cases.known}
slow=${CASES_SLOW:-$here/cases.slow}
[[ -r $known ]] || { echo "there is no list of cases at $known" >&2; exit 2; }
program=${CARGO_TARGET_DIR:-$here/../target}/debug/archonctl
[[ -x $program ]] || { echo "build first: there is no $program" >&2; exit 2; }
program=$(readlink -f "$program")
deadline=$(($(date +%s) + ${CASES_SECONDS:-90}))
outcomes=$(mktemp -d)
trap 'rm -rf "$outcomes"' EXIT

# Whether another file of the folder imports it.
is_shared() {
  grep -lE "^[[:space:]]*(from|import)[[:space:]]+(.*[[:space:],])?$1([[:space:],;]|$)" "$folder"/*.py 2>/dev/null |
    grep -qv "/$1\.py$"
}

# Whether a list names a case.
names() {
  grep -qE "^${2//./\\.}([[:space:]]|$)" "$1"
}

cases=() left=0
for file in "$folder"/*.py "$folder"/*.sh; do
  name=$(basename "$file")
  [[ -f $file && $name != _* && $name != run.sh ]] || continue
  [[ $name == *.sh ]] || ! is_shared "${name%.py}" || continue
  if names "$slow" "$name"; then
    left=$((left + 1))
    continue
  fi
  cases+=("$file")
done
[[ ${#cases[@]} -gt 0 ]] || { echo "there is no case in $folder" >&2; exit 1; }

printf '%s\0' "${cases[@]}" |
  xargs -0 -P 2 -I {} "$here/$(basename "$0")" --one {} "$program" "$outcomes" "$deadline"

wrong=0
for file in "${cases[@]}"; do
  name=$(basename "$file")
  read -r code took <"$outcomes/$name.code"
  said=$(head -c 300 "$outcomes/$name.said" 2>/dev/null | head -n 1 || true)
  # Of a case that broke, the last words.
  [[ -n $said ]] || said=$(tail -n 1 "$outcomes/$name.err" 2>/dev/null | head -c 300 || true)
  listed=no
  if names "$known" "$name"; then listed=yes; fi
  case $code:$listed in
    0:no) word=right ;;
    0:yes) word='RIGHT, but on the list' wrong=$((wrong + 1)) ;;
    124:* | 137:*) word='OUT OF TIME' wrong=$((wrong + 1)) ;;
    *:yes) word='not mended yet' ;;
    2:no)
      word='not tried'
      if [[ -n ${CI:-} ]]; then word='NOT TRIED' wrong=$((wrong + 1)); fi
      ;;
    *) word=WRONG wrong=$((wrong + 1)) ;;
  esac
  printf '%-44s %3s s  %-22s %s\n' "$name" "$took" "$word" "$said"
done
[[ $left -eq 0 ]] || echo "$left that take long are left to scripts/deep.sh"
echo "${#cases[@]} cases, $wrong to look at"
[[ $wrong -eq 0 ]]
