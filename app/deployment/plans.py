"""Plans that the settings make: the state in which a server starts."""

from app.config.sections import ModelSettings
from app.core.plan import Candidate, Plan, Plans, Source


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
