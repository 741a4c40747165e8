"""The text of THIRD-PARTY-NOTICES.txt, from what `cargo metadata` says on standard input. See notices.sh."""

import json
import re
import sys
from pathlib import Path

# Files with words that are to be handed on.
TEXTS = re.compile(r"(licen[cs]e|copying|copyright|notice|unlicense)", re.IGNORECASE)
# Where a crate leaves the choice, we take the first of these that it offers.
PREFERRED = ["Apache-2.0", "MIT", "Zlib", "BSD-3-Clause"]
LINE = "=" * 100

HEAD = """Third-party notices

The program archonctl contains the crates below, under the licences that stand behind them. Where a crate leaves the choice
between several, it is used under the first of {}. Their texts follow the list.
scripts/notices.sh makes this file.
""".format(", ".join(PREFERRED))

SQLITE = "SQLite (in libsqlite3-sys) is in the public domain: https://www.sqlite.org/copyright.html"


def in_program(metadata):
    """The packages that are linked into the program: no build scripts, no macros, nothing for tests."""
    packages = {package["id"]: package for package in metadata["packages"]}
    nodes = {node["id"]: node for node in metadata["resolve"]["nodes"]}
    root = metadata["resolve"]["root"]
    found, next_ones = set(), [root]
    while next_ones:
        at = next_ones.pop()
        for dependency in nodes[at]["deps"]:
            package = packages[dependency["pkg"]]
            is_linked = any(kind["kind"] is None for kind in dependency["dep_kinds"])
            is_macro = any("proc-macro" in target["kind"] for target in package["targets"])
            if is_linked and not is_macro and package["id"] not in found:
                found.add(package["id"])
                next_ones.append(package["id"])
    return sorted((packages[id] for id in found), key=lambda package: (package["name"], package["version"]))


def chosen(expression):
    """The licence that we take; None where all of the expression holds."""
    if " AND " in expression or " WITH " in expression and " OR " not in expression:
        return None
    offered = re.split(r" OR |/", expression.strip("()"))
    return next((one for one in PREFERRED if one in offered), None)


def texts(package):
    """The texts of a package that belong to the licence we take."""
    licence = chosen(package["license"] or "")
    folder = Path(package["manifest_path"]).parent
    files = sorted(file for file in folder.iterdir() if file.is_file() and TEXTS.match(file.name))
    if licence == "Apache-2.0":
        # Its text is the same for all; a notice is each one's own.
        return [Path("LICENSE-APACHE").read_text()] + [f.read_text() for f in files if f.name.upper().startswith("NOTICE")]
    if licence and len(files) > 1:
        named = [file for file in files if licence.split("-")[0].lower() in file.name.lower()]
        files = named or files
    if not files:
        authors = ", ".join(package["authors"]) or f"the authors of {package['name']}"
        permission = Path("LICENSE-MIT").read_text() if licence == "MIT" else ""
        permission = "\n".join(line for line in permission.split("\n") if not line.startswith("Copyright"))
        return [f"{package['license']} License; the package has no text of its own. Copyright: {authors}\n{permission}"]
    return [file.read_text(errors="replace") for file in files]


def main():
    packages = in_program(json.load(sys.stdin))
    print(HEAD)
    for package in packages:
        name = f"{package['name']} {package['version']}"
        print(f"{name:<36} {package['license'] or 'see its text':<44} {package['repository'] or ''}".rstrip())
    print(f"\n{SQLITE}")
    users, shown = {}, {}
    for package in packages:
        for text in texts(package):
            key = " ".join(text.split())
            shown.setdefault(key, text)
            users.setdefault(key, []).append(package["name"])
    for key, names in sorted(users.items(), key=lambda item: (-len(item[1]), item[1], item[0])):
        print(f"\n{LINE}\n{', '.join(sorted(set(names)))}\n{LINE}\n")
        lines = shown[key].replace("\r", "").strip("\n").split("\n")
        print("\n".join(line.rstrip() for line in lines))


main()
