#!/usr/bin/env python3
"""Holds the documentation against what it describes.

usage: check_docs.py OUT_DIR     writes each llm-deploy.yaml in the documentation to OUT_DIR, for check-jsonschema

Checks that docs/configuration.md names every key of the JSON Schema, and that every relative link has a target.
Exits 1 and lists what is wrong.
"""

import json
import pathlib
import re
import sys

PAGES = [pathlib.Path("README.md"), pathlib.Path("CONTRIBUTING.md"), *sorted(pathlib.Path("docs").glob("*.md"))]
SCHEMA = pathlib.Path("schema/llm-deploy.schema.json")
CONFIGURATION = pathlib.Path("docs/configuration.md")


def keys(schema: object) -> set[str]:
    """Every property name, at any depth."""
    if isinstance(schema, dict):
        properties = schema.get("properties")
        own = set(properties) if isinstance(properties, dict) else set()
        return own | {key for value in schema.values() for key in keys(value)}
    if isinstance(schema, list):
        return {key for item in schema for key in keys(item)}
    return set()


def unnamed_keys() -> list[str]:
    page = CONFIGURATION.read_text()
    known = keys(json.loads(SCHEMA.read_text()))
    if not known:
        return [f"{SCHEMA}: it has no keys"]
    missing = sorted(key for key in known if f"`{key}`" not in page)
    return [f"{CONFIGURATION}: no word about `{key}`" for key in missing]


def dead_links(page: pathlib.Path) -> list[str]:
    links = re.findall(r"\]\(([^)\s#]+)[^)]*\)", page.read_text())
    local = [link for link in links if not re.match(r"[a-z]+:", link)]
    return [f"{page}: {link} is not there" for link in local if not (page.parent / link).exists()]


def write_examples(directory: pathlib.Path) -> int:
    """The yaml blocks that are no workflow and no list of faults: these name their file in the first line."""
    directory.mkdir(parents=True, exist_ok=True)
    written = 0
    for page in PAGES:
        for block in re.findall(r"```yaml\n(.*?)```", page.read_text(), re.DOTALL):
            if not block.startswith(("# .github/", "# faults.yaml")):
                (directory / f"{page.stem}-{written}.yaml").write_text(block)
                written += 1
    return written


def main() -> None:
    wrong = unnamed_keys() + [link for page in PAGES for link in dead_links(page)]
    if write_examples(pathlib.Path(sys.argv[1])) == 0:
        wrong.append("the documentation has no example of llm-deploy.yaml")
    print("\n".join(wrong) if wrong else f"ok -- {len(PAGES)} pages")
    sys.exit(1 if wrong else 0)


main()
