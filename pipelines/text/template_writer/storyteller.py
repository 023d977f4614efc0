"""Telling: an understood idea becomes scenes, with the client's sentences where there are any and the banks' where not."""

from __future__ import annotations

import random
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from pipelines.step_params import WriteParams
from pipelines.storyboard import Storyboard, WrittenElement, WrittenScene
from pipelines.text.template_writer import story_arc
from pipelines.text.template_writer.casting import (
    Person,
    Place,
    Thing,
    companion,
    given_people,
    given_place,
    given_thing,
    imagined_people,
    known_place,
    known_thing,
    told_people,
)
from pipelines.text.template_writer.idea_parser import Idea, Line
from pipelines.text.template_writer.language import tongue, world
from pipelines.text.template_writer.sentence_bank import Bank
from pipelines.text.template_writer.subject_parser import Subject, subject_of
from pipelines.text.template_writer.text_utils import joined, sentences, shorten, size

_Labelled = TypeVar("_Labelled", Thing, Place)
_MOVES = ("meet", "arrive", "low")
_TOGETHER = ("meet", "together", "arrive", "help", "rest", "turn", "home", "closing")
_ARTICLE = re.compile(r"^(?:A|An|Un|Une|Una|Unos|Unas|El|La|Le|Les|Los|Las|Bir)\b(?= )")
_QUOTED = re.compile(r"(?:[\"“„«「『]|(?<!\w)['‘])([^\"“”„«»「」『』'‘’]{2,40})(?:[\"”“»」』]|['’](?![a-z]))")
_OWN = re.compile(
    r"^(?:Our|My|The|An?|This|Your|Unsere?[rns]?|Eine?n?|Der|Die|Das|Notre|Nos|Une?|Le|La|Les|Nuestr[oa]s?|Una?|El|Los|Las)\b"
)
_RELATIVE = {
    "English": r"\s+(?:that|which|who|is|are|makes?|helps?|lets?|for|so)\s",
    "French": r"\s+(?:qui|que|pour|est)\s",
    "Spanish": r"\s+(?:que|para|es)\s",
    "German": r"\s+(?:die|der|das|für|ist)\s",
}
_ALONE = {"together": "want", "help": "trial"}
"""What stands in for beats of two while the second has not come in yet."""
_PEOPLE = {
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
"""Who may stand for the customer, where the idea speaks of one."""
_TITLED = re.compile(
    r"\b(Ms|Mrs|Miss|Mr|Dr|Prof|Professor|Frau|Herr|Madame|Mme|Monsieur|Señora|Señor|Sra|Sr)\.?\s+([A-ZÀ-ÞİŞÇĞ]\w+)"
)
_MASTERS = ("Mr", "Herr", "Monsieur", "Señor", "Sr")
_NOMINATIVE = {"den": "der", "dem": "der", "einen": "ein", "einem": "ein", "unseren": "unser", "meinen": "mein"}
_ON_STAGE = 4
"""More figures than this crowd a picture."""


@dataclass(slots=True)
class Stage:
    """Who, where and what the story has, before its scenes are told."""

    people: list[Person]
    guests: list[Person] = field(default_factory=list)
    places: list[Place] = field(default_factory=list)
    things: list[Thing] = field(default_factory=list)
    found: list[Thing] = field(default_factory=list)


class Teller:
    """One story in the making. `lines` are the client's own scenes, at most as many as `count`; `told` says that they
    are the whole story (a script, a long text), so that nobody is invented."""

    def __init__(
        self, params: WriteParams, idea: Idea, count: int, seed: int, lines: Sequence[Line], told: bool
    ) -> None:
        self.params, self.idea, self.count = params, idea, count
        self.words = tongue(params.language)
        self.rng = random.Random(f"{seed}\n{params.language}\n{idea.text[:500]}")  # noqa: S311
        self.bank = Bank(self.words, self.rng)
        self.genre = idea.genre if idea.genre in ("product", "lesson") else "tale"
        self.told = told
        self.subject: Subject | None = None
        if idea.native and idea.language == "English" and not told and self.genre == "tale":
            self.subject = subject_of(idea.text)
        self.stage = self._cast(lines)
        self.lines = self._placed(lines)
        self.entry = {p.name: self._entry(i, p) for i, p in enumerate(self.stage.people)}
        self.beats = self._beats()
        self.places = self._route()
        self._used_things: list[Thing] = []
        self._camera = ""
        self._on_stage: tuple[str, ...] = ()
        self._thing_seen = False
        self._said = ""
        self._light = "in soft daylight"

    # --- before the first scene ------------------------------------------------------------------------------------------

    def _cast(self, lines: Sequence[Line]) -> Stage:
        people = given_people(self.params.characters, self.words)
        if self.told and not people:
            people = told_people(self.idea, " ".join(f"{line.say} {line.see}" for line in lines), self.words)
        elif not people and self.genre == "lesson":
            people = _teacher(self.idea.text)
        elif not people and self.genre == "tale":
            people = imagined_people(self.idea, self.subject, self.words, self.rng)
        stage = Stage(people)
        if self.genre == "tale" and not self.told and len(people) == 1 and "meet" in story_arc.tale(self.count):
            stage.guests = [companion(people, self.idea, self.words, self.rng)]
        stage.things = [given_thing(thing, self.words) for thing in self.params.objects]
        found = [] if stage.things else [known_thing(key, self.words) for key in self.idea.things[:2]]
        if not stage.things and not found and self.genre == "tale" and not self.told:
            keys = [key for key, row in world()["things"].items() if row.get("found")]
            found = [known_thing(self.rng.choice(keys), self.words)]
        stage.found = found
        return stage

    def _placed(self, lines: Sequence[Line]) -> dict[int, Line]:
        """Which scene tells which of the client's lines: in order, evenly spread."""
        lines = list(lines)[: self.count]
        if self.genre == "product" and not self.told and self.count > 2:
            return {1 + i * (self.count - 1) // len(lines): line for i, line in enumerate(lines) if i}
        if self.told and len(lines) > 1:
            return {i * (self.count - 1) // (len(lines) - 1): line for i, line in enumerate(lines)}
        return {i * self.count // len(lines): line for i, line in enumerate(lines)}

    def _entry(self, number: int, person: Person) -> int:
        """The scene in which somebody whom the idea names only later comes in."""
        if self.params.characters or self.told or not number:
            return 0
        words = (person.name.casefold(), *person.calls)
        first = next((i for i, line in self.lines.items() if any(w in line.say.casefold() for w in words)), 0)
        return first if self.idea.native else 0

    def _beats(self) -> list[str]:
        beats = list(story_arc.beats(self.genre, self.count))
        if self.genre != "tale":
            return beats
        if len(self.stage.people) > 1:
            entry = self.entry[self.stage.people[1].name]
            beats = ["together" if beat == "meet" else beat for beat in beats]
            beats = [_ALONE.get(beat, beat) if i < entry else beat for i, beat in enumerate(beats)]
        known = bool(self.idea.things) and self.idea.native
        if known and "call" in beats:
            # The idea has told already what is found: a second finding would be one too many.
            beats[beats.index("call")] = "leave" if "leave" not in beats else "rest" if self.stage.guests else "want"
        return beats

    def _route(self) -> list[Place | None]:
        given = [given_place(place, self.words) for place in self.params.locations]
        if given:
            route = [given[min(len(given) - 1, i * len(given) // self.count)] for i in range(self.count)]
            if self.count > len(given) + 1:
                route[-1] = given[0]
            return [self._named_in(i, given) or place for i, place in enumerate(route)]
        spots = [known_place(key, self.words, self.idea.text) for key in self.idea.places[:5]]
        if self.genre != "tale" or self.told:
            route_or_none: list[Place | None] = []
            here: Place | None = spots[0] if spots else None
            for i in range(self.count):
                here = self._spotted_in(i, spots) or here
                route_or_none.append(here)
            return route_or_none
        return list(self._journey(spots))

    def _journey(self, spots: list[Place]) -> list[Place]:
        hero = self.idea.heroes[0] if self.idea.heroes else ""
        home = spots[0] if spots else known_place(world()["heroes"].get(hero, {}).get("home", "village"), self.words)
        ahead, here, been = spots[1:], home, [home.key]
        moves = [*_MOVES, "together", *(() if "meet" in self.beats else ("trial",))]
        if not set(moves) & set(self.beats):
            moves.append("turn")
        route = []
        for i, beat in enumerate(self.beats):
            if beat == "closing":
                here = home
            elif beat in moves and i:
                if ahead:
                    here = ahead.pop(0)
                else:
                    near = [key for key in world()["places"][here.key]["near"] if key not in been[-4:]]
                    far = [key for key in world()["places"] if key not in been[-8:] and key not in ("space", "ship")]
                    here = known_place(self.rng.choice(near or far), self.words)
                been.append(here.key)
            here = self._spotted_in(i, spots) or here
            route.append(here)
        return route

    def _named_in(self, scene: int, places: Sequence[Place]) -> Place | None:
        line = self.lines.get(scene)
        text = f"{line.say} {line.see} {line.heading}" if line else ""
        return next((place for place in places if place.label in text), None)

    def _spotted_in(self, scene: int, spots: Sequence[Place]) -> Place | None:
        line = self.lines.get(scene)
        if not line or scene == 0:
            return None
        text = f"{line.say} {line.see}".casefold()
        for spot in spots:
            noun = self.words.places[spot.key].bare.casefold()
            if noun in text or (self.words.language == "English" and spot.key in text):
                return spot
        return None

    # --- scene by scene --------------------------------------------------------------------------------------------------

    def tell(self) -> Storyboard:
        """The whole storyboard."""
        scenes = [self._scene(number) for number in range(self.count)]
        used = {name for scene in scenes for name in scene.characters}
        places = _unique([place for place in self.places if place])
        given = self.params.locations
        people = [p for p in (*self.stage.people, *self.stage.guests) if p.name in used or p in self.stage.people]
        look = world()["genres"].get(self.idea.genre, world()["genres"]["tale"])
        return Storyboard(
            title=self._title(),
            description=shorten(self.idea.text, 50) if self.idea.text else scenes[0].narration,
            style=look["style"],
            mood=self._mood(look["mood"]),
            characters=tuple(WrittenElement(name=p.name, description=p.look) for p in people),
            locations=tuple(
                [WrittenElement(name=place.name, description=place.description) for place in given]
                or [WrittenElement(name=place.label, description=place.look) for place in places]
            ),
            objects=tuple(
                WrittenElement(name=t.label, description=t.look) for t in _unique(self.stage.things + self._used_things)
            ),
            scenes=tuple(scenes),
        )

    def _scene(self, number: int) -> WrittenScene:
        beat, place, line = self.beats[number], self.places[number], self.lines.get(number)
        text, shown = self._text(number, beat, place, line)
        names = self._names(number, beat, text, line)
        things = self._things(number, text, shown)
        narration = joined([self.words.ended(text), self._cast_sentence(number, text)], self.words.language)
        self._said += " " + narration
        return WrittenScene(
            name=(line.heading if line and line.heading else self.words.phrase("scene", {"number": str(number + 1)})),
            image_description=self._picture(number, shown, names, place, line),
            narration=narration if self.params.narrated else "",
            camera_movement=self._move(shown["shot"]),
            characters=names,
            location=place.label if place else None,
            objects=tuple(thing.label for thing in things),
        )

    def _text(self, number: int, beat: str, place: Place | None, line: Line | None) -> tuple[str, Mapping[str, str]]:
        slots = self._slots(place)
        if line and line.say and self.idea.native:
            looks = world()["beats"][self.genre][beat]
            shown = looks[number % len(looks) if self.genre == "lesson" else 0]
            if number == 0 and not self.told and self.genre == "tale":
                template, shown = self.bank.draw("tale", "premise")
                return self._fill(template, {**slots, "idea": self._premise(line.say)}), shown
            if self.genre == "product" and not self.told and beat in ("call", "closing"):
                return self._offer(beat, line.say), shown
            if not (self.genre in ("product", "lesson") and number == 0 and not self.told):
                return line.say, shown
        if self.told and not self.stage.people and self.genre == "tale":
            middle: Sequence[str] = self.words.data["pictures"]["middle"]
            return middle[number % len(middle)], world()["beats"]["tale"]["want"][2]
        bank = "blank" if self.genre == "lesson" and beat == "opening" and "topic" not in slots else beat
        closed = {"friend", "whofriend", "at", "At", "thing", "a_thing", "name", "who", "topic", "wish"} - set(slots)
        if not self._thing_seen:
            closed.add("thing")
        template, shown = self.bank.draw(self.genre, bank, closed)
        if self._asks():
            mark = {"Arabic": "؟", "Chinese": "？", "Japanese": "？", "French": "\u00a0?"}.get(self.words.language, "?")
            template = re.sub(r"(\{topic\}) ?[.。।]", rf"\1{mark}", template)
        return self._fill(template, slots), shown

    def _offer(self, beat: str, say: str) -> str:
        """The client's sentence beside the product's name: first the name where it comes in, last where the film ends."""
        name, said = self._product(), self.words.ended(say)
        if not name or name.casefold() in say.casefold():
            return said
        if beat == "closing":
            return joined([said, self.words.ended(self.words.capital(name))], self.words.language)
        template = str(self.words.bank("product", "call")[0])
        first = sentences(self._fill(template, {"product": name}))
        named = next((i for i, sentence in enumerate(first) if name.casefold() in sentence.casefold()), 0)
        return joined([*first[: named + 1], said], self.words.language)

    def _fill(self, template: str, slots: Mapping[str, str]) -> str:
        people = [*self.stage.people, *self.stage.guests]
        genders = [person.gender for person in people[:2]] + ["m", "m"]
        return self.words.fill(template, slots, genders[0], genders[1])

    def _slots(self, place: Place | None) -> dict[str, str]:
        people = [*self.stage.people, *self.stage.guests]
        slots = {"product": self._product(), "topic": self._topic()}
        if people:
            slots |= {"name": people[0].name, "who": people[0].who}
        if len(people) > 1:
            slots |= {"friend": people[1].name, "whofriend": people[1].who}
        if self.subject and self.subject.wish and not self.params.characters:
            slots["wish"] = self.subject.wish
        if place:
            slots |= {"at": place.at, "At": self.words.capital(place.at)}
        for thing in (self.stage.things + self.stage.found)[:1]:
            slots |= {"thing": thing.the, "a_thing": thing.a}
        return {key: value for key, value in slots.items() if value}

    def _premise(self, said: str) -> str:
        """The client's first sentence, with the hero's name in it or after it."""
        said = _ARTICLE.sub(lambda m: m[0].lower(), said)
        if not self.stage.people:
            return said
        hero, both = self.stage.people[0], self.words.listed(tuple(p.name for p in self.stage.people[:2]))
        if hero.name in said:
            return said
        if self.subject and not self.params.characters and size(said) <= 40:
            sentence = self.subject.told(hero.name, both)
            if sentence:
                return self.words.ended(sentence)
        pattern = "named" if self.idea.heroes or self.params.characters else "amid"
        extra = self.words.phrase(pattern, {"name": hero.name}, hero.gender)
        return joined([self.words.ended(said), extra], self.words.language)

    def _names(self, number: int, beat: str, text: str, line: Line | None) -> tuple[str, ...]:
        """Who is seen: whom the words name, the hero in a tale, everybody at the end, each client's character early."""
        people, guests = self.stage.people, self.stage.guests
        last = number == self.count - 1
        words = f"{text} {line.see if line else ''}".casefold()
        named = [
            p
            for p in (*people, *guests)
            if p.name.casefold() in words or any(c in words for c in p.calls if self.told or line)
        ]
        if self.told and not self.params.characters:
            found = tuple(p.name for p in named) or (self._on_stage if self.lines.get(number) else ())
            self._on_stage = found
            return found[:_ON_STAGE]
        leads = self.genre == "tale" or number in (0, self.count - 1) or (self.genre == "lesson" and number % 2 == 0)
        seen = [*people[:1], *named] if leads else list(named)
        if people[1:2] and (beat in _TOGETHER or number == 0) and self.genre == "tale":
            seen.append(people[1])
        if guests and "meet" in self.beats[: number + 1] and beat in _TOGETHER:
            seen += guests
        extras = people[2:]
        if extras:
            each = -(-len(extras) // max(1, self.count - 1))
            seen += extras[(number - 1) * each : number * each] if number else []
            seen += [extras[number % len(extras)]] if number and beat not in ("low", "want") else []
        if last:
            seen += people
        limit = len(people) + len(guests) if self.count < 3 else _ON_STAGE
        return tuple(_once(p.name for p in seen if self.entry.get(p.name, 0) <= number))[:limit]

    def _cast_sentence(self, number: int, text: str) -> str:
        """Introduces, once and early, those of the cast whom no sentence will name."""
        if self.genre != "tale" or self.told or number != min(1, self.count - 1):
            return ""
        said = " ".join([text, self._said, *(line.say for line in self.lines.values())]).casefold()
        met = self.stage.people[1:2] if "together" in self.beats[number:] else []
        extras = [p for p in self.stage.people[1:] if p not in met and self.entry[p.name] <= number]
        names = tuple(p.name for p in extras if not any(word in said for word in (p.name.casefold(), *p.calls)))
        return self.words.phrase("cast", {"names": self.words.listed(names)}) if names else ""

    def _things(self, number: int, text: str, shown: Mapping[str, str]) -> list[Thing]:
        seen = [self.stage.things[number % len(self.stage.things)]] if self.stage.things else []
        for thing in (*self.stage.things, *self.stage.found):
            spoken = thing.label.casefold() in text.casefold() or thing.the in text or thing.a in text
            if spoken and thing not in seen:
                seen.append(thing)
        self._used_things += [thing for thing in seen if thing not in self.stage.things]
        self._thing_seen = self._thing_seen or bool(seen)
        # Before the answer comes, there is only the need of it.
        if self.genre == "product" and not (number == 0 and self.beats[0] == "opening" and self.count > 1):
            seen.append(self._product_thing())
            self._used_things.append(seen[-1])
        return list(_unique(seen))

    def _picture(
        self, number: int, shown: Mapping[str, str], names: Sequence[str], place: Place | None, line: Line | None
    ) -> str:
        english = self.idea.language == "English"
        see = _fill_english(shown["see"], self._english_slots())
        own = (line.see or line.say) if line and (self.idea.native or english) else ""
        if own and self.told:
            see = shorten(own, 60)
        elif own and (number or self.genre == "tale"):
            own = shorten(own, 40)
            if self.genre == "lesson":
                see = f"{own.rstrip('.')}, {self._watching(number)}"
            else:
                see = own if english and number and self.genre == "tale" else f"{see}; {own}"
        see = see.rstrip(".。।…")
        if self.genre == "product" and self.idea.heroes and self.idea.heroes[0] in _PEOPLE:
            see = see.replace("a person", f"a {self.idea.heroes[0]}")
        if self.genre == "lesson" and names:
            see = see.replace("a friendly teacher", names[0])
        missing = [name for name in names if name.casefold() not in see.casefold()]
        if missing:
            see += f", with {_and(missing)}"
        parts = [see, place.brief if place else "", self._lit(number, shown, line), world()["shots"][shown["shot"]]]
        return ", ".join(part for part in parts if part)

    def _watching(self, number: int) -> str:
        """Who sees what a lesson shows: a picture without anybody teaches nobody."""
        if self.stage.people and number % 2 == 0:
            return f"{self.stage.people[0].name} points at it"
        return ("curious children watch", "two children look on in wonder")[number // 2 % 2]

    def _lit(self, number: int, shown: Mapping[str, str], line: Line | None) -> str:
        """The light: what the line says, then the idea's where the client speaks, else the beat's; a script keeps its last."""
        said = self._line_light(line) if line else ""
        if self.told:
            self._light = said or self._light
            return self._light
        return said or (self.idea.light if number == 0 or line else "") or shown["light"]

    def _line_light(self, line: Line) -> str:
        found = set(re.findall(r"[a-z]+", f"{line.say} {line.see}".casefold()))
        return next((row["light"] for row in world()["lights"] if found & set(row["words"])), "")

    def _english_slots(self) -> dict[str, str]:
        people = [*self.stage.people, *self.stage.guests]
        english = self.idea.text if self.idea.language == "English" else ""
        slots = {
            "name": people[0].name if people else "the hero",
            "friend": people[1].name if len(people) > 1 else "a friend",
            "product": self._product() if self.idea.native or english else "the product",
            "topic": _topic_shown(english) if english else self._topic() or "the topic",
        }
        for thing in (self.stage.things + self.stage.found)[:1]:
            slots |= {"thing": thing.shown, "a_thing": thing.shown}
        return slots

    def _move(self, shot: str) -> str:
        moves = [move for move in world()["camera"][shot] if move != self._camera]
        self._camera = self.rng.choice(moves)
        return self._camera

    # --- the whole -------------------------------------------------------------------------------------------------------

    def _topic(self) -> str:
        if not self.idea.native or self.genre != "lesson":
            return ""
        return shorten(self.idea.sentences[0] if self.idea.sentences else self.idea.text, 16).rstrip("….?!。？！।؟ ")

    def _asks(self) -> bool:
        """Whether the topic is a question, in its own words."""
        topic = self._topic()
        end = self.idea.text.find(topic) + len(topic) if topic and topic in self.idea.text else len(self.idea.text) - 1
        return self.idea.text[end : end + 2].strip()[:1] in ("?", "？", "؟")

    def _product(self) -> str:
        if self.genre != "product":
            return ""
        if self.params.objects:
            return self.stage.things[0].the
        quoted = _QUOTED.search(self.idea.text)
        if quoted:
            return quoted[1].strip()
        if not self.idea.native:
            return self.idea.names[0] if self.idea.names else self.words.data["phrases"]["product"]
        first = self.idea.sentences[0] if self.idea.sentences else self.idea.text
        if self.idea.language in _RELATIVE:
            head, _, tail = first.partition(" ")
            first = f"{head} {re.split(_RELATIVE[self.idea.language], tail)[0]}".strip()
        first = _OWN.sub(lambda m: m[0].lower(), first)
        if self.idea.language == "German":
            article, _, rest = first.partition(" ")
            first = f"{_NOMINATIVE.get(article, article)} {rest}".strip()
        return re.split(r"[,;:.!?،؛。！？，；：।؟]", shorten(first, 9).rstrip("…"))[0].strip()

    def _product_thing(self) -> Thing:
        name = self.words.capital(self._product())
        return Thing(name, name, name, shorten(self.idea.text, 40).rstrip(".…"), name)

    def _title(self) -> str:
        if self.params.title.strip():
            return self.params.title.strip()
        bare = (self.idea.sentences[0] if self.idea.sentences else self.idea.text).rstrip(".。!！।… ")
        brief = size(bare) <= (7 if not self.words.spaceless else 10) and len(bare) <= 60
        if self.genre == "product":
            return self.words.capital(self._product())
        if self.told and self.idea.script and self.idea.native:
            bare = self.idea.script[0].heading or self.idea.script[0].say
        if self.idea.native and bare and (brief or self.told or self.genre == "lesson"):
            return self.words.capital(
                shorten(bare, 7 if not self.words.spaceless else 10).rstrip("…。.!！ ") or bare[:40]
            )
        if not self.stage.people:
            place = next((place.label for place in self.places if place), "")
            return place or str(self.words.data["phrases"]["title_pictures"])
        slots = {"name": self.stage.people[0].name}
        things = self.stage.things + self._used_things
        if things and not self.stage.things:
            the = self.words.data["articles"] or self.words.language == "Arabic"
            return self.words.phrase("title", {**slots, "thing": things[0].the if the else things[0].label})
        return self.words.phrase("title_plain", slots)

    def _mood(self, usual: str) -> str:
        found = (
            set(re.findall(r"[a-z]+", self.idea.text.casefold()[:2000])) if self.idea.language == "English" else set()
        )
        coloured = [mood for mood, words in world()["moods"].items() if found & set(words)]
        return ", ".join(_once([*coloured[:1], usual]))


def _teacher(idea: str) -> list[Person]:
    """Who teaches, where the idea calls somebody by a title and a name."""
    found = _TITLED.search(idea)
    if not found:
        return []
    name, gender = " ".join(found[0].split()), "m" if found[1] in _MASTERS else "f"
    look = world()["heroes"]["teacher"]["look"].replace(
        "a teacher", f"a {'man' if gender == 'm' else 'woman'}, a teacher"
    )
    return [Person(name, gender, look, name)]


def _topic_shown(idea: str) -> str:
    """What a question is about, as something that can be in a picture: “How does a volcano erupt?” → a volcano erupt…"""
    first = re.split(r"[?!:;\n]|\.\s", idea)[0]
    bare = re.sub(
        r"^(?:how|why|what|when|where|who)\s+(?:(?:do|does|did|is|are|was|were|can|to|we|you)\s+)*",
        "",
        first,
        flags=re.IGNORECASE,
    )
    return shorten(bare, 10).rstrip("….?! ") or "the topic"


def _once(names: object) -> list[str]:
    return list(dict.fromkeys(names))  # type: ignore[call-overload]


def _unique(items: Sequence[_Labelled]) -> list[_Labelled]:
    found: dict[str, _Labelled] = {}
    for item in items:
        found.setdefault(item.label, item)
    return list(found.values())


def _and(names: Sequence[str]) -> str:
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def _fill_english(template: str, slots: Mapping[str, str]) -> str:
    return re.sub(r"\{(\w+)\}", lambda m: slots.get(m[1], ""), template)
