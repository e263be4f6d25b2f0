"""The form of explanations: what was not asked for is absent, and it is cheap to import."""

import subprocess
import sys

import msgspec

from model.explain.explanation import Gates, LayerGates, Part, UnitGates


def test_what_was_not_asked_for_is_absent() -> None:
    part = Part("not", 0, 3, 2.1)
    assert msgspec.json.encode(part) == b'{"text":"not","start":0,"end":3,"score":2.1}'
    assert msgspec.json.encode(msgspec.structs.replace(part, occlusion=0.0)).endswith(b'"score":2.1,"occlusion":0.0}')
    layer = LayerGates(0, "forward", Gates(hidden=[]), [UnitGates(unit=3, reset=[0.5])])
    expected = {"layer": 0, "direction": "forward", "mean": {"hidden": []}, "units": [{"unit": 3, "reset": [0.5]}]}
    assert msgspec.to_builtins(layer) == expected
    assert msgspec.convert(expected, LayerGates) == layer


def test_importing_it_imports_no_pytorch() -> None:
    program = "import sys, model.explain.explanation; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
