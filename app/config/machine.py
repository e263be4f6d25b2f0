"""Processors and open files that this process may use: defaults of settings."""

import math
import os
import resource
from pathlib import Path

DESCRIPTOR_RESERVE = 512
"""Open files besides connections: models, libraries, sockets, and connections that are being turned away."""

MOST_CONNECTIONS = 16_384
"""Default of `max_connections` where the limit of open files allows for them."""


def available_cpus(cgroup: Path = Path("/sys/fs/cgroup")) -> int:
    """Processors of the affinity mask, or fewer under a container's CPU quota (cgroup version 2 or 1); at least 1.

    A container limited to two processors on a host of sixty-four still sees sixty-four; that many threads would be
    throttled and be slower than two.
    """
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, math.ceil(min(allowed, _quota(cgroup))))


def default_connections() -> int:
    """Connections that the limit of open files leaves room for, up to 16,384."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    unlimited = hard == resource.RLIM_INFINITY
    return MOST_CONNECTIONS if unlimited else max(1, min(MOST_CONNECTIONS, hard - DESCRIPTOR_RESERVE))


def _quota(cgroup: Path) -> float:
    """Processors' worth of time granted, infinity if there is no limit or no way to know."""
    try:
        if (version_2 := cgroup / "cpu.max").exists():
            quota, period = version_2.read_text().split()
        else:
            quota = (cgroup / "cpu" / "cpu.cfs_quota_us").read_text()
            period = (cgroup / "cpu" / "cpu.cfs_period_us").read_text()
        return float(quota) / float(period) if float(quota) > 0 else math.inf
    except (OSError, ValueError):  # no such file, or the word "max"
        return math.inf
