"""Words of ten languages → attributes."""

import pytest

from pipelines.image.draft.lexicon import lexicon, names
from pipelines.image.draft.looks import COLOURS, HAIR, read_looks
from pipelines.image.draft.place import read_place

BLACK, RED, YELLOW, GREY = HAIR["black"], COLOURS["red"], COLOURS["yellow"], HAIR["grey"]

PEOPLE = [
    ("a 34 year old woman, auburn braid, green oilskin coat, freckles",
     {"sex": "woman", "age": 34, "cut": "braid", "hair": COLOURS["auburn"], "top": "raincoat", "top_colour": COLOURS["green"]}),
    ("a boy of ten with black curly hair, yellow raincoat, round glasses",
     {"sex": "man", "age": 10, "cut": "curly", "hair": BLACK, "top": "raincoat", "top_colour": YELLOW, "features": ("glasses",)}),
    ("an old man with a white beard, brown cap and a navy sweater",
     {"sex": "man", "age": 72, "beard": "beard", "hat": "cap", "top": "sweater", "top_colour": COLOURS["navy"]}),
    ("a bald man without glasses, no hat", {"cut": "bald", "features": (), "hat": ""}),
    ("une vieille femme aux cheveux gris bouclés, manteau rouge",
     {"sex": "woman", "age": 72, "hair": GREY, "cut": "curly", "top": "coat", "top_colour": RED}),
    ("ein alter Mann mit weißem Bart und rotem Mantel, Brille",
     {"sex": "man", "age": 72, "beard": "beard", "top": "coat", "top_colour": RED, "features": ("glasses",)}),
    ("una mujer joven de pelo negro largo con vestido rojo",
     {"sex": "woman", "age": 22, "hair": BLACK, "cut": "long", "top": "dress", "top_colour": RED}),
    ("uzun siyah saçlı genç bir kadın, kırmızı elbise",
     {"sex": "woman", "age": 22, "hair": BLACK, "cut": "long", "top": "dress", "top_colour": RED}),
    ("فتاة ذات شعر أسود طويل ومعطف أحمر",
     {"sex": "woman", "hair": BLACK, "cut": "long", "top": "coat", "top_colour": RED}),
    ("लाल साड़ी में एक बूढ़ी औरत, सफ़ेद बाल",
     {"sex": "woman", "age": 72, "hair": HAIR["white"], "top": "dress", "top_colour": RED}),
    ("戴眼镜的八岁男孩，黑色短发，黄色雨衣",
     {"sex": "man", "age": 8, "hair": BLACK, "cut": "short", "top": "raincoat", "top_colour": YELLOW, "features": ("glasses",)}),
    ("赤い着物を着た長い黒髪の女性", {"sex": "woman", "hair": BLACK, "cut": "long", "top": "robe", "top_colour": RED}),
    ("노란 우비를 입은 열 살 소년, 검은 곱슬머리",
     {"sex": "man", "age": 10, "hair": BLACK, "cut": "curly", "top": "raincoat", "top_colour": YELLOW}),
]  # fmt: skip


@pytest.mark.parametrize(("words", "wanted"), PEOPLE)
@pytest.mark.parametrize("seed", [1, 2])
def test_attributes_are_read_from_words(words, wanted, seed):
    looks = read_looks(words, seed)
    assert {key: getattr(looks, key) for key in wanted} == wanted


ANIMALS = ["a fox", "un renard", "ein Fuchs", "un zorro", "bir tilki", "ثعلب", "एक लोमड़ी", "一只狐狸", "きつね", "여우"]


@pytest.mark.parametrize("words", ANIMALS)
def test_an_animal_is_an_animal_in_every_language(words):
    assert read_looks(words, 1).species == "fox"


PLACES = [
    ("lighthouse gallery at night", "gallery", "night"), ("spiral stair inside the lighthouse", "stairs", "day"),
    ("rocky cove at dawn", "cove", "dawn"), ("harbour village", "harbour", "day"), ("forêt la nuit", "forest", "night"),
    ("Wald bei Nacht", "forest", "night"), ("bosque de noche", "forest", "night"), ("gece ormanda", "forest", "night"),
    ("الغابة في الليل", "forest", "night"), ("रात में जंगल", "forest", "night"), ("夜晚的森林", "forest", "night"),
    ("夜の森", "forest", "night"), ("밤의 숲", "forest", "night"), ("a sunny kitchen", "kitchen", "day"),
]  # fmt: skip


@pytest.mark.parametrize(("words", "kind", "time"), PLACES)
def test_places_and_hours_are_read_from_words(words, kind, time):
    place, understood = read_place(words, "", "", 3)
    assert (place.kind, place.time, understood) == (kind, time, True)


def test_every_concept_has_words_in_all_ten_languages():
    import yaml

    from pipelines.image.draft import lexicon as module

    with open(module.__file__.replace("lexicon.py", "lexicon.yaml"), encoding="utf-8") as file:  # noqa: PTH123
        data = yaml.safe_load(file)
    assert len(data["languages"]) == 10
    for concept, row in data["concepts"].items():
        cells = row.split("|")
        assert len(cells) == 10, concept
        assert all(cell.strip() for cell in cells), concept


def test_a_word_means_what_it_means_in_its_own_language():
    read = lexicon().read
    assert "red" not in names(read("the rot of the old wood"), "colour")
    assert "gold" not in names(read("red or blue or green"), "colour")
    assert "horse" not in names(read("she is at home"), "species")


def test_negated_words_are_not_there():
    found = [hit.concept for hit in lexicon().read("no cap, but there is a coat")]
    assert "hat.cap" not in found
    assert "wear.coat" in found
