"""Models of their real sizes with random weights: what they cost is what the real ones cost, what they make is noise.
Text encoders of clips are thin, as words are encoded once, in a step of their own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any


@contextmanager
def _random_weights(device: str) -> Iterator[None]:
    """Tensors come to be on the device, in half precision."""
    import torch

    previous_dtype = torch.get_default_dtype()
    torch.manual_seed(3)
    torch.set_default_dtype(torch.bfloat16)
    try:
        with torch.device(device):
            yield
    finally:
        torch.set_default_dtype(previous_dtype)


def flux2_klein_4b(folder: Path, device: str) -> None:
    """Pictures: 4 billion parameters draw, 4 read."""
    from diffusers import (
        AutoencoderKLFlux2,
        FlowMatchEulerDiscreteScheduler,
        Flux2KleinPipeline,
        Flux2Transformer2DModel,
    )
    from transformers import Qwen3Config, Qwen3ForCausalLM

    from tests.fixtures.tiny.alphabet import qwen

    with _random_weights(device):
        transformer = Flux2Transformer2DModel(
            num_layers=5, num_single_layers=20, num_attention_heads=24, joint_attention_dim=7680, guidance_embeds=False
        )
        text_config = Qwen3Config(
            vocab_size=151_936, hidden_size=2560, intermediate_size=9728, num_hidden_layers=36, num_attention_heads=32,
            num_key_value_heads=8, head_dim=128,
        )  # fmt: skip
        text_encoder = Qwen3ForCausalLM(text_config).to(device)
        vae = AutoencoderKLFlux2()
    Flux2KleinPipeline(
        scheduler=FlowMatchEulerDiscreteScheduler(use_dynamic_shifting=True), vae=vae, text_encoder=text_encoder,
        tokenizer=qwen(), transformer=transformer, is_distilled=True,
    ).save_pretrained(folder)  # fmt: skip


def wan_5b(folder: Path, device: str) -> None:
    """Clips: Wan 2.2 TI2V-5B."""
    from diffusers import AutoencoderKLWan, WanPipeline, WanTransformer3DModel

    with _random_weights(device):
        transformer = WanTransformer3DModel(
            in_channels=48, out_channels=48, num_attention_heads=24, ffn_dim=14_336, num_layers=30
        )
        vae = AutoencoderKLWan(
            base_dim=160, decoder_base_dim=256, z_dim=48, in_channels=12, out_channels=12, patch_size=2,
            is_residual=True, scale_factor_spatial=16, latents_mean=[0.0] * 48, latents_std=[1.0] * 48,
        )  # fmt: skip
    _save_wan(WanPipeline, folder, transformer=transformer, vae=vae, expand_timesteps=True)


def wan_14b(folder: Path, device: str) -> None:
    """Clips: one of the two networks of Wan 2.2 I2V A14B; each step of the pair costs as much."""
    from diffusers import AutoencoderKLWan, WanImageToVideoPipeline, WanTransformer3DModel

    with _random_weights(device):
        transformer = WanTransformer3DModel(in_channels=36, out_channels=16)
        vae = AutoencoderKLWan()
    _save_wan(WanImageToVideoPipeline, folder, transformer=transformer, vae=vae)


def _save_wan(pipeline_class: Any, folder: Path, **components: Any) -> None:
    from diffusers import UniPCMultistepScheduler
    from transformers import UMT5Config, UMT5EncoderModel

    from tests.fixtures.tiny.wan import umt5

    tokenizer, _ = umt5()
    text_config = UMT5Config(vocab_size=len(tokenizer), d_model=4096, d_kv=64, d_ff=1024, num_layers=1, num_heads=64)
    scheduler = UniPCMultistepScheduler(prediction_type="flow_prediction", use_flow_sigmas=True, flow_shift=5.0)
    pipeline_class(
        scheduler=scheduler, tokenizer=tokenizer, text_encoder=UMT5EncoderModel(text_config), **components
    ).save_pretrained(folder)


def ltx2(folder: Path, device: str) -> None:
    """Clips with sound: 19 billion parameters."""
    from diffusers import (
        AutoencoderKLLTX2Audio,
        AutoencoderKLLTX2Video,
        FlowMatchEulerDiscreteScheduler,
        LTX2Pipeline,
        LTX2VideoTransformer3DModel,
    )
    from diffusers.pipelines.ltx2 import LTX2TextConnectors, LTX2Vocoder

    from tests.fixtures.tiny.letters import gemma3

    tokenizer, text_encoder = gemma3(width=3840, layers=48)
    with _random_weights(device):
        components = {
            "transformer": LTX2VideoTransformer3DModel(),
            "connectors": LTX2TextConnectors(caption_channels=3840, text_proj_in_factor=49),
            "vae": AutoencoderKLLTX2Video(),
            "audio_vae": AutoencoderKLLTX2Audio(),
            "vocoder": LTX2Vocoder(),
        }
    LTX2Pipeline(
        scheduler=FlowMatchEulerDiscreteScheduler(use_dynamic_shifting=True), tokenizer=tokenizer,
        text_encoder=text_encoder, **components,
    ).save_pretrained(folder)  # fmt: skip


def tiny_flux2(folder: Path, device: str) -> None:
    """The same classes as `flux2_klein_4b`, for a look at this benchmark without a GPU."""
    from tests.fixtures.tiny.flux2 import build

    build(folder)


def tiny_wan(folder: Path, device: str) -> None:
    """The same classes as `wan_14b`, for a look at this benchmark without a GPU."""
    from tests.fixtures.tiny.wan import build

    build(folder)


def tiny_wan_5b(folder: Path, device: str) -> None:
    """The same classes as `wan_5b`, for a look at this benchmark without a GPU."""
    from tests.fixtures.tiny.wan import build

    build(folder, "5b")


def tiny_ltx2(folder: Path, device: str) -> None:
    """The same classes as `ltx2`, for a look at this benchmark without a GPU."""
    from tests.fixtures.tiny.ltx2 import build

    build(folder)


BuildModel = Callable[[Path, str], None]
