"""Storyboards by an instruction-tuned language model with constrained decoding.

At each token a grammar (xgrammar) masks all tokens that a schema of `pipelines.text.llm_writer.output_schema` does not
allow. So any weights, however small, give a complete storyboard; better weights give a better story.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self, cast

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from pipelines.base import BadInput, Device, Kind, MemoryMode, MissingDependency, ModelSpec, Params, Report
from pipelines.models import weights
from pipelines.step_params import WriteParams
from pipelines.storyboard import Storyboard, StoryboardElement, StoryboardScene
from pipelines.text.llm_writer import output_schema

if TYPE_CHECKING:
    from pipelines.text.llm_writer.prompt import PromptTemplate

MAX_SOURCE_TOKENS = 6000
"""Maximum number of tokens of the idea and of a page, each; the writer truncates longer text."""
CONTEXT_SCENES = 10
"""Number of preceding scenes that each prompt repeats."""


class LlmWriterOptions(BaseModel):
    """`options` of the model in models.yaml."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    temperature: float = Field(0.7, gt=0, le=2)
    top_p: float = Field(0.8, gt=0, le=1)
    top_k: int = Field(20, ge=0)
    max_context_tokens: int = Field(40_960, ge=256, description="Maximum tokens of prompt and answer together.")
    max_source_tokens: int = Field(
        MAX_SOURCE_TOKENS, ge=16, description="Maximum tokens of the idea and of a page, each."
    )
    scenes_per_call: int = Field(5, ge=1, le=20, description="Scenes per generation call.")
    bits: Literal[16, 8] = Field(16, description="Bits per weight. torchao quantizes to 8, also after out-of-memory.")
    text_limits: output_schema.TextLimits = output_schema.TextLimits()

    @classmethod
    def from_spec(cls, spec: ModelSpec) -> Self:
        """Parse the options of `spec`. Raises BadInput with the path of the invalid option."""
        try:
            return cls.model_validate(dict(spec.options))
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            place = ".".join(str(part) for part in first["loc"])
            raise BadInput(f"models.{spec.name}.options.{place}", first["msg"]) from error


class LlmWriter:
    """Family for `write`: any causal language model of transformers with a chat template. Weights: `model`.

    The model does not see input images; the prompt gives only their light and format. The text of a page stands between
    tags, as data.
    """

    name: ClassVar[str] = "llm-writer"
    version: ClassVar[str] = "1"
    params: ClassVar[Mapping[Kind, type[Params]]] = {Kind.WRITE: WriteParams}
    memory_modes: ClassVar[tuple[MemoryMode, ...]] = (MemoryMode.GROUP_OFFLOAD, MemoryMode.INT8)

    def __init__(self, model: ChatModel, options: LlmWriterOptions) -> None:
        self._model: ChatModel | None = model
        self._options = options

    @classmethod
    def load(cls, spec: ModelSpec, device: Device) -> Self:
        options = LlmWriterOptions.from_spec(spec)
        return cls(ChatModel.load(weights.verified_folder(spec), options, device), options)

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
        write_params = cast(WriteParams, params)
        assert self._model is not None
        writer = StoryboardWriter(write_params, self._model, self._options, report, seed)
        board = writer.write(inputs.get("page", ()), inputs.get("images", ()))
        path = out / "storyboard.json"
        path.write_text(json.dumps(board.model_dump(mode="json"), ensure_ascii=False, indent=1) + "\n", "utf-8")
        report.progress(1.0, f"{len(board.scenes)} scenes")
        return [path]

    def close(self) -> None:
        self._model = None


@dataclass(slots=True)
class ChatModel:
    """Language model with its tokenizer: generates JSON of a schema from a conversation."""

    model: Any
    tokenizer: Any
    compiler: Any
    options: LlmWriterOptions
    device: Device

    @classmethod
    def load(cls, folder: Path, options: LlmWriterOptions, device: Device) -> Self:
        """Load the model from verified files. Raises BadInput if the tokenizer has no chat template."""
        import xgrammar
        from transformers import AutoTokenizer

        local: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}
        tokenizer = AutoTokenizer.from_pretrained(folder, **local)
        if tokenizer.chat_template is None:
            raise BadInput("weights", "the tokenizer has no chat template; choose an instruction-tuned model.")
        model = _load_model(folder, local, options, device)
        stop_token_ids = model.generation_config.eos_token_id or tokenizer.eos_token_id
        info = xgrammar.TokenizerInfo.from_huggingface(
            tokenizer, vocab_size=model.config.vocab_size, stop_token_ids=stop_token_ids
        )
        compiler = xgrammar.GrammarCompiler(info, max_threads=max(1, device.threads))
        return cls(model, tokenizer, compiler, options, device)

    @property
    def special_tokens(self) -> Iterable[str]:
        """Return the tokens that the model reads as control tokens."""
        return (*self.tokenizer.all_special_tokens, *self.tokenizer.get_added_vocab())

    def truncate(self, text: str) -> str:
        """Return the first `max_source_tokens` tokens of `text`; `text` itself if it is shorter."""
        # Few tokens are longer than 32 characters: the limit spares tokenizing a megabyte of text.
        text = text[: self.options.max_source_tokens * 32]
        tokens = self.tokenizer(text, add_special_tokens=False)["input_ids"]
        if len(tokens) <= self.options.max_source_tokens:
            return text
        return str(self.tokenizer.decode(tokens[: self.options.max_source_tokens], skip_special_tokens=True)).rstrip(
            "\ufffd"
        )

    def remaining_tokens(self, messages: Sequence[Mapping[str, str]]) -> int:
        """Return how many tokens the context window leaves after this conversation."""
        longest = getattr(self.model.config, "max_position_embeddings", self.options.max_context_tokens)
        return min(int(longest), self.options.max_context_tokens) - int(
            self._apply_chat_template(messages)["input_ids"].shape[1]
        )

    def generate(self, messages: Sequence[Mapping[str, str]], schema: output_schema.Schema, seed: int) -> Any:
        """Generate an answer to `messages` that is valid against `schema`.

        The caller ensures that it fits the context window.
        """
        import torch
        from xgrammar.contrib.hf import LogitsProcessor

        grammar = self.compiler.compile_json_schema(json.dumps(schema), any_whitespace=False)
        tokens = self._apply_chat_template(messages)
        begin = tokens["input_ids"].shape[1]
        with _seeded_rng(seed, self.device), torch.inference_mode():
            output = self.model.generate(
                **tokens,
                logits_processor=[LogitsProcessor(grammar)],
                max_new_tokens=output_schema.max_bytes(schema) + 1,
                do_sample=True,
                temperature=self.options.temperature,
                top_p=self.options.top_p,
                top_k=self.options.top_k,
                pad_token_id=self.tokenizer.pad_token_id or self.tokenizer.eos_token_id,
            )
        return json.loads(self.tokenizer.decode(output[0, begin:], skip_special_tokens=True))

    def _apply_chat_template(self, messages: Sequence[Mapping[str, str]]) -> Any:
        tokens = self.tokenizer.apply_chat_template(
            list(messages),
            add_generation_prompt=True,
            enable_thinking=False,  # for templates of reasoning models; others ignore it
            return_tensors="pt",
            return_dict=True,
        )
        return tokens.to(self.model.device)


class StoryboardWriter:
    """Writer of one storyboard: first the plan, then the scenes in batches."""

    def __init__(
        self, params: WriteParams, model: ChatModel, options: LlmWriterOptions, report: Report, seed: int
    ) -> None:
        from pipelines.text.llm_writer.prompt import PromptTemplate

        self._params, self._model, self._options, self._report, self._seed = params, model, options, report, seed
        self._prompt: PromptTemplate = PromptTemplate(params.language, model.special_tokens)

    def write(self, pages: Sequence[Path], images: Sequence[Path]) -> Storyboard:
        """Write the storyboard. Raises BadInput if all sources are empty, or if they exceed the context window."""
        count = len(images) or self._params.scene_count
        messages = self._first_messages(pages, images, count)
        schema = output_schema.cast_schema(self._params, self._options.text_limits)
        self._report.progress(0.05, "planning the story")
        plan = self._model.generate(self._require_context_fit(messages, schema), schema, self._seed)
        # The plan repeats names of the client, which may hold control tokens.
        messages.append({"role": "assistant", "content": self._prompt.sanitize(json.dumps(plan, ensure_ascii=False))})
        elements = {
            "characters": _merge_elements(self._params.characters, plan.get("characters", ())),
            "locations": _merge_elements(self._params.locations, plan.get("locations", ())),
            "objects": _merge_elements(self._params.objects, plan.get("objects", ())),
        }
        names = {role: [one.name for one in those] for role, those in elements.items()}
        board = Storyboard(
            title=self._params.title or plan["title"].strip(),
            description=plan["description"].strip(),
            style=plan["style"].strip(),
            mood=plan["mood"],
            **elements,
            scenes=tuple(self._write_scenes(messages, names, count)),
        )
        if found := detect_wrong_language(board, self._params):
            self._report.warn(f"The story appears to be in {found}, not in {self._params.language}. Try another seed.")
        return board

    def _first_messages(self, pages: Sequence[Path], images: Sequence[Path], count: int | None) -> list[dict[str, str]]:
        from pipelines.text.template_writer.text_utils import clean_text

        idea = self._truncate_input("idea", clean_text(self._params.idea))
        page = self._truncate_input("page", _page_text(pages[0])) if pages else ""
        image_descriptions = _describe_images(images)
        if not (idea or page or image_descriptions):
            raise BadInput(
                "idea", "is empty, and so are page and images.", "Write a sentence: who, where, what happens?"
            )
        if image_descriptions:
            self._report.warn(
                "The writer does not see the input images. It uses the idea and the light and format of each image."
            )
        task = self._prompt.render_task(self._params, idea, page, image_descriptions, count)
        return [{"role": "system", "content": self._prompt.render("system")}, {"role": "user", "content": task}]

    def _truncate_input(self, what: str, text: str) -> str:
        short = self._model.truncate(text)
        if len(short) < len(text):
            self._report.warn(f"The {what} is too long. The writer used its first {len(short)} characters.")
        return short

    def _write_scenes(
        self, messages: Sequence[dict[str, str]], names: Mapping[str, Sequence[str]], count: int | None
    ) -> Iterator[StoryboardScene]:
        """Yield the scenes, in batches of as many as fit. Each prompt has the plan and the latest scenes."""
        previous_scenes: list[str] = []
        while not previous_scenes or (count and len(previous_scenes) < count):
            first = len(previous_scenes) + 1
            wanted = (
                min(count - len(previous_scenes), self._options.scenes_per_call) if count else output_schema.MAX_SCENES
            )
            schema, conversation = self._next_request(messages, names, previous_scenes, wanted, count)
            self._report.progress(
                0.2 + 0.75 * len(previous_scenes) / (count or output_schema.MAX_SCENES), f"writing scene {first}"
            )
            for scene in map(_parse_scene, self._model.generate(conversation, schema, self._seed + first)["scenes"]):
                previous_scenes.append(f"{len(previous_scenes) + 1}. {scene.narration or scene.image_description}")
                yield scene

    def _next_request(
        self,
        messages: Sequence[dict[str, str]],
        names: Mapping[str, Sequence[str]],
        previous_scenes: Sequence[str],
        wanted: int,
        count: int | None,
    ) -> tuple[output_schema.Schema, list[dict[str, str]]]:
        """Return schema and conversation for the largest batch, up to `wanted` scenes, whose longest form fits."""
        for most in range(wanted, 0, -1):
            fewest = most if count else min(output_schema.MIN_SCENES, most)
            schema = output_schema.scenes_schema(
                self._params, **names, limits=self._options.text_limits, count=(fewest, most)
            )
            last = len(previous_scenes) + most if count else None
            instruction = self._prompt.render_next_scenes(
                len(previous_scenes) + 1, last, previous_scenes[-CONTEXT_SCENES:]
            )
            conversation = [*messages, {"role": "user", "content": instruction}]
            if most == 1 or self._model.remaining_tokens(conversation) > output_schema.max_bytes(schema):
                break
        return schema, self._require_context_fit(conversation, schema)

    def _require_context_fit(
        self, messages: list[dict[str, str]], schema: output_schema.Schema
    ) -> list[dict[str, str]]:
        """Return `messages`. Raises BadInput if the longest answer might exceed the context window."""
        if self._model.remaining_tokens(messages) <= output_schema.max_bytes(schema):
            raise BadInput(
                "idea",
                "is, together with the other inputs, too long for this writer.",
                "Shorten it, or choose a writer with a longer context window.",
            )
        return messages


def detect_wrong_language(board: Storyboard, params: WriteParams) -> str | None:
    """Return the language that the story appears to be in, if it differs from the requested one, else None."""
    from pipelines.text.template_writer.text_utils import guess_language

    texts = [scene.narration for scene in board.scenes] if params.narrated else [board.description]
    found = guess_language(" ".join(texts), params.language)
    return None if found == params.language else found


def _merge_elements(
    user_elements: Iterable[Any], generated: Iterable[Mapping[str, str]]
) -> tuple[StoryboardElement, ...]:
    """Return the client's elements, then the generated ones, each name once. The client's descriptions win."""
    described = {one["name"].strip(): one["description"].strip() for one in reversed(list(generated))}
    known = {one.name: one.description or described.get(one.name.strip(), "") for one in user_elements}
    added = {name: looks for name, looks in reversed(described.items()) if name not in {n.strip() for n in known}}
    return tuple(StoryboardElement(name=name, description=looks) for name, looks in {**known, **added}.items())


def _parse_scene(data: Mapping[str, Any]) -> StoryboardScene:
    return StoryboardScene(
        name=data["name"].strip(),
        image_description=data["image_description"].strip(),
        narration=data.get("narration", "").strip(),
        camera_movement=data["camera_movement"],
        characters=tuple(dict.fromkeys(data.get("characters", ()))),
        location=data.get("location"),
        objects=tuple(dict.fromkeys(data.get("objects", ()))),
    )


def _page_text(path: Path) -> str:
    """Return title, description and text of a parsed page. Raises BadInput for any other file."""
    from pipelines.text.template_writer.text_utils import clean_text

    try:
        page = json.loads(path.read_text("utf-8"))
        parts = [clean_text(str(page.get(key) or "")) for key in ("title", "description", "text")]
    except (ValueError, AttributeError) as error:
        raise BadInput("page", "is no parsed page.") from error
    return "\n".join(dict.fromkeys(filter(None, parts)))


def _describe_images(images: Sequence[Path]) -> list[str]:
    from pipelines.text.template_writer.image_mood import analyze_image

    descriptions = []
    for number, path in enumerate(images):
        try:
            descriptions.append(analyze_image(path).description)
        except OSError as error:
            raise BadInput(f"images[{number}]", "the image cannot be read.", "Send PNG, JPEG or WebP.") from error
    return descriptions


def _load_model(folder: Path, local: Mapping[str, Any], options: LlmWriterOptions, device: Device) -> Any:
    """Load the network for its device: complete, with layers offloaded to main memory, or with int8 weights."""
    import torch
    from transformers import AutoModelForCausalLM

    from pipelines.diffusion.loading import torch_device

    torch_place = torch_device(device)
    common: dict[str, Any] = {
        **local,
        "use_safetensors": True,
        "dtype": torch.float32 if device.kind == "cpu" else torch.bfloat16,
    }
    if options.bits == 8 or device.memory_mode >= MemoryMode.INT8:
        return _quantize_int8(AutoModelForCausalLM.from_pretrained(folder, **common)).to(torch_place).eval()
    if device.memory_mode >= MemoryMode.GROUP_OFFLOAD and device.kind == "cuda":
        free, _ = torch.cuda.mem_get_info(torch_place)
        # Half of the free memory: the rest is for activations and the KV cache. Main memory takes the remaining layers.
        max_memory: dict[int | str, int] = {device.index: free // 2, "cpu": 1 << 44}
        return AutoModelForCausalLM.from_pretrained(folder, device_map="auto", max_memory=max_memory, **common).eval()
    return AutoModelForCausalLM.from_pretrained(folder, **common).to(torch_place).eval()


def _quantize_int8(model: Any) -> Any:
    from pipelines.diffusion.acceleration import TORCHAO_HINT

    try:
        from torchao.quantization import Int8WeightOnlyConfig, quantize_
    except ImportError as error:
        raise MissingDependency(TORCHAO_HINT) from error
    quantize_(model, Int8WeightOnlyConfig())
    return model


@contextmanager
def _seeded_rng(seed: int, device: Device) -> Iterator[None]:
    """Seed torch's RNG and limit its threads inside the block; restore both afterwards."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(max(1, device.threads))
    try:
        with torch.random.fork_rng([device.index] if device.kind == "cuda" else []):
            torch.manual_seed(seed % (1 << 63))
            yield
    finally:
        torch.set_num_threads(threads)
