#!/usr/bin/env python3
"""Cuts GitHub's OpenAPI description to what the emulator checks.

github_condense.py api.github.com.json > github.json

The input is generated/api.github.com.json of the npm package @octokit/openapi (MIT). Kept are, for the
operations below, the names and types of query parameters, the schema of the request body (types, names,
required, enums) and the names that each successful answer must have; descriptions and examples go.
"""
import json, sys

OPERATIONS = """
GET /repos/{owner}/{repo}
GET /repos/{owner}/{repo}/issues
POST /repos/{owner}/{repo}/issues
GET /repos/{owner}/{repo}/issues/{issue_number}
PATCH /repos/{owner}/{repo}/issues/{issue_number}
GET /repos/{owner}/{repo}/issues/{issue_number}/comments
POST /repos/{owner}/{repo}/issues/{issue_number}/comments
GET /repos/{owner}/{repo}/issues/{issue_number}/labels
POST /repos/{owner}/{repo}/issues/{issue_number}/labels
GET /repos/{owner}/{repo}/issues/comments/{comment_id}
PATCH /repos/{owner}/{repo}/issues/comments/{comment_id}
DELETE /repos/{owner}/{repo}/issues/comments/{comment_id}
GET /repos/{owner}/{repo}/pulls
GET /repos/{owner}/{repo}/pulls/{pull_number}
GET /repos/{owner}/{repo}/deployments
POST /repos/{owner}/{repo}/deployments
GET /repos/{owner}/{repo}/deployments/{deployment_id}
GET /repos/{owner}/{repo}/deployments/{deployment_id}/statuses
POST /repos/{owner}/{repo}/deployments/{deployment_id}/statuses
GET /repos/{owner}/{repo}/actions/runs/{run_id}
GET /repos/{owner}/{repo}/branches/{branch}
GET /repos/{owner}/{repo}/contents/{path}
POST /repos/{owner}/{repo}/check-runs
PATCH /repos/{owner}/{repo}/check-runs/{check_run_id}
GET /repos/{owner}/{repo}/commits/{ref}/check-runs
""".split("\n")
KEEP = ("type", "enum", "nullable", "required", "additionalProperties")

document = json.load(open(sys.argv[1]))


def deref(node):
    while "$ref" in node:
        target = document
        for part in node["$ref"].removeprefix("#/").split("/"):
            target = target[part.replace("~1", "/").replace("~0", "~")]
        node = target
    return node


def cut(schema):
    schema = deref(schema)
    out = {k: schema[k] for k in KEEP if k in schema and not isinstance(schema[k], dict)}
    if "properties" in schema:
        out["properties"] = {k: cut(v) for k, v in schema["properties"].items()}
    if "items" in schema:
        out["items"] = cut(schema["items"])
    for k in ("oneOf", "anyOf"):
        if k in schema:
            out[k] = [cut(s) for s in schema[k]]
    return out


def required(schema):
    schema = deref(schema)
    if schema.get("type") == "array":
        return required(schema["items"])
    names = list(schema.get("required", []))
    for part in schema.get("allOf", []):
        names += required(part)
    return sorted(set(names))


out = {}
for line in filter(None, OPERATIONS):
    method, path = line.split()
    op = document["paths"][path][method.lower()]
    parameters = [deref(p) for p in op.get("parameters", [])]
    body = op.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema")
    answers = {
        code: required(content["application/json"]["schema"])
        for code, answer in op["responses"].items()
        if code.startswith("2") and "application/json" in (content := deref(answer).get("content", {}))
    }
    out[line] = {
        "id": op["operationId"],
        "docs": op["externalDocs"]["url"],
        "query": {p["name"]: cut(p["schema"]) for p in parameters if p["in"] == "query"},
        "body": cut(body) if body else None,
        "answers": answers,
    }
json.dump(out, sys.stdout, indent=1, sort_keys=True)
print()
