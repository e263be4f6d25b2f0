"""Plans that a server starts with, and those that its processes publish to each other."""

import msgspec

from app.config.sections import ModelSettings
from app.core.plan import Candidate, Plan, Plans, Source
from app.core.shared import SharedFolder

PUBLISHED = "plans"
"""File of the plans that the processes have published."""


def initial_plans(models: ModelSettings) -> Plans:
    """Plan of each model named in the settings, with its canary or shadow as the candidate.

    >>> initial_plans(ModelSettings.model_validate({"model": "a=/x", "shadow": "a=/y@0.5"}))["a"].candidate.share
    0.5
    """
    plans = {}
    for name, path in models.paths.items():
        trial = models.canary.get(name) or models.shadow.get(name)
        candidate = None
        if trial is not None:
            candidate = Candidate(Source(str(trial.path)), trial.share, shadow=name in models.shadow)
        plans[name] = Plan(Source(str(path)), candidate)
    return plans


def published_plans(folder: SharedFolder) -> Plans | None:
    """Plans of all processes since somebody changed one; None as long as nobody has."""
    content = folder.read(PUBLISHED)
    return None if content is None else msgspec.json.decode(content, type=Plans)


def write_plan(folder: SharedFolder, name: str, plan: Plan | None, seen: Plans) -> bool:
    """Publishes the plan of one name, or its removal, to all processes.

    Args:
        folder: that they share.
        name, plan: what changes.
        seen: plans from which the change was computed: the published ones; those of the server if there were none.

    Returns:
        False if another process has changed the plan of that name since; then nothing has changed.

    Raises:
        OSError: it could not be written; nothing has changed.
    """
    with folder.locked():
        plans = published_plans(folder) or dict(seen)
        if plans.get(name) != seen.get(name):
            return False
        if plan is None:
            plans.pop(name, None)
        else:
            plans[name] = plan
        folder.write(PUBLISHED, msgspec.json.encode(plans))
        return True
