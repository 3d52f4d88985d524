#!/usr/bin/env python3
"""Checks that a starter workflow has what GitHub asks for beside it: its properties, and the icon that they name.

usage: check_template.py workflow-templates/NAME.yml     (exits 1 and says what is missing)
"""

import json
import pathlib
import sys


def problems(workflow: pathlib.Path) -> list[str]:
    properties = workflow.with_suffix(".properties.json")
    if not properties.is_file():
        return [f"{properties} is missing"]
    try:
        found = json.loads(properties.read_text())
    except ValueError as error:
        return [f"{properties}: {error}"]
    wrong = [f"{properties}: `{key}` is missing" for key in ("name", "description", "iconName") if not found.get(key)]
    icon = workflow.with_name(f"{found.get('iconName')}.svg")
    if not icon.is_file():
        wrong.append(f"{properties}: there is no {icon}")
    for key in ("categories", "filePatterns"):
        value = found.get(key)
        if not (isinstance(value, list) and value and all(isinstance(item, str) for item in value)):
            wrong.append(f"{properties}: `{key}` is no list of strings")
    return wrong


def main() -> None:
    wrong = problems(pathlib.Path(sys.argv[1]))
    print("\n".join(wrong) if wrong else f"ok -- {sys.argv[1]} has its properties and icon")
    sys.exit(1 if wrong else 0)


main()
