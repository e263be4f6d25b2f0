"""First steps of a process that serves, before all that HTTP needs is imported."""

from pathlib import Path

from app.config.sections import ComputeSettings, ExplainSettings, ModelSettings
from app.deployment.loader import Checkpoints
from app.deployment.plans import initial_plans
from app.explain.fork import Forked, fork_explainer


def begin(
    models: ModelSettings,
    compute: ComputeSettings,
    explain: ExplainSettings,
    log_level: str,
    *,
    replaces: bool = False,
) -> tuple[Checkpoints, Forked | None]:
    """Makes the process that explains, and then begins to load the first model on a thread.

    Args:
        models, compute, explain: parts of the server's settings.
        log_level: least severe message that is logged.
        replaces: this process takes the place of another one, whose models may have been changed meanwhile; then it
            begins nothing.

    Returns:
        The loader to serve from, and the process that explains if there is one.
    """
    loader = Checkpoints(compute)
    paths = [Path(source.path) for plan in initial_plans(models).values() for source in plan.sources]
    with_torch = any(map(loader.brings_torch, paths))
    forked = fork_explainer(explain, log_level, with_torch=with_torch)
    if not with_torch and not replaces:
        loader.begin(paths[0])
    return loader, forked
