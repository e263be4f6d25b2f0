"""First steps of a process that serves, before all that HTTP needs is imported."""

from pathlib import Path

from app.config.settings import Settings
from app.deployment.loader import Checkpoints
from app.deployment.plans import initial_plans
from app.explain.fork import Forked, fork_explainer


def begin(settings: Settings, *, replaces: bool = False) -> tuple[Checkpoints, Forked | None]:
    """Makes the process that explains, and then begins to load the first model on a thread.

    Args:
        settings: of the server.
        replaces: this process takes the place of another one, whose models may have been changed meanwhile; then it
            begins nothing.

    Returns:
        The loader to serve from, and the process that explains if there is one.
    """
    loader = Checkpoints(settings.compute)
    paths = [Path(source.path) for plan in initial_plans(settings.models).values() for source in plan.sources]
    with_torch = any(map(loader.brings_torch, paths))
    forked = fork_explainer(settings.explain, settings.telemetry.log_level, with_torch=with_torch)
    if not with_torch and not replaces:
        loader.begin(paths[0])
    return loader, forked
