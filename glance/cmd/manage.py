"""``glance-manage``: brings the database to this release, removes old rows, and compares records with stores.

Exit codes: 0 done, or nothing to do; 1 refused or failed, with one line ``ERROR: …`` on stderr; 2 wrong command line.
``db check`` also answers with its exit code: 3 expand, 4 migrate or 5 contract is the next step.

A database of upstream's newest release works as it is, so nothing is urgent there. ``db check`` still answers 3, so
that the scripts which roll out any release go on with ``db expand``; its text says that the step can wait.
"""
import argparse
import contextlib
import datetime
import logging
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence

import sqlalchemy as sa
from oslo_config import cfg

from glance import conf
from glance.cmd import store_audit, store_relocation, store_trash
from glance.cmd.failure import fail, fail_unexpectedly
from glance.db.interface import MAX_INTEGER
from glance.db.sqlalchemy import schema
from glance.db.sqlalchemy.database import SQLDatabase
from glance.db.sqlalchemy.purge import Purge
from glance.db.sqlalchemy.schema import SchemaError, Step
from glance.exceptions import GlanceError

PROG = 'glance-manage'
LOG = logging.getLogger(__name__)
USAGE = f"""usage: {PROG} [options] db ACTION [arguments]
       {PROG} [options] db_ACTION [arguments]

       {PROG} [options] store ACTION [arguments]

categories:
  db      the database: its schema, the rows that a release moves, and those that nobody needs any more
  store   the stores: data without a record, records without data; copies and moves"""

EPOCH = datetime.datetime(1970, 1, 1)
UP_TO_DATE = 'Database is up to date. No migrations needed.'
EXIT_CODES = {None: 0, Step.EXPAND: 3, Step.MIGRATE: 4, Step.CONTRACT: 5}
ONLINE_ENGINES = ('mysql', 'mariadb', 'sqlite')


def main(args: Sequence[str] | None = None) -> int:
    """Run one action; returns the exit code. ``args`` is the command line without the program's name."""
    args = sys.argv[1:] if args is None else list(args)
    if not args:
        print(USAGE)
        return 2
    config = cfg.ConfigOpts()
    config.register_cli_opt(cfg.SubCommandOpt('command', title='commands', handler=_add_commands))
    try:
        conf.load(args, prog=PROG, conf=config)
        return config.command.run(config)
    except GlanceError as error:
        return fail(str(error))
    except sa.exc.DBAPIError as error:
        if config.debug:
            raise
        return fail(f'The database refused: {error.orig} (run again with --debug for details)')
    except Exception as error:
        if config.debug:
            raise
        return fail_unexpectedly(error)


# The command line.

def _add_commands(commands: argparse._SubParsersAction) -> None:
    database = commands.add_parser('db', help='actions on the database')
    database.set_defaults(run=_list_actions)
    actions = database.add_subparsers(title='actions', metavar='ACTION')
    for name, (run, arguments) in ACTIONS.items():
        for parser in (actions.add_parser(name, help=run.__doc__, description=run.__doc__),
                       commands.add_parser(f'db_{name}', help=f'same as "db {name}"', description=run.__doc__)):
            parser.set_defaults(run=run)
            for add in arguments:
                add(parser)
    stores = commands.add_parser('store', help='actions on the stores')
    stores.set_defaults(run=_list_store_actions)
    actions = stores.add_subparsers(title='actions', metavar='ACTION')
    for name, (run, add) in STORE_ACTIONS.items():
        parser = actions.add_parser(name, help=run.__doc__, description=run.__doc__)
        parser.set_defaults(run=run)
        add(parser)


def _revision(default: str | None, text: str) -> Callable[[argparse.ArgumentParser], None]:
    """An argument that can be given as ``--version V`` or in its place."""
    def add(parser: argparse.ArgumentParser) -> None:
        parser.add_argument('--version', dest='revision', metavar='VERSION', default=default, help=text)
        parser.add_argument('revision', nargs='?', metavar='VERSION', default=argparse.SUPPRESS, help=text)
    return add


def _force(parser: argparse.ArgumentParser) -> None:
    parser.add_argument('--force', action='store_true', help='even when a newer revision is on record')


def _number(name: str, default: int, text: str) -> Callable[[argparse.ArgumentParser], None]:
    """A number that can be given as ``--name N``, with dashes or underscores, or in its place."""
    def add(parser: argparse.ArgumentParser) -> None:
        parser.add_argument(f'--{name}', f'--{name.replace("_", "-")}', dest=name, metavar='N', type=int, default=default,
                            help=f'{text}; {default} by default')
        parser.add_argument(name, nargs='?', metavar=name.upper(), type=_whole, default=argparse.SUPPRESS, help=text)
    return add


def _whole(text: str) -> int | str:
    """Read a whole number; argparse also asks about the default of an argument that is not given."""
    try:
        return text if text is argparse.SUPPRESS else int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f'{text!r} is not a whole number') from None


def _dry_run(parser: argparse.ArgumentParser) -> None:
    parser.add_argument('--dry-run', action='store_true', help='count only')


def _list_actions(_config: cfg.ConfigOpts) -> int:
    return _list('db', ACTIONS)


def _list_store_actions(_config: cfg.ConfigOpts) -> int:
    return _list('store', STORE_ACTIONS)


def _list(category: str, actions: Mapping[str, tuple]) -> int:
    print(f'usage: {PROG} [options] {category} ACTION [arguments]\n\nactions:')
    for name, (run, _) in actions.items():
        print(f'  {name:<18} {run.__doc__}')
    return 2


# The actions. Their docstrings are the help that operators read.

def version(config: cfg.ConfigOpts) -> int:
    """Print the revisions that the database stands at."""
    standing = schema.revisions(_engine(config))
    print('\n'.join(standing) or 'The database is empty and not under version control; create its tables with '
                                 f'"{PROG} db sync"')
    return 0


def check(config: cfg.ConfigOpts) -> int:
    """Tell which step comes next: exit code 0 none, 3 expand, 4 migrate, 5 contract."""
    engine = _online_engine(config)
    step = schema.check(engine)
    if step is None:
        print('Database is up to date. No upgrades needed.')
    elif schema.is_upstream(engine):
        print(f'The database is at {schema.UPSTREAM_HEAD}, the newest upstream release, and can be used as it is. An '
              f'expansion of this release is available; it makes lists faster: run "{PROG} db expand" when it suits')
    else:
        print(f'The database is not up to date. The next step is "{PROG} db {step.value}"')
    return EXIT_CODES[step]


def sync(config: cfg.ConfigOpts) -> int:
    """Create or upgrade the database in one go, while no service is running."""
    print('Database is synced successfully.' if schema.sync(_engine(config)) else UP_TO_DATE)
    return 0


def upgrade(config: cfg.ConfigOpts) -> int:
    """Upgrade the database to one revision, while no service is running."""
    revision = config.command.revision
    standing = schema.upgrade(_engine(config), revision)
    print(f'Upgraded database to: {revision}, current revision(s): {", ".join(standing)}')
    return 0


def version_control(config: cfg.ConfigOpts) -> int:
    """Record which revision the database is at, without changing it."""
    standing = schema.stamp(_engine(config), config.command.revision, config.command.force)
    print(f'Placed database under version control at revision: {", ".join(standing)}')
    return 0


def expand(config: cfg.ConfigOpts) -> int:
    """Add what this release needs, while services of the last one are running."""
    engine = _online_engine(config)
    step = schema.check(engine)
    if step is None:
        print(UP_TO_DATE)
    elif step is not Step.EXPAND:
        print('Database expansion is up to date. No expansion needed.')
    else:
        schema.expand(engine)
        print(f'Database is expanded to: {", ".join(schema.revisions(engine))}. The next step is "{PROG} db migrate"')
    return 0


def migrate(config: cfg.ConfigOpts) -> int:
    """Move rows to where this release keeps them; needs expand."""
    engine = _online_engine(config)
    step = schema.check(engine)
    if step is None:
        print(UP_TO_DATE)
    elif step is Step.CONTRACT:
        print('Database migration is up to date. No migration needed.')
    else:
        print(f'Migrated {schema.migrate(engine)} rows')
    return 0


def contract(config: cfg.ConfigOpts) -> int:
    """Remove what only the last release needed, once its services are gone; needs migrate."""
    engine = _online_engine(config)
    if schema.check(engine) is None:
        print(UP_TO_DATE)
    else:
        schema.contract(engine)
        print(f'Database is contracted to: {", ".join(schema.revisions(engine))}')
    return 0


def purge(config: cfg.ConfigOpts) -> int:
    """Remove rows for good that were deleted long ago, of all tables but images."""
    with _purge(config) as work:
        rows = work.count() if config.command.dry_run else work.run()
    for table, number in rows.items():
        print(f'{table}: {number} rows {"would be" if config.command.dry_run else "were"} removed')
    return 0


def purge_images_table(config: cfg.ConfigOpts) -> int:
    """Remove images for good that were deleted long ago; to be run after purge."""
    with _purge(config) as work:
        if config.command.dry_run:
            done = work.count_images()
        else:
            LOG.warning('Purged images can never be brought back. Their ids stay taken: no image gets one of them again.')
            done = work.run_images()
    print(f'images: {done.removed} rows {"would be" if config.command.dry_run else "were"} removed')
    if done.kept:
        print(f'images: {done.kept} old rows stay, for they still have properties, tags, locations or members; run '
              f'"{PROG} db purge" before')
    return 0


@contextlib.contextmanager
def _purge(config: cfg.ConfigOpts) -> Iterator[Purge]:
    age, rows = config.command.age_in_days, config.command.max_rows
    now = datetime.datetime.now(datetime.UTC).replace(tzinfo=None)
    if age < 0:
        raise SchemaError(f'age_in_days is {age}; it must not be negative')
    if age >= (now - EPOCH).days:
        raise SchemaError(f'age_in_days is {age}; that was before 1970')
    if not -1 <= rows <= MAX_INTEGER:
        raise SchemaError(f'max_rows is {rows}; it must be -1 (all rows) or a number up to {MAX_INTEGER}')
    database = SQLDatabase(config)
    with contextlib.closing(database):
        database.check()
        yield Purge(database.engine, now - datetime.timedelta(days=age), rows)


def downgrade(_config: cfg.ConfigOpts) -> int:
    """Not supported."""
    raise SchemaError('Databases cannot be downgraded; restore the backup that was made before the upgrade')


def _engine(config: cfg.ConfigOpts) -> sa.Engine:
    return schema.create_engine(config.database.connection)


def _online_engine(config: cfg.ConfigOpts) -> sa.Engine:
    engine = _engine(config)
    if engine.dialect.name not in ONLINE_ENGINES:
        raise SchemaError('Rolling upgrades are currently supported only for MySQL and Sqlite; stop the services and '
                          f'run "{PROG} db sync"')
    return engine


MAX_ROWS = _number('max_rows', 100, 'most rows to remove of each table, -1 for all')
ACTIONS = {
    'version': (version, ()),
    'check': (check, ()),
    'sync': (sync, (_revision(None, 'without effect; accepted for old scripts'),)),
    'upgrade': (upgrade, (_revision('heads', 'the revision to reach; the newest one by default'),)),
    'version_control': (version_control, (_revision('liberty', 'the revision to record; liberty by default'), _force)),
    'expand': (expand, ()),
    'migrate': (migrate, ()),
    'contract': (contract, ()),
    'purge': (purge, (_number('age_in_days', 30, 'days since the deletion'), MAX_ROWS, _dry_run)),
    'purge_images_table': (purge_images_table, (_number('age_in_days', 180, 'days since the deletion'), MAX_ROWS, _dry_run)),
    'downgrade': (downgrade, (_revision(None, 'without effect'),)),
    'locations-relabel': (store_relocation.relabel, (_dry_run, store_relocation.add_batch_arguments)),
}
STORE_ACTIONS = {
    'audit': (store_audit.audit, store_audit.add_arguments),
    'copy': (store_relocation.copy, store_relocation.add_arguments),
    'move': (store_relocation.move, store_relocation.add_arguments),
    'rbd-trash': (store_trash.rbd_trash, store_trash.add_arguments),
}


if __name__ == '__main__':
    sys.exit(main())
