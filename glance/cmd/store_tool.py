"""What the actions of ``glance-manage`` on stores work with."""
import contextlib
import os
from collections.abc import Iterator

from oslo_config import cfg

from glance import environment
from glance.db.interface import Database
from glance.store.backends import Backends, staging_directory


@contextlib.contextmanager
def opened(config: cfg.ConfigOpts) -> Iterator[tuple[Database, Backends]]:
    """The records and the stores, the staging area of this node among them where it has one."""
    with contextlib.ExitStack() as stack:
        database = environment.open_database(config)
        stack.callback(database.close)
        database.check()
        stores = Backends(config, reserved=os.path.isdir(staging_directory(config)))
        stack.callback(stores.close)
        yield database, stores
