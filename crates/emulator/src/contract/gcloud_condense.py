#!/usr/bin/env python3
"""Makes cloudquotas.v1.json, for which google-api-python-client has no discovery document, from gcloud's own client.

The Google Cloud SDK ships a generated client of each API that gcloud calls. It has the paths, the fields, their types
and enum values; which fields are output-only it has in prose, and nothing here is sent but names.

usage: gcloud_condense.py SDK OUT     (SDK is the folder that has lib/googlecloudsdk)
"""

import importlib
import json
import re
import sys
from pathlib import Path

API, VERSION = "cloudquotas", "v1"
KEEP = ["projects_locations_services_quotaInfos.Get", "projects_locations_services_quotaInfos.List"]
# protorpc's variant -> the discovery document's type and format
TYPES = {
    "STRING": {"type": "string"},
    "BOOL": {"type": "boolean"},
    "INT32": {"type": "integer", "format": "int32"},
    "INT64": {"type": "string", "format": "int64"},
}


def field(node):
    kind = node.variant.name
    if kind == "ENUM":
        return {"type": "string", "enum": sorted(node.type.names(), key=lambda name: node.type(name).number)}
    if kind == "MESSAGE":
        return reference(node.type)
    return dict(TYPES[kind])


def reference(message):
    # A map is a message within the one that has it.
    if message.__name__.endswith("Value"):
        return {"type": "object", "additionalProperties": {"type": "string"}}
    return {"$ref": message.__name__}


def properties(message):
    for node in sorted(message.all_fields(), key=lambda node: node.name):
        yield node.name, {"type": "array", "items": field(node)} if node.repeated else field(node)


def closure(messages, roots):
    found, queue = {}, list(roots)
    while queue:
        name = queue.pop()
        if name not in found:
            found[name] = {"type": "object", "properties": dict(properties(getattr(messages, name)))}
            queue.extend(re.findall(r'"\$ref": "(\w+)"', json.dumps(found[name])))
    return dict(sorted(found.items()))


def method(client, messages, name):
    resource, verb = name.split(".")
    config = getattr(getattr(client, resource), verb).method_config()
    request = getattr(messages, config.request_type_name)
    query = {parameter: field(request.field_by_name(parameter)) for parameter in sorted(config.query_params)}
    found = {"id": config.method_id, "http": config.http_method, "path": "/" + config.flat_path, "query": query}
    found["response"] = config.response_type_name
    return {key: value for key, value in found.items() if value != {}}


def main(sdk, out):
    sys.path[:0] = [str(sdk / "lib"), str(sdk / "lib" / "third_party")]
    package = f"googlecloudsdk.generated_clients.apis.{API}.{VERSION}.{API}_{VERSION}"
    messages = importlib.import_module(f"{package}_messages")
    client = next(c for n, c in vars(importlib.import_module(f"{package}_client")).items() if n.lower() == API + VERSION)
    kept = [method(client(get_credentials=False), messages, name) for name in KEEP]
    standard = {f.name.replace("f__xgafv", "$.xgafv") for f in messages.StandardQueryParameters.all_fields()} - {"trace"}
    result = {
        "document": f"{API}.{VERSION}",
        "revision": f"gcloud {(sdk / 'VERSION').read_text().strip()}" if (sdk / "VERSION").exists() else "gcloud",
        "standard": sorted(standard),
        "methods": kept,
        "messages": closure(messages, {m["response"] for m in kept}),
    }
    (out / f"{API}.{VERSION}.json").write_text(json.dumps(result, separators=(",", ":")) + "\n", encoding="utf-8")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(Path(sys.argv[1]), Path(sys.argv[2]))
