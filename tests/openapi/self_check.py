#!/usr/bin/env python3
"""Shows that the check can fail: each of these exchanges is wrong in one way, and must be found.

usage: self_check.py DESCRIPTION GRAPHQL_SCHEMA
"""

import json
import pathlib
import sys

import graphql_schema
from description import Description

JSON = {"content-type": "application/json", "user-agent": "x"}
REPO = "/repos/octo-org/llm-endpoint"
COMPLETED = {"name": "n", "head_sha": "a" * 40, "status": "completed"}
# What is wrong, the method, where, the body.
REQUESTS = [
    ("a method that is not there", "PUT", REPO + "/issues", {"title": "t"}),
    ("a path that is not there", "POST", REPO + "/comment", {"body": "b"}),
    ("a body without its field", "POST", REPO + "/issues/1/comments", {}),
    ("a number for text", "POST", REPO + "/issues/1/comments", {"body": 1}),
    ("a field that is not there", "POST", REPO + "/issues/1/comments", {"body": "b", "bodi": "b"}),
    ("a state that is not there", "POST", REPO + "/deployments/1/statuses", {"state": "done"}),
    ("a list for text", "POST", REPO + "/deployments", {"ref": ["main"]}),
    ("a check run that ended, nobody knows how", "POST", REPO + "/check-runs", COMPLETED),
    ("a check run without its commit", "POST", REPO + "/check-runs", {"name": "n"}),
    (
        "an annotation without its line",
        "PATCH",
        REPO + "/check-runs/1",
        {"output": {"summary": "s", "annotations": [{"path": "a", "annotation_level": "failure", "message": "m"}]}},
    ),
    ("a parameter that is not there", "GET", REPO + "/issues/1/comments?perpage=1", None),
    ("a parameter that is no number", "GET", REPO + "/issues/1/comments?per_page=many", None),
    ("a body where none is taken", "GET", REPO + "/issues/1/comments", {}),
]
# What is wrong, the method, where, the status, the answer.
ANSWERS = [
    ("an answer without its fields", "POST", REPO + "/issues/1/comments", 201, {"id": 1}),
    ("a status that is not there", "POST", REPO + "/issues/1/comments", 200, {"id": 1}),
    ("an object for a list", "GET", REPO + "/issues/1/comments", 200, {}),
    ("a refusal in another form", "POST", REPO + "/check-runs", 403, []),
    ("a body where there is none", "DELETE", REPO + "/issues/comments/1", 204, {}),
]
# Right ones, so that the check does not simply refuse everything.
RIGHT = [
    ("POST", REPO + "/issues/1/comments", {"body": "b"}),
    ("POST", REPO + "/check-runs", {**COMPLETED, "conclusion": "success", "output": {"title": "t", "summary": "s"}}),
    ("PATCH", REPO + "/check-runs/1", {"output": {"summary": "s"}}),
    ("GET", REPO + "/contents/infra/llm-deploy.yaml?ref=main", None),
    ("POST", REPO + "/deployments", {"ref": "main", "payload": {"any": ["thing"]}, "required_contexts": []}),
]


def main() -> None:
    description = Description(pathlib.Path(sys.argv[1]))
    missed = []

    def body(value: object) -> bytes:
        return b"" if value is None else json.dumps(value).encode()

    for what, method, path, value in REQUESTS:
        if not description.request(method, path, JSON, body(value)):
            missed.append(f"not found: {what}")
    for what, method, path, status, value in ANSWERS:
        if not description.response(method, path, status, JSON, body(value)):
            missed.append(f"not found: {what}")
    for method, path, value in RIGHT:
        if found := description.request(method, path, JSON, body(value)):
            missed.append(f"{method} {path} is right, but: {found}")
    schema = graphql_schema.Schema(pathlib.Path(sys.argv[2]))
    query = body({"query": "query { viewer { login } }"})
    for what, wrong in [
        ("a field that is not there", {"query": "query { viewer { loginn } }"}),
        ("no query", {"query": "viewer"}),
        ("a body without a query", {}),
    ]:
        if not schema.request(body(wrong)):
            missed.append(f"not found: {what}")
    for what, wrong in [
        ("an answer without its field", {"data": {"viewer": {}}}),
        ("an answer without data", {"errors": []}),
        ("an answer with another field", {"data": {"viewer": {"login": "x", "id": "y"}}}),
    ]:
        if not schema.response(query, body(wrong)):
            missed.append(f"not found: {what}")
    if found := schema.request(query) + schema.response(query, body({"data": {"viewer": {"login": "x"}}})):
        missed.append(f"the query is right, but: {found}")
    for line in missed:
        print(line)
    print(f"{len(REQUESTS) + len(ANSWERS) + 6} wrong exchanges, {len(RIGHT) + 1} right ones, {len(missed)} misjudged")
    sys.exit(1 if missed else 0)


main()
