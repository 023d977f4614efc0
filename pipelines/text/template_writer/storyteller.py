"""Storyteller: turns a parsed idea into scenes, from the client's sentences where present, else from sentence banks."""

from __future__ import annotations

import random
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from pipelines.languages import LANGUAGE_FACTS
from pipelines.step_params import WriteParams
from pipelines.storyboard import Storyboard, StoryboardElement, StoryboardScene
from pipelines.text.template_writer import story_arc
from pipelines.text.template_writer.casting import (
    Location,
    Person,
    StoryObject,
    characters_in_text,
    invent_characters,
    invent_companion,
    user_characters,
    user_location,
    user_object,
    world_location,
    world_object,
)
from pipelines.text.template_writer.idea_parser import Idea, UserLine
from pipelines.text.template_writer.language import load_language_pack, load_world
from pipelines.text.template_writer.sentence_bank import SentenceBank
from pipelines.text.template_writer.subject_parser import Subject, parse_subject
from pipelines.text.template_writer.text_utils import count_words, join_sentences, shorten, split_sentences

_Labelled = TypeVar("_Labelled", StoryObject, Location)
_TRAVEL_BEATS = ("meet", "arrive", "low")
_COMPANION_BEATS = ("meet", "together", "arrive", "help", "rest", "turn", "home", "closing")
_LEADING_ARTICLE = re.compile(r"^(?:A|An|Un|Une|Una|Unos|Unas|El|La|Le|Les|Los|Las|Bir)\b(?= )")
_QUOTED_NAME = re.compile(r"(?:[\"“„«「『]|(?<!\w)['‘])([^\"“”„«»「」『』'‘’]{2,40})(?:[\"”“»」』]|['’](?![a-z]))")
_LEADING_DETERMINER = re.compile(
    r"^(?:Our|My|The|An?|This|Your|Unsere?[rns]?|Eine?n?|Der|Die|Das|Notre|Nos|Une?|Le|La|Les|Nuestr[oa]s?|Una?|El|Los|Las)\b"
)
_RELATIVE_CLAUSE_START = {
    "English": r"\s+(?:that|which|who|is|are|makes?|helps?|lets?|for|so)\s",
    "French": r"\s+(?:qui|que|pour|est)\s",
    "Spanish": r"\s+(?:que|para|es)\s",
    "German": r"\s+(?:die|der|das|für|ist)\s",
}
_SOLO_BEATS = {"together": "want", "help": "trial"}
"""Replacements for beats of two characters while the second has not appeared yet."""
_CUSTOMER_ROLES = {
    "woman",
    "man",
    "girl",
    "boy",
    "grandmother",
    "grandfather",
    "student",
    "cook",
    "farmer",
    "musician",
    "teacher",
}
"""Roles that may represent the customer if the idea mentions them."""
_TITLED_NAME = re.compile(
    r"\b(Ms|Mrs|Miss|Mr|Dr|Prof|Professor|Frau|Herr|Madame|Mme|Monsieur|Señora|Señor|Sra|Sr)\.?\s+([A-ZÀ-ÞİŞÇĞ]\w+)"
)
_MASCULINE_TITLES = ("Mr", "Herr", "Monsieur", "Señor", "Sr")
_NOMINATIVE_ARTICLES = {
    "den": "der",
    "dem": "der",
    "einen": "ein",
    "einem": "ein",
    "unseren": "unser",
    "meinen": "mein",
}
_MAX_VISIBLE_CHARACTERS = 4
"""Maximum number of characters in an image; more crowd it."""


@dataclass(slots=True)
class StoryElements:
    """Characters, locations and objects of the story, chosen before its scenes are written."""

    people: list[Person]
    companions: list[Person] = field(default_factory=list)
    locations: list[Location] = field(default_factory=list)
    objects: list[StoryObject] = field(default_factory=list)
    found_objects: list[StoryObject] = field(default_factory=list)


class Storyteller:
    """Writer of one story.

    `lines` are the client's own scenes, at most `count`. `verbatim`: they are the complete story (a script, a long
    text), so that the writer invents no characters.
    """

    def __init__(
        self, params: WriteParams, idea: Idea, count: int, seed: int, lines: Sequence[UserLine], verbatim: bool
    ) -> None:
        self.params, self.idea, self.count = params, idea, count
        self.pack = load_language_pack(params.language)
        self.rng = random.Random(f"{seed}\n{params.language}\n{idea.text[:500]}")  # noqa: S311
        self.sentence_bank = SentenceBank(self.pack, self.rng)
        self.genre = idea.genre if idea.genre in ("product", "lesson") else "tale"
        self.verbatim = verbatim
        self.subject: Subject | None = None
        if idea.in_film_language and idea.language == "English" and not verbatim and self.genre == "tale":
            self.subject = parse_subject(idea.text)
        self.elements = self._choose_elements(lines)
        self.lines = self._assign_lines(lines)
        self.entry_scenes = {p.name: self._entry_scene(i, p) for i, p in enumerate(self.elements.people)}
        self.beats = self._plan_beats()
        self.locations = self._plan_locations()
        self._used_objects: list[StoryObject] = []
        self._last_camera_move = ""
        self._last_visible: tuple[str, ...] = ()
        self._object_seen = False
        self._narrated_text = ""
        self._current_light = "in soft daylight"

    # --- plan

    def _choose_elements(self, lines: Sequence[UserLine]) -> StoryElements:
        people = user_characters(self.params.characters, self.pack)
        if self.verbatim and not people:
            people = characters_in_text(
                self.idea, " ".join(f"{line.narration} {line.image_description}" for line in lines), self.pack
            )
        elif not people and self.genre == "lesson":
            people = _find_teacher(self.idea.text)
        elif not people and self.genre == "tale":
            people = invent_characters(self.idea, self.subject, self.pack, self.rng)
        elements = StoryElements(people)
        if self.genre == "tale" and not self.verbatim and len(people) == 1 and "meet" in story_arc.tale_arc(self.count):
            elements.companions = [invent_companion(people, self.idea, self.pack, self.rng)]
        elements.objects = [user_object(thing, self.pack) for thing in self.params.objects]
        found = [] if elements.objects else [world_object(key, self.pack) for key in self.idea.objects[:2]]
        if not elements.objects and not found and self.genre == "tale" and not self.verbatim:
            keys = [key for key, row in load_world()["things"].items() if row.get("found")]
            found = [world_object(self.rng.choice(keys), self.pack)]
        elements.found_objects = found
        return elements

    def _assign_lines(self, lines: Sequence[UserLine]) -> dict[int, UserLine]:
        """Map scene numbers to the client's lines: in order, evenly distributed."""
        lines = list(lines)[: self.count]
        if self.genre == "product" and not self.verbatim and self.count > 2:
            return {1 + i * (self.count - 1) // len(lines): line for i, line in enumerate(lines) if i}
        if self.verbatim and len(lines) > 1:
            return {i * (self.count - 1) // (len(lines) - 1): line for i, line in enumerate(lines)}
        return {i * self.count // len(lines): line for i, line in enumerate(lines)}

    def _entry_scene(self, number: int, person: Person) -> int:
        """Return the first scene of a character whom the idea mentions later."""
        if self.params.characters or self.verbatim or not number:
            return 0
        words = (person.name.casefold(), *person.aliases)
        first = next((i for i, line in self.lines.items() if any(w in line.narration.casefold() for w in words)), 0)
        return first if self.idea.in_film_language else 0

    def _plan_beats(self) -> list[str]:
        beats = list(story_arc.story_beats(self.genre, self.count))
        if self.genre != "tale":
            return beats
        if len(self.elements.people) > 1:
            entry = self.entry_scenes[self.elements.people[1].name]
            beats = ["together" if beat == "meet" else beat for beat in beats]
            beats = [_SOLO_BEATS.get(beat, beat) if i < entry else beat for i, beat in enumerate(beats)]
        known = bool(self.idea.objects) and self.idea.in_film_language
        if known and "call" in beats:
            # The idea already names the found object: the story needs no second find.
            beats[beats.index("call")] = (
                "leave" if "leave" not in beats else "rest" if self.elements.companions else "want"
            )
        return beats

    def _plan_locations(self) -> list[Location | None]:
        user_locations = [user_location(place, self.pack) for place in self.params.locations]
        if user_locations:
            route = [
                user_locations[min(len(user_locations) - 1, i * len(user_locations) // self.count)]
                for i in range(self.count)
            ]
            if self.count > len(user_locations) + 1:
                route[-1] = user_locations[0]
            return [self._location_named_in(i, user_locations) or place for i, place in enumerate(route)]
        known_locations = [world_location(key, self.pack, self.idea.text) for key in self.idea.places[:5]]
        if self.genre != "tale" or self.verbatim:
            route_or_none: list[Location | None] = []
            here: Location | None = known_locations[0] if known_locations else None
            for i in range(self.count):
                here = self._known_location_in(i, known_locations) or here
                route_or_none.append(here)
            return route_or_none
        return list(self._plan_journey(known_locations))

    def _plan_journey(self, known_locations: list[Location]) -> list[Location]:
        hero = self.idea.heroes[0] if self.idea.heroes else ""
        home = (
            known_locations[0]
            if known_locations
            else world_location(load_world()["heroes"].get(hero, {}).get("home", "village"), self.pack)
        )
        remaining, current, visited = known_locations[1:], home, [home.key]
        travel_beats = [*_TRAVEL_BEATS, "together", *(() if "meet" in self.beats else ("trial",))]
        if not set(travel_beats) & set(self.beats):
            travel_beats.append("turn")
        route = []
        for i, beat in enumerate(self.beats):
            if beat == "closing":
                current = home
            elif beat in travel_beats and i:
                if remaining:
                    current = remaining.pop(0)
                else:
                    near = [key for key in load_world()["places"][current.key]["near"] if key not in visited[-4:]]
                    far = [
                        key
                        for key in load_world()["places"]
                        if key not in visited[-8:] and key not in ("space", "ship")
                    ]
                    current = world_location(self.rng.choice(near or far), self.pack)
                visited.append(current.key)
            current = self._known_location_in(i, known_locations) or current
            route.append(current)
        return route

    def _location_named_in(self, scene: int, places: Sequence[Location]) -> Location | None:
        line = self.lines.get(scene)
        text = f"{line.narration} {line.image_description} {line.heading}" if line else ""
        return next((place for place in places if place.label in text), None)

    def _known_location_in(self, scene: int, known_locations: Sequence[Location]) -> Location | None:
        line = self.lines.get(scene)
        if not line or scene == 0:
            return None
        text = f"{line.narration} {line.image_description}".casefold()
        for spot in known_locations:
            noun = self.pack.places[spot.key].bare.casefold()
            if noun in text or (self.pack.language == "English" and spot.key in text):
                return spot
        return None

    # --- scenes

    def write_storyboard(self) -> Storyboard:
        """Return the complete storyboard."""
        scenes = [self._write_scene(number) for number in range(self.count)]
        used = {name for scene in scenes for name in scene.characters}
        places = _unique_by_label([place for place in self.locations if place])
        given = self.params.locations
        people = [
            p for p in (*self.elements.people, *self.elements.companions) if p.name in used or p in self.elements.people
        ]
        genre_style = load_world()["genres"].get(self.idea.genre, load_world()["genres"]["tale"])
        return Storyboard(
            title=self._title(),
            description=shorten(self.idea.text, 50) if self.idea.text else scenes[0].narration,
            style=genre_style["style"],
            mood=self._mood(genre_style["mood"]),
            characters=tuple(StoryboardElement(name=p.name, description=p.appearance) for p in people),
            locations=tuple(
                [StoryboardElement(name=place.name, description=place.description) for place in given]
                or [StoryboardElement(name=place.label, description=place.appearance) for place in places]
            ),
            objects=tuple(
                StoryboardElement(name=t.label, description=t.appearance)
                for t in _unique_by_label(self.elements.objects + self._used_objects)
            ),
            scenes=tuple(scenes),
        )

    def _write_scene(self, number: int) -> StoryboardScene:
        beat, place, line = self.beats[number], self.locations[number], self.lines.get(number)
        text, visuals = self._narration_and_visuals(number, beat, place, line)
        names = self._visible_characters(number, beat, text, line)
        things = self._visible_objects(number, text, visuals)
        narration = join_sentences(
            [self.pack.end_sentence(text), self._introduce_cast(number, text)], self.pack.language
        )
        self._narrated_text += " " + narration
        return StoryboardScene(
            name=(
                line.heading if line and line.heading else self.pack.fill_phrase("scene", {"number": str(number + 1)})
            ),
            image_description=self._image_description(number, visuals, names, place, line),
            narration=narration if self.params.narrated else "",
            camera_movement=self._choose_camera_move(visuals["shot"]),
            characters=names,
            location=place.label if place else None,
            objects=tuple(thing.label for thing in things),
        )

    def _narration_and_visuals(
        self, number: int, beat: str, place: Location | None, line: UserLine | None
    ) -> tuple[str, Mapping[str, str]]:
        slots = self._template_slots(place)
        if line and line.narration and self.idea.in_film_language:
            looks = load_world()["beats"][self.genre][beat]
            visuals = looks[number % len(looks) if self.genre == "lesson" else 0]
            if number == 0 and not self.verbatim and self.genre == "tale":
                template, visuals = self.sentence_bank.draw("tale", "premise")
                return self._fill_template(template, {**slots, "idea": self._premise_sentence(line.narration)}), visuals
            if self.genre == "product" and not self.verbatim and beat in ("call", "closing"):
                return self._product_line(beat, line.narration), visuals
            if not (self.genre in ("product", "lesson") and number == 0 and not self.verbatim):
                return line.narration, visuals
        if self.verbatim and not self.elements.people and self.genre == "tale":
            middle: Sequence[str] = self.pack.data["pictures"]["middle"]
            return middle[number % len(middle)], load_world()["beats"]["tale"]["want"][2]
        bank = "blank" if self.genre == "lesson" and beat == "opening" and "topic" not in slots else beat
        unavailable_slots = {
            "friend",
            "whofriend",
            "at",
            "At",
            "thing",
            "a_thing",
            "name",
            "who",
            "topic",
            "wish",
        } - set(slots)
        if not self._object_seen:
            unavailable_slots.add("thing")
        template, visuals = self.sentence_bank.draw(self.genre, bank, unavailable_slots)
        if self._topic_is_question():
            mark = LANGUAGE_FACTS[self.pack.language].question_mark
            template = re.sub(r"(\{topic\}) ?[.。।]", rf"\1{mark}", template)
        return self._fill_template(template, slots), visuals

    def _product_line(self, beat: str, say: str) -> str:
        """Return the client's sentence with the product's name.

        The name comes first where the product appears, and last at the end of the film.
        """
        name, sentence = self._product_name(), self.pack.end_sentence(say)
        if not name or name.casefold() in say.casefold():
            return sentence
        if beat == "closing":
            return join_sentences([sentence, self.pack.end_sentence(self.pack.capitalize(name))], self.pack.language)
        template = str(self.pack.templates("product", "call")[0])
        first = split_sentences(self._fill_template(template, {"product": name}))
        named = next((i for i, sentence in enumerate(first) if name.casefold() in sentence.casefold()), 0)
        return join_sentences([*first[: named + 1], sentence], self.pack.language)

    def _fill_template(self, template: str, slots: Mapping[str, str]) -> str:
        people = [*self.elements.people, *self.elements.companions]
        genders = [person.gender for person in people[:2]] + ["m", "m"]
        return self.pack.fill_template(template, slots, genders[0], genders[1])

    def _template_slots(self, place: Location | None) -> dict[str, str]:
        people = [*self.elements.people, *self.elements.companions]
        slots = {"product": self._product_name(), "topic": self._topic()}
        if people:
            slots |= {"name": people[0].name, "who": people[0].introduction}
        if len(people) > 1:
            slots |= {"friend": people[1].name, "whofriend": people[1].introduction}
        if self.subject and self.subject.goal and not self.params.characters:
            slots["wish"] = self.subject.goal
        if place:
            slots |= {"at": place.where_phrase, "At": self.pack.capitalize(place.where_phrase)}
        for thing in (self.elements.objects + self.elements.found_objects)[:1]:
            slots |= {"thing": thing.definite, "a_thing": thing.indefinite}
        return {key: value for key, value in slots.items() if value}

    def _premise_sentence(self, premise: str) -> str:
        """Return the client's first sentence with the hero's name in it or after it."""
        premise = _LEADING_ARTICLE.sub(lambda m: m[0].lower(), premise)
        if not self.elements.people:
            return premise
        hero, both = self.elements.people[0], self.pack.join_names(tuple(p.name for p in self.elements.people[:2]))
        if hero.name in premise:
            return premise
        if self.subject and not self.params.characters and count_words(premise) <= 40:
            sentence = self.subject.sentence_for(hero.name, both)
            if sentence:
                return self.pack.end_sentence(sentence)
        pattern = "named" if self.idea.heroes or self.params.characters else "amid"
        extra = self.pack.fill_phrase(pattern, {"name": hero.name}, hero.gender)
        return join_sentences([self.pack.end_sentence(premise), extra], self.pack.language)

    def _visible_characters(self, number: int, beat: str, text: str, line: UserLine | None) -> tuple[str, ...]:
        """Return the names of the visible characters.

        These are the characters in the text, the hero of a tale, all characters at the end, and each of the client's
        characters early.
        """
        people, guests = self.elements.people, self.elements.companions
        last = number == self.count - 1
        words = f"{text} {line.image_description if line else ''}".casefold()
        named = [
            p
            for p in (*people, *guests)
            if p.name.casefold() in words or any(c in words for c in p.aliases if self.verbatim or line)
        ]
        if self.verbatim and not self.params.characters:
            found = tuple(p.name for p in named) or (self._last_visible if self.lines.get(number) else ())
            self._last_visible = found
            return found[:_MAX_VISIBLE_CHARACTERS]
        leads = self.genre == "tale" or number in (0, self.count - 1) or (self.genre == "lesson" and number % 2 == 0)
        visible = [*people[:1], *named] if leads else list(named)
        if people[1:2] and (beat in _COMPANION_BEATS or number == 0) and self.genre == "tale":
            visible.append(people[1])
        if guests and "meet" in self.beats[: number + 1] and beat in _COMPANION_BEATS:
            visible += guests
        extras = people[2:]
        if extras:
            each = -(-len(extras) // max(1, self.count - 1))
            visible += extras[(number - 1) * each : number * each] if number else []
            visible += [extras[number % len(extras)]] if number and beat not in ("low", "want") else []
        if last:
            visible += people
        limit = len(people) + len(guests) if self.count < 3 else _MAX_VISIBLE_CHARACTERS
        return tuple(_unique_names(p.name for p in visible if self.entry_scenes.get(p.name, 0) <= number))[:limit]

    def _introduce_cast(self, number: int, text: str) -> str:
        """Return a sentence that introduces, once and early, the characters without a mention in the text."""
        if self.genre != "tale" or self.verbatim or number != min(1, self.count - 1):
            return ""
        said = " ".join([text, self._narrated_text, *(line.narration for line in self.lines.values())]).casefold()
        introduced_later = self.elements.people[1:2] if "together" in self.beats[number:] else []
        extras = [
            p for p in self.elements.people[1:] if p not in introduced_later and self.entry_scenes[p.name] <= number
        ]
        names = tuple(p.name for p in extras if not any(word in said for word in (p.name.casefold(), *p.aliases)))
        return self.pack.fill_phrase("cast", {"names": self.pack.join_names(names)}) if names else ""

    def _visible_objects(self, number: int, text: str, visuals: Mapping[str, str]) -> list[StoryObject]:
        visible = [self.elements.objects[number % len(self.elements.objects)]] if self.elements.objects else []
        for thing in (*self.elements.objects, *self.elements.found_objects):
            spoken = thing.label.casefold() in text.casefold() or thing.definite in text or thing.indefinite in text
            if spoken and thing not in visible:
                visible.append(thing)
        self._used_objects += [thing for thing in visible if thing not in self.elements.objects]
        self._object_seen = self._object_seen or bool(visible)
        # The opening shows the need, without the product.
        if self.genre == "product" and not (number == 0 and self.beats[0] == "opening" and self.count > 1):
            visible.append(self._product_object())
            self._used_objects.append(visible[-1])
        return list(_unique_by_label(visible))

    def _image_description(
        self,
        number: int,
        visuals: Mapping[str, str],
        names: Sequence[str],
        place: Location | None,
        line: UserLine | None,
    ) -> str:
        english = self.idea.language == "English"
        image = _fill_english(visuals["see"], self._english_slots())
        own = (line.image_description or line.narration) if line and (self.idea.in_film_language or english) else ""
        if own and self.verbatim:
            image = shorten(own, 60)
        elif own and (number or self.genre == "tale"):
            own = shorten(own, 40)
            if self.genre == "lesson":
                image = f"{own.rstrip('.')}, {self._observers(number)}"
            else:
                image = own if english and number and self.genre == "tale" else f"{image}; {own}"
        image = image.rstrip(".。।…")
        if self.genre == "product" and self.idea.heroes and self.idea.heroes[0] in _CUSTOMER_ROLES:
            image = image.replace("a person", f"a {self.idea.heroes[0]}")
        if self.genre == "lesson" and names:
            image = image.replace("a friendly teacher", names[0])
        missing = [name for name in names if name.casefold() not in image.casefold()]
        if missing:
            image += f", with {_join_with_and(missing)}"
        parts = [
            image,
            place.short_description if place else "",
            self._lighting(number, visuals, line),
            load_world()["shots"][visuals["shot"]],
        ]
        return ", ".join(part for part in parts if part)

    def _observers(self, number: int) -> str:
        """Return the people who watch the subject of a lesson, so that its image is not empty."""
        if self.elements.people and number % 2 == 0:
            return f"{self.elements.people[0].name} points at it"
        return ("curious children watch", "two children look on in wonder")[number // 2 % 2]

    def _lighting(self, number: int, visuals: Mapping[str, str], line: UserLine | None) -> str:
        """Return the light of the line, else of the idea in the client's scenes, else of the beat.

        A verbatim story keeps its last light.
        """
        stated = self._lighting_from_line(line) if line else ""
        if self.verbatim:
            self._current_light = stated or self._current_light
            return self._current_light
        return stated or (self.idea.lighting if number == 0 or line else "") or visuals["light"]

    def _lighting_from_line(self, line: UserLine) -> str:
        found = set(re.findall(r"[a-z]+", f"{line.narration} {line.image_description}".casefold()))
        return next((row["light"] for row in load_world()["lights"] if found & set(row["words"])), "")

    def _english_slots(self) -> dict[str, str]:
        people = [*self.elements.people, *self.elements.companions]
        english = self.idea.text if self.idea.language == "English" else ""
        slots = {
            "name": people[0].name if people else "the hero",
            "friend": people[1].name if len(people) > 1 else "a friend",
            "product": self._product_name() if self.idea.in_film_language or english else "the product",
            "topic": _topic_image(english) if english else self._topic() or "the topic",
        }
        for thing in (self.elements.objects + self.elements.found_objects)[:1]:
            slots |= {"thing": thing.image_phrase, "a_thing": thing.image_phrase}
        return slots

    def _choose_camera_move(self, shot: str) -> str:
        moves = [move for move in load_world()["camera"][shot] if move != self._last_camera_move]
        self._last_camera_move = self.rng.choice(moves)
        return self._last_camera_move

    # --- title, topic, product, mood

    def _topic(self) -> str:
        if not self.idea.in_film_language or self.genre != "lesson":
            return ""
        return shorten(self.idea.sentences[0] if self.idea.sentences else self.idea.text, 16).rstrip("….?!。？！।؟ ")

    def _topic_is_question(self) -> bool:
        """Return whether the topic is a question in the client's own words."""
        topic = self._topic()
        end = self.idea.text.find(topic) + len(topic) if topic and topic in self.idea.text else len(self.idea.text) - 1
        return self.idea.text[end : end + 2].strip()[:1] in ("?", "？", "؟")

    def _product_name(self) -> str:
        if self.genre != "product":
            return ""
        if self.params.objects:
            return self.elements.objects[0].definite
        quoted = _QUOTED_NAME.search(self.idea.text)
        if quoted:
            return quoted[1].strip()
        if not self.idea.in_film_language:
            return self.idea.names[0] if self.idea.names else self.pack.data["phrases"]["product"]
        first = self.idea.sentences[0] if self.idea.sentences else self.idea.text
        if self.idea.language in _RELATIVE_CLAUSE_START:
            head, _, tail = first.partition(" ")
            first = f"{head} {re.split(_RELATIVE_CLAUSE_START[self.idea.language], tail)[0]}".strip()
        first = _LEADING_DETERMINER.sub(lambda m: m[0].lower(), first)
        if self.idea.language == "German":
            article, _, rest = first.partition(" ")
            first = f"{_NOMINATIVE_ARTICLES.get(article, article)} {rest}".strip()
        return re.split(r"[,;:.!?،؛。！？，；：।؟]", shorten(first, 9).rstrip("…"))[0].strip()

    def _product_object(self) -> StoryObject:
        name = self.pack.capitalize(self._product_name())
        return StoryObject(name, name, name, shorten(self.idea.text, 40).rstrip(".…"), name)

    def _title(self) -> str:
        if self.params.title.strip():
            return self.params.title.strip()
        bare = (self.idea.sentences[0] if self.idea.sentences else self.idea.text).rstrip(".。!！।… ")
        brief = count_words(bare) <= (7 if not self.pack.spaceless else 10) and len(bare) <= 60
        if self.genre == "product":
            return self.pack.capitalize(self._product_name())
        if self.verbatim and self.idea.script and self.idea.in_film_language:
            bare = self.idea.script[0].heading or self.idea.script[0].narration
        if self.idea.in_film_language and bare and (brief or self.verbatim or self.genre == "lesson"):
            return self.pack.capitalize(
                shorten(bare, 7 if not self.pack.spaceless else 10).rstrip("…。.!！ ") or bare[:40]
            )
        if not self.elements.people:
            place = next((place.label for place in self.locations if place), "")
            return place or str(self.pack.data["phrases"]["title_pictures"])
        slots = {"name": self.elements.people[0].name}
        things = self.elements.objects + self._used_objects
        if things and not self.elements.objects:
            the = self.pack.data["articles"] or self.pack.language == "Arabic"
            return self.pack.fill_phrase("title", {**slots, "thing": things[0].definite if the else things[0].label})
        return self.pack.fill_phrase("title_plain", slots)

    def _mood(self, default: str) -> str:
        found = (
            set(re.findall(r"[a-z]+", self.idea.text.casefold()[:2000])) if self.idea.language == "English" else set()
        )
        coloured = [mood for mood, words in load_world()["moods"].items() if found & set(words)]
        return ", ".join(_unique_names([*coloured[:1], default]))


def _find_teacher(idea: str) -> list[Person]:
    """Return the teacher if the idea mentions one by title and name."""
    found = _TITLED_NAME.search(idea)
    if not found:
        return []
    name, gender = " ".join(found[0].split()), "m" if found[1] in _MASCULINE_TITLES else "f"
    look = load_world()["heroes"]["teacher"]["look"].replace(
        "a teacher", f"a {'man' if gender == 'm' else 'woman'}, a teacher"
    )
    return [Person(name, gender, look, name)]


def _topic_image(idea: str) -> str:
    """Return the subject of a question as an image prompt: “How does a volcano erupt?” → a volcano erupt."""
    first = re.split(r"[?!:;\n]|\.\s", idea)[0]
    bare = re.sub(
        r"^(?:how|why|what|when|where|who)\s+(?:(?:do|does|did|is|are|was|were|can|to|we|you)\s+)*",
        "",
        first,
        flags=re.IGNORECASE,
    )
    return shorten(bare, 10).rstrip("….?! ") or "the topic"


def _unique_names(names: object) -> list[str]:
    return list(dict.fromkeys(names))  # type: ignore[call-overload]


def _unique_by_label(items: Sequence[_Labelled]) -> list[_Labelled]:
    found: dict[str, _Labelled] = {}
    for item in items:
        found.setdefault(item.label, item)
    return list(found.values())


def _join_with_and(names: Sequence[str]) -> str:
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def _fill_english(template: str, slots: Mapping[str, str]) -> str:
    return re.sub(r"\{(\w+)\}", lambda m: slots.get(m[1], ""), template)
