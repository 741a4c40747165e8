#!/usr/bin/env bash
# Searches for input that breaks a reader: scripts/fuzz.sh [--seconds 600] [frames|headers|scenarios|secrets|sse|tokens ...]
# The targets run beside each other, each for SECONDS on one thread. The search goes on from whatever reached new code of
# the library, which the compiler counts for it; that needs no nightly toolchain and nothing installed. A finding is
# printed as its shortest case, and fails; add it to tests/corpus/.
set -euo pipefail
cd "$(dirname "$0")/.."

seconds=600
if [[ ${1:-} == --seconds ]]; then
  seconds=${2:?--seconds takes a number}
  shift 2
fi
targets=("$@")
[[ $# -gt 0 ]] || targets=(frames headers scenarios secrets sse tokens)

scripts/install.sh cc
# Only the library is built for it: what it leans on stays as it is in target/.
folder=$PWD/target/fuzz
mkdir -p "$folder"
cc -c -O1 -fPIC -o "$folder/coverage.o" tests/servers/coverage.c
cat >"$folder/rustc" <<WRAPPER
#!/usr/bin/env bash
case " \$* " in
  *' --crate-name archonctl '*) set -- "\$@" -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=3 \
    -Cllvm-args=-sanitizer-coverage-trace-pc-guard ;;
esac
case " \$* " in
  *' --crate-name build_script_'*) exec "\$@" ;;
  *) exec "\$@" -Clink-arg=$folder/coverage.o ;;
esac
WRAPPER
chmod +x "$folder/rustc"
binary=$(RUSTC_WORKSPACE_WRAPPER=$folder/rustc cargo test --test suite --no-run --message-format=json |
  grep -o '"executable":"[^"]*/suite-[^"]*"' | cut -d'"' -f4)

export RUST_BACKTRACE=0
declare -A running
for target in "${targets[@]}"; do
  # No seed twice: each run looks elsewhere.
  ARCHONCTL_FUZZ_SECONDS=$seconds ARCHONCTL_FUZZ_SEED=$(od -An -N4 -tu4 /dev/urandom | tr -d ' ') \
    ARCHONCTL_FUZZ_MAP=$folder/$target.map "$binary" --nocapture --exact "fuzz::$target::$target" >"$folder/$target.log" 2>&1 &
  running[$target]=$!
done
trap 'kill "${running[@]}" 2>/dev/null || true' INT TERM
failed=0
for target in "${targets[@]}"; do
  if wait "${running[$target]}" && grep -q 'no finding' "$folder/$target.log"; then
    echo "$target: $(grep 'no finding' "$folder/$target.log")"
  else
    failed=1
    echo "$target: a finding" >&2
    tail -n 40 "$folder/$target.log" >&2
  fi
done
exit "$failed"
