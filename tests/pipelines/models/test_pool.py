"""Models stay loaded as long as there is room."""

import pytest

from pipelines.base import Device, MemoryMode
from pipelines.models.pool import DESCRIPTIONS, Pool
from tests.fixtures.families import Echo, spec


class Saving(Echo):
    """Knows two ways to save memory."""

    memory_modes = (MemoryMode.GROUP_OFFLOAD, MemoryMode.INT8)


class Tracked(Echo):
    """Remembers what was loaded and closed."""

    happened: list[str] = []  # noqa: RUF012

    @classmethod
    def load(cls, spec, device):
        cls.happened.append(f"+{spec.name}")
        return super().load(spec, device)

    def close(self):
        self.happened.append(f"-{self.spec.name}")


@pytest.fixture
def happened():
    Tracked.happened.clear()
    return Tracked.happened


def model(name, memory_mb=100, **fields):
    return spec(Tracked, name=name, family=f"{__name__}:Tracked", memory_mb=memory_mb, **fields)


def use(pool, *names):
    for name in names:
        with pool.use(model(name)) as family:
            assert family.spec.name == name


def test_a_model_is_loaded_once(happened):
    pool = Pool(Device(), 1000)
    use(pool, "a", "b", "a", "b")
    assert happened == ["+a", "+b"]
    assert pool.resident() == ("a", "b")


def test_the_least_recently_used_goes_first_and_before_the_new_one_comes(happened):
    pool = Pool(Device(), 250)
    use(pool, "a", "b", "a", "c")
    assert happened == ["+a", "+b", "-b", "+c"]
    assert pool.resident() == ("a", "c")


def test_a_model_larger_than_the_room_is_loaded_alone(happened):
    pool = Pool(Device(), 250)
    use(pool, "a", "b")
    with pool.use(model("large", 9000)):
        assert pool.resident() == ("large",)
    assert happened == ["+a", "+b", "-a", "-b", "+large"]


def test_the_same_name_with_other_options_is_another_model(happened):
    pool = Pool(Device(), 1000)
    use(pool, "a")
    with pool.use(model("a", options={"steps": 4})) as family:
        assert family.spec.options == {"steps": 4}
    assert happened == ["+a", "-a", "+a"]


def test_a_model_that_cannot_be_loaded_is_not_resident():
    pool = Pool(Device(), 1000)
    with pytest.raises(ModuleNotFoundError), pool.use(spec(family="pipelines.nowhere:Nothing")):
        pass
    assert pool.resident() == ()


def test_everything_can_be_given_back(happened):
    pool = Pool(Device(), 1000)
    use(pool, "a", "b")
    pool.evict_all()
    assert happened == ["+a", "+b", "-a", "-b"]
    assert pool.resident() == ()


SAVING = spec(Saving, family=f"{__name__}:Saving", memory_mb=100)


def economy_in(pool, spec_, economy=MemoryMode.NONE):
    with pool.use(spec_, economy) as family:
        return family.device.memory_mode


def test_what_is_beside_a_model_goes_before_its_speed(happened):
    pool = Pool(Device(), 1000)
    use(pool, "a")
    assert economy_in(pool, SAVING) == MemoryMode.NONE
    assert pool.relieve_memory(SAVING, already_unloaded=False) == "all models unloaded"
    assert economy_in(pool, SAVING) == MemoryMode.NONE
    assert pool.relieve_memory(SAVING, already_unloaded=True) == DESCRIPTIONS[MemoryMode.GROUP_OFFLOAD]
    assert economy_in(pool, SAVING) == MemoryMode.GROUP_OFFLOAD
    assert pool.relieve_memory(SAVING, already_unloaded=True) == DESCRIPTIONS[MemoryMode.INT8]
    assert pool.relieve_memory(SAVING, already_unloaded=True) is None
    assert happened == ["+a", "-a"]


def test_a_model_that_is_plainly_too_large_begins_sparingly():
    pool = Pool(Device("cuda"), 50, measure=lambda device: (0, 100))
    assert economy_in(pool, SAVING) == MemoryMode.GROUP_OFFLOAD


def test_room_is_what_the_device_says(happened):
    """Another program has taken most of the GPU: what the specs and the budget promise counts no more."""
    pool = Pool(Device("cuda"), 1000, measure=lambda device: (taken := 100 * len(pool.resident()), 250 - taken))
    use(pool, "a", "b", "c")
    assert happened == ["+a", "+b", "-a", "+c"]


def test_a_model_that_is_used_more_sparingly_is_loaded_anew(happened):
    pool = Pool(Device(), 1000)
    assert economy_in(pool, SAVING) == MemoryMode.NONE
    assert economy_in(pool, SAVING, MemoryMode.VAE_TILING) == MemoryMode.INT8, "the next that it knows"
    assert economy_in(pool, SAVING) == MemoryMode.INT8, "it is not found out twice"
