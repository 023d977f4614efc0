"""The OpenAPI document, and requests generated from it (`scripts/bench server` sends 5,000)."""

import re

import jsonschema_rs
import pytest
import requests

from tests.engine.server.conftest import KEY, Server
from tests.engine.server.fuzz import fuzz
from tests.engine.server.routes.test_generate import BODY


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    server = Server(tmp_path_factory.mktemp("home"), ENGINE_SYNC_WAIT_SECONDS="0.05,0.05,0.05")
    yield server
    server.stop()


def test_no_request_causes_a_500_and_every_status_is_documented(server):
    story = server.post("/story", data={"idea": "A snail", "scene_count": 1}).json()["data"]["id"]
    job = server.post("/v1/generate/story", json=BODY).json()["job_id"]
    server.wait(story)
    server.wait_job(job)
    sent, _ = fuzz(server.url, KEY, 380, {"story_id": story, "job_id": job})
    assert sent >= 280
    assert not server.error_lines()


OPERATION_COUNT = 24


@pytest.fixture(scope="module")
def document(server):
    return server.get("/openapi.json", key=None).json()


@pytest.fixture(scope="module")
def operations(document):
    return [operation for methods in document["paths"].values() for operation in methods.values()]


def test_every_component_is_a_valid_json_schema(document):
    for schema in document["components"]["schemas"].values():
        jsonschema_rs.meta.validate(schema)


def test_operation_ids_are_unique_names_of_functions(operations):
    ids = [operation["operationId"] for operation in operations]
    assert len(set(ids)) == len(ids) == OPERATION_COUNT
    assert all(re.fullmatch(r"[a-z]+(_[a-z]+)+", one) for one in ids)


def test_every_operation_has_a_tag_and_a_description(operations):
    assert all(operation["tags"] and operation["description"] for operation in operations)


def test_every_json_response_refers_to_component_schemas(operations):
    for operation in operations:
        for response in operation["responses"].values():
            for media_type, content in response["content"].items():
                if media_type == "application/json":
                    schemas = content["schema"].get("anyOf", [content["schema"]])
                    assert all("$ref" in schema for schema in schemas), (operation["operationId"], response)


def test_every_error_response_is_the_error_schema(operations):
    for operation in operations:
        for status, response in operation["responses"].items():
            if int(status) >= 400 and operation["operationId"] != "get_readiness":
                schema = response["content"]["application/json"]["schema"]
                assert schema == {"$ref": "#/components/schemas/ErrorResponse"}


def test_no_component_is_a_bare_object(document):
    for name, schema in document["components"]["schemas"].items():
        assert schema.get("properties"), name


def test_no_enum_mixes_types(document):
    """Client generators reject enums of several types."""

    def visit(value):
        if isinstance(value, dict):
            if isinstance(value.get("enum"), list):
                assert len({type(one) for one in value["enum"]}) == 1, value
            for item in value.values():
                visit(item)
        elif isinstance(value, list):
            for item in value:
                visit(item)

    visit(document)


def test_every_story_and_job_operation_needs_a_key(document):
    for path, methods in document["paths"].items():
        for operation in methods.values():
            schemes = [name for one in operation.get("security", ()) for name in one]
            expected = ["ApiKey", "Bearer"] if path.startswith("/v1") else ["ApiKey"] if "story" in path else []
            assert schemes == expected, path


def test_the_documentation_page_loads_nothing_from_other_servers(server):
    """Users without internet access can read it."""
    page = requests.get(f"{server.url}/docs", timeout=10).text
    links = re.findall(r'(?:src|href)="([^"]+)"', page)
    assert links
    assert all(link.startswith("/") and requests.get(server.url + link, timeout=10).ok for link in links)
