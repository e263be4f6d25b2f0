"""One process of load: `python -m benchmarks.gpu.client PORT DATA TEXTS_A_REQUEST CONNECTIONS SECONDS`.

Prints good answers a second, p50 and p99 in milliseconds, and answers that were not good.
"""

import asyncio
import sys
from pathlib import Path

from benchmarks.gpu.texts import FILES
from benchmarks.lib.load_generator import OK, chunks, closed_loop, percentile, render
from benchmarks.lib.texts import read_texts


def main(port: int, data: Path, size: int, connections: int, seconds: float) -> None:
    """Asks for as long as it is told."""
    requests = [render(part) for part in chunks(read_texts(data / FILES["sst2"]), size)]
    loop = closed_loop(port, requests, connections=connections, seconds=seconds, warm_up_s=1.0)
    tally = asyncio.run(loop)
    bad = sum(count for status, count in tally.statuses.items() if status != OK)
    print(tally.rate, *(percentile(tally.latencies, at) * 1e3 for at in (50, 99)), bad)


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]), float(sys.argv[5]))
