"""Runs schemathesis: the server must do what its OpenAPI document says.

    python -m benchmarks.http.schema [--max-examples 200] [--max-s 300]

schemathesis with all of its checks against a real server with the shipped checkpoint: right and wrong requests,
examples, boundary values and sequences of calls. The suite runs the same for twenty seconds. Fails if a check does.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

import click

from benchmarks.lib.server import running_server
from benchmarks.lib.shipped import SHIPPED

SCHEMATHESIS = """
hooks = "hooks.py"

# A client that gives the server one millisecond earns its 504.
[checks.not_a_server_error]
expected-statuses = ["2xx", "3xx", "4xx", 504]

# No schema can say that a shape must fit its data, nor which function and how many dimensions a model has.
[[operations]]
include-operation-id = ["infer", "infer_version"]
checks.positive_data_acceptance.expected-statuses = ["2xx", 400, 404, 504]

[[operations]]
include-operation-id = ["text_classification", "invocations", "embeddings_v1"]
checks.positive_data_acceptance.expected-statuses = ["2xx", 404, 422, 504]

# Nor which labels and units. Too many texts are 413, which schemathesis does not take for a refusal of wrong data.
[[operations]]
include-operation-id = ["explain", "predict"]
checks.positive_data_acceptance.expected-statuses = ["2xx", 404, 422, 504]
checks.negative_data_rejection.expected-statuses = ["4xx", "5xx"]

# A wrong line has its error in the answer.
[[operations]]
include-operation-id = ["predict_stream"]
checks.positive_data_acceptance.expected-statuses = ["2xx", 404, 422, 504]
checks.negative_data_rejection.expected-statuses = ["2xx", "4xx", "5xx"]
"""

HOOKS = """
import schemathesis

schemathesis.serializer.alias("application/x-ndjson", "text/plain")


@schemathesis.hook
def filter_case(context, case):
    # A header that is not in the document is no reason to refuse a request: proxies add some.
    return not any("unknown-property" in name.lower() for name in case.headers or ())
"""


def run_schemathesis(
    url: str, folder: Path, *, seed: int, max_examples: int, max_s: int
) -> subprocess.CompletedProcess[str]:
    """Output of schemathesis about the server at `url`; `folder` is for its files."""
    (folder / "schemathesis.toml").write_text(SCHEMATHESIS)
    (folder / "hooks.py").write_text(HOOKS)
    options = f"--checks all --seed {seed} --max-examples {max_examples} --max-time {max_s} --wait-for-schema 10"
    command = [sys.executable, "-m", "schemathesis.cli", "run", f"{url}/openapi.json", *options.split()]
    command += ["--generation-database", "none", "--no-color"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=5 * max_s, check=False)


@click.command(help=__doc__)
@click.option("--max-examples", default=200, show_default=True, help="Of each operation and phase.")
@click.option("--max-s", default=300, show_default=True)
@click.option("--seed", default=1, show_default=True)
def main(max_examples: int, max_s: int, seed: int) -> None:
    """Prints the end of what schemathesis prints."""
    with tempfile.TemporaryDirectory() as folder, running_server(f"--model=sentiment={SHIPPED}") as server:
        run = run_schemathesis(server.url, Path(folder), seed=seed, max_examples=max_examples, max_s=max_s)
    print(run.stdout[-1500:] if run.returncode == 0 else run.stdout + run.stderr)
    sys.exit(run.returncode)


if __name__ == "__main__":
    main()
