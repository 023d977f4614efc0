"""Validates responses against the OpenAPI document of the server."""

from __future__ import annotations

import re
from typing import Any

import jsonschema_rs
import requests


class ResponseValidator:
    """Finds the schema of a response by method, path and status, and validates its JSON."""

    def __init__(self, document: dict[str, Any]) -> None:
        self._components = document["components"]
        self._operations = [
            (re.compile(re.sub(r"\{\w+\}", "[^/]+", path)), operations)
            for path, operations in sorted(document["paths"].items(), key=lambda item: "{" in item[0])
        ]
        self._validators: dict[str, Any] = {}

    def validate(self, response: requests.Response) -> None:
        """Raise jsonschema_rs.ValidationError if a JSON response of a documented operation differs from its schema."""
        schema = self._schema(response)
        if schema is None or "application/json" not in response.headers.get("content-type", ""):
            return
        key = repr(schema)
        if key not in self._validators:
            self._validators[key] = jsonschema_rs.validator_for(
                {**schema, "components": self._components}, validate_formats=True
            )
        self._validators[key].validate(response.json())

    def _schema(self, response: requests.Response) -> dict[str, Any] | None:
        path, method = response.request.path_url.partition("?")[0], (response.request.method or "").lower()
        for pattern, operations in self._operations:
            if pattern.fullmatch(path) and method in operations:
                described = operations[method]["responses"].get(str(response.status_code), {})
                return described.get("content", {}).get("application/json", {}).get("schema")
        return None
