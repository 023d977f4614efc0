"""What models.yaml pulls of repositories that hold more than one form of a model: every part that is loaded, and none
of it twice. The names are those of the repositories as their owners published them; shards of one file stand for all of
its shards."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from pipelines.models import catalog
from pipelines.models.weights import select_files

LEFT = "-"
"""Marks a file that is not pulled."""

LAYOUTS: Mapping[tuple[str, str], str] = {
    ("flux2-klein-4b", "model"): """
        model_index.json
        - flux-2-klein-4b.safetensors
        scheduler/scheduler_config.json
        text_encoder/config.json
        text_encoder/model-00001-of-00002.safetensors
        text_encoder/model.safetensors.index.json
        tokenizer/chat_template.jinja
        tokenizer/merges.txt
        transformer/diffusion_pytorch_model.safetensors
        vae/diffusion_pytorch_model.safetensors
        - README.md
        """,
    ("sdxl", "model"): """
        model_index.json
        - sd_xl_base_1.0.safetensors
        - sd_xl_base_1.0_0.9vae.safetensors
        - sd_xl_offset_example-lora_1.0.safetensors
        scheduler/scheduler_config.json
        text_encoder/config.json
        text_encoder/model.safetensors
        - text_encoder/model.fp16.safetensors
        - text_encoder/flax_model.msgpack
        - text_encoder/model.onnx
        text_encoder_2/config.json
        text_encoder_2/model.safetensors
        - text_encoder_2/model.fp16.safetensors
        tokenizer/merges.txt
        tokenizer/vocab.json
        tokenizer_2/vocab.json
        unet/config.json
        unet/diffusion_pytorch_model.safetensors
        - unet/diffusion_pytorch_model.fp16.safetensors
        - unet/model.onnx
        vae/config.json
        vae/diffusion_pytorch_model.safetensors
        - vae/diffusion_pytorch_model.fp16.safetensors
        - vae_1_0/diffusion_pytorch_model.safetensors
        - vae_decoder/model.onnx
        """,
    ("sdxl-references", "adapter"): """
        - models/ip-adapter_sd15.safetensors
        models/image_encoder/config.json
        models/image_encoder/model.safetensors
        - models/image_encoder/pytorch_model.bin
        - sdxl_models/ip-adapter_sdxl.safetensors
        sdxl_models/ip-adapter-plus_sdxl_vit-h.safetensors
        - sdxl_models/ip-adapter-plus_sdxl_vit-h.bin
        - sdxl_models/image_encoder/model.safetensors
        """,
    ("qwen-image-edit-lightning", "lightning"): """
        Qwen-Image-Edit-2511-Lightning-4steps-V1.0-bf16.safetensors
        - Qwen-Image-Edit-2511-Lightning-4steps-V1.0-fp32.safetensors
        """,
    ("wan2.2-i2v-lightning", "lightning"): """
        Wan2.2-I2V-A14B-4steps-lora-rank64-Seko-V1/high_noise_model.safetensors
        Wan2.2-I2V-A14B-4steps-lora-rank64-Seko-V1/low_noise_model.safetensors
        - Wan2.2-I2V-A14B-4steps-lora-rank64-Seko-V1/Wan2.2-I2V-A14B-4steps-lora-rank64-Seko-V1-NativeComfy.json
        - Wan2.2-T2V-A14B-4steps-lora-250928/high_noise_model.safetensors
        """,
    ("ltx-2", "model"): """
        model_index.json
        - ltx-2-19b-dev.safetensors
        - ltx-2-19b-distilled-fp8.safetensors
        - ltx-2-19b-distilled-lora-384.safetensors
        audio_vae/diffusion_pytorch_model.safetensors
        connectors/config.json
        connectors/diffusion_pytorch_model.safetensors
        - latent_upsampler/diffusion_pytorch_model.safetensors
        scheduler/scheduler_config.json
        text_encoder/config.json
        text_encoder/generation_config.json
        - text_encoder/diffusion_pytorch_model-00001-of-00012.safetensors
        - text_encoder/diffusion_pytorch_model.safetensors.index.json
        text_encoder/model-00001-of-00011.safetensors
        text_encoder/model.safetensors.index.json
        tokenizer/tokenizer.model
        transformer/diffusion_pytorch_model-00001-of-00008.safetensors
        vae/diffusion_pytorch_model.safetensors
        vocoder/diffusion_pytorch_model.safetensors
        """,
    ("ltx-2.5", "model"): """
        model_index.json
        - ltx-2.5-22b-distilled-lora-450-bf16.safetensors
        audio_vae/config.json
        connectors/diffusion_pytorch_model.safetensors
        - diffusion_decoder/diffusion_pytorch_model.safetensors
        - latent_upsampler/diffusion_pytorch_model.safetensors
        - prompt_enhancer/model.safetensors
        scheduler/scheduler_config.json
        text_encoder/model.safetensors
        tokenizer/tokenizer.json
        transformer/diffusion_pytorch_model-00001-of-00004.safetensors
        - transformer_full/diffusion_pytorch_model-00001-of-00004.safetensors
        vae/diffusion_pytorch_model.safetensors
        vocoder/diffusion_pytorch_model.safetensors
        """,
    ("realesrgan", "model"): """
        - README.md
        RealESRGAN_x4plus.safetensors
        """,
    ("kokoro-voices", "model"): """
        - config.json
        onnx/model.onnx
        - onnx/model_fp16.onnx
        - onnx/model_quantized.onnx
        - onnx/model_q8f16.onnx
        tokenizer.json
        - tokenizer_config.json
        voices/af_heart.bin
        """,
    ("mms-tts", "Korean"): """
        config.json
        model.safetensors
        - pytorch_model.bin
        special_tokens_map.json
        tokenizer_config.json
        vocab.json
        """,
    ("xtts", "model"): """
        config.json
        - dvae.pth
        - mel_stats.pth
        model.pth
        - samples/en_sample.wav
        speakers_xtts.pth
        vocab.json
        """,
    ("chatterbox", "model"): """
        Cangjie5_TC.json
        conds.pt
        grapheme_mtl_merged_expanded_v1.json
        - s3gen.safetensors
        s3gen.pt
        - t3_cfg.safetensors
        t3_mtl23ls_v2.safetensors
        - t3_mtl23ls_v3.safetensors
        - ve.safetensors
        ve.pt
        """,
    ("acestep", "model"): """
        model_index.json
        condition_encoder/diffusion_pytorch_model.safetensors
        scheduler/scheduler_config.json
        text_encoder/model.safetensors
        tokenizer/tokenizer.json
        transformer/diffusion_pytorch_model-00001-of-00002.safetensors
        transformer/diffusion_pytorch_model.safetensors.index.json
        vae/diffusion_pytorch_model.safetensors
        """,
    ("musicgen", "model"): """
        - compression_state_dict.bin
        config.json
        generation_config.json
        model.safetensors
        - model.fp32.safetensors
        preprocessor_config.json
        - pytorch_model.bin
        - pytorch_model.fp32.bin
        tokenizer.json
        """,
}


@pytest.mark.parametrize(("model", "role"), LAYOUTS, ids=str)
def test_every_part_is_pulled_once(model: str, role: str) -> None:
    names = [line.strip() for line in LAYOUTS[model, role].strip().splitlines()]
    weights = catalog.load().models[model].weights[role]
    there = [name.removeprefix(LEFT).strip() for name in names]
    assert select_files(there, weights.files) == {name for name in names if not name.startswith(LEFT)}


def test_the_files_that_options_name_are_pulled() -> None:
    for spec in catalog.load().models.values():
        for lora in spec.options.get("loras", ()):
            assert select_files([lora["file"]], spec.weights[lora["role"]].files), f"{spec.name}: {lora['file']}"
