"""Requests generated from the OpenAPI document by schemathesis: no 500, every status documented."""

from __future__ import annotations

from collections import Counter

import requests
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

DRY_RUN_ROUTES = ("idea-2-video", "url-2-video", "images-2-video")


def fuzz(url: str, key: str, cases: int, ids: dict[str, str]) -> tuple[int, Counter]:
    """Send about `cases` requests, spread over all operations. Half of them name the existing story and job in `ids`.

    Return the number of requests, and the number of responses by operation and status. Raises AssertionError for an
    unexpected response."""
    import schemathesis

    schema = schemathesis.openapi.from_url(f"{url}/openapi.json")
    schema.config.generation.update(with_security_parameters=False)  # every request has a valid key
    operations = sorted((result.ok() for result in schema.get_all_operations()), key=lambda one: one.method == "delete")
    counts: Counter = Counter()
    session = requests.Session()

    for operation in operations:
        _fuzz_operation(operation, url, key, session, counts, ids, max(1, cases // len(operations)))
    return sum(counts.values()), counts


def _fuzz_operation(operation, url, key, session, counts, ids, cases):
    import schemathesis

    label = f"{operation.method.upper()} {operation.path}"
    documented = {int(status) for status in operation.definition.raw["responses"] if status.isdigit()}
    is_dry_run = any(word in label for word in (*DRY_RUN_ROUTES, "generate"))
    invalid_cases = operation.as_strategy(generation_mode=schemathesis.GenerationMode.NEGATIVE)

    @settings(
        max_examples=cases,
        deadline=None,
        derandomize=True,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=st.one_of(operation.as_strategy(), invalid_cases), use_known_ids=st.booleans())
    def send_case(case, use_known_ids):
        if use_known_ids:
            case.path_parameters = {name: ids[name] for name in case.path_parameters or {}}
        if is_dry_run:
            case.query = {**(case.query or {}), "dry_run": "true"}
        response = case.call(base_url=url, session=session, headers={"X-Api-Key": key}, timeout=60)
        counts[label, response.status_code] += 1
        assert response.status_code in documented, (
            f"{label}: {response.status_code} {response.text[:500]} {case!r:.500}"
        )
        assert response.status_code != 500, f"{label}: {response.text} {case!r:.500}"
        if response.status_code >= 400:
            assert {"error", "message", "details", "request_id"} <= set(response.json())

    send_case()
