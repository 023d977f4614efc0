"""ctypes binding of libespeak-ng: text → phonemes, text → samples.

The library keeps its state in static variables: one voice and one set of parameters per process, and counters (flutter,
noise) that are never reset, so that a repeated sentence sounds slightly different. `open_espeak` is the only access to
it: it gives the library, freshly mapped, to one caller at a time. So the same call always gives the same bytes, and
families do not affect each other.
"""

from __future__ import annotations

import _ctypes  # dlclose is not in ctypes itself
import ctypes
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from pipelines.base import MissingDependency

_SYNCHRONOUS, _DONT_EXIT = 0x02, 0x8000
_UTF8 = 0x01
_IPA, _TIE_LETTERS = 0x02, 0x80
_POSITION_IN_CHARACTERS = 1  # the position type of espeak_Synth: counted in characters
_RATE, _VOLUME, _PITCH, _PITCH_RANGE = 1, 2, 3, 4
_END_OF_LIST, _WORD = 0, 1
_REINSTALL = "pip install --force-reinstall espeakng-loader"


class _Id(ctypes.Union):
    _fields_ = (("number", ctypes.c_int), ("name", ctypes.c_char_p), ("string", ctypes.c_char * 8))


class _Event(ctypes.Structure):
    """espeak_EVENT of speak_lib.h."""

    _fields_ = (
        ("type", ctypes.c_int),
        ("unique_identifier", ctypes.c_uint),
        ("text_position", ctypes.c_int),
        ("length", ctypes.c_int),
        ("audio_position", ctypes.c_int),
        ("sample", ctypes.c_int),
        ("user_data", ctypes.c_void_p),
        ("id", _Id),
    )


_Callback = ctypes.CFUNCTYPE(
    ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.POINTER(_Event), use_errno=False
)


@dataclass(frozen=True, slots=True)
class EspeakResult:
    """Synthesized speech.

    `pcm`: 16-bit mono samples. `word_events`: (index of the word's first character, milliseconds).
    """

    pcm: bytes
    word_events: tuple[tuple[int, int], ...]


class EspeakLibrary:
    """libespeak-ng, opened by `open_espeak`."""

    def __init__(self, lib: Any, data: str) -> None:
        self._lib = lib
        self._lib.espeak_TextToPhonemes.restype = ctypes.c_char_p
        self._lib.espeak_TextToPhonemes.argtypes = (ctypes.POINTER(ctypes.c_void_p), ctypes.c_int, ctypes.c_int)
        self._lib.espeak_Synth.argtypes = (
            ctypes.c_char_p, ctypes.c_size_t, ctypes.c_uint, ctypes.c_int, ctypes.c_uint, ctypes.c_uint,
            ctypes.c_void_p, ctypes.c_void_p,
        )  # fmt: skip
        self.rate: int = self._lib.espeak_Initialize(_SYNCHRONOUS, 0, data.encode(), _DONT_EXIT)
        """Sample rate in hertz of the output of `synthesize`."""
        if self.rate <= 0:
            raise MissingDependency(f"libespeak-ng does not start with the data in {data}; {_REINSTALL}")
        self._lib.espeak_ng_SetRandSeed(ctypes.c_long(1))
        self._pcm: list[bytes] = []
        self._word_events: list[tuple[int, int]] = []
        self._callback = _Callback(self._on_synthesis)
        self._lib.espeak_SetSynthCallback(self._callback)

    def to_phonemes(self, text: str, voice: str) -> str:
        """Return IPA with stress marks.

        `^` ties the letters of one sound; spaces separate words as the voice speaks them.

        Numbers are spelled out, and short words are joined to their neighbours.
        """
        self._set_voice(voice)
        buffer = ctypes.create_string_buffer(text.encode())
        rest = ctypes.c_void_p(ctypes.addressof(buffer))
        clauses: list[str] = []
        while rest.value:
            clause = self._lib.espeak_TextToPhonemes(ctypes.byref(rest), _UTF8, _IPA | _TIE_LETTERS | ord("^") << 8)
            clauses.append((clause or b"").decode())
        return " ".join(clause.strip() for clause in clauses if clause.strip())

    def synthesize(self, text: str, voice: str, *, words_per_minute: int, pitch: int, pitch_range: int) -> EspeakResult:
        """Synthesize `text`.

        `pitch` and `pitch_range` are in [0, 99] (50: default), `words_per_minute` in [80, 450].
        """
        self._set_voice(voice)
        for parameter, value in (
            (_RATE, words_per_minute),
            (_VOLUME, 100),
            (_PITCH, pitch),
            (_PITCH_RANGE, pitch_range),
        ):
            self._lib.espeak_SetParameter(parameter, value, 0)
        self._pcm, self._word_events = [], []
        encoded = text.encode() + b"\0"
        self._lib.espeak_Synth(encoded, len(encoded), 0, _POSITION_IN_CHARACTERS, 0, _UTF8, None, None)
        self._lib.espeak_Synchronize()
        return EspeakResult(b"".join(self._pcm), tuple(self._word_events))

    def _set_voice(self, voice: str) -> None:
        if self._lib.espeak_SetVoiceByName(voice.encode()) != 0:
            raise MissingDependency(f'libespeak-ng has no voice "{voice}"; {_REINSTALL}')

    def _on_synthesis(self, samples: Any, count: int, events: Any) -> int:
        if samples and count > 0:
            self._pcm.append(ctypes.string_at(samples, 2 * count))
        index = 0
        while events[index].type != _END_OF_LIST:
            event = events[index]
            if event.type == _WORD:
                self._word_events.append((event.text_position - 1, event.audio_position))
            index += 1
        return 0


_library_lock = threading.Lock()


@contextmanager
def open_espeak() -> Iterator[EspeakLibrary]:
    """Open the library for one caller, in its initial state (takes a few milliseconds).

    Raises MissingDependency if espeakng-loader is not installed.
    """
    try:
        import espeakng_loader
    except ImportError as error:
        raise MissingDependency('espeakng-loader is not installed; pip install "story-engine[draft]"') from error
    with _library_lock:
        lib = ctypes.CDLL(espeakng_loader.get_library_path())
        try:
            yield EspeakLibrary(lib, espeakng_loader.get_data_path())
        finally:
            lib.espeak_Terminate()
            # Unmap the library to reset its static variables.
            getattr(_ctypes, "FreeLibrary" if sys.platform == "win32" else "dlclose")(lib._handle)
