"""Place of the C++ library, which `python -m model.engine.build` makes: the network on a CPU, and the text path."""

from pathlib import Path

LIBRARY = Path(__file__).parent / "engine" / "libengine.so"
"""Any machine with a compiler can build it: what the processor lacks is found out when it is loaded."""
