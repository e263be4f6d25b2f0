"""Memory of a process and its children, resident and by share."""

from collections import defaultdict
from contextlib import suppress
from pathlib import Path

PROC = Path("/proc")
MEGABYTE = 2**20


def parents(proc: Path = PROC) -> dict[int, int]:
    """The parent of each process."""
    found = {}
    for folder in proc.iterdir():
        if folder.name.isdigit():
            with suppress(OSError):
                # The name before the last parenthesis may hold anything.
                found[int(folder.name)] = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
    return found


def tree(root: int, parent_of: dict[int, int]) -> set[int]:
    """A process and all below it.

    >>> sorted(tree(1, {1: 0, 2: 1, 3: 2, 4: 9}))
    [1, 2, 3]
    """
    children = defaultdict(list)
    for pid, parent in parent_of.items():
        children[parent].append(pid)
    found, rest = set(), [root]
    while rest:
        pid = rest.pop()
        found.add(pid)
        rest += children[pid]
    return found


def resident(root: int, proc: Path = PROC) -> int:
    """Bytes that a process and those below it hold in memory; pages that they share are counted for each."""
    total = 0
    for pid in tree(root, parents(proc)):
        with suppress(OSError):
            lines = (proc / str(pid) / "status").read_text().splitlines()
            total += sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmRSS:"))
    return total


def rollup(pid: int, proc: Path = PROC) -> dict[str, int]:
    """Bytes of a process by kind, as the kernel adds them up.

    `Rss` counts each page that it has mapped, `Pss` a page of n processes as an n-th.
    Source: Documentation/filesystems/proc.rst, smaps_rollup.
    """
    lines = (proc / str(pid) / "smaps_rollup").read_text().splitlines()[1:]
    return {line.split(":")[0]: int(line.split()[1]) * 1024 for line in lines}
