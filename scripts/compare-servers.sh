#!/usr/bin/env bash
# The same scripted scenarios against our server and others, each started, killed and started again: a table, in Markdown.
#
#   scripts/compare-servers.sh [NAME…]      of archonctl everything fastmcp rmcp; all by default
#
# "everything" is the reference server of the TypeScript SDK, from npm; FastMCP comes from PyPI; rmcp is the Rust SDK's.
# The reports of each run are in target/compare.
set -euo pipefail
cd "$(dirname "$0")/.."

servers=("$@")
[[ ${#servers[@]} -gt 0 ]] || servers=(archonctl everything fastmcp rmcp)
target=${CARGO_TARGET_DIR:-target}
folder=$target/compare
mkdir -p "$folder"

scripts/install.sh cc node python >&2
cargo build --locked --quiet --bins --example rmcp_server
scripts/foreign-servers.sh install "$target/foreign" >&2

for name in "${servers[@]}"; do
  command=(--server-cmd "scripts/foreign-servers.sh run $name $target/foreign {port}")
  [[ $name != archonctl ]] || command=()
  # Failures are what is looked for here: only a run that did not end is an error.
  "$target/debug/archonctl" selftest "${command[@]}" --jobs 2 --json >"$folder/$name.jsonl" || [[ $? -eq 1 ]]
done

python3 - "$folder" "${servers[@]}" <<'PYTHON'
import json, sys

folder, servers = sys.argv[1], sys.argv[2:]
names, verdicts, heads = {}, {}, {}
labels = {"everything": "TypeScript SDK's server-everything", "fastmcp": "FastMCP"}
for server in servers:
    for line in open(f"{folder}/{server}.jsonl", encoding="utf-8"):
        event = json.loads(line)
        if event["event"] == "begun":
            # What the server says of itself: its name and version.
            version = event["version"] if server == "archonctl" else event["target"].split(" (")[0].split()[-1]
            heads[server] = f"{labels.get(server, server)} {version}"
        if event["event"] == "finished":
            names[event["id"]] = event["name"]
            verdicts[event["id"], server] = event["verdict"]

words = {"passed": "yes", "failed": "**no**", "not_applicable": "–"}
others = [server for server in servers if server != "archonctl"] or servers
print("| | " + " | ".join(heads[server] for server in servers) + " |")
print("|---" * (len(servers) + 1) + "|")
for scenario, name in names.items():
    row = [verdicts.get((scenario, server), "not_run") for server in servers]
    # What only our own server can be asked is no comparison.
    if all(verdicts.get((scenario, server)) == "not_applicable" for server in others):
        continue
    print(f"| {name} | " + " | ".join(words.get(verdict, verdict) for verdict in row) + " |")
PYTHON
