"""Storyboards by an instruct model: a language model that can only write what is a storyboard.

At each token a grammar (xgrammar) leaves the model nothing but what a schema of `pipelines.text.llm_writer.output_schema` allows. So any weights,
however small, give a whole storyboard; what better weights add is a better story.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self, cast

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from pipelines.base import BadInput, Device, Economy, Kind, Missing, ModelSpec, Params, Report
from pipelines.models import weights
from pipelines.step_params import WriteParams
from pipelines.storyboard import Storyboard, WrittenElement, WrittenScene
from pipelines.text.llm_writer import output_schema

if TYPE_CHECKING:
    from pipelines.text.llm_writer.prompt import Wording

MATERIAL = 6000
"""Tokens of the idea and of a page, each: what is longer is cut. A hundred scenes need no more."""
REMEMBERED = 10
"""So many scenes before those that are being written are shown again."""


class Options(BaseModel):
    """`options` in models.yaml."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    temperature: float = Field(0.7, gt=0, le=2)
    top_p: float = Field(0.8, gt=0, le=1)
    top_k: int = Field(20, ge=0)
    context: int = Field(40_960, ge=256, description="Tokens that are read and written at once, at most.")
    material: int = Field(MATERIAL, ge=16, description="Tokens of the idea and of a page, each, that are read.")
    at_once: int = Field(5, ge=1, le=20, description="Scenes that are written in one go.")
    bits: Literal[16, 8] = Field(16, description="Of the weights: 8 by torchao, also when memory ran out.")
    lengths: output_schema.Lengths = output_schema.Lengths()

    @classmethod
    def of(cls, spec: ModelSpec) -> Self:
        """Raises BadInput naming the option that is wrong."""
        try:
            return cls.model_validate(dict(spec.options))
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            place = ".".join(str(part) for part in first["loc"])
            raise BadInput(f"models.{spec.name}.options.{place}", first["msg"]) from error


class Instruct:
    """Family for `write`: any causal language model of transformers with a chat template. Weights: `model`.

    Given pictures are not seen, only their light and format are told to the model. The text of a page is material between tags."""

    name: ClassVar[str] = "llm-writer"
    version: ClassVar[str] = "1"
    params: ClassVar[Mapping[Kind, type[Params]]] = {Kind.WRITE: WriteParams}
    economies: ClassVar[tuple[Economy, ...]] = (Economy.GROUPS, Economy.QUANTIZED)

    def __init__(self, voice: Voice, options: Options) -> None:
        self._voice: Voice | None = voice
        self._options = options

    @classmethod
    def load(cls, spec: ModelSpec, device: Device) -> Self:
        options = Options.of(spec)
        return cls(Voice.load(weights.folder(spec), options, device), options)

    def run(
        self,
        kind: Kind,
        params: Params,
        inputs: Mapping[str, Sequence[Path]],
        out: Path,
        report: Report,
        *,
        seed: int,
    ) -> Iterable[Path]:
        asked = cast(WriteParams, params)
        assert self._voice is not None
        story = Writing(asked, self._voice, self._options, report, seed)
        board = story.write(inputs.get("page", ()), inputs.get("pictures", ()))
        path = out / "storyboard.json"
        path.write_text(json.dumps(board.model_dump(mode="json"), ensure_ascii=False, indent=1) + "\n", "utf-8")
        report.progress(1.0, f"{len(board.scenes)} scenes")
        return [path]

    def close(self) -> None:
        self._voice = None


@dataclass(slots=True)
class Voice:
    """A model with its tokenizer: a conversation in, JSON of a schema out."""

    model: Any
    tokenizer: Any
    compiler: Any
    options: Options
    device: Device

    @classmethod
    def load(cls, folder: Path, options: Options, device: Device) -> Self:
        """From verified files. Raises BadInput for weights that are no chat model."""
        import xgrammar
        from transformers import AutoTokenizer

        local: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}
        tokenizer = AutoTokenizer.from_pretrained(folder, **local)
        if tokenizer.chat_template is None:
            raise BadInput("weights", "these are of no model that follows instructions: they have no chat template.")
        model = _placed(folder, local, options, device)
        ends = model.generation_config.eos_token_id or tokenizer.eos_token_id
        info = xgrammar.TokenizerInfo.from_huggingface(
            tokenizer, vocab_size=model.config.vocab_size, stop_token_ids=ends
        )
        compiler = xgrammar.GrammarCompiler(info, max_threads=max(1, device.threads))
        return cls(model, tokenizer, compiler, options, device)

    @property
    def signs(self) -> Iterable[str]:
        """What this model reads as more than letters."""
        return (*self.tokenizer.all_special_tokens, *self.tokenizer.get_added_vocab())

    def shortened(self, text: str) -> str:
        """The beginning of a text, as much as is read; the text itself where it is short."""
        text = text[: self.options.material * 32]  # hardly a token is longer, and nobody needs a megabyte tokenized
        tokens = self.tokenizer(text, add_special_tokens=False)["input_ids"]
        if len(tokens) <= self.options.material:
            return text
        return str(self.tokenizer.decode(tokens[: self.options.material], skip_special_tokens=True)).rstrip("\ufffd")

    def room(self, messages: Sequence[Mapping[str, str]]) -> int:
        """How many tokens may follow this conversation."""
        longest = getattr(self.model.config, "max_position_embeddings", self.options.context)
        return min(int(longest), self.options.context) - int(self._tokens(messages)["input_ids"].shape[1])

    def answer(self, messages: Sequence[Mapping[str, str]], schema: output_schema.Schema, seed: int) -> Any:
        """What the model says to this, always of the schema. The caller sees to it that it fits into the room."""
        import torch
        from xgrammar.contrib.hf import LogitsProcessor

        grammar = self.compiler.compile_json_schema(json.dumps(schema), any_whitespace=False)
        tokens = self._tokens(messages)
        begin = tokens["input_ids"].shape[1]
        with _dice(seed, self.device), torch.inference_mode():
            said = self.model.generate(
                **tokens,
                logits_processor=[LogitsProcessor(grammar)],
                max_new_tokens=output_schema.longest(schema) + 1,
                do_sample=True,
                temperature=self.options.temperature,
                top_p=self.options.top_p,
                top_k=self.options.top_k,
                pad_token_id=self.tokenizer.pad_token_id or self.tokenizer.eos_token_id,
            )
        return json.loads(self.tokenizer.decode(said[0, begin:], skip_special_tokens=True))

    def _tokens(self, messages: Sequence[Mapping[str, str]]) -> Any:
        tokens = self.tokenizer.apply_chat_template(
            list(messages),
            add_generation_prompt=True,
            enable_thinking=False,  # known to templates of models that think aloud, nothing to others
            return_tensors="pt",
            return_dict=True,
        )
        return tokens.to(self.model.device)


class Writing:
    """One storyboard on its way: the plan first, then scene after scene."""

    def __init__(self, asked: WriteParams, voice: Voice, options: Options, report: Report, seed: int) -> None:
        from pipelines.text.llm_writer.prompt import Wording

        self._asked, self._voice, self._options, self._report, self._seed = asked, voice, options, report, seed
        self._wording: Wording = Wording(asked.language, voice.signs)

    def write(self, pages: Sequence[Path], pictures: Sequence[Path]) -> Storyboard:
        """The storyboard. Raises BadInput when there is nothing to tell, and when it does not fit into the model."""
        count = len(pictures) or self._asked.scene_count
        messages = self._opening(pages, pictures, count)
        schema = output_schema.cast(self._asked, self._options.lengths)
        self._report.progress(0.05, "planning the story")
        plan = self._voice.answer(self._fitting(messages, schema), schema, self._seed)
        # The plan repeats names that the client gave.
        messages.append({"role": "assistant", "content": self._wording.plain(json.dumps(plan, ensure_ascii=False))})
        elements = {
            "characters": _once(self._asked.characters, plan.get("characters", ())),
            "locations": _once(self._asked.locations, plan.get("locations", ())),
            "objects": _once(self._asked.objects, plan.get("objects", ())),
        }
        names = {role: [one.name for one in those] for role, those in elements.items()}
        board = Storyboard(
            title=self._asked.title or plan["title"].strip(),
            description=plan["description"].strip(),
            style=plan["style"].strip(),
            mood=plan["mood"],
            **elements,
            scenes=tuple(self._scenes(messages, names, count)),
        )
        if found := strayed(board, self._asked):
            self._report.warn(
                f"The story seems to be told in {found}, not in {self._asked.language}: another seed may help."
            )
        return board

    def _opening(self, pages: Sequence[Path], pictures: Sequence[Path], count: int | None) -> list[dict[str, str]]:
        from pipelines.text.template_writer.text_utils import tidy

        idea = self._read("idea", tidy(self._asked.idea))
        page = self._read("page", _page_text(pages[0])) if pages else ""
        looks = _looks(pictures)
        if not (idea or page or looks):
            raise BadInput(
                "idea", "there is nothing to tell a story of.", "Write a sentence: who, where, what happens?"
            )
        if looks:
            self._report.warn(
                "The writer does not see the given pictures: it tells by the idea, their light and format."
            )
        task = self._wording.task(self._asked, idea, page, looks, count)
        return [{"role": "system", "content": self._wording.say("system")}, {"role": "user", "content": task}]

    def _read(self, what: str, text: str) -> str:
        short = self._voice.shortened(text)
        if len(short) < len(text):
            self._report.warn(f"The {what} is long: its first {len(short)} characters were read.")
        return short

    def _scenes(
        self, messages: Sequence[dict[str, str]], names: Mapping[str, Sequence[str]], count: int | None
    ) -> Iterator[WrittenScene]:
        """In goes of as many as fit; each go sees the plan and the latest scenes."""
        told: list[str] = []
        while not told or (count and len(told) < count):
            first = len(told) + 1
            wanted = min(count - len(told), self._options.at_once) if count else output_schema.MOST
            schema, conversation = self._next(messages, names, told, wanted, count)
            self._report.progress(0.2 + 0.75 * len(told) / (count or output_schema.MOST), f"writing scene {first}")
            for scene in map(_scene, self._voice.answer(conversation, schema, self._seed + first)["scenes"]):
                told.append(f"{len(told) + 1}. {scene.narration or scene.image_description}")
                yield scene

    def _next(
        self,
        messages: Sequence[dict[str, str]],
        names: Mapping[str, Sequence[str]],
        told: Sequence[str],
        wanted: int,
        count: int | None,
    ) -> tuple[output_schema.Schema, list[dict[str, str]]]:
        """Schema and conversation for the most scenes, up to those wanted, whose longest form fits."""
        for most in range(wanted, 0, -1):
            fewest = most if count else min(output_schema.FEWEST, most)
            schema = output_schema.scenes(self._asked, **names, lengths=self._options.lengths, count=(fewest, most))
            last = len(told) + most if count else None
            order = self._wording.next_scenes(len(told) + 1, last, told[-REMEMBERED:])
            conversation = [*messages, {"role": "user", "content": order}]
            if most == 1 or self._voice.room(conversation) > output_schema.longest(schema):
                break
        return schema, self._fitting(conversation, schema)

    def _fitting(self, messages: list[dict[str, str]], schema: output_schema.Schema) -> list[dict[str, str]]:
        """The same messages. Raises BadInput where the longest answer to them might not end within the model's window."""
        if self._voice.room(messages) <= output_schema.longest(schema):
            raise BadInput(
                "idea",
                "is, with all that is given, too long for this writer.",
                "Shorten it, or choose a writer with more room.",
            )
        return messages


def strayed(board: Storyboard, asked: WriteParams) -> str | None:
    """The language that the story seems to be told in, when it is not the one asked for."""
    from pipelines.text.template_writer.text_utils import guess_language

    texts = [scene.narration for scene in board.scenes] if asked.narrated else [board.description]
    found = guess_language(" ".join(texts), asked.language)
    return None if found == asked.language else found


def _once(given: Iterable[Any], written: Iterable[Mapping[str, str]]) -> tuple[WrittenElement, ...]:
    """What the client named, then what the model added, each name once; the client's own descriptions stand."""
    described = {one["name"].strip(): one["description"].strip() for one in reversed(list(written))}
    known = {one.name: one.description or described.get(one.name.strip(), "") for one in given}
    added = {name: looks for name, looks in reversed(described.items()) if name not in {n.strip() for n in known}}
    return tuple(WrittenElement(name=name, description=looks) for name, looks in {**known, **added}.items())


def _scene(said: Mapping[str, Any]) -> WrittenScene:
    return WrittenScene(
        name=said["name"].strip(),
        image_description=said["image_description"].strip(),
        narration=said.get("narration", "").strip(),
        camera_movement=said["camera_movement"],
        characters=tuple(dict.fromkeys(said.get("characters", ()))),
        location=said.get("location"),
        objects=tuple(dict.fromkeys(said.get("objects", ()))),
    )


def _page_text(path: Path) -> str:
    """Title, description and text of a read page. Raises BadInput for another file."""
    from pipelines.text.template_writer.text_utils import tidy

    try:
        page = json.loads(path.read_text("utf-8"))
        parts = [tidy(str(page.get(key) or "")) for key in ("title", "description", "text")]
    except (ValueError, AttributeError) as error:
        raise BadInput("page", "the page cannot be read.") from error
    return "\n".join(dict.fromkeys(filter(None, parts)))


def _looks(pictures: Sequence[Path]) -> list[str]:
    from pipelines.text.template_writer.image_mood import look_at

    looks = []
    for number, path in enumerate(pictures):
        try:
            looks.append(look_at(path).words)
        except OSError as error:
            raise BadInput(f"pictures[{number}]", "the picture cannot be read.", "Send PNG, JPEG or WebP.") from error
    return looks


def _placed(folder: Path, local: Mapping[str, Any], options: Options, device: Device) -> Any:
    """The network on its device: whole; with layers that wait in main memory; or whole with weights of eight bits."""
    import torch
    from transformers import AutoModelForCausalLM

    from pipelines.diffusion.loading import torch_device

    place = torch_device(device)
    common: dict[str, Any] = {
        **local,
        "use_safetensors": True,
        "dtype": torch.float32 if device.kind == "cpu" else torch.bfloat16,
    }
    if options.bits == 8 or device.economy >= Economy.QUANTIZED:
        return _eight_bits(AutoModelForCausalLM.from_pretrained(folder, **common)).to(place).eval()
    if device.economy >= Economy.GROUPS and device.kind == "cuda":
        free, _ = torch.cuda.mem_get_info(place)
        # Half of what is free: the rest is for what is read and written. Main memory takes what is left.
        share: dict[int | str, int] = {device.index: free // 2, "cpu": 1 << 44}
        return AutoModelForCausalLM.from_pretrained(folder, device_map="auto", max_memory=share, **common).eval()
    return AutoModelForCausalLM.from_pretrained(folder, **common).to(place).eval()


def _eight_bits(model: Any) -> Any:
    from pipelines.diffusion.acceleration import EIGHT_BITS

    try:
        from torchao.quantization import Int8WeightOnlyConfig, quantize_
    except ImportError as error:
        raise Missing(EIGHT_BITS) from error
    quantize_(model, Int8WeightOnlyConfig())
    return model


@contextmanager
def _dice(seed: int, device: Device) -> Iterator[None]:
    """Dice for what is drawn inside, thrown so that the process's own dice are left as they lay."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(max(1, device.threads))
    try:
        with torch.random.fork_rng([device.index] if device.kind == "cuda" else []):
            torch.manual_seed(seed % (1 << 63))
            yield
    finally:
        torch.set_num_threads(threads)
