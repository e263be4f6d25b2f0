"""The checkpoint of this repository; kept apart from what imports PyTorch."""

from pathlib import Path

SHIPPED = Path(__file__).parents[2] / "checkpoints" / "sentiment"
