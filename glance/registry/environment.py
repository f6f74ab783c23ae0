"""What a process of glance-registry needs to serve requests."""
import dataclasses
import logging

from oslo_config import cfg

from glance import environment, exceptions
from glance.db.interface import Database
from glance.metrics.recorder import Metrics
from glance.policies.enforcer import Enforcer

LOG = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True, slots=True)
class RegistryEnvironment:
    """The parts of one process; the enforcer says who is an administrator."""

    conf: cfg.ConfigOpts
    database: Database
    enforcer: Enforcer
    metrics: Metrics

    def begin(self) -> None:
        """There is no work beside requests."""

    def close(self) -> None:
        """Close the connections to the database."""
        self.database.close()
        self.metrics.close()


def build(conf: cfg.ConfigOpts, metrics: Metrics | None = None) -> RegistryEnvironment:
    """Make the environment of this process from its configuration. Raises ConfigurationError."""
    if conf.data_api == environment.REGISTRY:
        raise exceptions.ConfigurationError(
            '[DEFAULT] data_api = %s would have glance-registry ask a registry; remove the line from its configuration, '
            'or name a database: glance.db.sqlalchemy.api.' % conf.data_api)
    return RegistryEnvironment(conf, environment.open_database(conf), Enforcer(conf), metrics or Metrics())
