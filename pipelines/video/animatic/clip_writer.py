"""Writing of the clip of a scene: a camera move over an image."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import cv2

from pipelines.base import BadInput, Report
from pipelines.media.codec.encoder import Encoder
from pipelines.media.codec.encoding_options import EncodingOptions
from pipelines.media.timeline import SceneTiming
from pipelines.step_params import AnimateParams
from pipelines.video.animatic.camera_path import camera_poses, layer_matrices
from pipelines.video.animatic.flat_image import load_flat_image
from pipelines.video.animatic.move_parser import CameraMove
from pipelines.video.animatic.parallax import load_layered_image


def write_clip(
    move: CameraMove,
    params: AnimateParams,
    inputs: Mapping[str, Sequence[Path]],
    out: Path,
    encoding: EncodingOptions,
    report: Report,
    seed: int,
) -> Path:
    """Write `clip.mp4` into `out` with the frames of the timing and closed GOPs at the ends of its transitions.

    Return its path. Raises BadInput when the timing has another frame rate or an image cannot be read.
    """
    cv2.setNumThreads(1)  # the engine runs one step per core
    timing = SceneTiming.model_validate_json(inputs["timing"][0].read_bytes())
    if timing.fps != params.fps:
        raise BadInput("fps", f"the timing has {timing.fps} fps, the clip has {params.fps} fps.")
    layers, size = inputs.get("layers"), (params.width, params.height)
    if not layers:
        move = replace(move, track=move.track + move.orbit, orbit=0.0)  # a flat image has no depth to orbit
    path = camera_poses(move, timing.frames, timing.fps, params.loop, seed)
    max_zoom = max(pose.zoom for pose in path)
    image = load_layered_image(layers, *size) if layers else load_flat_image(inputs["keyframe"][0], *size, max_zoom)
    target = out / "clip.mp4"
    idr = {timing.head, timing.frames - timing.tail}
    # Transitions encode the overlapping frames again; those of this file only serve previews.
    fast_ranges = range(timing.head), range(timing.frames - timing.tail, timing.frames)
    with Encoder(target, *size, params.fps, encoding, idr, fast_ranges) as encoder:
        for number, frame in enumerate(image.frames(layer_matrices(path, image.geometry)), 1):
            encoder.write(frame)
            if number % params.fps == 0:
                report.progress(number / timing.frames)
    return target
