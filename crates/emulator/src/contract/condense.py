#!/usr/bin/env python3
"""Cuts Google's discovery documents down to what the emulator checks requests against.

The documents are those that the PyPI package google-api-python-client ships, in
googleapiclient/discovery_cache/documents. Of the methods listed in KEEP
below, this writes paths, parameters and the messages they reach: names,
types, formats, enum values and whether a field is output-only. No prose is kept.

usage: condense.py DOCUMENTS OUT
"""

import json
import re
import sys
from pathlib import Path

# Document -> the method ids that are kept, without their common prefix (the API's name). `*` is any one word.
KEEP = {
    "run.v2": """projects.locations.services.* projects.locations.services.revisions.get
        projects.locations.services.revisions.list projects.locations.services.revisions.delete
        projects.locations.operations.*""",
    "cloudbuild.v1": """projects.builds.create projects.builds.get projects.builds.list projects.builds.cancel
        projects.locations.builds.create projects.locations.builds.get projects.locations.builds.list
        projects.locations.builds.cancel projects.locations.operations.get operations.get
        projects.locations.getDefaultServiceAccount""",
    "artifactregistry.v1": """projects.locations.get projects.locations.list projects.locations.operations.get
        projects.locations.repositories.create projects.locations.repositories.get
        projects.locations.repositories.list projects.locations.repositories.patch
        projects.locations.repositories.delete projects.locations.repositories.getIamPolicy
        projects.locations.repositories.setIamPolicy projects.locations.repositories.testIamPermissions
        projects.locations.repositories.packages.get projects.locations.repositories.packages.list
        projects.locations.repositories.packages.delete
        projects.locations.repositories.packages.tags.get projects.locations.repositories.packages.tags.list
        projects.locations.repositories.packages.tags.create projects.locations.repositories.packages.tags.patch
        projects.locations.repositories.packages.tags.delete
        projects.locations.repositories.packages.versions.get
        projects.locations.repositories.packages.versions.list
        projects.locations.repositories.packages.versions.delete
        projects.locations.repositories.dockerImages.*""",
    # gcloud lists locations by the older version.
    "artifactregistry.v1beta2": "projects.locations.get projects.locations.list",
    "storage.v1": """buckets.get buckets.insert buckets.patch buckets.list buckets.delete buckets.getIamPolicy
        buckets.setIamPolicy buckets.testIamPermissions objects.insert objects.get objects.list objects.delete""",
    "secretmanager.v1": """projects.secrets.create projects.secrets.get projects.secrets.list
        projects.secrets.addVersion projects.secrets.getIamPolicy projects.secrets.setIamPolicy
        projects.secrets.testIamPermissions projects.secrets.versions.get projects.secrets.versions.list
        projects.secrets.versions.access""",
    "serviceusage.v1": "services.batchEnable services.batchGet services.enable services.get services.list operations.get",
    "iam.v1": """projects.serviceAccounts.create projects.serviceAccounts.get projects.serviceAccounts.list
        projects.serviceAccounts.getIamPolicy projects.serviceAccounts.setIamPolicy
        projects.serviceAccounts.testIamPermissions
        projects.serviceAccounts.enable projects.serviceAccounts.disable
        projects.locations.workloadIdentityPools.create projects.locations.workloadIdentityPools.get
        projects.locations.workloadIdentityPools.list projects.locations.workloadIdentityPools.patch
        projects.locations.workloadIdentityPools.delete projects.locations.workloadIdentityPools.undelete
        projects.locations.workloadIdentityPools.operations.get
        projects.locations.workloadIdentityPools.providers.create
        projects.locations.workloadIdentityPools.providers.get
        projects.locations.workloadIdentityPools.providers.list
        projects.locations.workloadIdentityPools.providers.patch
        projects.locations.workloadIdentityPools.providers.delete
        projects.locations.workloadIdentityPools.providers.undelete
        projects.locations.workloadIdentityPools.providers.operations.get""",
    "iamcredentials.v1": "projects.serviceAccounts.generateAccessToken projects.serviceAccounts.generateIdToken",
    "sts.v1": "token",
    "logging.v2": "entries.list entries.write",
    "monitoring.v3": "projects.timeSeries.list",
    "cloudresourcemanager.v3": """projects.get projects.getIamPolicy projects.setIamPolicy
        projects.testIamPermissions""",
    # gcloud reads projects by the older version.
    "cloudresourcemanager.v1": "projects.get projects.getIamPolicy projects.testIamPermissions",
}

MESSAGE_KEYS = ("type", "format", "enum", "$ref", "readOnly")
PARAMETER_KEYS = ("type", "format", "enum", "required", "repeated")


def wanted(document, method_id):
    name = method_id.split(".", 1)[1]
    rules = (rule.replace(".", r"\.").replace("*", "[A-Za-z]+") for rule in KEEP[document].split())
    return any(re.fullmatch(rule, name) for rule in rules)


def all_methods(node):
    yield from node.get("methods", {}).values()
    for child in node.get("resources", {}).values():
        yield from all_methods(child)


def message(node):
    """One field or message; output-only is often said in the description alone."""
    out = {key: node[key] for key in MESSAGE_KEYS if key in node}
    if re.match(r"\W*output[ -]only\b", node.get("description", ""), re.IGNORECASE):
        out["readOnly"] = True
    for key in ("items", "additionalProperties"):
        if key in node:
            out[key] = message(node[key])
    if "properties" in node:
        out["properties"] = {name: message(child) for name, child in node["properties"].items()}
    return out


def references(node):
    if isinstance(node, dict):
        if isinstance(node.get("$ref"), str):
            yield node["$ref"]
        for child in node.values():
            yield from references(child)


def closure(messages, roots):
    found, queue = {}, list(roots)
    while queue:
        name = queue.pop()
        if name not in found:
            found[name] = messages[name]
            queue.extend(references(messages[name]))
    return dict(sorted(found.items()))


def method(document, node):
    prefix = document["servicePath"]
    parameters = node.get("parameters", {})
    out = {
        "id": node["id"],
        "http": node["httpMethod"],
        "path": "/" + prefix + (node.get("flatPath") or node["path"]),
        "query": {
            name: {key: p[key] for key in PARAMETER_KEYS if key in p}
            for name, p in sorted(parameters.items())
            if p["location"] == "query"
        },
    }
    if "request" in node:
        out["request"] = node["request"]["$ref"]
    if "response" in node:
        out["response"] = node["response"]["$ref"]
    uploads = node.get("mediaUpload", {}).get("protocols", {})
    if uploads:
        out["upload"] = sorted(protocol["path"] for protocol in uploads.values())
    return {key: value for key, value in out.items() if value not in ({}, [])}


def condense(name, document):
    kept = [method(document, node) for node in all_methods(document) if wanted(name, node["id"])]
    messages = {key: message(node) for key, node in document["schemas"].items()}
    roots = {m[key] for m in kept for key in ("request", "response") if key in m}
    return {
        "document": name,
        "revision": document["revision"],
        "standard": sorted(document["parameters"]),
        "methods": sorted(kept, key=lambda m: m["id"]),
        "messages": closure(messages, roots),
    }


def main(documents, out):
    for name in KEEP:
        result = condense(name, json.loads((documents / f"{name}.json").read_text(encoding="utf-8")))
        unmatched = [r for r in KEEP[name].split() if "*" not in r and not any(m["id"].endswith("." + r) for m in result["methods"])]
        if unmatched:
            sys.exit(f"{name} has no {' '.join(unmatched)}")
        text = json.dumps(result, separators=(",", ":")) + "\n"
        (out / f"{name}.json").write_text(text, encoding="utf-8")
        print(f"{name}: {len(result['methods'])} methods, {len(result['messages'])} messages, {len(text)} bytes")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(Path(sys.argv[1]), Path(sys.argv[2]))
