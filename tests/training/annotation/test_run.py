"""From files to the file of labels, with what is told about it."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from subprocess import DEVNULL
from typing import Any

import pyarrow.parquet as pq
import pytest

from tests.training.annotation.rule_server import Reply, RuleServer, by_words, completion, rule_server
from training.annotation.client import Endpoint, chat_url
from training.annotation.cost import Prices
from training.annotation.prompt import make_prompt, parse_labels
from training.annotation.review import review_path
from training.annotation.run import Job, kept_path, label_files, show_prompt
from training.errors import RunError

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def server() -> Iterator[RuleServer]:
    with rule_server(by_words({"fine": "good"}, "null")) as server:
        yield server


@pytest.fixture
def job(server: RuleServer, tmp_path: Path) -> Job:
    path = tmp_path / "texts.csv"
    path.write_text("text\nfine 1\npoor 2\n\nfine 1\nfine 3\npoor 4\n", encoding="utf-8")
    return Job(
        files=[path],
        output=tmp_path / "labels.parquet",
        text_column="text",
        endpoint=Endpoint(chat_url(server.url), "m", retries=0, backoff_s=0.001),
        prompt=make_prompt(parse_labels("good,null"), max_characters=100),
        texts_per_call=3,
        concurrency=1,
        prices=Prices(1.0, 10.0),
        review=2,
        seed=0,
        max_unlabelled=0.05,
    )


def test_a_file_is_labelled_and_each_step_is_told(job: Job, server: RuleServer) -> None:
    lines: list[str] = []
    label_files(job, lines.append)
    assert pq.read_table(job.output)["label"].to_pylist() == ["good", "null", "good", "good", "null"]
    assert lines[0].startswith("4 distinct texts: 2 calls, about ")
    assert lines[0].endswith(" out, price 0.0005")
    assert lines[1:3] == ["asked about 3 of 4 texts, " + lines[1].split(", ")[1], lines[2]]
    assert lines[3:] == [
        "2 requests, 200 tokens in and 20 out as the endpoint counted, price 0.0004",
        "good 2, null 2",
        "with log-probabilities, one column a label: for train and distill",
        "train takes the label 'null' for a missing one unless --keep-label 'null' is given",
        f"wrote 2 texts to {review_path(job.output)}: fill in its column label, then ask for the agreement",
        f"wrote 5 rows to {job.output}: 4 of 4 distinct texts have a label",
    ]
    label_files(job, lines.append)
    assert len(server.bodies) == 2, "nothing is asked twice"
    assert "4 distinct texts, 4 of them answered before: 0 calls, about 0 tokens in" in lines[9]


def test_the_prompt_is_shown_before_anything_is_sent(job: Job, server: RuleServer) -> None:
    lines: list[str] = []
    show_prompt(job, lines.append)
    assert lines[0].startswith("--- system\nYou label texts.")
    assert lines[1] == '--- user\n{"1": "fine 1", "2": "poor 2", "3": "fine 3"}'
    assert lines[2].startswith("4 distinct texts: 2 calls")
    assert server.bodies == []
    assert not job.output.exists()
    assert not kept_path(job.output).exists(), "to look writes nothing"


def test_too_many_texts_without_a_label_are_a_failure_and_in_the_file(job: Job, server: RuleServer) -> None:
    job, lines = replace(job, files=[job.files[0]], texts_per_call=1, review=0), list[str]()
    server.always = lambda body: Reply(body=completion("Hm")) if "poor 2" in str(body["messages"]) else None
    with pytest.raises(RunError, match=r"25.0% of the texts have no label, more than --max-unlabelled 5.0%"):
        label_files(job, lines.append)
    assert lines[-1].endswith("3 of 4 distinct texts have a label, 1 have none (1 no JSON object; column label_error)")
    assert pq.read_table(job.output)["label_error"].to_pylist() == [None, "no JSON object: 'Hm'", None, None, None]
    label_files(replace(job, max_unlabelled=0.25), lines.append)
    server.always = lambda body: None
    label_files(job, lines.append)
    assert lines[-1].endswith("4 of 4 distinct texts have a label")


def test_an_answer_against_its_own_probabilities_is_told(job: Job, server: RuleServer) -> None:
    def against(body: Mapping[str, Any]) -> Reply:
        entry = {"token": "null", "logprob": -1.5, "top_logprobs": [{"token": "good", "logprob": -0.2}]}
        pieces = [{"token": '{"1":"', "logprob": 0.0}, entry, {"token": '"}', "logprob": 0.0}]
        return Reply(body=completion('{"1":"null"}', logprobs={"content": pieces}))

    server.always, lines = against, list[str]()
    label_files(replace(job, texts_per_call=1), lines.append)
    assert "in 4 texts another label is more probable than the answer; see the prompt and --review" in lines


def test_a_run_that_breaks_goes_on_where_it_was(job: Job, server: RuleServer) -> None:
    lines: list[str] = []
    job = replace(job, texts_per_call=1)
    server.always = lambda body: Reply(401, {"error": "key expired"}) if len(server.bodies) > 2 else None
    with pytest.raises(RunError, match="401"):
        label_files(job, lines.append)
    assert f"2 of 4 texts have an answer that is kept in {kept_path(job.output)}" in "\n".join(lines)
    assert not job.output.exists()
    server.always = lambda body: None
    label_files(job, lines.append)
    assert len(server.bodies) == 3 + 2
    assert pq.read_table(job.output)["label"].null_count == 0


@pytest.fixture
def ctrl_c_as_on_a_terminal() -> Iterator[None]:
    """A job in the background of a shell begins with SIGINT ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("ctrl_c_as_on_a_terminal")
def test_ctrl_c_keeps_the_answers(job: Job, server: RuleServer) -> None:
    def interrupt(body: object) -> Reply | None:
        if len(server.bodies) < 3:
            return None
        os.kill(os.getpid(), signal.SIGINT)
        return Reply(500, b"")

    server.always, lines = interrupt, list[str]()
    with pytest.raises(KeyboardInterrupt):
        label_files(replace(job, texts_per_call=1), lines.append)
    assert "2 of 4 texts have an answer that is kept" in "\n".join(lines)
    assert len(kept_path(job.output).read_bytes().splitlines()) == 2


def test_a_run_that_is_killed_keeps_its_answers(job: Job, server: RuleServer) -> None:
    job = replace(job, texts_per_call=1)
    server.always = lambda body: Reply(delay_s=0.5) if len(server.bodies) > 2 else None
    command = [sys.executable, "-m", "training", "label", str(job.files[0]), "--output", str(job.output)]
    command += ["--endpoint", server.url, "--model", "m", "--labels", "good,null", "--max-characters", "100"]
    with subprocess.Popen([*command, "--concurrency", "1"], cwd=ROOT, stdout=DEVNULL, stderr=DEVNULL) as process:
        while len(server.bodies) < 3 and process.poll() is None:
            time.sleep(0.01)
        process.kill()
    assert len(kept_path(job.output).read_bytes().splitlines()) == 2
    server.always = lambda body: None
    label_files(job, lambda _: None)
    assert len(server.bodies) == 3 + 2
    assert pq.read_table(job.output)["label"].null_count == 0
