import re
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from app.config.sections import SHIPPED_CHECKPOINT, NetworkSettings
from app.config.settings import Settings, SettingsError
from app.core.plan import Candidate, Plan, Source
from app.deployment.plans import initial_plans


def test_defaults_agree_with_one_another() -> None:
    settings = Settings.from_env({})
    assert settings.models.paths == {"sentiment": SHIPPED_CHECKPOINT}
    assert (settings.network.host, settings.network.port) == ("127.0.0.1", 8000)
    # A megabyte of one letter, escaped as JSON may, gets an answer.
    assert settings.requests.max_chars >= 1024 * 1024
    assert settings.requests.max_body_bytes >= 6 * 1024 * 1024


def test_flags_win_over_the_environment_and_empty_variables_are_not_set() -> None:
    environ = {"SLUICE_PORT": "1", "SLUICE_MAX_TEXTS": "7", "SLUICE_HOST": "", "PATH": "/bin"}
    settings = Settings.from_env(environ, {"port": "2"})
    assert (settings.network.port, settings.requests.max_texts, settings.network.host) == (2, 7, "127.0.0.1")


@pytest.mark.parametrize(
    ("value", "models"),
    [
        ("a=/x", {"a": Path("/x")}),
        ("a=/x, b=/y=z", {"a": Path("/x"), "b": Path("/y=z")}),
        ("/models/tweets-v2", {"tweets-v2": Path("/models/tweets-v2")}),
    ],
)
def test_models_by_name_path_or_folder(value: str, models: dict[str, Path]) -> None:
    settings = Settings.from_env({"SLUICE_MODEL": value})
    assert settings.models.paths == models
    assert list(settings.models.paths) == list(models)


@pytest.mark.parametrize(
    ("environ", "sentence"),
    [
        ({"SLUICE_PROT": "1"}, "SLUICE_PROT is not a setting"),
        ({"SLUICE_port": "1"}, "SLUICE_port is not a setting"),
        ({"SLUICE_PORT": "80 80"}, "--port (SLUICE_PORT): input should be a valid integer"),
        ({"SLUICE_PORT": "http://10.0.0.1:80"}, "--port (SLUICE_PORT): input should be a valid integer"),
        ({"SLUICE_PORT": "99999"}, "--port (SLUICE_PORT): input should be less than"),
        ({"SLUICE_DEVICE": "tpu"}, "--device (SLUICE_DEVICE): must be auto, cpu, cuda or cuda:N"),
        ({"SLUICE_DTYPE": "int4"}, "--dtype (SLUICE_DTYPE): input should be 'auto', 'float32', 'bfloat16' or 'int8'"),
        ({"SLUICE_THREADS": "0"}, "--threads (SLUICE_THREADS): input should be greater than"),
        ({"SLUICE_THREADS": "100000"}, "input should be less than or equal to 1024"),
        ({"SLUICE_TOKENISE_THREADS": "100000"}, "input should be less than or equal to 1024"),
        ({"SLUICE_EXPLAIN_THREADS": "100000"}, "input should be less than or equal to 1024"),
        ({"SLUICE_DRAIN_DELAY_S": "inf"}, "(SLUICE_DRAIN_DELAY_S): input should be less than or equal to 86400"),
        ({"SLUICE_DRAIN_DELAY_S": "nan"}, "(SLUICE_DRAIN_DELAY_S): input should be"),
        ({"SLUICE_DRAIN_TIMEOUT_S": "86401"}, "input should be less than or equal to 86400"),
        ({"SLUICE_STUCK_AFTER_S": "inf"}, "input should be less than or equal to 86400"),
        ({"SLUICE_HEADERS_TIMEOUT_S": "inf"}, "input should be less than or equal to 86400"),
        ({"SLUICE_TRANSFER_TIMEOUT_S": "inf"}, "input should be less than or equal to 86400"),
        ({"SLUICE_KEEP_ALIVE_S": "86401"}, "input should be less than or equal to 86400"),
        ({"SLUICE_DEADLINE_MS": "86400001"}, "input should be less than or equal to 86400000"),
        ({"SLUICE_EXPLAIN_DEADLINE_MS": "86400001"}, "input should be less than or equal to 86400000"),
        ({"SLUICE_WATCH_S": "0.000001"}, "(SLUICE_WATCH_S): must be from 0.1 to 86400 seconds, or 0 for never"),
        ({"SLUICE_WATCH_S": "inf"}, "(SLUICE_WATCH_S): must be from 0.1 to 86400 seconds, or 0 for never"),
        ({"SLUICE_WATCH_S": "nan"}, "(SLUICE_WATCH_S): must be from 0.1 to 86400 seconds, or 0 for never"),
        ({"SLUICE_MODEL": "a=/x,a=/y"}, "the name a is given twice"),
        ({"SLUICE_MODEL": "a=/x,b="}, "b= names no folder; write NAME=FOLDER"),
        ({"SLUICE_MODEL": "bad name=/x"}, "'bad name' cannot name a model"),
        ({"SLUICE_MODEL": " , "}, "there must be at least one model"),
        ({"SLUICE_MAX_TEXTS": "5000"}, "--max-texts (5000) is more than --max-queue-texts (4096)"),
        ({"SLUICE_MAX_BATCH_TEXTS": "5000"}, "--max-batch-texts (5000) is more than --max-queue-texts (4096)"),
        ({"SLUICE_MAX_QUEUE_TOKENS": "9"}, "--max-batch-tokens (16384) is more than --max-queue-tokens (9)"),
        ({"SLUICE_MAX_BODY_BYTES": "2048"}, "--max-chars (2000000) is more than --max-body-bytes (2048)"),
        ({"SLUICE_CORS_ORIGIN": "example.org"}, "'example.org' is not an origin such as https://example.org"),
        ({"SLUICE_CORS_ORIGIN": "https://example.org/"}, "without a path"),
        ({"SLUICE_CORS_ORIGIN": "https://Example.org:443"}, "browsers send it as https://example.org; write it so"),
        ({"SLUICE_CORS_ORIGIN": "http://[2001:DB8::1]:80"}, "browsers send it as http://[2001:db8::1]; write it so"),
        ({"SLUICE_CORS_ORIGIN": "*,https://example.org"}, "* allows every origin already: leave out the others"),
        ({"SLUICE_TRUSTED_PROXY": "proxy"}, "--trusted-proxy (SLUICE_TRUSTED_PROXY): not an address or a network"),
        ({"SLUICE_TRUSTED_PROXY": "10.0.0.1/8"}, "not an address or a network"),
        ({"SLUICE_ROOT_PATH": "api/"}, "must begin with a slash and not end with one"),
        ({"SLUICE_MAX_CONNECTIONS": "0"}, "--max-connections (SLUICE_MAX_CONNECTIONS): input should be greater than"),
    ],
)
def test_wrong_settings_are_one_sentence(environ: dict[str, str], sentence: str) -> None:
    with pytest.raises(SettingsError) as error:
        Settings.from_env(environ)
    assert sentence in str(error.value)
    assert "\n" not in str(error.value)


def test_folders_are_watched_ten_times_a_second_at_most_or_never() -> None:
    for seconds in (0.0, 0.1, 86400.0):
        assert Settings.from_env({"SLUICE_WATCH_S": str(seconds)}).models.watch_s == seconds


def test_variables_of_kubernetes_and_training_are_left_alone() -> None:
    of_training = {"SLUICE_DATA": "data", "SLUICE_ENDPOINT_KEY": "secret"}
    assert Settings.from_env(of_training) == Settings()
    for service in ("SLUICE", "SLUICE_V2", "SLUICE_HEAD_SVC"):
        of_kubernetes = {
            "SERVICE_HOST": "10.0.0.1",
            "SERVICE_PORT": "80",
            "SERVICE_PORT_HTTP": "80",
            "PORT": "tcp://10.0.0.1:80",
            "PORT_80_TCP": "tcp://10.0.0.1:80",
            "PORT_80_TCP_PROTO": "tcp",
            "PORT_80_TCP_PORT": "80",
            "PORT_80_TCP_ADDR": "10.0.0.1",
        }
        environ = {f"{service}_{name}": value for name, value in of_kubernetes.items()}
        assert Settings.from_env(environ) == Settings()
    with pytest.raises(SettingsError, match="SLUICE_HTTP_PORT is not a setting"):
        Settings.from_env({"SLUICE_HTTP_PORT": "80"})


def test_settings_are_frozen_and_closed() -> None:
    settings = Settings()
    with pytest.raises(ValidationError):
        settings.network.port = 1  # type: ignore[misc]
    with pytest.raises(ValidationError):
        settings.network = NetworkSettings()  # type: ignore[misc]
    unknown: dict[str, Any] = {"prot": 1}
    with pytest.raises(ValidationError):
        Settings(**unknown)


def test_a_second_version_beside_a_model() -> None:
    environ = {"SLUICE_MODEL": "a=/x,b=/y,c=/z", "SLUICE_CANARY": "a=/x@2@0.25", "SLUICE_SHADOW": "c=/w@1"}
    plans = initial_plans(Settings.from_env(environ).models)
    assert plans == {
        "a": Plan(Source("/x"), Candidate(Source("/x@2"), 0.25)),
        "b": Plan(Source("/y")),
        "c": Plan(Source("/z"), Candidate(Source("/w"), 1.0, shadow=True)),
    }


def test_a_wrong_number_of_workers_is_one_fault_and_not_one_of_each_default_that_needs_it() -> None:
    with pytest.raises(SettingsError) as error:
        Settings.from_env({"SLUICE_WORKERS": "0"})
    assert str(error.value) == "--workers (SLUICE_WORKERS): input should be greater than or equal to 1"


@pytest.mark.parametrize(
    ("environ", "sentence"),
    [
        ({"SLUICE_CANARY": "sentiment=/x"}, "must be NAME=PATH@SHARE, with a share from 0 to 1 such as 0.1"),
        ({"SLUICE_CANARY": "sentiment=/x@1.1"}, "must be NAME=PATH@SHARE"),
        ({"SLUICE_SHADOW": "sentiment=/x@nan"}, "must be NAME=PATH@SHARE"),
        ({"SLUICE_SHADOW": "/x@0.1"}, "must be NAME=PATH@SHARE"),
        ({"SLUICE_CANARY": "sentiment=/x@0.1,sentiment=/y@0.2"}, "--canary (SLUICE_CANARY): sentiment is given twice"),
        ({"SLUICE_SHADOW": "other=/x@0.1"}, "but --model names no such model; it names sentiment"),
        (
            {"SLUICE_SHADOW": "sentiment=/x@0.1", "SLUICE_CANARY": "sentiment=/x@0.1"},
            "sentiment can have a canary or a shadow, not both",
        ),
        ({"SLUICE_ADMIN": "true"}, "--admin needs --api-keys-file or --api-keys"),
        ({"SLUICE_MODELS_FOLDER": "/no/such/folder"}, "path does not point to a directory"),
    ],
)
def test_second_versions_that_cannot_be(environ: dict[str, str], sentence: str) -> None:
    with pytest.raises(SettingsError, match=re.escape(sentence)):
        Settings.from_env(environ)
