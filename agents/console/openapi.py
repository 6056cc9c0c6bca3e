"""The OpenAPI 3.1 document of the API, made from the table that its routes are registered from."""

from collections.abc import Iterable
from typing import Any

import msgspec
from msgspec import Struct

from agents.console.access.guard import HEADER
from agents.console.operations import BASE, OPERATIONS, Operation
from agents.console.problems import ProblemDetails

REF = "#/components/schemas/{name}"
PROBLEM = "application/problem+json"
PROBLEMS = {
    400: "The request cannot be read, or says what it must not",
    401: "Nobody is logged in",
    403: "The role does not permit it, or the page that asks is not ours",
    404: "It is not known",
    408: "The body did not come in time",
    409: "It cannot be done as things are",
    413: "The body is too large",
    422: "It names nobody, or gives no reason",
    429: "Too much is asked for",
    503: "The store or Kafka cannot be reached, or does not answer in time",
}


class Login(Struct, frozen=True):
    """A name and its password."""

    name: str
    password: str


class Me(Struct, frozen=True, kw_only=True):
    """Who is logged in."""

    name: str
    role: str
    csrf: str  # to be sent as X-CSRF-Token with each change


def document(version: str) -> dict[str, Any]:
    kinds = [kind for one in OPERATIONS for kind in (one.given, one.answer)]
    kinds += [ProblemDetails, Login, Me]
    _, schemas = msgspec.json.schema_components(dict.fromkeys(kinds), ref_template=REF)
    paths: dict[str, dict[str, Any]] = {}
    bodies = {}
    for one in OPERATIONS:
        if one.method == "POST" and one.in_path:
            bodies[_body_name(one)] = _body(one, schemas)
        paths.setdefault(BASE + one.path, {})[one.method.lower()] = _operation(one, schemas)
    paths[f"{BASE}/session"] = _session()
    paths[f"{BASE}/session/end"] = {
        "post": {
            "operationId": "log_out",
            "summary": "End the session",
            "security": [{"session": [], "csrf": []}],
            "responses": {"204": {"description": "It has ended"}, **_problems((401, 403))},
        }
    }
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Mailwarden console",
            "version": version,
            "description": "What the operator's console shows and does. Times are Unix seconds.",
        },
        "servers": [{"url": "/"}],
        "paths": paths,
        "components": {
            "schemas": {**schemas, **bodies},
            "securitySchemes": {
                "session": {"type": "apiKey", "in": "cookie", "name": "mailwarden"},
                "csrf": {"type": "apiKey", "in": "header", "name": HEADER},
            },
        },
        "security": [{"session": []}],
    }


def _operation(one: Operation, schemas: dict[str, Any]) -> dict[str, Any]:
    given = schemas[one.given.__name__]
    own = given.get("properties", {})
    required = given.get("required", [])
    found: dict[str, Any] = {
        "operationId": one.name,
        "summary": one.summary,
        "x-role": one.role,
        "responses": {
            "200": {
                "description": "As asked",
                "content": {"application/json": {"schema": _reference(one.answer.__name__)}},
            },
            **_problems((400, 401, 403, 404, 408, 409, 413, 422, 429, 503)),
        },
    }
    parameters = [
        {"name": name, "in": "path", "required": True, "schema": own[name]} for name in one.in_path
    ]
    if one.method == "GET":
        parameters += [
            {
                "name": field.name,
                "in": "query",
                "required": field.name in required,
                "schema": own[field.name],
            }
            for field in one.fields
        ]
    else:
        name = _body_name(one) if one.in_path else one.given.__name__
        found["requestBody"] = {
            "required": True,
            "content": {"application/json": {"schema": _reference(name)}},
        }
        found["security"] = [{"session": [], "csrf": []}]
    if parameters:
        found["parameters"] = parameters
    return found


def _body(one: Operation, schemas: dict[str, Any]) -> dict[str, Any]:
    """What is given without what the path says."""
    whole = schemas[one.given.__name__]
    return {
        "type": "object",
        "title": _body_name(one),
        "properties": {k: v for k, v in whole["properties"].items() if k not in one.in_path},
        "required": [name for name in whole.get("required", []) if name not in one.in_path],
    }


def _body_name(one: Operation) -> str:
    return f"{one.name.title().replace('_', '')}Body"


def _session() -> dict[str, Any]:
    me = {"content": {"application/json": {"schema": _reference("Me")}}}
    return {
        "get": {
            "operationId": "who_am_i",
            "summary": "Who is logged in, and what changes must show",
            "responses": {"200": {"description": "You", **me}, **_problems((401, 403))},
        },
        "post": {
            "operationId": "log_in",
            "summary": "Log in; the cookie of the answer is the session",
            "security": [],
            "requestBody": {
                "required": True,
                "content": {"application/json": {"schema": _reference("Login")}},
            },
            "responses": {
                "200": {"description": "You", **me},
                **_problems((400, 401, 403, 413, 429)),
            },
        },
    }


def _reference(name: str) -> dict[str, str]:
    return {"$ref": REF.format(name=name)}


def _problems(statuses: Iterable[int]) -> dict[str, Any]:
    content = {PROBLEM: {"schema": _reference("ProblemDetails")}}
    return {str(one): {"description": PROBLEMS[one], "content": content} for one in statuses}
