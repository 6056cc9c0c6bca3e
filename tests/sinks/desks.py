"""Stand-ins for Jira, ServiceNow and TheHive, on loopback. They take what the published reference
of each says that it takes, refuse the rest as that says, and keep what they were told:

- Jira: https://developer.atlassian.com/cloud/jira/platform/rest/v2/ (Cloud and, with `center`, Data
  Center, which knows no ``search/jql``)
- ServiceNow: the Table API, https://www.servicenow.com/docs/r/api-reference/rest-apis/c_TableAPI.html
- TheHive 5: https://docs.strangebee.com/thehive/api-docs/, as thehive4py 2.1 calls it
"""

import json
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

Answer = tuple[int, Any]
NONE: Answer = (404, {"error": "not found"})


class Desk:
    """`broken` answers that to all requests; `calls` are (method, path without query)."""

    key = ""

    def __init__(self) -> None:
        self.tickets: dict[str, dict[str, Any]] = {}
        self.calls: list[tuple[str, str]] = []
        self.broken: int = 0
        desk = self

        class Handler(BaseHTTPRequestHandler):
            def handle_any(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length") or 0))
                parts = urlsplit(self.path)
                desk.calls.append((self.command, parts.path))
                query = {name: values[0] for name, values in parse_qs(parts.query).items()}
                if desk.broken:
                    status, found = desk.broken, None
                elif self.headers.get("authorization") != desk.key:
                    status, found = 401, {"error": "who are you"}
                else:
                    given = json.loads(body) if body else {}
                    status, found = desk.answer(self.command, parts.path, query, given)
                content = b"" if found is None else json.dumps(found).encode()
                self.send_response(status)
                self.send_header("content-length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            do_GET = do_POST = do_PUT = do_PATCH = handle_any  # noqa: N815

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

    def answer(self, method: str, path: str, query: dict[str, str], body: Any) -> Answer:
        raise NotImplementedError

    # -- what all of them have, for the tests ------------------------------------------------

    def words(self, ticket: str) -> list[str]:
        """The comments, in order."""
        found: list[str] = self.tickets[ticket]["words"]
        return found

    def state(self, ticket: str) -> str:
        return str(self.tickets[ticket]["state"])

    def severity(self, ticket: str) -> str:
        return str(self.tickets[ticket]["severity"])


class JiraDesk(Desk):
    key = "Basic c29jQGV4YW1wbGUub3JnOnRva2Vu"  # soc@example.org:token
    center = False

    def answer(self, method: str, path: str, query: dict[str, str], body: Any) -> Answer:
        rest = path.removeprefix("/rest/api/2/")
        if method == "GET" and rest == ("search" if self.center else "search/jql"):
            [label] = re.findall(r'labels = "([^"]+)"', query["jql"])
            found = [key for key, one in self.tickets.items() if label in one["labels"]]
            return 200, {"issues": [{"key": key} for key in found]}
        if (method, rest) == ("POST", "issue"):
            return self.create(body.get("fields", {}))
        match = re.fullmatch(r"issue/(SOC-\d+)(/comment|/transitions)?", rest)
        ticket = self.tickets.get(match[1]) if match else None
        if match is None or ticket is None:
            return 404, {"errorMessages": ["Issue does not exist or you do not have permission"]}
        if match[2] == "/comment" and body.get("body"):
            ticket["words"].append(body["body"])
            return 201, {"id": "1"}
        if match[2] == "/transitions" and method == "GET":
            to = {"id": "31", "name": "Close it", "to": {"name": "Done"}}
            back = {"id": "11", "name": "To Do", "to": {"name": "To Do"}}
            return 200, {"transitions": [to if ticket["state"] == "To Do" else back]}
        if match[2] == "/transitions":
            ticket["state"] = {"31": "Done", "11": "To Do"}[body["transition"]["id"]]
            return 204, None
        if method == "PUT" and not match[2]:
            ticket["severity"] = body["fields"]["priority"]["name"]
            return 204, None
        return 400, {"errorMessages": ["no"]}

    def create(self, fields: dict[str, Any]) -> Answer:
        right = fields.get("project") == {"key": "SOC"} and fields.get("issuetype") == {
            "name": "Task"
        }
        right &= 0 < len(fields.get("summary", "")) <= 255 and "\n" not in fields["summary"]
        right &= all(" " not in label for label in fields.get("labels", []))
        if not right:
            return 400, {"errors": {"summary": "no"}}
        key = f"SOC-{len(self.tickets) + 1}"
        self.tickets[key] = {
            "title": fields["summary"],
            "text": fields["description"],
            "labels": fields["labels"],
            "severity": fields.get("priority", {}).get("name", ""),
            "state": "To Do",
            "words": [],
        }
        return 201, {"id": "10000", "key": key, "self": f"{self.url}/rest/api/2/issue/10000"}


class ServiceNowDesk(Desk):
    key = "Basic c29jOnNlY3JldA=="  # soc:secret

    def answer(self, method: str, path: str, query: dict[str, str], body: Any) -> Answer:
        match = re.fullmatch(r"/api/now/table/incident(?:/([0-9a-f]{32}))?", path)
        if match is None:
            return NONE
        if method == "GET":
            field, _, value = query["sysparm_query"].partition("=")
            found = [key for key, one in self.tickets.items() if one.get(field) == value]
            return 200, {
                "result": [{"sys_id": key} for key in found[: int(query["sysparm_limit"])]]
            }
        if method == "POST" and not match[1]:
            key = f"{len(self.tickets) + 1:032x}"
            self.tickets[key] = {**body, "state": "1", "words": []}
            self.tickets[key] |= {"title": body["short_description"], "text": body["description"]}
            self.tickets[key]["severity"] = body["urgency"]
            return 201, {"result": {"sys_id": key, "number": "INC0010001"}}
        ticket = self.tickets.get(match[1] or "")
        if method != "PATCH" or ticket is None:
            return 404, {"error": {"message": "No Record found"}}
        if body.get("state") == "6" and not (body.get("close_code") and body.get("close_notes")):
            return 403, {"error": {"message": "Close code and notes are mandatory"}}
        said = [body[name] for name in ("work_notes", "close_notes") if name in body]
        ticket["words"] += said
        ticket["state"] = body.get("state", ticket["state"])
        ticket["severity"] = body.get("urgency", ticket["severity"])
        return 200, {"result": {"sys_id": match[1]}}


class TheHiveDesk(Desk):
    key = "Bearer hive-key"

    def answer(self, method: str, path: str, query: dict[str, str], body: Any) -> Answer:
        if (method, path) == ("POST", "/api/v1/query"):
            _, chosen = body["query"]
            wanted = {one["_field"]: one["_value"] for one in chosen["_and"]}
            found = [
                {"_id": key, "_type": "Alert"}
                for key, one in self.tickets.items()
                if all(one[name] == value for name, value in wanted.items())
            ]
            return 200, found
        if (method, path) == ("POST", "/api/v1/alert"):
            return self.create(body)
        match = re.fullmatch(r"/api/v1/alert/(~\d+)(/comment)?", path)
        ticket = self.tickets.get(match[1]) if match else None
        if match is None or ticket is None:
            return 404, {"type": "NotFoundError", "message": "Alert not found"}
        if match[2]:
            ticket["words"].append(body["message"])
            return 201, {"_id": "~1"}
        if not set(body) <= {"severity", "status", "summary"}:
            return 400, {"type": "BadRequest"}
        ticket["severity"] = str(body.get("severity", ticket["severity"]))
        ticket["state"] = body.get("status", ticket["state"])
        ticket["words"] += [body["summary"]] if "summary" in body else []
        return 204, None

    def create(self, body: dict[str, Any]) -> Answer:
        needed = {"type", "source", "sourceRef", "title", "description"}
        right = needed <= set(body) and body["severity"] in (1, 2, 3, 4)
        right &= all({"dataType", "data"} == set(one) for one in body["observables"])
        if not right:
            return 400, {"type": "BadRequest"}
        if any(one["sourceRef"] == body["sourceRef"] for one in self.tickets.values()):
            return 400, {"type": "CreateError", "message": "Alert already exists"}
        key = f"~{len(self.tickets) + 41}"
        self.tickets[key] = {
            **body,
            "state": "New",
            "words": [],
            "text": body["description"],
            "severity": str(body["severity"]),
        }
        return 201, {"_id": key, "_type": "Alert", "status": "New"}
