"""An HTTPS proxy that knows one host, storage.googleapis.com, and passes its downloads on to the emulator.

gcloud reads a build's log at https://storage.googleapis.com/BUCKET/OBJECT, an address that none of its settings can
change. So it is given this proxy, and a certificate authority of the moment.
"""

import http.server
import os
import pathlib
import ssl
import threading
import urllib.error
import urllib.parse
import urllib.request

import trustme

HOST = "storage.googleapis.com"


class Front(http.server.BaseHTTPRequestHandler):
    tls: ssl.SSLContext
    storage: str

    def do_CONNECT(self) -> None:
        if self.path != f"{HOST}:443":
            self.send_error(403, "only Cloud Storage is here")
            return
        self.connection.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
        self.connection = self.tls.wrap_socket(self.connection, server_side=True)
        self.rfile = self.connection.makefile("rb", -1)
        self.wfile = self.connection.makefile("wb", 0)

    def do_GET(self) -> None:
        bucket, _, name = urllib.parse.unquote(self.path.partition("?")[0]).lstrip("/").partition("/")
        url = f"{self.storage}b/{bucket}/o/{urllib.parse.quote(name, safe='')}?alt=media"
        passed = {name: self.headers[name] for name in ("Range", "Authorization") if name in self.headers}
        try:
            with urllib.request.urlopen(urllib.request.Request(url, headers=passed), timeout=10) as answer:
                self.answer(answer.status, answer.read())
        except urllib.error.HTTPError as error:
            self.answer(error.code, error.read())

    def answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)
        self.close_connection = True

    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        pass


def start(directory: pathlib.Path) -> dict[str, str]:
    """Serves until the process ends; gives the variables that lead gcloud here. DIRECTORY gets the certificate."""
    authority = trustme.CA()
    Front.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(HOST).configure_cert(Front.tls)
    Front.storage = os.environ["CLOUDSDK_API_ENDPOINT_OVERRIDES_STORAGE"]
    certificate = directory / "front.pem"
    authority.cert_pem.write_to_path(str(certificate))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Front)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return {
        "HTTPS_PROXY": f"http://127.0.0.1:{server.server_port}",
        "CLOUDSDK_CORE_CUSTOM_CA_CERTS_FILE": str(certificate),
        # Where this is set already, it wins over gcloud's own setting.
        "REQUESTS_CA_BUNDLE": str(certificate),
        "NO_PROXY": "127.0.0.1,localhost",
    }
