"""What each kind of step takes and makes: its parameters, the roles of its inputs, the names of its outputs.

Inputs arrive as files without meaningful names: the role says what they are. Where a role holds several files their order
is part of the meaning. A trailing `*` marks outputs that a family may leave out or make several of.

Pictures are PNG, RGB, 8 bit. Sound is WAV, 48 kHz unless said otherwise. Video is H.264 in mp4. JSON is UTF-8.
"""

from __future__ import annotations

from typing import Literal

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
    """A character, place or thing that the client named before anything was written."""

    name: str
    description: str = ""


class CheckTextParams(Params):
    """Whether texts may be told. `texts`: (field as the client named it, text). Outputs: `check.json`: `{"checked_by",
    "verdicts": {field: "passed"}}`. Raises `Rejected` naming the first field that may not, the gravest category first."""

    texts: tuple[tuple[str, str], ...] = ()
    strictness: Strictness = "normal"


class CheckImageParams(Params):
    """Whether pictures may be shown. Inputs: `image` (1..n). Outputs: `check.json`: `{"checked_by", "verdicts": {field:
    "passed"}, "scores": [0..1 per picture]}`. Raises `Rejected` naming `field`."""

    field: str = Field(description="What the client would change, as the client named it.")
    strictness: Strictness = "normal"


class SampleFramesParams(Params):
    """A few frames of a clip, spread over its length. Inputs: `clip` (1). Outputs: `frame-1.png` … (no more than `frames`, upright,
    at most 512 pixels on the longer side)."""

    frames: int = Field(5, ge=1, le=50)


class SanitizeImageParams(Params):
    """A file that came from outside → pixels that are safe to use. Inputs: `image` (1 PNG, JPEG or WebP of any size).
    Outputs: `image.png`: upright, RGB, nothing kept but the pixels; cropped to the middle and scaled to exactly `width` × `height`
    when those are given."""

    width: int | None = Field(None, ge=16, le=8192)
    height: int | None = Field(None, ge=16, le=8192)


class ReadParams(Params):
    """A saved web page → what it says. Inputs: `page` (1 HTML or plain text file). Outputs: `page.json`:
    `{"url", "title", "description", "headings": [...], "text", "pictures": [...], "captions": [...]}` (`pictures`: absolute
    addresses, not fetched; `captions`: what the page says that each shows, or "")."""

    url: str = Field("", description="Where the page came from; kept for the record.")


class WriteParams(Params):
    """Idea → storyboard. Inputs: `page` (0..1 page.json: `{url, title, description, headings, text}`), `images`
    (0..n given pictures, one scene each). Outputs: `storyboard.json`, a `pipelines.storyboard.Storyboard`."""

    idea: str
    language: Language = "English"
    scene_count: int | None = Field(None, ge=1, le=100, description="None: the writer chooses 2..6.")
    title: str = ""
    narrated: bool = True
    characters: tuple[NamedElement, ...] = ()
    locations: tuple[NamedElement, ...] = ()
    objects: tuple[NamedElement, ...] = ()


class EncodePromptParams(Params):
    """Words → what a model's text encoder makes of them. Outputs: `prompt_embeds.safetensors` (the tensors that the model's pipeline takes in
    place of words, under the pipeline's own argument names)."""

    prompt: str


class ImageParams(Params):
    """What every step that makes a picture knows. `prompt` holds all the words, wrapped and ready for a diffusion model;
    the other fields hold the same things apart, for families that build a picture from parts. Models that encode words in a
    step of their own get its output as the input `prompt_embeds` (0..1 prompt_embeds.safetensors)."""

    prompt: str
    width: int = Pixels
    height: int = Pixels
    style: str = ""
    setting: str = ""

    def full_prompt(self) -> str:
        """What a model is told that draws from words."""
        return self.prompt


class PortraitParams(ImageParams):
    """One character in one state. Inputs: `reference` (0..1 given picture of the character), `base` (0..1 portrait.png of
    the base look, for a state) and `base_figure` (the base's `figure*`). Outputs: `portrait.png`, `figure*` (whatever the
    family itself wants to find again when it makes keyframes; says itself which character and state it shows)."""

    name: str
    appearance: str = ""
    state: str | None = None
    state_appearance: str = ""


class ElementParams(ImageParams):
    """The reference picture of a location or an object. Inputs: `reference` (0..1). Outputs: `element.png`, `figure*`."""

    role: Literal["location", "object"]
    name: str
    description: str = ""


class Reference(Params):
    """What the n-th picture of the role `references` shows."""

    role: Role
    name: str = ""
    state: str | None = None
    description: str = ""


class CastMember(Params):
    """A character who is in the scene, in which state (None: base look), and how that looks in words."""

    name: str
    state: str | None = None
    appearance: str = ""


class KeyframeParams(ImageParams):
    """The picture of one scene. Inputs: `references` (pictures, as `references` describes them), `figures` (the `figure*`
    of everything on stage), `previous_context` (0..1 context.json of an earlier scene). Outputs: `keyframe.png`, `context.json`
    (the conversation so far, this Turn appended: `pipelines.media.conversation`), `layer*` (`layers.json` and RGBA pictures for
    families that know the depth: `pipelines.media.layers`)."""

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
    """Better detail at the same pixel size. Inputs: `image` (1). Outputs: `image.png`."""


class NarrateParams(Params):
    """Text → speech. Inputs: `voice_sample` (0..1 recording of the voice to speak with, any sound file; `narrator` has no say then).
    Outputs: `narration.wav` (mono, any rate; no leading or trailing silence beyond 0.1 s) and
    `word_timings.json`: `{"seconds": float, "words": [{"text": str, "start": s, "end": s}, …]}`; joined by the separators of
    the text (which each word keeps: trailing spaces and punctuation are part of `text`) the words give the text back."""

    text: str = Field(min_length=1)
    language: Language = "English"
    narrator: str = "Rachel"


class SceneDuration(Params):
    """How long one scene is wished to be: `seconds` without narration; with narration the speech decides (plus `pause`);
    a `given` scene is as long as the clip that came for it."""

    seconds: float = Field(gt=0, le=600)
    narrated: bool = False
    has_clip: bool = False
    transition: float = Field(0.0, ge=0, le=5, description="Length of the transition to the next scene; 0: a cut.")


class ScheduleParams(Params):
    """Lengths known only while running → exact frames. Inputs: `word_timings` (word_timings.json of the narrated scenes, in order), `clips`
    (videos of the given scenes, in order).
    Outputs: `timeline.json` (`pipelines.media.timeline.Timeline`) and `scene-001.json` … (`SceneTiming`), the part of
    it that one scene depends on."""

    fps: int = Field(24, ge=1, le=120)
    scenes: tuple[SceneDuration, ...] = Field(min_length=1)
    pause: float = Field(0.5, ge=0, le=10, description="Seconds of quiet in a narrated scene, around its speech.")
    end_padding: float = Field(
        0.0, ge=0, le=10, description="Seconds more after the film's last word, if its last scene is narrated."
    )


class VideoParams(Params):
    """The frame that every part of the film has."""

    width: int = Pixels
    height: int = Pixels
    fps: int = Field(24, ge=1, le=120)


class AnimateParams(VideoParams):
    """Keyframe → clip. Inputs: `keyframe` (1), `layers` (the keyframe's `layer*`), `timing` (scene-NNN.json), `references`
    (portraits of who is on stage, for models that take them), `prompt_embeds` (0..1 prompt_embeds.safetensors). Outputs: `clip.mp4` of any size and
    rate, at least as long as the timing says, with sound only when `native_audio`."""

    prompt: str = ""
    camera: str = Field("", description="Camera work in free words: slow push in, pan left, static …")
    loop: int = Field(1, ge=1, le=6, description="The motion is repeated so often within the scene.")
    native_audio: bool = False

    def full_prompt(self) -> str:
        """What a model is told that moves pictures from words."""
        return f"{self.prompt} Camera: {self.camera}." if self.camera else self.prompt


class ConformParams(VideoParams):
    """Any clip → the part of the film between its transitions: exact frames, size, rate, colour, as a stitchable
    closed-GOP segment. Inputs: `clip` (1), `timing` (1), `subtitles` (0..1 scene-NNN.ass to burn in). Outputs: `segment.mp4`
    (no file when the transitions take every frame is not allowed: the timeline keeps at least one frame)."""

    letterbox: bool = Field(
        False,
        description="A clip of another shape is shown whole, with black beside it; else it is cut to fill the frame.",
    )


class TransitionParams(VideoParams):
    """The moving form of a cut. Inputs: `clips` (2: before, after), `timings` (2), `subtitles` (0 or 2). Outputs:
    `transition.mp4`, a segment like a body, as long as the tail of the one and the head of the other overlap."""

    transition: Transition = "dissolve"


class ScoreParams(Params):
    """Music for the whole film. Inputs: `timeline` (1). Outputs: `music.wav` (stereo, as long as the film)."""

    mood: str = Field("", description="Mood words of the story: calm, energetic, tender …")
    prompt: str = Field("", description="What the story is about, for models that compose from words.")


class SubtitleParams(Params):
    """Word times → readable cues. Inputs: `word_timings` (of the narrated scenes, in order), `timeline` (1). Outputs:
    `subtitles.srt`, `subtitles.ass` (whole film), `scene-001.ass` … (times within the scene's own clip, for burning in)."""

    language: Language = "English"
    width: int = Pixels
    height: int = Pixels


class MixParams(Params):
    """All sound → one track as long as the film. Inputs: `narrations` (of the narrated scenes, in order), `music` (0..1),
    `clips` (clips with sound of their own, in order of `native`), `timeline` (1), `audio` (0..n files laid over the
    film). Outputs: `sound.wav` (48 kHz stereo, −16 LUFS, true peak ≤ −1 dBTP), `sound.m4a` (the same as AAC)."""

    loudness: float = Field(-16.0, ge=-40, le=-8, description="Integrated loudness in LUFS.")
    ducking_db: float = Field(12.0, ge=0, le=40, description="How many dB the music sinks under speech.")
    native_audio_scenes: tuple[int, ...] = Field(
        (), description="Numbers of the scenes (from 1) whose clips bring sound."
    )


class ComposeParams(VideoParams):
    """Parts → film. Inputs: `segments` (of the scenes and transitions, in the film's order), `timeline` (1), `sound` (0..1, AAC), `subtitles`
    (0..1 SRT for a soft track). Outputs: `film.mp4` (faststart; read back and compared with its parts)."""

    title: str = ""
    language: Language = "English"
    comment: str = Field("", description="What made the film, written into its metadata.")


PARAMS: dict[Kind, type[Params]] = {
    Kind.CHECK_TEXT: CheckTextParams,
    Kind.CHECK_IMAGE: CheckImageParams,
    Kind.SAMPLE_FRAMES: SampleFramesParams,
    Kind.SANITIZE_IMAGE: SanitizeImageParams,
    Kind.READ: ReadParams,
    Kind.WRITE: WriteParams,
    Kind.ENCODE_PROMPT: EncodePromptParams,
    Kind.PORTRAIT: PortraitParams,
    Kind.ELEMENT: ElementParams,
    Kind.KEYFRAME: KeyframeParams,
    Kind.ENHANCE: EnhanceParams,
    Kind.NARRATE: NarrateParams,
    Kind.SCHEDULE: ScheduleParams,
    Kind.ANIMATE: AnimateParams,
    Kind.CONFORM: ConformParams,
    Kind.TRANSITION: TransitionParams,
    Kind.SCORE: ScoreParams,
    Kind.SUBTITLE: SubtitleParams,
    Kind.MIX: MixParams,
    Kind.COMPOSE: ComposeParams,
}
