"""GitHub's own GraphQL schema (npm @octokit/graphql-schema), and what of an exchange is not as it says."""

from __future__ import annotations

import json
import pathlib

from graphql import GraphQLError, build_schema, execute_sync, parse, validate

PATH = "/graphql"


class Schema:
    def __init__(self, path: pathlib.Path) -> None:
        self.schema = build_schema(path.read_text(), assume_valid=True)

    def request(self, body: bytes) -> list[str]:
        try:
            return [why.message for why in validate(self.schema, parse(json.loads(body)["query"]))]
        except (ValueError, KeyError, TypeError, GraphQLError) as why:
            return [f"no GraphQL query: {why}"]

    def response(self, body: bytes, text: bytes) -> list[str]:
        """The answer's data must be what the query gets from a server that has this data."""
        try:
            answer = json.loads(text)
            got = execute_sync(self.schema, parse(json.loads(body)["query"]), root_value=answer["data"])
        except (ValueError, KeyError, TypeError, GraphQLError) as why:
            return [f"no answer to a query: {why}"]
        if got.errors:
            return [why.message for why in got.errors]
        return [] if got.data == answer["data"] else ["the answer has other fields than were asked for"]
