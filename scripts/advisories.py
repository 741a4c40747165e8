#!/usr/bin/env python3
"""The facts of the RustSec database, one advisory a line: what scripts/supply-chain.sh goes by where the database itself
cannot be reached.

    scripts/advisories.py write REPO       reads a clone of the database; prints the file
    scripts/advisories.py unpack FOLDER    makes a database of scripts/advisories.tsv, as cargo-deny reads it

A line is: id, crate, date, kind (empty: a vulnerability), versions that are patched, versions that were never affected.
"""

import json
import pathlib
import subprocess
import sys
import tomllib

FILE = pathlib.Path(__file__).with_name("advisories.tsv")


def git(repo, *arguments):
    return subprocess.run(["git", "-C", repo, *arguments], check=True, capture_output=True, text=True).stdout


def write(repo):
    print(f"# Advisories of https://github.com/rustsec/advisory-db as of {git(repo, 'log', '-1', '--format=%cs').strip()}")
    names = git(repo, "ls-tree", "-r", "--name-only", "HEAD", "crates").split()
    for name in sorted(name for name in names if name.endswith(".md")):
        # The front matter stands between fences; the prose after it is its authors'.
        facts = tomllib.loads(git(repo, "show", f"HEAD:{name}").split("```toml", 1)[1].split("```", 1)[0])
        advisory, versions = facts["advisory"], facts.get("versions", {})
        if "withdrawn" not in advisory:
            lists = [json.dumps(versions.get(key, [])) for key in ("patched", "unaffected")]
            print(*[advisory[key] for key in ("id", "package", "date")], advisory.get("informational", ""), *lists, sep="\t")


def unpack(folder):
    folder = pathlib.Path(folder)
    for line in FILE.read_text().splitlines():
        if line.startswith("#"):
            continue
        name, crate, date, kind, patched, unaffected = line.split("\t")
        place = folder / "crates" / crate / f"{name}.md"
        place.parent.mkdir(parents=True, exist_ok=True)
        informational = f'informational = "{kind}"\n' if kind else ""
        place.write_text(
            f'```toml\n[advisory]\nid = "{name}"\npackage = "{crate}"\ndate = "{date}"\n{informational}\n'
            f"[versions]\npatched = {patched}\nunaffected = {unaffected}\n```\n\n"
            f"# See https://rustsec.org/advisories/{name}\n"
        )


{"write": write, "unpack": unpack}[sys.argv[1]](sys.argv[2])
