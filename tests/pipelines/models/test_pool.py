"""Models stay loaded as long as there is room."""

import pytest

from pipelines.base import Device, Economy
from pipelines.models.pool import SAID, Pool
from tests.fixtures.families import Echo, spec


class Saving(Echo):
    """Knows two ways to save memory."""

    economies = (Economy.GROUPS, Economy.QUANTIZED)


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


def economy_in(pool, spec_, economy=Economy.NONE):
    with pool.use(spec_, economy) as family:
        return family.device.economy


def test_what_is_beside_a_model_goes_before_its_speed(happened):
    pool = Pool(Device(), 1000)
    use(pool, "a")
    assert economy_in(pool, SAVING) == Economy.NONE
    assert pool.give_way(SAVING, again=False) == "all loaded models were unloaded"
    assert economy_in(pool, SAVING) == Economy.NONE
    assert pool.give_way(SAVING, again=True) == SAID[Economy.GROUPS]
    assert economy_in(pool, SAVING) == Economy.GROUPS
    assert pool.give_way(SAVING, again=True) == SAID[Economy.QUANTIZED]
    assert pool.give_way(SAVING, again=True) is None
    assert happened == ["+a", "-a"]


def test_a_model_that_is_plainly_too_large_begins_sparingly():
    pool = Pool(Device("cuda"), 50, measure=lambda device: (0, 100))
    assert economy_in(pool, SAVING) == Economy.GROUPS


def test_room_is_what_the_device_says(happened):
    """Another program has taken most of the GPU: what the specs and the budget promise counts no more."""
    pool = Pool(Device("cuda"), 1000, measure=lambda device: (taken := 100 * len(pool.resident()), 250 - taken))
    use(pool, "a", "b", "c")
    assert happened == ["+a", "+b", "-a", "+c"]


def test_a_model_that_is_used_more_sparingly_is_loaded_anew(happened):
    pool = Pool(Device(), 1000)
    assert economy_in(pool, SAVING) == Economy.NONE
    assert economy_in(pool, SAVING, Economy.TILES) == Economy.QUANTIZED, "the next that it knows"
    assert economy_in(pool, SAVING) == Economy.QUANTIZED, "it is not found out twice"
