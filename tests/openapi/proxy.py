#!/usr/bin/env python3
"""Stands between llm-deploy and the emulated GitHub, and holds what goes either way against GitHub's description.

usage: proxy.py DESCRIPTION GRAPHQL_SCHEMA UPSTREAM PORT_FILE LOG     (LOG gets one JSON line for each exchange)

Nothing is changed or refused: a run must not depend on being watched. judge.py reads the log.
"""

import http.client
import json
import pathlib
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

import graphql_schema
from description import Description

DESCRIPTION = Description(pathlib.Path(sys.argv[1]))
SCHEMA = graphql_schema.Schema(pathlib.Path(sys.argv[2]))
UPSTREAM = urlsplit(sys.argv[3])
LOG = pathlib.Path(sys.argv[5])
LOCK = threading.Lock()
HOP = {"connection", "host", "transfer-encoding", "content-length", "keep-alive"}


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def handle_any(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        headers = {name.lower(): value for name, value in self.headers.items()}
        passed = {name: value for name, value in headers.items() if name not in HOP}
        connection = http.client.HTTPConnection(UPSTREAM.hostname, UPSTREAM.port, timeout=60)
        connection.request(self.command, UPSTREAM.path.rstrip("/") + self.path, body or None, passed)
        answer = connection.getresponse()
        text = answer.read()
        got = {name.lower(): value for name, value in answer.getheaders()}
        line = {
            "method": self.command,
            "path": self.path,
            "status": answer.status,
            "operation": (DESCRIPTION.operation(self.command, self.path) or ({},))[0].get("operationId"),
            "request": DESCRIPTION.request(self.command, self.path, headers, body),
            "response": DESCRIPTION.response(self.command, self.path, answer.status, got, text),
        }
        if self.path == graphql_schema.PATH:
            line |= {
                "operation": "graphql",
                "request": SCHEMA.request(body),
                "response": SCHEMA.response(body, text) if answer.status == 200 else [],
            }
        with LOCK, LOG.open("a") as log:
            log.write(json.dumps(line) + "\n")
        self.send_response(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in HOP:
                # The next page is asked for through here as well.
                here = f"http://127.0.0.1:{self.server.server_port}"
                upstream = f"{UPSTREAM.scheme}://{UPSTREAM.netloc}{UPSTREAM.path.rstrip('/')}"
                self.send_header(name, value.replace(upstream, here) if name.lower() == "link" else value)
        self.send_header("content-length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)
        connection.close()

    do_GET = do_POST = do_PATCH = do_PUT = do_DELETE = handle_any

    def log_message(self, *_: object) -> None:
        pass


server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
pathlib.Path(sys.argv[4]).write_text(str(server.server_port))
server.serve_forever()
