"""The kinds of steps: parameters, inputs and outputs, and the contract of each kind.

Inputs are files whose names mean nothing; their role says what they are, and the order within a role is part of the
meaning.

Images are PNG, RGB, 8 bit. Audio is WAV, 48 kHz unless stated otherwise. Video is H.264 in MP4. JSON is UTF-8.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import Literal, NamedTuple

from pydantic import Field

from pipelines.base import Kind, Params

Language = Literal[
    "Arabic", "Chinese", "English", "French", "German", "Hindi", "Japanese", "Korean", "Spanish", "Turkish"
]
LANGUAGES: tuple[Language, ...] = (
    "Arabic", "Chinese", "English", "French", "German", "Hindi", "Japanese", "Korean", "Spanish", "Turkish",
)  # fmt: skip

Strictness = Literal["normal", "liberal"]
Role = Literal["character", "location", "object", "shared", "turn"]
Transition = Literal["dissolve", "dip", "wipe", "match"]
Pixels = Field(ge=16, le=8192)


class NamedElement(Params):
    """A character, location or object that the client named before the storyboard."""

    name: str
    description: str = ""


class CheckTextParams(Params):
    """Check texts. `texts`: (field in the client's request, text). Output `check.json`: `{"checked_by", "verdicts":
    {field: "passed"}}`. Raises ContentRejected for the first rejected field of the most serious category."""

    texts: tuple[tuple[str, str], ...] = ()
    strictness: Strictness = "normal"


class CheckImageParams(Params):
    """Check images. Input `image` (1..n). Output `check.json`: `{"checked_by", "verdicts": {field: "passed"},
    "scores": [0..1 per image]}`. Raises ContentRejected with `field`."""

    field: str = Field(description="What the client would change, as the client named it.")
    strictness: Strictness = "normal"


class SampleFramesParams(Params):
    """Take frames of a clip, spread over its length. Input `clip` (1). Output `frame-1.png` …: at most `frames`,
    upright, at most 512 pixels on the longer side."""

    frames: int = Field(5, ge=1, le=50)


class SanitizeImageParams(Params):
    """Re-encode a picture of the client, so that only its pixels remain. Input `image` (1 PNG, JPEG or WebP of any
    size). Output `image.png`: upright, RGB; cropped around the middle and scaled to exactly `width` × `height` if
    those are given."""

    width: int | None = Field(None, ge=16, le=8192)
    height: int | None = Field(None, ge=16, le=8192)


class ReadParams(Params):
    """Extract the text of a saved web page. Input `page` (1 HTML or plain text file). Output `page.json`: `{"url",
    "title", "description", "headings": [...], "text", "pictures": [...], "captions": [...]}`; `pictures`:
    absolute URLs, not fetched; `captions`: the page's caption of each, or ""."""

    url: str = Field("", description="Where the page came from; kept for the record.")


class WriteParams(Params):
    """Write a storyboard. Inputs: `page` (0..1 page.json), `images` (0..n pictures of the client, one scene each).
    Output `storyboard.json`: a `pipelines.storyboard.Storyboard`."""

    idea: str
    language: Language = "English"
    scene_count: int | None = Field(None, ge=1, le=100, description="None: the writer chooses 2..6.")
    title: str = ""
    narrated: bool = True
    characters: tuple[NamedElement, ...] = ()
    locations: tuple[NamedElement, ...] = ()
    objects: tuple[NamedElement, ...] = ()


class EncodePromptParams(Params):
    """Encode a prompt. Output `prompt_embeds.safetensors`: the tensors that the model's pipeline takes instead of a
    prompt, by argument name."""

    prompt: str


class ImageParams(Params):
    """The parameters of every step that generates an image. `prompt` is the complete prompt for a diffusion model;
    the other fields hold its parts, for families that compose an image. Models that encode prompts in a separate
    step get its output as the input `prompt_embeds` (0..1)."""

    prompt: str
    width: int = Pixels
    height: int = Pixels
    style: str = ""
    setting: str = ""

    def full_prompt(self) -> str:
        """Return the prompt for a diffusion model."""
        return self.prompt


class PortraitParams(ImageParams):
    """Generate the portrait of a character in one state. Inputs: `reference` (0..1 picture of the client), `base`
    (0..1 portrait.png of the base look, for a state), `base_figure` (`figure*` of the base look). Outputs:
    `portrait.png`, `figure*` (data of the family for its keyframes, with the character and state in it)."""

    name: str
    appearance: str = ""
    state: str | None = None
    state_appearance: str = ""


class ElementParams(ImageParams):
    """Generate the reference picture of a location or an object. Input `reference` (0..1). Outputs: `element.png`,
    `figure*`."""

    role: Literal["location", "object"]
    name: str
    description: str = ""


class Reference(Params):
    """The content of one image of the role `references`, at the same position."""

    role: Role
    name: str = ""
    state: str | None = None
    description: str = ""


class CastMember(Params):
    """A character in a scene, its state (None: base look), and its appearance as text."""

    name: str
    state: str | None = None
    appearance: str = ""


class KeyframeParams(ImageParams):
    """Generate the picture of a scene. Inputs: `references` (images, described by `references`), `figures`
    (`figure*` of all characters and elements of the scene), `previous_context` (0..1 context.json of an earlier
    scene). Outputs: `keyframe.png`, `context.json` (the conversation with this turn appended:
    `pipelines.media.conversation`), `layer*` (`layers.json` and RGBA images, from families that know the depth:
    `pipelines.media.layers`)."""

    scene_text: str = Field(description="The scene's own words.")
    number: int = Field(ge=1, description="Which scene of the story, from 1.")
    references: tuple[Reference, ...] = ()
    max_references: int | None = Field(
        None,
        ge=1,
        description="How many pictures the model sees; what is beyond lies on one sheet in the last. None: all.",
    )
    characters: tuple[CastMember, ...] = ()
    location: str = ""
    location_description: str = ""
    objects: tuple[NamedElement, ...] = ()


class EnhanceParams(Params):
    """Add detail at the same pixel size. Input `image` (1). Output `image.png`."""


class NarrateParams(Params):
    """Synthesize speech. Input `voice_sample` (0..1 recording of the voice, any audio file; it replaces `narrator`).
    Outputs: `narration.wav` (mono, any rate; at most 0.1 s of silence at either end) and `word_timings.json`:
    `{"seconds": float, "words": [{"text": str, "start": s, "end": s}, …]}`. Each word keeps its trailing spaces
    and punctuation, so that the joined words are the text."""

    text: str = Field(min_length=1)
    language: Language = "English"
    narrator: str = "Rachel"


class SceneDuration(Params):
    """The requested length of a scene: `seconds` without narration; with narration that of the speech plus `pause`;
    with `has_clip` that of the client's clip."""

    seconds: float = Field(gt=0, le=600)
    narrated: bool = False
    has_clip: bool = False
    transition: float = Field(0.0, ge=0, le=5, description="Length of the transition to the next scene; 0: a cut.")


class ScheduleParams(Params):
    """Turn measured lengths into exact frames. Inputs: `word_timings` (of the narrated scenes, in order), `clips`
    (the client's clips, in order). Outputs: `timeline.json` (`pipelines.media.timeline.Timeline`) and
    `scene-001.json` … (`SceneTiming`), the part on which one scene depends."""

    fps: int = Field(24, ge=1, le=120)
    scenes: tuple[SceneDuration, ...] = Field(min_length=1)
    pause: float = Field(0.5, ge=0, le=10, description="Seconds of quiet in a narrated scene, around its speech.")
    end_padding: float = Field(
        0.0, ge=0, le=10, description="Seconds more after the film's last word, if its last scene is narrated."
    )


class VideoParams(Params):
    """The frame size and rate of every part of the film."""

    width: int = Pixels
    height: int = Pixels
    fps: int = Field(24, ge=1, le=120)


class AnimateParams(VideoParams):
    """Generate a clip from a keyframe. Inputs: `keyframe` (1), `layers` (the keyframe's `layer*`), `timing` (1
    scene-NNN.json), `references` (portraits of the scene's characters, for models that take them),
    `prompt_embeds` (0..1). Output `clip.mp4`: any size and rate, at least as long as the timing, with sound only
    if `native_audio`."""

    prompt: str = ""
    camera: str = Field("", description="Camera work in free words: slow push in, pan left, static …")
    loop: int = Field(1, ge=1, le=6, description="The motion is repeated so often within the scene.")
    native_audio: bool = False

    def full_prompt(self) -> str:
        """Return the prompt for a video model."""
        return f"{self.prompt} Camera: {self.camera}." if self.camera else self.prompt


class ConformParams(VideoParams):
    """Turn a clip into the film's segment between its transitions: exact frames, size, rate and colour, closed GOP.
    Inputs: `clip` (1), `timing` (1), `subtitles` (0..1 scene-NNN.ass to burn in). Output `segment.mp4`, at least
    one frame."""

    letterbox: bool = Field(
        False,
        description="A clip of another shape is shown whole, with black beside it; else it is cut to fill the frame.",
    )


class TransitionParams(VideoParams):
    """Render a transition. Inputs: `clips` (2: before, after), `timings` (2), `subtitles` (0 or 2). Output
    `transition.mp4`: a segment as long as the overlap of the two clips."""

    transition: Transition = "dissolve"


class ScoreParams(Params):
    """Compose the music. Input `timeline` (1). Output `music.wav`: stereo, as long as the film."""

    mood: str = Field("", description="Mood words of the story: calm, energetic, tender …")
    prompt: str = Field("", description="What the story is about, for models that compose from words.")


class SubtitleParams(Params):
    """Turn word timings into subtitles. Inputs: `word_timings` (of the narrated scenes, in order), `timeline` (1).
    Outputs: `subtitles.srt`, `subtitles.ass` (whole film), `scene-001.ass` … (times within the scene's clip, for
    burning in)."""

    language: Language = "English"
    width: int = Pixels
    height: int = Pixels


class MixParams(Params):
    """Mix all sound into one track as long as the film. Inputs: `narrations` (of the narrated scenes, in order),
    `music` (0..1), `clips` (clips with sound, in the order of `native_audio_scenes`), `timeline` (1), `audio`
    (0..n files laid over the film). Outputs: `sound.wav` (48 kHz stereo, −16 LUFS, true peak ≤ −1 dBTP),
    `sound.m4a` (the same as AAC)."""

    loudness: float = Field(-16.0, ge=-40, le=-8, description="Integrated loudness in LUFS.")
    ducking_db: float = Field(12.0, ge=0, le=40, description="How many dB the music sinks under speech.")
    native_audio_scenes: tuple[int, ...] = Field(
        (), description="Numbers of the scenes (from 1) whose clips bring sound."
    )


class ComposeParams(VideoParams):
    """Join segments, sound and subtitles into the film. Inputs: `segments` (of scenes and transitions, in order),
    `timeline` (1), `sound` (0..1, AAC), `subtitles` (0..1 SRT for a soft track). Output `film.mp4`: faststart;
    read back and compared with its segments."""

    title: str = ""
    language: Language = "English"
    comment: str = Field("", description="What made the film, written into its metadata.")


class OutputName(StrEnum):
    """The file names of outputs. A name with `*` is a pattern for several files."""

    CHECK = "check.json"
    IMAGE = "image.png"
    FRAMES = "frame-*"
    PAGE = "page.json"
    STORYBOARD = "storyboard.json"
    PROMPT_EMBEDS = "prompt_embeds.safetensors"
    PORTRAIT = "portrait.png"
    ELEMENT = "element.png"
    FIGURE = "figure*"
    KEYFRAME = "keyframe.png"
    CONTEXT = "context.json"
    LAYERS = "layer*"
    NARRATION = "narration.wav"
    WORD_TIMINGS = "word_timings.json"
    TIMELINE = "timeline.json"
    SCENE_TIMINGS = "scene-*.json"
    CLIP = "clip.mp4"
    SEGMENT = "segment.mp4"
    TRANSITION = "transition.mp4"
    MUSIC = "music.wav"
    SUBTITLES_SRT = "subtitles.srt"
    SUBTITLES_ASS = "subtitles.ass"
    SCENE_SUBTITLES = "scene-*.ass"
    SOUND_WAV = "sound.wav"
    SOUND_AAC = "sound.m4a"
    FILM = "film.mp4"

    def of_scene(self, number: int) -> str:
        """Return the file of scene `number`, from 0, for a pattern of files per scene."""
        return self.replace("*", f"{number + 1:03d}")


class Count(NamedTuple):
    """How many sources an input role takes; `maximum` None: no limit."""

    minimum: int
    maximum: int | None

    def allows(self, sources: int) -> bool:
        """Return whether a step may have that many sources."""
        return self.minimum <= sources and (self.maximum is None or sources <= self.maximum)

    def __str__(self) -> str:
        return f"{self.minimum}..{'n' if self.maximum is None else self.maximum}"


ONE, OPTIONAL, ANY, SOME, TWO, UP_TO_TWO = (
    Count(1, 1),
    Count(0, 1),
    Count(0, None),
    Count(1, None),
    Count(2, 2),
    Count(0, 2),
)

TaskGroup = Literal["text", "image", "video", "speech", "music", "assembly"]
"""Groups of kinds by what their models do."""
Stage = Literal["elements", "scenes", "film"]
"""The steps of the Story API that show outputs to the client."""


@dataclass(frozen=True, slots=True)
class StepContract:
    """What the engine knows of a kind of step. A new kind is one entry in `CONTRACTS`."""

    params: type[Params]
    inputs: Mapping[str, Count]
    """Input roles, and how many sources each takes. A source that is a pattern counts as one."""
    outputs: tuple[OutputName, ...]
    """Files that every family writes; at least one for a pattern."""
    task_group: TaskGroup
    optional_outputs: tuple[OutputName, ...] = ()
    """Files that a family may write."""
    targets: tuple[str, ...] = ()
    """Names by which people ask for a step of this kind; the first is shown to them. Empty: the name of the kind."""
    group_targets: tuple[str, ...] = ()
    """Names by which people ask for all steps of this kind."""
    rerollable: bool = True
    """Whether a new take changes the result."""
    scene_field: str = ""
    """The field of a scene that a client changes when a step about the scene has bad input."""
    names_request_fields: bool = False
    """Whether the field in a failure is a field of the request."""
    stages: tuple[Stage, ...] = ()
    """The stages that show the outputs; empty: not shown by stage."""

    def has_output(self, name: str) -> bool:
        """Return whether `name`, a file name or a pattern, refers to outputs of this kind."""
        known = (*self.outputs, *self.optional_outputs)
        return name in known or ("*" not in name and any(fnmatchcase(name, pattern) for pattern in known))


CONTRACTS: Mapping[Kind, StepContract] = {
    Kind.CHECK_TEXT: StepContract(CheckTextParams, {}, (OutputName.CHECK,), "text", rerollable=False),
    Kind.SANITIZE_IMAGE: StepContract(SanitizeImageParams, {"image": ONE}, (OutputName.IMAGE,), "image"),
    Kind.CHECK_IMAGE: StepContract(CheckImageParams, {"image": SOME}, (OutputName.CHECK,), "image", rerollable=False),
    Kind.SAMPLE_FRAMES: StepContract(
        SampleFramesParams, {"clip": ONE}, (OutputName.FRAMES,), "assembly", rerollable=False, scene_field="clip"
    ),
    Kind.READ: StepContract(ReadParams, {"page": ONE}, (OutputName.PAGE,), "text", names_request_fields=True),
    Kind.WRITE: StepContract(
        WriteParams,
        {"page": OPTIONAL, "images": ANY},
        (OutputName.STORYBOARD,),
        "text",
        targets=("storyboard",),
        names_request_fields=True,
    ),
    Kind.ENCODE_PROMPT: StepContract(EncodePromptParams, {}, (OutputName.PROMPT_EMBEDS,), "assembly"),
    Kind.PORTRAIT: StepContract(
        PortraitParams,
        {"reference": OPTIONAL, "base": OPTIONAL, "base_figure": OPTIONAL, "prompt_embeds": OPTIONAL},
        (OutputName.PORTRAIT,),
        "image",
        optional_outputs=(OutputName.FIGURE,),
        group_targets=("portraits",),
        stages=("elements", "scenes", "film"),
    ),
    Kind.ELEMENT: StepContract(
        ElementParams,
        {"reference": OPTIONAL, "prompt_embeds": OPTIONAL},
        (OutputName.ELEMENT,),
        "image",
        optional_outputs=(OutputName.FIGURE,),
        group_targets=("elements",),
        stages=("elements", "scenes", "film"),
    ),
    Kind.KEYFRAME: StepContract(
        KeyframeParams,
        {"references": ANY, "figures": ANY, "previous_context": OPTIONAL, "prompt_embeds": OPTIONAL},
        (OutputName.KEYFRAME, OutputName.CONTEXT),
        "image",
        optional_outputs=(OutputName.LAYERS,),
        targets=("scene", "keyframe", "picture"),
        group_targets=("keyframes", "scenes"),
        scene_field="prompt",
        stages=("scenes", "film"),
    ),
    Kind.ENHANCE: StepContract(EnhanceParams, {"image": ONE}, (OutputName.IMAGE,), "image", stages=("scenes", "film")),
    Kind.NARRATE: StepContract(
        NarrateParams,
        {"voice_sample": OPTIONAL},
        (OutputName.NARRATION, OutputName.WORD_TIMINGS),
        "speech",
        targets=("narration", "voice"),
        group_targets=("narrations",),
        scene_field="narration",
        stages=("scenes", "film"),
    ),
    Kind.SCHEDULE: StepContract(
        ScheduleParams,
        {"word_timings": ANY, "clips": ANY},
        (OutputName.TIMELINE, OutputName.SCENE_TIMINGS),
        "assembly",
    ),
    Kind.ANIMATE: StepContract(
        AnimateParams,
        {"keyframe": ONE, "timing": ONE, "layers": ANY, "references": ANY, "prompt_embeds": OPTIONAL},
        (OutputName.CLIP,),
        "video",
        targets=("clip",),
        group_targets=("clips",),
        stages=("film",),
    ),
    Kind.CONFORM: StepContract(
        ConformParams, {"clip": ONE, "timing": ONE, "subtitles": OPTIONAL}, (OutputName.SEGMENT,), "assembly"
    ),
    Kind.TRANSITION: StepContract(
        TransitionParams,
        {"clips": TWO, "timings": TWO, "subtitles": UP_TO_TWO},
        (OutputName.TRANSITION,),
        "video",
        targets=("transition",),
    ),
    Kind.SCORE: StepContract(ScoreParams, {"timeline": ONE}, (OutputName.MUSIC,), "music", targets=("music", "score")),
    Kind.SUBTITLE: StepContract(
        SubtitleParams,
        {"word_timings": SOME, "timeline": ONE},
        (OutputName.SUBTITLES_SRT, OutputName.SUBTITLES_ASS, OutputName.SCENE_SUBTITLES),
        "assembly",
        targets=("subtitles",),
    ),
    Kind.MIX: StepContract(
        MixParams,
        {"timeline": ONE, "narrations": ANY, "music": OPTIONAL, "clips": ANY, "audio": ANY},
        (OutputName.SOUND_WAV, OutputName.SOUND_AAC),
        "assembly",
        targets=("audio",),
    ),
    Kind.COMPOSE: StepContract(
        ComposeParams,
        {"segments": SOME, "timeline": ONE, "sound": OPTIONAL, "subtitles": OPTIONAL},
        (OutputName.FILM,),
        "assembly",
        targets=("film",),
        stages=("film",),
    ),
}
"""The contract of each kind of step."""
