"""GitHub's own OpenAPI description, and what of an exchange is not as it says."""

from __future__ import annotations

import json
import pathlib
import re
from urllib.parse import parse_qsl, unquote, urlsplit

from jsonschema import Draft4Validator
from referencing import Registry
from referencing.jsonschema import DRAFT4

# The description leaves these out for most methods, although every method may be answered so; the body has a fixed form.
ERRORS = {401: "basic-error", 403: "basic-error", 404: "basic-error", 422: "validation-error"}
URN = "urn:github"


def escaped(name: str) -> str:
    return name.replace("~", "~0").replace("/", "~1")


def without_nullable(node: object) -> object:
    """OpenAPI 3.0's `nullable` in the words of JSON Schema. Examples are data, and stay."""
    if isinstance(node, list):
        return [without_nullable(item) for item in node]
    if not isinstance(node, dict):
        return node
    out = {key: value if key in ("example", "examples") else without_nullable(value) for key, value in node.items()}
    if out.get("nullable") is True:
        del out["nullable"]
        return {"anyOf": [{"enum": [None]}, out]}
    return out


class Description:
    def __init__(self, path: pathlib.Path) -> None:
        self.document = without_nullable(json.loads(path.read_text()))
        resource = DRAFT4.create_resource(self.document)
        self.registry = Registry().with_resource(URN, resource)
        self.paths = [(self.pattern(path), path) for path in self.document["paths"]]
        # `issues/comments/{id}` before `issues/{number}/comments`.
        self.paths.sort(key=lambda entry: entry[1].count("{"))

    @staticmethod
    def pattern(path: str) -> re.Pattern[str]:
        part = {"path": ".+", "ref": "[^/]+"}
        names = re.sub(r"\\\{(\w+)\\\}", lambda m: f"({part.get(m.group(1), '[^/]+')})", re.escape(path))
        return re.compile(names + "$")

    def find(self, path: str) -> tuple[str, list[str]] | None:
        for pattern, template in self.paths:
            if found := pattern.match(path):
                return template, [unquote(value) for value in found.groups()]
        return None

    def deref(self, node: dict) -> dict:
        while "$ref" in node:
            target: dict = self.document
            for part in node["$ref"].removeprefix("#/").split("/"):
                target = target[part.replace("~1", "/").replace("~0", "~")]
            node = target
        return node

    def mistakes(self, value: object, pointer: str) -> list[str]:
        """What of the value is not as the schema at the pointer says."""
        validator = Draft4Validator({"$ref": f"{URN}#{pointer}"}, registry=self.registry)
        found = []
        for error in validator.iter_errors(value):
            place = "/".join(map(str, error.absolute_path)) or "the whole"
            found.append(f"{place}: {error.message[:300]}")
        return found

    def unknown(self, value: object, schema: dict, place: str = "") -> list[str]:
        """Fields that a request's schema does not have. GitHub passes over them, so a slip of the pen would be lost."""
        schema = self.deref(schema)
        options = [self.deref(one) for key in ("oneOf", "anyOf") for one in schema.get(key, [])]
        if isinstance(value, list) and "items" in schema:
            return [one for item in value for one in self.unknown(item, schema["items"], place + "[]")]
        known = {**schema.get("properties", {})}
        open_ended = schema.get("additionalProperties") not in (None, False)
        for option in options:
            for name, property_ in option.get("properties", {}).items():
                known.setdefault(name, property_)
            # Beside properties, options only say which of them go together.
            open_ended |= not known and (option.get("additionalProperties") is True or option.get("type") != "object")
        if not isinstance(value, dict) or not known or (open_ended and "properties" not in schema):
            return []
        found = []
        for name, item in value.items():
            if name in known:
                found += self.unknown(item, known[name], f"{place}/{name}")
            else:
                found.append(f"{place}/{name}: no such field")
        return found

    def operation(self, method: str, target: str) -> tuple[dict, str] | None:
        found = self.find(urlsplit(target).path)
        methods = self.document["paths"][found[0]] if found else {}
        if not found or method.lower() not in methods:
            return None
        return methods[method.lower()], f"/paths/{escaped(found[0])}/{method.lower()}"

    def request(self, method: str, target: str, headers: dict[str, str], body: bytes) -> list[str]:
        found = self.operation(method, target)
        if found is None:
            return [f"the description has no {method} {urlsplit(target).path}"]
        operation, pointer = found
        mistakes = self.query(operation, urlsplit(target).query)
        if "user-agent" not in headers:
            mistakes.append("GitHub refuses requests without User-Agent")
        if not body:
            needs = self.deref(operation.get("requestBody", {})).get("required")
            return mistakes + (["the body is missing"] if needs else [])
        if "requestBody" not in operation:
            return [*mistakes, "this method takes no body"]
        if not headers.get("content-type", "").startswith("application/json"):
            mistakes.append(f"the body is said to be {headers.get('content-type')!r}")
        try:
            value = json.loads(body)
        except ValueError as why:
            return [*mistakes, f"the body is no JSON: {why}"]
        place = f"{pointer}/requestBody/content/{escaped('application/json')}/schema"
        schema = self.deref({"$ref": "#" + place})
        if operation["operationId"] == "checks/create" and value.get("status") == "completed":
            # Said in the description's words, not in its schema.
            mistakes += [] if value.get("conclusion") else ["a completed check run needs its conclusion"]
        return mistakes + self.mistakes(value, place) + self.unknown(value, schema)

    def query(self, operation: dict, text: str) -> list[str]:
        parameters = [self.deref(one) for one in operation.get("parameters", [])]
        known = {one["name"]: one for one in parameters if one["in"] == "query"}
        mistakes = []
        for name, value in parse_qsl(text, keep_blank_values=True):
            if name not in known:
                mistakes.append(f"no query parameter {name}")
                continue
            schema = self.deref(known[name]["schema"])
            number = schema.get("type") == "integer"
            if number and not value.isdigit():
                mistakes.append(f"query parameter {name}: {value!r} is no whole number")
            elif not number:
                validator = Draft4Validator({**schema}, registry=self.registry)
                mistakes += [f"query parameter {name}: {error.message}" for error in validator.iter_errors(value)]
        names = {name for name, _ in parse_qsl(text, keep_blank_values=True)}
        missing = [name for name, one in known.items() if one.get("required") and name not in names]
        return mistakes + [f"query parameter {name} is missing" for name in missing]

    def response(self, method: str, target: str, status: int, headers: dict[str, str], body: bytes) -> list[str]:
        found = self.operation(method, target)
        if found is None:
            return []  # told of the request already
        operation, pointer = found
        answer = self.deref(operation["responses"].get(str(status), {}))
        if not answer and status not in ERRORS:
            return [f"answered with {status}, which the description does not have"]
        content = answer.get("content", {})
        if answer and "application/json" not in content:
            return [] if not body else [f"{status} has no body in the description"]
        if not headers.get("content-type", "").startswith("application/json"):
            return [f"the answer is said to be {headers.get('content-type')!r}"]
        try:
            value = json.loads(body)
        except ValueError as why:
            return [f"the answer is no JSON: {why}"]
        place = f"/components/schemas/{ERRORS[status]}" if not answer else None
        if place is None:
            answers = operation["responses"][str(status)]
            base = answers["$ref"].removeprefix("#") if "$ref" in answers else f"{pointer}/responses/{status}"
            place = f"{base}/content/{escaped('application/json')}/schema"
        return self.mistakes(value, place)
