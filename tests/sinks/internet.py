"""Stand-ins for chat and paging services: a proxy on loopback that is all of them.

What is sent to ``https://hooks.slack.com`` by such a proxy (``HTTPS_PROXY``) is answered here, with
a certificate of that name by an authority of the test's. Each stand-in takes what the service's
published reference says that it takes, and refuses the rest as that says it does:

- Slack: https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks
- Discord: https://discord.com/developers/docs/resources/webhook#execute-webhook
- PagerDuty: https://developer.pagerduty.com/docs/events-api-v2/trigger-events
- Opsgenie: https://docs.opsgenie.com/docs/alert-api#create-alert
- Teams: https://learn.microsoft.com/power-automate/teams/overview#send-an-adaptive-card
- Mattermost: https://developers.mattermost.com/integrate/webhooks/incoming
"""

import io
import json
import ssl
import subprocess
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import msgspec

Body = dict[str, Any]
Answer = tuple[int, str]
TEAMS = "prod-1.westeurope.logic.azure.com"


class Got(msgspec.Struct):
    host: str
    path: str
    headers: dict[str, str]
    body: Body


def slack(got: Got) -> Answer:
    if not got.path.startswith("/services/T1JJ3T3L2/A1BRTD4JD/"):
        return 404, "no_service"
    attachments = got.body.get("attachments", [])
    texts = [one.get("text") or one.get("blocks") for one in attachments]
    if not got.body.get("text") and not any(texts):
        return 400, "no_text"
    return 200, "ok"


def discord(got: Got) -> Answer:
    if not got.path.startswith("/api/webhooks/4174216298/"):
        return 404, '{"message": "Unknown Webhook", "code": 10015}'
    content = got.body.get("content", "")
    if not 0 < len(content) <= 2000 and not got.body.get("embeds"):
        return 400, '{"content": ["Must be 2000 or fewer in length."]}'
    return 204, ""


def pagerduty(got: Got) -> Answer:
    body, payload = got.body, got.body.get("payload", {})
    right = body.get("routing_key") == "A1BRTD4JDIntegrationKey"
    if body.get("event_action") == "trigger":
        right &= 0 < len(payload.get("summary", "")) <= 1024 and bool(payload.get("source"))
        right &= payload.get("severity") in ("critical", "error", "warning", "info")
        right &= len(body.get("dedup_key", "")) <= 255
    else:
        right &= body.get("event_action") in ("resolve", "acknowledge") and "dedup_key" in body
    if got.path != "/v2/enqueue" or not right:
        return 400, '{"status": "invalid event", "message": "Event object is invalid"}'
    key = body.get("dedup_key", "given")
    return 202, json.dumps({"status": "success", "message": "processed", "dedup_key": key})


def opsgenie(got: Got) -> Answer:
    if got.headers.get("authorization") != "GenieKey 8b799edf-6f98-4d3a-9be7-2862fb4e5752":
        return 401, '{"message": "Could not authenticate"}'
    done = json.dumps({"result": "Request will be processed", "took": 0.1, "requestId": "43a29c5c"})
    if got.path == "/v2/alerts/43a29c5c/close?identifierType=id":
        return 202, done
    body = got.body
    right = 0 < len(body.get("message", "")) <= 130 and len(body.get("alias", "")) <= 512
    right &= len(body.get("description", "")) <= 15000
    right &= body.get("priority") in ("P1", "P2", "P3", "P4", "P5")
    if got.path != "/v2/alerts" or not right:
        return 422, '{"message": "Request body is not processable."}'
    return 202, done


def teams(got: Got) -> Answer:
    if "/workflows/643e69f83c8944438d68119179a10a64/triggers/manual/paths/invoke" not in got.path:
        return 404, ""
    [card] = got.body["attachments"]
    right = card["contentType"] == "application/vnd.microsoft.card.adaptive"
    right &= card["content"]["type"] == "AdaptiveCard"
    right &= all(one["type"] == "TextBlock" and one["text"] for one in card["content"]["body"])
    return (202, "") if got.body["type"] == "message" and right else (400, "")


def mattermost(got: Got) -> Answer:
    if got.path != "/hooks/3ccdd113474722377935511fc85d3dd4":
        return 404, ""
    return (200, "ok") if 0 < len(got.body.get("text", "")) <= 16383 else (400, "")


HOSTS: dict[str, Callable[[Got], Answer]] = {
    "hooks.slack.com": slack,
    "discord.com": discord,
    "events.pagerduty.com": pagerduty,
    "api.opsgenie.com": opsgenie,
    TEAMS: teams,
    "chat.example.org": mattermost,
}


class Internet:
    """`answer` takes the place of all services' answers, and `silent` answers nothing."""

    def __init__(self, folder: Path) -> None:
        self.got: list[Got] = []
        self.answer: Answer | None = None
        self.silent = False
        self.stop = threading.Event()
        self.ca = folder / "ca.pem"
        _certify(folder)
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(folder / "server.pem", folder / "server.key")
        internet = self

        class Handler(BaseHTTPRequestHandler):
            def do_CONNECT(self) -> None:
                self.server_name = self.path.partition(":")[0]
                self.send_response(200)
                self.end_headers()
                try:
                    self.connection = context.wrap_socket(self.connection, server_side=True)
                except OSError:
                    self.close_connection = True
                    return
                self.rfile = self.connection.makefile("rb")
                self.wfile = self.connection.makefile("wb", buffering=0)  # type: ignore[assignment]
                try:
                    self.handle_one_request()
                finally:
                    self.rfile.close()
                    self.connection.close()
                    self.wfile = io.BytesIO()
                self.close_connection = True

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                headers = {name.lower(): value for name, value in self.headers.items()}
                host = getattr(self, "server_name", headers["host"].partition(":")[0])
                got = Got(host, self.path, headers, json.loads(body))
                internet.got.append(got)
                if internet.silent:
                    internet.stop.wait(30)
                    return
                status, text = internet.answer or HOSTS.get(host, mattermost)(got)
                self.send_response(status)
                self.send_header("location", "https://elsewhere.example/")
                self.send_header("content-length", str(len(text)))
                self.end_headers()
                self.wfile.write(text.encode())

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.01,))
        self.thread.start()

    @property
    def port(self) -> int:
        return int(self.server.server_address[1])

    def close(self) -> None:
        self.stop.set()
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


def _certify(folder: Path) -> None:
    def openssl(*arguments: str) -> None:
        subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)

    new = ("req", "-newkey", "rsa:2048", "-nodes", "-keyout")
    openssl(*new, "ca.key", "-x509", "-days", "2", "-subj", "/CN=test CA", "-out", "ca.pem")
    openssl(*new, "server.key", "-subj", "/CN=stand-in", "-out", "server.csr")
    names = ",".join(f"DNS:{host}" for host in HOSTS)
    (folder / "names").write_text(f"subjectAltName={names}\n")
    signed = ("x509", "-req", "-in", "server.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-days")
    openssl(*signed, "2", "-CAcreateserial", "-extfile", "names", "-out", "server.pem")
