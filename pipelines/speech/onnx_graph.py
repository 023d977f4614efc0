"""ONNX models on the CPU: sessions whose results do not depend on the machine's load, and graphs with one more output."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import onnxruntime

_GRAPH_OF_MODEL, _OUTPUT_OF_GRAPH, _NAME_OF_VALUE = 7, 12, 1  # field numbers of onnx.proto


def with_output(model: bytes, name: str) -> bytes:
    """The model with the inner value `name` as a further output.

    A protobuf message that is appended to another is merged into it, and what repeats is added: one more `graph.output` behind
    the file is one more output, without parsing a hundred megabytes.
    """
    return model + _field(_GRAPH_OF_MODEL, _field(_OUTPUT_OF_GRAPH, _field(_NAME_OF_VALUE, name.encode())))


def session(model: bytes, threads: int) -> onnxruntime.InferenceSession:
    """A session on the CPU with `threads` threads that sleep between operators instead of spinning."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = max(1, threads)
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def _field(number: int, payload: bytes) -> bytes:
    return _varint(number << 3 | 2) + _varint(len(payload)) + payload


def _varint(value: int) -> bytes:
    encoded = bytearray()
    while value > 0x7F:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)
