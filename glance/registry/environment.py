"""What a process of glance-registry needs to serve requests."""
import dataclasses
from collections.abc import Callable
from typing import TypeVar

from oslo_config import cfg

from glance import environment, exceptions
from glance.db.interface import Database
from glance.db.sqlalchemy.database import SQLDatabase
from glance.db.sqlalchemy.request_keys import RequestKeys
from glance.metrics.recorder import Metrics
from glance.policies.enforcer import Enforcer
from glance.registry.peers import Peers
from glance.registry.repetition import Repetition

Result = TypeVar('Result')


@dataclasses.dataclass(frozen=True, slots=True)
class RegistryEnvironment:
    """The parts of one process; the enforcer says who is an administrator, and ``peers`` who may tell that.

    Without ``repetition`` writes are carried out as often as they come.
    """

    conf: cfg.ConfigOpts
    database: Database
    enforcer: Enforcer
    metrics: Metrics
    peers: Peers
    repetition: Repetition | None = None

    def begin(self) -> None:
        """There is no work beside requests."""

    def together(self, work: Callable[[], Result]) -> Result:
        """Do what ``work`` does to the records as a whole, or nothing of it; it may run more than once.

        Raises Invalid where there are no transactions, and DatabaseUnavailable.
        """
        if not isinstance(self.database, SQLDatabase):
            raise exceptions.Invalid('The records of this registry know no transactions; leave X-Glance-Rpc-Atomic out.')
        return self.database.engine.together(work)

    def close(self) -> None:
        """Finish what is remembered and close the connections to the database."""
        if self.repetition:
            self.repetition.close()
        self.database.close()
        self.metrics.close()


def build(conf: cfg.ConfigOpts, metrics: Metrics | None = None) -> RegistryEnvironment:
    """Make the environment of this process from its configuration. Raises ConfigurationError."""
    if conf.data_api == environment.REGISTRY:
        raise exceptions.ConfigurationError(
            '[DEFAULT] data_api = %s would have glance-registry ask a registry; remove the line from its configuration, '
            'or name a database: glance.db.sqlalchemy.api.' % conf.data_api)
    database = environment.open_database(conf)
    return RegistryEnvironment(conf, database, Enforcer(conf), metrics or Metrics(), Peers(conf),
                               _repetition(conf, database))


def _repetition(conf: cfg.ConfigOpts, database: Database) -> Repetition | None:
    """Records in memory are those of one process: there is no place in which the others would find an answer."""
    if not conf.registry_request_key_ttl or not isinstance(database, SQLDatabase):
        return None
    return Repetition(RequestKeys(database.engine, conf.registry_request_key_ttl))
