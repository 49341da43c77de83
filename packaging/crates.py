#!/usr/bin/env python3
"""The crates that soglia's programs are made of, from `cargo metadata`.

    crates.py licences          prints the licences of all crates, with their texts
    crates.py sbom EPOCH        prints a software bill of materials, CycloneDX 1.5 as JSON

Crates that only run while soglia is built (build scripts, macros) and those of tests are left out.
A crate without a licence text of its own has that of the licence that its expression allows.
"""

import hashlib
import json
import os
import subprocess
import sys
import time
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parent.parent
TARGET = "x86_64-unknown-linux-gnu"
PROGRAMS = ("soglia", "soglia-clr")
# Files whose names begin like this are licences or notices.
LEGAL = ("license", "licence", "copying", "notice", "unlicense", "copyright")


def metadata():
    command = [os.environ.get("CARGO", "cargo"), "metadata", "--locked", "--format-version", "1"]
    command += ["--filter-platform", TARGET, "--manifest-path", CHECKOUT / "Cargo.toml"]
    return json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)


def is_macro(package):
    return any("proc-macro" in target["kind"] for target in package["targets"])


def used(told):
    """Packages by id, and which others each of them uses, from the programs on."""
    packages = {package["id"]: package for package in told["packages"]}
    nodes = {node["id"]: node for node in told["resolve"]["nodes"]}
    left = [id for id, package in packages.items() if package["name"] in PROGRAMS and not package["source"]]
    uses = {}
    while left:
        id = left.pop()
        if id in uses:
            continue
        normal = (dep for dep in nodes[id]["deps"] if any(kind["kind"] is None for kind in dep["dep_kinds"]))
        uses[id] = sorted(dep["pkg"] for dep in normal if not is_macro(packages[dep["pkg"]]))
        left.extend(uses[id])
    return packages, uses


def by_name(packages, ids):
    return sorted((packages[id] for id in ids), key=lambda package: (package["name"], package["version"]))


def texts(package):
    folder = Path(package["manifest_path"]).parent
    named = [folder / package["license_file"]] if package["license_file"] else []
    legal = [file for file in folder.iterdir() if file.name.lower().startswith(LEGAL) and file.is_file()]
    files = sorted({file.resolve() for file in named + legal})
    return [file.read_text(encoding="utf-8", errors="replace").replace("\r\n", "\n").strip() for file in files]


def licences():
    packages, uses = used(metadata())
    # Each text once, and the crates that it belongs to.
    owners, numbers = {}, {}
    print("soglia contains the crates below, and Rust's standard library (MIT OR Apache-2.0,")
    print("https://github.com/rust-lang/rust). The texts of their licences follow, by number.\n")
    for package in by_name(packages, uses):
        if not package["source"]:
            continue
        found = texts(package)
        expression = package["license"] or "its own"
        if not found and "Apache-2.0" in expression:
            found = [(CHECKOUT / "LICENSE-APACHE").read_text(encoding="utf-8").strip()]
        if not found:
            sys.exit(f"crates.py: {package['name']} {package['version']} has no text of its licence, {expression}")
        mine = []
        for text in found:
            digest = hashlib.sha256(" ".join(text.split()).encode()).hexdigest()
            number = numbers.setdefault(digest, len(numbers) + 1)
            owners.setdefault(number, text)
            mine.append(number)
        print(f"{package['name']} {package['version']}")
        print(f"    {expression}; texts: {', '.join(map(str, mine))}")
        if package["repository"]:
            print(f"    {package['repository']}")
    for number, text in owners.items():
        print(f"\n{'=' * 78}\n[{number}]\n\n{text}")


def checksums():
    """The SHA-256 of each crate of the registry, which Cargo.lock has."""
    sums, entry = {}, {}
    for line in (CHECKOUT / "Cargo.lock").read_text(encoding="utf-8").splitlines() + ["[[package]]"]:
        if line == "[[package]]":
            if "checksum" in entry:
                sums[entry["name"], entry["version"]] = entry["checksum"]
            entry = {}
        elif " = " in line:
            key, value = line.split(" = ", 1)
            entry[key] = value.strip('"')
    return sums


def sbom(epoch):
    packages, uses = used(metadata())
    sums = checksums()
    version = next(packages[id]["version"] for id in uses if packages[id]["name"] == "soglia")

    def ref(package):
        return f"pkg:cargo/{package['name']}@{package['version']}"

    def component(package):
        is_own = not package["source"]
        about = {
            "type": "library",
            "bom-ref": ref(package),
            "name": package["name"],
            "version": package["version"],
            "description": package["description"] and package["description"].strip(),
            "scope": "required",
            "hashes": [] if is_own else [
                {"alg": "SHA-256", "content": sums[package["name"], package["version"]]}
            ],
            "licenses": package["license"] and [{"expression": package["license"].replace("/", " OR ")}],
            "purl": ref(package),
            "externalReferences": package["repository"] and not is_own
            and [{"type": "vcs", "url": package["repository"]}],
        }
        return {key: value for key, value in about.items() if value}

    crates = by_name(packages, uses)
    root = f"soglia@{version}"
    bom = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": {
            "timestamp": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(epoch)),
            "component": {
                "type": "application",
                "bom-ref": root,
                "name": "soglia",
                "version": version,
                "licenses": [{"expression": "MIT OR Apache-2.0"}],
            },
        },
        "components": [component(package) for package in crates],
        "dependencies": [
            {
                "ref": root,
                "dependsOn": [ref(package) for package in crates if package["name"] in PROGRAMS],
            }
        ]
        + [
            {
                "ref": ref(package),
                "dependsOn": [ref(other) for other in by_name(packages, uses[package["id"]])],
            }
            for package in crates
        ],
    }
    print(json.dumps(bom, indent=2, ensure_ascii=False))


match sys.argv[1:]:
    case ["licences"]:
        licences()
    case ["sbom", epoch]:
        sbom(int(epoch))
    case _:
        sys.exit(__doc__)
