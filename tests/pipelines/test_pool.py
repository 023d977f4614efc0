"""Models stay loaded as long as there is room."""

import pytest

from pipelines.base import Device
from pipelines.pool import Pool
from tests.fixtures.families import Echo, spec


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
