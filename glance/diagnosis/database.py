"""Checks of the database: does it answer, and does it have the tables of this release?"""
import os
from collections.abc import Iterator

import sqlalchemy as sa
from oslo_config import cfg

from glance import conf as configuration
from glance.db.sqlalchemy import schema
from glance.db.sqlalchemy.schema import SchemaError, Step
from glance.diagnosis.result import Finding, failure, fine, warning

_SQL = 'glance.db.sqlalchemy.api'


def is_used(conf: cfg.ConfigOpts) -> bool:
    """Tell whether this node talks to a database itself."""
    return conf.data_api == _SQL


def connect(conf: cfg.ConfigOpts) -> sa.Engine:
    """Return an engine; a SQLite file that does not exist is not made. Raises SchemaError, ConfigurationError."""
    configuration.require_database(conf)
    connection = conf.database.connection
    if connection.startswith('sqlite'):
        path = sa.make_url(connection).database
        if path and path != ':memory:' and not os.path.exists(path):
            raise SchemaError('The database file %s does not exist. Create it with "glance-manage db sync", or correct '
                              'connection in [database].' % path)
    return schema.create_engine(connection)


def revision(conf: cfg.ConfigOpts) -> Iterator[Finding]:
    """The database answers and stands at the revision of this release."""
    if not is_used(conf):
        yield fine('This node keeps its records elsewhere (data_api = %s).' % conf.data_api)
        return
    engine = connect(conf)
    step = schema.check(engine)
    standing = ', '.join(schema.revisions(engine)) or 'no revision'
    shown = engine.url.render_as_string()
    if step is None:
        yield fine('%s is at %s, which is up to date.' % (shown, standing))
    elif schema.is_upstream(engine):
        yield fine('%s is at %s, the newest upstream release, and can be used as it is. "glance-manage db expand" makes '
                   'lists faster; it can wait.' % (shown, standing))
    elif step is Step.EXPAND:
        yield failure('%s is at %s, older than this release. Run "glance-manage db sync" while the services are stopped, or '
                      'begin a rolling upgrade with "glance-manage db expand".' % (shown, standing))
    else:
        yield warning('%s is at %s, in the middle of a rolling upgrade. The next step is "glance-manage db %s".'
                      % (shown, standing, step.value))
