#!/usr/bin/env python3
"""Looks at what the action left: one comment at the emulated GitHub, outputs for later steps, a job summary.

usage: check.py DIR KIND     (DIR: the folder that prepare.py and run.sh filled; KIND: what the run was, `preview`, `closed`,
                             `production` or `scheduled`; exits 1 and says why when a promise is broken)
"""

import json
import pathlib
import re
import sys
import urllib.request

DIRECTORY, KIND = pathlib.Path(sys.argv[1]), sys.argv[2]
PULL_REQUEST = "repos/octo-org/llm-endpoint/issues/12/comments?per_page=100"
# Not the median gap between tokens: tokens a millisecond apart come together on a busy machine.
NUMBERS = ["ttft-p50-ms", "ttft-p95-ms", "itl-p95-ms", "itl-p99-ms", "e2e-p50-ms", "e2e-p95-ms", "tokens-per-second"]
broken = []


def promise(text: str, kept: bool, seen: object = "") -> None:
    print(("ok      " if kept else "BROKEN  ") + text + ("" if kept else f": {str(seen)[:2000]}"))
    if not kept:
        broken.append(text)


def environment() -> dict[str, str]:
    lines = (DIRECTORY / "act.env").read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if "=" in line)


def comments() -> list[dict]:
    variables = environment()
    url = variables["GITHUB_API_URL"].rstrip("/") + "/" + PULL_REQUEST
    token = variables.get("GITHUB_TOKEN", "act")
    request = urllib.request.Request(url, headers={"Authorization": f"Bearer {token}"})
    with urllib.request.urlopen(request, timeout=10) as answer:
        return json.load(answer)


def positive(text: str) -> bool:
    try:
        return float(text) > 0
    except ValueError:
        return False


def check_outputs(outputs: dict[str, str]) -> None:
    promise("the outputs give the endpoint's URL", outputs.get("url", "").startswith("http"), outputs)
    promise("the outputs say `succeeded`", outputs.get("status") == "succeeded", outputs)
    promise("the image is named by digest", "@sha256:" in outputs.get("image", ""), outputs)
    promise("the outputs name the revision", bool(outputs.get("revision")), outputs)
    for name in NUMBERS:
        promise(f"{name} is a number above 0", positive(outputs.get(name, "")), outputs)


def has_latency_table(markdown: str) -> bool:
    """A table with p50 and p95 in its head, and a row for the time to the first token with figures in it."""
    rows = [line for line in markdown.splitlines() if line.lstrip().startswith("|")]
    head = any("p50" in row and "p95" in row for row in rows)
    figure = re.compile(r"^[\d.,]+\s?(ms|s)$")
    first_token = [row.split("|") for row in rows if "TTFT" in row]
    return head and any(sum(bool(figure.match(cell.strip())) for cell in row) >= 2 for row in first_token)


def live_text(markdown: str) -> str:
    """What is left for the renderer to act on: no code blocks, no code spans, no escaped punctuation."""
    without_blocks = re.sub(r"^(`{3,}).*?^\1`*$", "", markdown, flags=re.DOTALL | re.MULTILINE)
    without_spans = re.sub(r"(`+)(?!`).+?(?<!`)\1(?!`)", "", without_blocks)
    return re.sub(r"\\[!-/:-@\[-`{-~]", "", without_spans)


def unmeant_commands() -> list[str]:
    """Lines of the job's output that the runner would take for a command although act does not: it takes one after
    white space, and the older kind wherever it is in a line."""
    entries = [json.loads(line) for line in (DIRECTORY / "act.jsonl").read_text().splitlines() if line.startswith("{")]
    raw = [str(entry.get("msg", "")) for entry in entries if entry.get("raw_output")]
    return [line for text in raw for line in text.splitlines() if line.lstrip().startswith("::") or "##[" in line]


def check_same_comment(marked: list[dict]) -> None:
    """After the first run there is a note of which comment it was."""
    note = DIRECTORY / "comment-id"
    ids = [str(comment["id"]) for comment in marked]
    if note.exists():
        promise("it is the first run's comment", ids == [note.read_text()], marked)
        promise("it was written anew", all(c["updated_at"] > c["created_at"] for c in marked), marked)
    note.write_text(ids[0] if ids else "")


def check_comment(url: str) -> None:
    found = comments()
    marked = [c for c in found if c.get("body", "").startswith("<!--")]
    promise("exactly one comment starts with a hidden marker", len(marked) == 1, found)
    check_same_comment(marked)
    with_url = [c for c in found if url in c.get("body", "")]
    promise("exactly one comment has the endpoint's URL", len(with_url) == 1, found)
    body = marked[0]["body"] if marked else ""
    promise("that is the same one", url in body, body)
    promise("it has a latency table", has_latency_table(body), body)
    live = live_text(body)
    promise("the pull request's title has no effect in it", "<img" not in live and "@everyone" not in live, live)


def check_deletion(outputs: dict[str, str]) -> None:
    promise("the outputs say `deleted`", outputs.get("status") == "deleted", outputs)
    marked = [c for c in comments() if c.get("body", "").startswith("<!--")]
    check_same_comment(marked)
    promise("the comment says that the preview is gone", "deleted" in marked[0]["body"].lower(), marked[0]["body"])


def check_artifact() -> None:
    """Of a workflow that uploads the report."""
    workflows = (DIRECTORY / "repository/.github/workflows").glob("*.yml")
    artifacts = DIRECTORY / "artifacts"
    if any("upload-artifact" in workflow.read_text() for workflow in workflows):
        files = sorted(path.name for path in artifacts.rglob("*") if path.is_file() and path.stat().st_size > 500)
        promise("the report is an artifact, as JSON and as a page", files == ["report.html", "report.json"], files)


def main() -> None:
    outputs = json.loads((DIRECTORY / "outputs.json").read_text())
    check_artifact()
    if KIND == "closed":
        check_deletion(outputs)
        sys.exit(1 if broken else 0)
    check_outputs(outputs)
    if KIND == "preview":
        check_comment(outputs.get("url") or "no url")
    else:
        bodies = [c["body"] for c in comments()]
        promise("no comment is about it", not any(outputs.get("url", "-") in body for body in bodies), bodies)
    promise("nothing in the output is a command by accident", not unmeant_commands(), unmeant_commands())
    summary = (DIRECTORY / "summary.md").read_text()
    promise("the job summary has the endpoint's URL", (outputs.get("url") or "no url") in summary, summary)
    promise("the job summary has a latency table", has_latency_table(summary), summary)
    sys.exit(1 if broken else 0)


main()
