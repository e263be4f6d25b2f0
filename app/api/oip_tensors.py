"""Texts and answers as tensors of the Open Inference Protocol, in JSON or in Triton's binary extension. No HTTP.

With the extension a body is JSON followed by the tensors' bytes; a header says where the JSON ends. An element of BYTES
is its length, four bytes little-endian, and its bytes; FP32 is little-endian, row by row.
Source: kserve/open-inference-protocol, inference_rest.md; triton-inference-server, extension_binary_data.md.
"""

import struct
from collections.abc import Callable, Iterator, Sequence
from itertools import chain, islice
from typing import Annotated, Any, Literal

import msgspec
import numpy as np
import numpy.typing as npt

from app.api.rendering import rounded
from app.core.classifier import Probabilities
from app.core.errors import InvalidRequest, TooManyTexts
from app.http.json import Parser

INPUT = "text"
OUTPUTS = ("label", "score", "probabilities")

_LENGTH = struct.Struct("<I")


class InputTensor(msgspec.Struct):
    """The tensor of texts."""

    name: Annotated[str, msgspec.Meta(description="`text`.", extra_json_schema={"const": INPUT})]
    shape: Annotated[
        list[Annotated[int, msgspec.Meta(ge=0)]], msgspec.Meta(description="`[n]` or `[n, 1]`: n separate texts.")
    ]
    datatype: Annotated[str, msgspec.Meta(description="`BYTES`.", extra_json_schema={"const": "BYTES"})]
    parameters: Annotated[
        dict[str, Any] | None, msgspec.Meta(description="`binary_data_size`: bytes of it behind the JSON.")
    ] = None
    data: Annotated[
        list[str | list[str]] | None, msgspec.Meta(description="The texts, unless they come behind the JSON.")
    ] = None


class RequestedOutput(msgspec.Struct):
    """An output that the answer should have."""

    name: Annotated[str, msgspec.Meta(extra_json_schema={"enum": list(OUTPUTS)})]
    parameters: Annotated[
        dict[str, Any] | None, msgspec.Meta(description="`binary_data`: true if it should come behind the JSON.")
    ] = None


class InferRequest(msgspec.Struct):
    """Texts to classify, as the Open Inference Protocol has them."""

    inputs: Annotated[list[InputTensor], msgspec.Meta(min_length=1, max_length=1)]
    id: Annotated[str | None, msgspec.Meta(description="Comes back in the answer.")] = None
    outputs: Annotated[
        list[RequestedOutput] | None, msgspec.Meta(description="All three if absent or empty; each once at most.")
    ] = None
    parameters: Annotated[
        dict[str, Any] | None,
        msgspec.Meta(description="`binary_data_output`: the default of `binary_data`."),
    ] = None


class OutputTensor(msgspec.Struct, frozen=True, omit_defaults=True):
    """One output for all texts."""

    name: str
    datatype: Literal["BYTES", "FP32"]
    shape: list[int]
    parameters: Annotated[
        dict[str, int] | None, msgspec.Meta(description="`binary_data_size`: bytes of it behind the JSON.")
    ] = None
    data: Annotated[
        list[Any] | None,
        msgspec.Meta(
            description="Labels or numbers, row by row, unless they come behind the JSON.",
            extra_json_schema={"items": {"type": ["string", "number"]}},
        ),
    ] = None


class InferResponse(msgspec.Struct, frozen=True, omit_defaults=True):
    """The outputs that were asked for."""

    model_name: str
    model_version: str
    outputs: list[OutputTensor]
    id: str | None = None


_EXAMPLE = {"inputs": [{"name": INPUT, "shape": [1], "datatype": "BYTES", "data": ["A good film."]}]}
_parse = Parser(InferRequest, _EXAMPLE).parse
_encode = msgspec.json.Encoder().encode


def read_request(body: bytes, json_bytes: int | None, max_texts: int) -> tuple[InferRequest, list[str]]:
    """Returns the request without its texts, and the texts.

    Args:
        body: all of it.
        json_bytes: where the JSON ends, if other bytes follow.
        max_texts: most texts; what comes after them is not read.

    Raises:
        InvalidJson: the JSON is none.
        TooManyTexts: it has more than `max_texts`.
        InvalidRequest: it does not ask for what there is, or contradicts itself.
    """
    if json_bytes is not None and json_bytes > len(body):
        raise InvalidRequest("The body ends before the JSON that its header announces.")
    request = _parse(body if json_bytes is None else body[:json_bytes])
    rest = b"" if json_bytes is None else body[json_bytes:]
    _check_outputs(request)
    (tensor,) = request.inputs
    num_texts = _num_texts(tensor)
    size = (tensor.parameters or {}).get("binary_data_size")
    if size is None:
        if rest:
            raise InvalidRequest("Bytes follow the JSON, but the input has no `binary_data_size`.")
        elements = _json_texts(tensor)
        tensor.data = None
    else:
        if tensor.data is not None:
            raise InvalidRequest("The input has both `data` and `binary_data_size`.")
        if type(size) is not int or size != len(rest):
            raise InvalidRequest(f"`binary_data_size` must be the number of bytes that follow the JSON: {len(rest)}.")
        elements = _binary_texts(rest)
    # One more than it may have tells that there are more: millions of empty ones are four bytes each.
    texts = list(islice(elements, min(num_texts, max_texts) + 1))
    if len(texts) > num_texts:
        raise InvalidRequest(f"The input has more elements than its shape says: {num_texts}.")
    if len(texts) > max_texts:
        raise TooManyTexts.over(max_texts, num_texts)
    if len(texts) < num_texts:
        raise InvalidRequest(f"The input has {len(texts)} elements, but its shape says {num_texts}.")
    return request, texts


def write_response(
    request: InferRequest, name: str, version: str, labels: Sequence[str], rows: Sequence[Probabilities]
) -> tuple[bytes, int | None]:
    """Returns the body of the answer, and where its JSON ends if other bytes follow.

    Args:
        request: whose outputs, form and id they are.
        name, version: of the model.
        labels: in the order of a row.
        rows: one a text.
    """
    table = np.stack(rows) if rows else np.zeros((0, len(labels)), np.float32)
    by_default = _flag(request.parameters, "binary_data_output", False)
    tensors, blobs = [], []
    for wanted in request.outputs or [RequestedOutput(name) for name in OUTPUTS]:
        datatype, values = _VALUES[wanted.name](table, labels)
        shape = list(values.shape)
        if _flag(wanted.parameters, "binary_data", by_default):
            blobs.append(_bytes_of(values))
            tensors.append(OutputTensor(wanted.name, datatype, shape, parameters={"binary_data_size": len(blobs[-1])}))
        else:
            tensors.append(OutputTensor(wanted.name, datatype, shape, data=_json_of(values)))
    head = _encode(InferResponse(name, version, tensors, request.id))
    return b"".join([head, *blobs]), len(head) if blobs else None


def _check_outputs(request: InferRequest) -> None:
    _flag(request.parameters, "binary_data_output", False)
    seen: set[str] = set()
    for wanted in request.outputs or ():
        if wanted.name not in OUTPUTS:
            raise InvalidRequest("The outputs are `label`, `score` and `probabilities`.")
        if wanted.name in seen:  # else a small request could ask for an answer that fills the memory
            raise InvalidRequest(f"`outputs` names `{wanted.name}` twice; each output comes once.")
        seen.add(wanted.name)
        _flag(wanted.parameters, "binary_data", False)
        if (wanted.parameters or {}).get("classification"):
            raise InvalidRequest("Outputs cannot be asked for as classifications; `probabilities` has them all.")


def _num_texts(tensor: InputTensor) -> int:
    if tensor.name != INPUT or tensor.datatype != "BYTES":
        raise InvalidRequest("The only input is `text`, of datatype BYTES.")
    if (tensor.parameters or {}).get("content_type") == "base64":
        raise InvalidRequest("The input must be plain text, not base64.")
    match tensor.shape:
        case [num_texts] | [num_texts, 1]:
            return num_texts
        case _:
            raise InvalidRequest("The input's shape must be [n] or [n, 1].")


def _json_texts(tensor: InputTensor) -> Iterator[str]:
    if tensor.data is None:
        raise InvalidRequest("The input has neither `data` nor `binary_data_size`.")
    return chain.from_iterable([part] if isinstance(part, str) else part for part in tensor.data)


def _binary_texts(data: bytes) -> Iterator[str]:
    position = index = 0
    while position < len(data):
        start = position + _LENGTH.size
        # A length that is itself cut short reads as one that reaches too far.
        end = start + (_LENGTH.unpack_from(data, position)[0] if start <= len(data) else 1)
        if end > len(data):
            raise InvalidRequest(f"Element {index} of the input reaches beyond its end.")
        try:
            yield data[start:end].decode()
        except UnicodeDecodeError:
            raise InvalidRequest(f"Element {index} of the input is not valid UTF-8.") from None
        position, index = end, index + 1


def _flag(parameters: dict[str, Any] | None, name: str, default: bool) -> bool:
    value = (parameters or {}).get(name, default)
    if not isinstance(value, bool):
        raise InvalidRequest(f"`{name}` must be true or false.")
    return value


_Values = npt.NDArray[Any]
_Datatype = Literal["BYTES", "FP32"]


def _label(table: _Values, labels: Sequence[str]) -> tuple[_Datatype, _Values]:
    return "BYTES", np.array(labels, dtype=object)[table.argmax(axis=1)]


def _score(table: _Values, _labels: Sequence[str]) -> tuple[_Datatype, _Values]:
    return "FP32", table.max(axis=1)


def _probabilities(table: _Values, _labels: Sequence[str]) -> tuple[_Datatype, _Values]:
    return "FP32", table


_VALUES: dict[str, Callable[[_Values, Sequence[str]], tuple[_Datatype, _Values]]] = dict(
    zip(OUTPUTS, (_label, _score, _probabilities), strict=True)
)


def _json_of(values: _Values) -> list[Any]:
    flat: list[Any] = values.ravel().tolist()
    return flat if values.dtype == object else [rounded(value) for value in flat]


def _bytes_of(values: _Values) -> bytes:
    if values.dtype != object:
        return values.astype("<f4").tobytes()
    written = [label.encode() for label in values]
    return b"".join(_LENGTH.pack(len(label)) + label for label in written)
