#!/usr/bin/env bash
# Installs with apt what is missing of the things named: scripts/install.sh cc curl sqlite3 tmux postgres node python chromium
# Does nothing, and needs no rights, where all of them are there.
set -euo pipefail
cd "$(dirname "$0")/.."

present() {
  case $1 in
    postgres) scripts/postgres.sh programs >/dev/null ;;
    node) command -v node >/dev/null && command -v npm >/dev/null ;;
    python) python3 -c 'import ensurepip, venv' 2>/dev/null ;;
    *) command -v "$1" >/dev/null ;;
  esac
}

packages() {
  case $1 in
    cc) echo build-essential ;;
    postgres) echo postgresql ;;
    node) echo nodejs npm ;;
    python) echo python3 python3-venv ;;
    systemd-socket-activate) echo systemd ;;
    *) echo "$1" ;;
  esac
}

as_root() {
  if [[ $EUID -eq 0 ]]; then "$@"; else sudo "$@"; fi
}

missing=()
for thing in "$@"; do
  present "$thing" || missing+=("$thing")
done
[[ ${#missing[@]} -gt 0 ]] || exit 0

read -ra wanted <<<"$(for thing in "${missing[@]}"; do packages "$thing"; done | xargs)"
if ! command -v apt-get >/dev/null || { [[ $EUID -ne 0 ]] && ! command -v sudo >/dev/null; }; then
  echo "missing: ${missing[*]}; install them (on Debian: apt-get install ${wanted[*]})" >&2
  exit 1
fi

echo "installing: ${wanted[*]}" >&2
if [[ " ${missing[*]} " == *' postgres '* ]]; then
  # We want the programs, not a server that starts with the machine.
  as_root mkdir -p /etc/postgresql-common
  echo 'create_main_cluster = false' | as_root tee -a /etc/postgresql-common/createcluster.conf >/dev/null
fi
# UCF_FORCE_CONFFOLD: postgresql-common would ask about that file.
apt_get=(env DEBIAN_FRONTEND=noninteractive UCF_FORCE_CONFFOLD=1 apt-get -qq -o DPkg::Lock::Timeout=300)
as_root "${apt_get[@]}" update >&2
as_root "${apt_get[@]}" install -y --no-install-recommends "${wanted[@]}" >&2

for thing in "${missing[@]}"; do
  present "$thing" || { echo "$thing is still missing after installing its packages" >&2; exit 1; }
done
