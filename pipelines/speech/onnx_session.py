"""ONNX Runtime sessions with deterministic results on the CPU, and graphs with an additional output."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import onnxruntime

# Field numbers of onnx.proto.
_GRAPH_OF_MODEL, _NODE_OF_GRAPH, _OUTPUT_OF_GRAPH, _NAME_OF_VALUE = 7, 1, 12, 1
_INPUT_OF_NODE, _OUTPUT_OF_NODE, _OPERATOR_OF_NODE = 1, 2, 4


def add_output(model: bytes, name: str) -> bytes:
    """Return the model with the inner value `name` as an additional output.

    Protobuf merges a message that is appended to another, and concatenates repeated fields: one more `graph.output`
    after the file is one more output, without parsing a hundred megabytes.
    """
    return model + _encode_field(
        _GRAPH_OF_MODEL, _encode_field(_OUTPUT_OF_GRAPH, _encode_field(_NAME_OF_VALUE, name.encode()))
    )


def find_node_output(model: bytes, producer_op: str, consumer_op: str) -> str | None:
    """Return the output name of the only `consumer_op` node that reads a `producer_op` node, or None.

    Exports of one model name their inner values differently, but compute in the same order.
    """
    producer_outputs: set[str] = set()
    found: list[str] = []
    for graph in _iter_fields(memoryview(model), _GRAPH_OF_MODEL):
        for node in _iter_fields(graph, _NODE_OF_GRAPH):
            operator = "".join(bytes(part).decode() for part in _iter_fields(node, _OPERATOR_OF_NODE))
            outputs = [bytes(part).decode() for part in _iter_fields(node, _OUTPUT_OF_NODE)]
            if operator == producer_op:
                producer_outputs.update(outputs)
            elif operator == consumer_op and any(
                bytes(part).decode() in producer_outputs for part in _iter_fields(node, _INPUT_OF_NODE)
            ):
                found += outputs
    return found[0] if len(found) == 1 else None


def create_session(model: bytes, threads: int) -> onnxruntime.InferenceSession:
    """Return a CPU session with `threads` threads that do not spin between operators."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = max(1, threads)
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    options.enable_mem_pattern = False  # a plan per text length costs 100 MB after some scenes and saves no time
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def _iter_fields(message: memoryview, number: int) -> Iterator[memoryview]:
    """Yield the length-delimited fields of that number. Nodes are in topological order."""
    offset = 0
    while offset < len(message):
        tag, offset = _read_varint(message, offset)
        kind = tag & 7
        if kind == 0:
            _, offset = _read_varint(message, offset)
            continue
        length, offset = _read_varint(message, offset) if kind == 2 else ({1: 8, 5: 4}[kind], offset)
        if kind == 2 and tag >> 3 == number:
            yield message[offset : offset + length]
        offset += length


def _read_varint(message: memoryview, offset: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = message[offset]
        offset += 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return value, offset


def _encode_field(number: int, payload: bytes) -> bytes:
    return _encode_varint(number << 3 | 2) + _encode_varint(len(payload)) + payload


def _encode_varint(value: int) -> bytes:
    encoded = bytearray()
    while value > 0x7F:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)
