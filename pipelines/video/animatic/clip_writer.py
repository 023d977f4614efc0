"""A move over a picture, written as the clip of a scene."""

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
    """Write `clip.mp4` into `out`: exactly the frames of the timing, cuttable where its transitions end and begin."""
    cv2.setNumThreads(1)  # steps run side by side, one on each core
    timing = SceneTiming.model_validate_json(inputs["timing"][0].read_bytes())
    if timing.fps != params.fps:
        raise BadInput("fps", f"the timing counts {timing.fps} frames a second, the clip {params.fps}.")
    layers, size = inputs.get("layers"), (params.width, params.height)
    if not layers:
        move = replace(move, track=move.track + move.orbit, orbit=0.0)  # around a flat picture is along it
    path = camera_poses(move, timing.frames, timing.fps, params.loop, seed)
    closest = max(pose.zoom for pose in path)
    scene = load_layered_image(layers, *size) if layers else load_flat_image(inputs["keyframe"][0], *size, closest)
    target = out / "clip.mp4"
    idr = {timing.head, timing.frames - timing.tail}
    # What is shared with the neighbours is coded again in the bridges: here it is only looked at while the story is made.
    hasty = range(timing.head), range(timing.frames - timing.tail, timing.frames)
    with Encoder(target, *size, params.fps, encoding, idr, hasty) as encoder:
        for number, picture in enumerate(scene.frames(layer_matrices(path, scene.geometry)), 1):
            encoder.write(picture)
            if number % params.fps == 0:
                report.progress(number / timing.frames)
    return target
