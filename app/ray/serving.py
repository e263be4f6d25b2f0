"""The application under Ray Serve: a replica is what a worker of the plain server is.

    serve deploy deploy/ray/serve.yaml

Each replica builds the service and the routes from its `SLUICE_` variables. Ray Serve owns the sockets, starts and
replaces replicas, and lets requests under way finish before it ends one.
"""

from typing import TYPE_CHECKING

from fastapi import FastAPI
from ray import serve

from app.core.errors import NotReady
from app.main import app_from_environment
from app.ray.autoscaling import QUEUED_TEXTS

if TYPE_CHECKING:
    from app.process.service import Service


def loaded_app() -> FastAPI:
    """The application, whose start lasts until its models are loaded: before that a replica gets no request."""
    return app_from_environment(load_first=True)


class Replica:
    """One replica; Ray Serve mixes the application in. `deploy/ray/serve.yaml` sets its options."""

    app: FastAPI

    @property
    def _service(self) -> "Service":
        service: Service = self.app.state.service
        return service

    async def check_health(self) -> None:
        """Raises unless the replica is ready; Ray Serve never uses one that begins so, and replaces one that stays so.

        Raises:
            NotReady: a model could not be loaded, or its device thread does not run.
        """
        registry = self._service.registry
        if not registry.ready:
            raise NotReady(f"The replica is not ready: {registry.states()}.")

    async def record_autoscaling_stats(self) -> dict[str, float]:
        """Texts under way, over all models and versions."""
        versions = (version for model in self._service.registry.loaded for version in model.versions)
        return {QUEUED_TEXTS: sum(batcher.admission.texts for version in versions for batcher in version.batchers)}


application = serve.deployment(name="Sluice")(serve.ingress(loaded_app)(Replica)).bind()
"""What `import_path` of a configuration names."""
