"""Table of all metrics: name, help, labels, buckets, and how the values of several processes become one.

No label ever holds anything that a client wrote: routes are templates, methods are those of HTTP. `docs/operations.md`
explains each row, which `tests/test_operations.py` checks.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from model.profile import BOUNDS

Combine = Callable[[Iterable[float]], float]


@dataclass(frozen=True, slots=True)
class Family:
    """Metrics of one name, told apart by labels.

    Attributes:
        kind: of each of them.
        name: without the `_total` of a counter.
        help: one or two sentences for whoever reads `/metrics`.
        labels: names, in the order in which values are given.
        buckets: upper bounds of a histogram, each of which belongs to the bucket below it.
        combine: makes one number of those that several processes have.
    """

    kind: Literal["counter", "histogram", "gauge"]
    name: str
    help: str
    labels: tuple[str, ...] = ()
    buckets: Sequence[float] = ()
    combine: Combine = sum


SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
EXPLAIN_SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
LAG_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5)
TEXTS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024)
TOKENS = (16, 64, 256, 1024, 4096, 16_384, 65_536)

FAMILIES: tuple[Family, ...] = (
    Family("counter", "sluice_http_requests", "Requests answered.", ("method", "route", "status")),
    Family(
        "histogram",
        "sluice_http_request_seconds",
        "Time from the request's headers to the end of its answer.",
        ("route",),
        SECONDS,
    ),
    Family("counter", "sluice_key_requests", "Requests by the name of their API key.", ("key", "status")),
    Family("counter", "sluice_key_texts", "Texts by the name of their API key.", ("key",)),
    Family("gauge", "sluice_connections", "Open connections."),
    Family(
        "counter",
        "sluice_connections_cut",
        "Connections closed by the server, by cause: silent, headers, headers_size, body, answer, idle, excess.",
        ("cause",),
    ),
    Family("counter", "sluice_texts", "Texts classified.", ("model",)),
    Family("counter", "sluice_tokens", "Tokens of the texts classified.", ("model",)),
    Family("counter", "sluice_texts_truncated", "Texts cut because the model reads no more tokens.", ("model",)),
    Family(
        "counter",
        "sluice_texts_failed",
        "Texts that got an error, though the rest of the request did not.",
        ("model", "type"),
    ),
    Family(
        "counter",
        "sluice_texts_dropped",
        "Texts without an answer, by cause. Those of requests that were refused before they were read are not among "
        "them: sluice_http_requests_total counts these, with status 503.",
        ("model", "cause"),
    ),
    Family(
        "histogram",
        "sluice_stage_seconds",
        "Time of a request in each stage. read: until its body is read and it is admitted (at once or not at all, so "
        "there is no wait for a permit); wait: for a tokeniser; tokenise; queue: for the device; compute: on the "
        "device; respond: writing and sending the answer. Streams are not in read and respond.",
        ("model", "stage"),
        SECONDS,
    ),
    Family("histogram", "sluice_batch_texts", "Texts of a batch.", ("model",), TEXTS),
    Family("histogram", "sluice_batch_tokens", "Tokens of a batch without padding.", ("model",), TOKENS),
    Family("histogram", "sluice_batch_seconds", "Time of a batch on the device.", ("model",), SECONDS),
    Family(
        "counter",
        "sluice_batch_padded_tokens",
        "Tokens computed, padding included; the padding share is 1 - sluice_batch_tokens_sum / this.",
        ("model",),
    ),
    Family("counter", "sluice_cache_hits", "Texts whose answer was remembered.", ("model",)),
    Family("counter", "sluice_cache_misses", "Texts that had to be computed.", ("model",)),
    Family("counter", "sluice_restarts", "Device threads that died and were replaced.", ("model",)),
    Family("gauge", "sluice_explain_queue_texts", "Texts under way for POST /explain."),
    Family(
        "histogram",
        "sluice_explain_seconds",
        "Time of a text in the process that explains.",
        ("model",),
        EXPLAIN_SECONDS,
    ),
    Family(
        "counter",
        "sluice_explain_restarts",
        "Processes for explanations that died while a request waited; the next one starts another process. If the "
        "log has no cause, look for the kernel's out-of-memory killer: it takes this process first.",
    ),
    Family(
        "counter",
        "sluice_predictions",
        "Texts by label given; of a multi-label model a text counts for each of its labels. Shares that change "
        "without a release mean that other texts come.",
        ("model", "version", "label"),
    ),
    Family(
        "counter",
        "sluice_texts_unlabelled",
        "Texts that were given no label, which only a multi-label model does.",
        ("model", "version"),
    ),
    Family(
        "histogram",
        "sluice_confidence",
        "Highest probability of a text. If low ones become more frequent, texts come that the model was not made for.",
        ("model",),
        BOUNDS["confidence"],
    ),
    Family(
        "histogram",
        "sluice_text_tokens",
        "Tokens of a text, after it was cut at the limit. Long ones cost more.",
        ("model",),
        BOUNDS["length"],
    ),
    Family(
        "histogram",
        "sluice_unknown_share",
        "Share of a text's tokens that are pieces of a character, because its script or sign was rare in the training "
        "texts: the model guesses there.",
        ("model",),
        BOUNDS["unknown"],
    ),
    Family(
        "gauge",
        "sluice_drift",
        "Distance of the last 10,000 texts or so from the checkpoint's reference: population stability index of the "
        "labels given, the highest probability, the length in tokens and the share of unknown script. Below 0.1 "
        "little has changed, above 0.25 other texts come. Absent before 1,000 texts, for a version that is replaced, "
        "and for a checkpoint without a reference (`python -m training reference` adds one). Look at a sample of the "
        "texts; train anew if they are to stay so.",
        ("model", "version", "aspect"),
        combine=max,
    ),
    Family("gauge", "sluice_queue_texts", "Texts under way.", ("model",)),
    Family("gauge", "sluice_queue_tokens", "Tokens under way.", ("model",)),
    Family(
        "gauge",
        "sluice_queue_texts_limit",
        "Texts that may be under way for each model, over all workers (max_queue_texts); more get 503.",
    ),
    Family(
        "gauge",
        "sluice_deadline_seconds",
        "Time that a request may take (deadline_ms), else it gets 504.",
        combine=max,
    ),
    Family("gauge", "sluice_ready", "1 if the server takes traffic.", combine=min),
    Family(
        "gauge",
        "sluice_model_info",
        "1 for each loaded version.",
        ("model", "version", "device", "dtype"),
        combine=max,
    ),
    Family(
        "gauge",
        "sluice_version_share",
        "Share of requests that a version answers.",
        ("model", "version"),
        combine=max,
    ),
    Family("counter", "sluice_version_requests", "Requests answered by a version.", ("model", "version")),
    Family("counter", "sluice_version_texts", "Texts answered by a version.", ("model", "version")),
    Family("counter", "sluice_reloads", "Checkpoints loaded while serving, or refused.", ("model", "outcome")),
    Family(
        "counter",
        "sluice_shadow_texts",
        "Copies of texts that a shadow got: its label agreed or disagreed, it failed, or it was busy.",
        ("model", "version", "outcome"),
    ),
    Family("gauge", "sluice_workers", "Processes that answer."),
    # Counted by the process that replaces them; see app.process.workers.
    Family(
        "counter",
        "sluice_worker_restarts",
        "Worker processes that died and were replaced; their requests in flight were lost. If the log has no cause, "
        "look for the kernel's out-of-memory killer.",
    ),
    Family(
        "histogram",
        "sluice_event_loop_lag_seconds",
        "Lateness of the event loop, measured ten times a second. If it is often over 10 ms, something computes on "
        "it, or the process gets too little processor time.",
        buckets=LAG_SECONDS,
    ),
    Family(
        "gauge",
        "sluice_gpu_memory_used_bytes",
        "Memory of the GPU in use by any process.",
        ("device",),
        combine=max,
    ),
    Family("gauge", "sluice_gpu_memory_total_bytes", "Memory of the GPU.", ("device",), combine=max),
    Family(
        "gauge",
        "sluice_gpu_memory_allocated_bytes",
        "Memory that tensors of this server take on the GPU, over all workers. It should be flat under traffic; lower "
        "max_batch_tokens if it comes near the total.",
        ("device",),
    ),
    Family(
        "gauge",
        "sluice_gpu_utilisation_ratio",
        "Share of the last second in which the GPU computed, for any process; absent without the package nvidia-ml-py.",
        ("device",),
        combine=max,
    ),
    Family("counter", "process_cpu_seconds", "Processor time of all processes."),
    Family("gauge", "process_resident_memory_bytes", "Resident memory of all processes."),
    Family("gauge", "process_virtual_memory_bytes", "Virtual memory of all processes."),
    Family("gauge", "process_open_fds", "Open file descriptors of all processes."),
    Family("gauge", "process_max_fds", "File descriptors that a process may open.", combine=min),
    Family(
        "gauge",
        "process_start_time_seconds",
        "Start of the oldest process, in seconds since 1970.",
        combine=min,
    ),
)
