"""Builder of ONNX graphs: each operator is a call that gives the name of its result."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from onnx import GraphProto, ModelProto, NodeProto, TensorProto, ValueInfoProto, checker, helper, numpy_helper

OPSET = 18
"""Version of the operators: ONNX Runtime since 1.14 has it, in the browser too."""

IR_VERSION = 8
"""Version of the file format that came with `OPSET`."""

FLOAT, INT32, INT64 = TensorProto.FLOAT, TensorProto.INT32, TensorProto.INT64
"""Number formats, as attributes of operators name them."""

Model = ModelProto
"""A finished model; `SerializeToString` gives the bytes of a file."""

Value = str | npt.NDArray[Any] | np.generic
"""An input of an operator: the name of a result or of an input of the graph, or a constant."""


class Graph:
    """A graph that grows by one operator at a time.

    Args:
        prefix: of all names; a graph inside another one needs its own, since it sees the names outside.
    """

    def __init__(self, prefix: str = "") -> None:
        self._prefix = prefix
        self._nodes: list[NodeProto] = []
        self._constants: list[TensorProto] = []

    def op(self, kind: str, *inputs: Value, name: str | None = None, **attributes: Any) -> str:
        """Adds an operator with one result and returns its name: `name` or a new one; see `several`."""
        return self._add(kind, inputs, [name or self._new(kind)], attributes)[0]

    def several(self, kind: str, num_results: int, *inputs: Value, **attributes: Any) -> list[str]:
        """Adds an operator with more than one result and returns their names.

        Args:
            kind: name of the operator.
            num_results: how many it has.
            inputs: its inputs; an empty name leaves out an optional one.
            attributes: the operator's.
        """
        start = self._new(kind)
        return self._add(kind, inputs, [f"{start}_{place}" for place in range(num_results)], attributes)

    def floats(self, array: npt.NDArray[Any]) -> str:
        """Adds a constant as it is stored, and gives it as float32: 16-bit weights stay half as large in the file."""
        return self.as_float32(self._name(array), array)

    def as_float32(self, name: str, stored: npt.NDArray[Any]) -> str:
        """Casts `name` to float32 unless the array that it was read from is float32 already."""
        return name if stored.dtype == np.float32 else self.op("Cast", name, to=FLOAT)

    def proto(self, inputs: Sequence[ValueInfoProto], outputs: Sequence[ValueInfoProto]) -> GraphProto:
        """Makes the graph of what was added, with these inputs and outputs."""
        return helper.make_graph(self._nodes, f"{self._prefix}classifier", inputs, outputs, self._constants)

    def _new(self, kind: str) -> str:
        return f"{self._prefix}{kind.lower()}_{len(self._nodes)}"

    def _add(self, kind: str, inputs: Sequence[Value], results: list[str], attributes: dict[str, Any]) -> list[str]:
        self._nodes.append(helper.make_node(kind, [self._name(each) for each in inputs], results, **attributes))
        return results

    def _name(self, value: Value) -> str:
        if isinstance(value, str):
            return value
        name = f"{self._prefix}constant_{len(self._constants)}"
        self._constants.append(numpy_helper.from_array(np.ascontiguousarray(value).reshape(np.shape(value)), name))
        return name


def integers(*numbers: int) -> npt.NDArray[np.int64]:
    """A constant int64 [len(numbers)]: axes, shapes, places."""
    return np.array(numbers, dtype=np.int64)


def tensor(name: str, kind: int, shape: Sequence[str | int] | None) -> ValueInfoProto:
    """Declares an input or output; a string is an axis of any length."""
    return helper.make_tensor_value_info(name, kind, shape)


def finished(graph: GraphProto, about: Mapping[str, str]) -> Model:
    """The model of a graph, checked against the standard; `about` is text kept in it."""
    model = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION, producer_name="sluice"
    )
    helper.set_model_props(model, dict(about))
    checker.check_model(model, full_check=True)
    return model
