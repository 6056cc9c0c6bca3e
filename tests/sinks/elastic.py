"""A stand-in for Elasticsearch: the published bulk protocol, on loopback."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Cluster:
    """Keeps documents by data stream and `_id`; answers as the bulk API is documented to.

    `refuse` gives the status and error of documents by `_id`; `status` answers a whole request.
    """

    def __init__(self, authorization: str = "") -> None:
        self.documents: dict[str, dict[str, Any]] = {}
        self.requests: list[list[str]] = []  # ids of each
        self.refuse: dict[str, tuple[int, str, str]] = {}
        self.status = 200
        self.largest = 1 << 20
        self.answer: bytes | None = None
        cluster = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                path, _, query = self.path.partition("?")
                stream, _, api = path.strip("/").partition("/")
                status, found = 400, {"error": {"type": "illegal_argument_exception"}}
                if authorization and self.headers.get("authorization") != authorization:
                    status, found = 401, {"error": {"type": "security_exception"}}
                elif cluster.status != 200:
                    status = cluster.status
                elif len(body) > cluster.largest:
                    status = 413
                elif (api, self.headers["content-type"]) == ("_bulk", "application/x-ndjson"):
                    assert query.startswith("filter_path=errors,items.")
                    status, found = 200, cluster.bulk(stream, body)
                answer = json.dumps(found).encode() if cluster.answer is None else cluster.answer
                self.send_response(status)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.01,))
        self.thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_address[1]}"

    def close(self) -> None:
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()

    def bulk(self, stream: str, body: bytes) -> dict[str, Any]:
        assert body.endswith(b"\n")  # "The final line of data must end with a newline"
        lines = [json.loads(line) for line in body.splitlines()]
        items = []
        kept = self.documents.setdefault(stream, {})
        ids = []
        for action, document in zip(lines[::2], lines[1::2], strict=True):
            assert list(action) == ["create"]  # a data stream takes nothing else
            name = action["create"]["_id"]
            ids.append(name)
            status, error = 201, None
            if name in self.refuse:
                status, kind, reason = self.refuse[name]
                error = {"type": kind, "reason": reason}
            elif "@timestamp" not in document:
                status = 400
                error = {"type": "document_parsing_exception", "reason": "no @timestamp"}
            elif name in kept:
                status = 409
                reason = f"[{name}]: version conflict, document already exists"
                error = {"type": "version_conflict_engine_exception", "reason": reason}
            else:
                kept[name] = document
            items.append({"create": {"status": status, **({"error": error} if error else {})}})
        self.requests.append(ids)
        errors = any("error" in item["create"] for item in items)
        return {"errors": errors, "items": items}
