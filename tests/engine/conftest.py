"""Bodies that tests change one thing of."""

import copy

import pytest

BODY = {
    "model": "local-story",
    "title": "The Light",
    "characters": [
        {
            "name": "Mara",
            "appearance": "auburn braid, green oilskin coat",
            "states": {"soaked": {"appearance": "dripping wet"}},
        },
        {"name": "Tomas", "appearance": "a boy of ten, yellow raincoat"},
    ],
    "locations": [
        {"name": "Lighthouse", "description": "a white tower"},
        {"name": "Cove", "description": "rocks, dawn"},
    ],
    "scenes": [
        {
            "prompt": "Mara lights the lamp",
            "characters": [{"name": "Mara"}],
            "location": "Lighthouse",
            "narration": "One.",
        },
        {
            "prompt": "Mara finds Tomas",
            "characters": [{"name": "Mara", "state": "soaked"}, {"name": "Tomas"}],
            "location": "Cove",
        },
        {"prompt": "The sea at dawn", "narration": "The sea is calm."},
    ],
}


@pytest.fixture
def body():
    return copy.deepcopy(BODY)
