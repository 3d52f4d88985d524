#!/usr/bin/env python3
"""Holds the documentation against what it describes.

usage: check_docs.py OUT_DIR

Writes each llm-deploy.yaml in the documentation to OUT_DIR, for check-jsonschema, and each workflow to
OUT_DIR/workflows/.github/workflows, for zizmor and actionlint: as it stands, and with our own action pinned by commit.

Checks that docs/configuration.md names every key of the JSON Schema, that every relative link has a target, and that the
README's workflow is followed by the step that pins the action. Exits 1 and lists what is wrong.
"""

import json
import pathlib
import re
import sys

PAGES = [pathlib.Path("README.md"), pathlib.Path("CONTRIBUTING.md"), *sorted(pathlib.Path("docs").glob("*.md"))]
SCHEMA = pathlib.Path("schema/llm-deploy.schema.json")
CONFIGURATION = pathlib.Path("docs/configuration.md")
PINNED = "# in place of the step with @v1\n"
OWN_ACTION = "- uses: org/llm-deploy-action@v1"


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
            if not block.startswith(("# .github/", "# faults.yaml", PINNED)):
                (directory / f"{page.stem}-{written}.yaml").write_text(block)
                written += 1
    return written


def write_workflows(directory: pathlib.Path) -> list[str]:
    """Whole workflows: those that say on what they start and have jobs. What is wrong with the README's."""
    folder = directory / "workflows" / ".github" / "workflows"
    folder.mkdir(parents=True, exist_ok=True)
    blocks = re.findall(r"```yaml\n(.*?)```", PAGES[0].read_text(), re.DOTALL)
    workflows = [n for n, block in enumerate(blocks) if re.search(r"^jobs:", block, re.M) and "\non:" in block]
    if not workflows:
        return [f"{PAGES[0]}: it has no workflow"]
    wrong = []
    for number in workflows:
        text = blocks[number]
        (folder / f"workflow-{number}.yml").write_text(text)
        follower = blocks[number + 1] if number + 1 < len(blocks) else ""
        pinned = follower.removeprefix(PINNED).strip()
        if not re.fullmatch(r"- uses: org/llm-deploy-action@[0-9a-f]{40} # v[0-9.]+", pinned):
            wrong.append(f"{PAGES[0]}: the workflow with @v1 is not followed by the step pinned by commit")
        elif text.count(OWN_ACTION) != 1:
            wrong.append(f"{PAGES[0]}: the workflow has no step `{OWN_ACTION}`")
        else:
            (folder / f"workflow-{number}-pinned.yml").write_text(text.replace(OWN_ACTION, pinned))
    return wrong


def main() -> None:
    wrong = unnamed_keys() + [link for page in PAGES for link in dead_links(page)]
    wrong += write_workflows(pathlib.Path(sys.argv[1]))
    if write_examples(pathlib.Path(sys.argv[1])) == 0:
        wrong.append("the documentation has no example of llm-deploy.yaml")
    print("\n".join(wrong) if wrong else f"ok -- {len(PAGES)} pages")
    sys.exit(1 if wrong else 0)


main()
