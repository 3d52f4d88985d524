#!/usr/bin/env python3
"""Makes what act needs in DIR: a repository with workflows, the events, the environment.

usage: prepare.py DIR ENV_FILE                  with the README's least workflow
       prepare.py DIR ENV_FILE TEMPLATE…        with these starter workflows
       (ENV_FILE: the emulator's `export NAME=VALUE` lines)

The README's workflow is its own text; only the Google Cloud project and its number are the emulator's, and a step is
added that shows and checks the action's outputs. Of a starter workflow that is replaced which GitHub and its user
replace, and nothing else: `$default-branch`; the project's id, in its input and in the service account's name; the
project's number in the provider's name; the owner in the guard of a scheduled workflow.
"""

import json
import pathlib
import re
import shlex
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
README = HERE.parent.parent / "README.md"
ACTION = "uses: org/llm-deploy-action@v1"
# What somebody who takes the README's workflow puts in: here the project and the provider that the emulator has.
PROJECT, PROJECT_NUMBER = "my-project", "projects/1/"
EMULATED_PROJECT_NUMBER = "projects/481516234200/"
OWNER, EMULATED_OWNER = "'my-org'", "'octo-org'"

LATER_STEP = """\
      - name: Outputs
        shell: bash
        env:
          OUTPUTS: ${{ toJSON(steps.llm.outputs) }}
          URL: ${{ steps.llm.outputs.url }}
        run: |
          [ -n "$URL" ] || { echo "the output url is empty"; exit 1; }
          printf '%s' "$OUTPUTS" >"$OUTPUTS_FILE"
"""


def exports(path: pathlib.Path) -> dict[str, str]:
    """Reads `export NAME=VALUE` lines as a shell would."""
    found = {}
    for line in path.read_text().splitlines():
        words = shlex.split(line, comments=True)
        if words[:1] == ["export"]:
            words = words[1:]
        for word in words:
            name, _, value = word.partition("=")
            found[name] = value
    return found


def least_workflow(project: str) -> str:
    block = re.search(r"```yaml\n(# \.github/workflows/llm\.yml\n.*?)```", README.read_text(), re.DOTALL)
    if block is None:
        sys.exit("README.md has no yaml block that starts with `# .github/workflows/llm.yml`")
    text = block.group(1)
    if text.count(ACTION) != 1:
        sys.exit(f"the README's workflow does not have `{ACTION}` exactly once")
    for placeholder in (PROJECT, PROJECT_NUMBER):
        if placeholder not in text:
            sys.exit(f"the README's workflow does not have `{placeholder}`")
    text = text.replace(ACTION, f"id: llm\n        {ACTION}")
    return text.replace(PROJECT, project).replace(PROJECT_NUMBER, EMULATED_PROJECT_NUMBER) + LATER_STEP


def starter_workflow(path: pathlib.Path, project: str) -> str:
    text = path.read_text()
    for placeholder in (PROJECT, PROJECT_NUMBER, ACTION):
        if placeholder not in text:
            sys.exit(f"{path} does not have `{placeholder}`")
    text = text.replace("$default-branch", "main").replace(OWNER, EMULATED_OWNER)
    return text.replace(PROJECT, project).replace(PROJECT_NUMBER, EMULATED_PROJECT_NUMBER)


def events(head: str) -> dict[str, dict]:
    """Payloads by the event's name; a pull request's by its action."""
    opened = json.loads((HERE / "pull_request.json").read_text().replace("@SHA@", head))
    closed = {**opened, "action": "closed", "pull_request": {**opened["pull_request"], "state": "closed"}}
    repository = {"repository": opened["repository"], "sender": opened["sender"]}
    return {
        "opened": opened,
        "synchronize": {**opened, "action": "synchronize", "before": head, "after": head},
        "closed": closed,
        "push": {"ref": "refs/heads/main", "before": head, "after": head, **repository},
        "schedule": {"schedule": "17 6 * * *", **repository},
        "workflow_dispatch": {"ref": "refs/heads/main", "inputs": None, **repository},
    }


def git(repository: pathlib.Path, *arguments: str) -> str:
    who = ["-c", "user.name=act", "-c", "user.email=act@example.com", "-c", "init.defaultBranch=main"]
    done = subprocess.run(["git", *who, *arguments], cwd=repository, check=True, capture_output=True, text=True)
    return done.stdout.strip()


def main() -> None:
    directory, env_file, *templates = map(pathlib.Path, sys.argv[1:])
    variables = exports(env_file)
    project = variables.get("GOOGLE_CLOUD_PROJECT") or variables.get("CLOUDSDK_CORE_PROJECT")
    if not project:
        sys.exit(f"{env_file} exports no GOOGLE_CLOUD_PROJECT or CLOUDSDK_CORE_PROJECT")

    repository = directory / "repository"
    workflows = repository / ".github/workflows"
    workflows.mkdir(parents=True)
    for template in templates:
        (workflows / template.name).write_text(starter_workflow(template, project))
    if not templates:
        (workflows / "llm.yml").write_text(least_workflow(project))
    git(repository, "init", "-q")
    git(repository, "remote", "add", "origin", "https://github.com/octo-org/llm-endpoint.git")
    git(repository, "add", "-A")
    git(repository, "commit", "-q", "-m", "LLM endpoint")
    head = git(repository, "rev-parse", "HEAD")

    for name, payload in events(head).items():
        (directory / f"{name}.json").write_text(json.dumps(payload))
    # A ready access token would be taken before the federation that this test is about.
    variables.pop("CLOUDSDK_AUTH_ACCESS_TOKEN", None)
    lines = [f"{name}={value}" for name, value in variables.items()]
    (directory / "act.env").write_text("\n".join(lines) + "\n")


main()
