import json
from pathlib import Path

import pytest

from benchmarks.lib.wrk import FORM, Load, WrkMissing, body, find_wrk, lua_string, parse, script


def test_the_script_names_its_files_as_lua_would_read_them() -> None:
    rendered = script(Path('/a "b"\\c/bodies'), "/predict")
    assert r'io.lines("/a \"b\"\\c/bodies")' in rendered
    assert 'wrk.format("POST", "/predict", {["Content-Type"] = "application/json"}, body)' in rendered
    assert lua_string(FORM) in rendered
    assert "{{" not in rendered


def test_a_body_is_one_line_of_ascii() -> None:
    texts = ["one\ntwo", '"quoted"', "这家酒店 👍🏽", "\u2028"]
    line = body(texts)
    assert line.isascii()
    assert "\n" not in line
    assert json.loads(line) == {"inputs": texts}


def test_what_wrk_printed_is_read() -> None:
    line = FORM % (1000, 4.0, 200, 3, 0.001, 0.25)
    load = parse(f"Running 4s test @ http://127.0.0.1:1/predict\n  1 threads\n{line}")
    assert load == Load(requests=1000, seconds=4.0, refused=200, lost=3, p50=0.001, p99=0.25)
    assert load.rate == 200


def test_no_result_is_an_error() -> None:
    with pytest.raises(ValueError, match="unable to connect"):
        parse("unable to connect to 127.0.0.1:1 Connection refused")


def test_wrk_may_be_absent(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(WrkMissing, match="apt-get install wrk"):
        find_wrk()
