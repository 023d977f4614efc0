"""Words of ten languages → attributes."""

import pytest

from pipelines.image.illustrator.language.appearance import (
    COLOURS,
    EYE_COLOURS,
    HAIR_COLOURS,
    Accessory,
    apply_state,
    resolve_appearance,
)
from pipelines.image.illustrator.language.lexicon import concept_names, load_lexicon
from pipelines.image.illustrator.language.setting import apply_time_and_weather, parse_setting

BLACK, RED, YELLOW, GREY = HAIR_COLOURS["black"], COLOURS["red"], COLOURS["yellow"], HAIR_COLOURS["grey"]

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
     {"sex": "woman", "age": 72, "hair": HAIR_COLOURS["white"], "top": "dress", "top_colour": RED}),
    ("戴眼镜的八岁男孩，黑色短发，黄色雨衣",
     {"sex": "man", "age": 8, "hair": BLACK, "cut": "short", "top": "raincoat", "top_colour": YELLOW, "features": ("glasses",)}),
    ("赤い着物を着た長い黒髪の女性", {"sex": "woman", "hair": BLACK, "cut": "long", "top": "robe", "top_colour": RED}),
    ("노란 우비를 입은 열 살 소년, 검은 곱슬머리",
     {"sex": "man", "age": 10, "hair": BLACK, "cut": "curly", "top": "raincoat", "top_colour": YELLOW}),
]  # fmt: skip


@pytest.mark.parametrize(("words", "wanted"), PEOPLE)
@pytest.mark.parametrize("seed", [1, 2])
def test_attributes_are_read_from_words(words, wanted, seed):
    looks = resolve_appearance(words, seed)
    assert {key: getattr(looks, key) for key in wanted} == wanted


ANIMALS = ["a fox", "un renard", "ein Fuchs", "un zorro", "bir tilki", "ثعلب", "एक लोमड़ी", "一只狐狸", "きつね", "여우"]


@pytest.mark.parametrize("words", ANIMALS)
def test_an_animal_is_an_animal_in_every_language(words):
    assert resolve_appearance(words, 1).species == "fox"


PLACES = [
    ("lighthouse gallery at night", "gallery", "night"), ("spiral stair inside the lighthouse", "stairs", "day"),
    ("rocky cove at dawn", "cove", "dawn"), ("harbour village", "harbour", "day"), ("forêt la nuit", "forest", "night"),
    ("Wald bei Nacht", "forest", "night"), ("bosque de noche", "forest", "night"), ("gece ormanda", "forest", "night"),
    ("الغابة في الليل", "forest", "night"), ("रात में जंगल", "forest", "night"), ("夜晚的森林", "forest", "night"),
    ("夜の森", "forest", "night"), ("밤의 숲", "forest", "night"), ("a sunny kitchen", "kitchen", "day"),
]  # fmt: skip


@pytest.mark.parametrize(("words", "kind", "time"), PLACES)
def test_places_and_hours_are_read_from_words(words, kind, time):
    place, understood = parse_setting(words, "", "", 3)
    assert (place.kind, place.time, understood) == (kind, time, True)


def test_every_concept_has_words_in_all_ten_languages():
    import yaml

    from pipelines.image.illustrator.language import lexicon as module

    with open(module.__file__.replace("lexicon.py", "lexicon.yaml"), encoding="utf-8") as file:  # noqa: PTH123
        data = yaml.safe_load(file)
    assert len(data["languages"]) == 10
    for concept, row in data["concepts"].items():
        cells = row.split("|")
        assert len(cells) == 10, concept
        assert all(cell.strip() for cell in cells), concept


def test_a_word_means_what_it_means_in_its_own_language():
    read = load_lexicon().find_concepts
    assert "red" not in concept_names(read("the rot of the old wood"), "colour")
    assert "gold" not in concept_names(read("red or blue or green"), "colour")
    assert "horse" not in concept_names(read("she is at home"), "species")


def test_negated_words_are_not_there():
    found = [hit.concept for hit in load_lexicon().find_concepts("no cap, but there is a coat")]
    assert "hat.cap" not in found
    assert "wear.coat" in found


def test_every_colour_goes_to_what_it_stands_beside():
    fox = resolve_appearance("a small red fox with a white-tipped tail, amber eyes and a blue knitted scarf", 1)
    assert fox.accessories == (Accessory(name="scarf", colour=COLOURS["blue"]),)
    assert not fox.dressed, "a scarf alone leaves the fur to be seen"
    bear = resolve_appearance("a big brown bear with kind dark eyes, a grey muzzle and a mustard-yellow waistcoat", 1)
    assert bear.accessories == (Accessory(name="vest", colour=COLOURS["yellow"]),)
    assert not bear.dressed


def test_a_waistcoat_is_worn_over_a_shirt():
    looks = resolve_appearance("a clockmaker in a brown waistcoat over a white shirt, dark trousers", 1)
    assert (looks.top, looks.top_colour) == ("shirt", COLOURS["white"])
    assert looks.accessories == (Accessory(name="vest", colour=COLOURS["brown"]),)


def test_dark_eyes_are_dark_whatever_the_seed():
    assert {resolve_appearance("a girl with bright dark eyes", seed).eyes for seed in range(8)} == {EYE_COLOURS[3]}


def test_a_state_takes_off_what_it_does_without():
    base = resolve_appearance("a man with round glasses, a grey hat, a blue shirt and a red scarf", 1)
    later = apply_state(base, "no glasses, without his hat")
    assert (later.features, later.hat) == ((), "")
    assert later.accessories == base.accessories


def test_other_clothes_take_the_apron_off_and_a_crooked_one_stays_red():
    base = resolve_appearance("a cook with a red apron over a grey shirt", 1)
    assert apply_state(base, "in a white wedding dress with flowers in her hair").accessories == (
        Accessory(name="flower", colour="#e87f97"),
    )
    assert apply_state(base, "tired, the apron crooked").accessories == base.accessories


MARKETS = [
    "an old covered market with striped awnings",
    "السوق القديم",
    "夜市",
    "la place du marché",
    "बाज़ार",
    "el mercado",
]


@pytest.mark.parametrize("words", MARKETS)
def test_a_market_is_a_place_of_its_own(words):
    assert parse_setting(words, "", "", 1)[0].kind == "market"


def test_a_spring_day_melts_the_snow_of_the_winters_place():
    square, _ = parse_setting("Square", "a snowy town square with a church tower", "a small town in winter", 1)
    assert (square.season, square.weather) == ("winter", "snow")
    later = apply_time_and_weather(square, load_lexicon().find_concepts("a bright spring day"))
    assert (later.season, later.weather) == ("spring", "clear")


def test_a_place_keeps_what_its_words_name():
    cove, _ = parse_setting("Cove", "a narrow cove, a small red rowing boat on black pebbles", "", 1)
    assert cove.boat_colour == COLOURS["red"]
    for seed in range(6):
        woods, understood = parse_setting("Birch Forest", "a light birch forest with golden leaves", "", seed)
        assert (woods.kind, woods.season, understood) == ("forest", "autumn", True)
        assert "birch" in woods.features
    workshop, _ = parse_setting("Workshop", "a clockmaker's workshop with many clocks on the wall", "", 1)
    assert workshop.kind == "workshop"
    assert "clock" in workshop.features


def test_stares_are_no_stars():
    assert "star" not in concept_names(load_lexicon().find_concepts("he stares at the wall"), "prop")
    assert "box" not in concept_names(load_lexicon().find_concepts("boxes"), "prop")
    assert "chest" in concept_names(load_lexicon().find_concepts("boxes"), "prop")


@pytest.mark.parametrize(("name", "words", "sex"), [
    ("Leo", "Leo, 11, curly red hair, green football shirt", "man"), ("Chef Marco", "a stout cook", "man"),
    ("Zoé", "curly hair and a red coat", "woman"), ("Luca", "black hair", "man"), ("Chloe", "with a beard", "man"),
    ("Leo", "a woman with red hair", "woman"),
])  # fmt: skip
def test_a_first_name_tells_what_the_words_do_not(name, words, sex):
    assert {resolve_appearance(words, seed, name).sex for seed in range(6)} == {sex}


def test_dark_hair_is_dark_and_a_throne_room_is_indoors():
    assert len({resolve_appearance("a dancer with dark hair in a bun", seed).hair for seed in range(6)}) == 1
    assert parse_setting("Throne Room", "a castle throne room", "", 1)[0].kind == "castle"
    assert parse_setting("Castle", "an old castle on a hill", "", 1)[0].kind == "fortress"


def test_a_moustache_tells_the_hair_and_a_hood_takes_no_colour():
    assert resolve_appearance("a taxi driver with a black moustache and a brown jacket", 1).hair == BLACK
    ranger = resolve_appearance("a ranger with a green hooded cloak", 1)
    assert ranger.accessories == (Accessory(name="cape", colour=COLOURS["green"]),)
