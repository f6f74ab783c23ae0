"""Schema changes that look first: what is there already is left alone, so every revision can be repeated.

To be called from revisions only, where ``alembic.op`` is bound to the database.
"""
import contextlib
import warnings
from collections.abc import Iterator

import sqlalchemy as sa
from alembic import op
from alembic.operations import BatchOperations

CHARSET = 'utf8mb4'


def is_mysql(bind: sa.Connection) -> bool:
    return bind.dialect.name in ('mysql', 'mariadb')


def is_sqlite(bind: sa.Connection) -> bool:
    return bind.dialect.name == 'sqlite'


def has_table(name: str) -> bool:
    return sa.inspect(op.get_bind()).has_table(name)


def columns(table: str) -> dict[str, dict]:
    """What SQLAlchemy's inspector tells of each column of a table, by the column's name."""
    return {column['name']: column for column in sa.inspect(op.get_bind()).get_columns(table)}


def has_index(table: str, name: str) -> bool:
    return name in {index['name'] for index in sa.inspect(op.get_bind()).get_indexes(table)}


def create_table(name: str, *parts: sa.schema.SchemaItem, indexes: dict[str, list[str]] | None = None) -> None:
    """Create a table with its columns and constraints, then its indexes (lists of columns by name of the index).

    Indexes stand apart because MySQL makes them one by one: an interruption may leave a table with some of them.
    """
    if not has_table(name):
        op.create_table(name, *parts, **_table_options())
    for index, of in (indexes or {}).items():
        if not has_index(name, index):
            op.create_index(index, name, of)


def _table_options() -> dict[str, str]:
    """Engine and character set of a new table on MySQL.

    A foreign key needs the character set of the column it points to, so tables that join an existing database take the
    one of ``images``.
    """
    bind = op.get_bind()
    if not is_mysql(bind):
        return {}
    options = {'engine': 'InnoDB', 'charset': CHARSET}
    existing = bind.execute(sa.text(
        'SELECT character_set_name, collation_name FROM information_schema.columns'
        " WHERE table_schema = DATABASE() AND table_name = 'images' AND column_name = 'id'")).first()
    if existing:
        options['charset'], options['collate'] = existing
    return {f'{bind.dialect.name}_{option}': value for option, value in options.items()}


def add_column(table: str, column: sa.Column) -> None:
    if column.name not in columns(table):
        op.add_column(table, column)


def create_index(name: str, table: str, of: list[str], **options) -> None:
    """Create an index without locking out the services that are running.

    MySQL does so by itself. PostgreSQL does when asked (CONCURRENTLY, outside of a transaction); an interrupted attempt
    leaves an index that is marked invalid, which is removed before the next one.
    """
    if op.get_bind().dialect.name != 'postgresql':
        if not has_index(table, name):
            op.create_index(name, table, of, **options)
        return
    if _is_invalid(name):
        op.drop_index(name, table_name=table)
    if not has_index(table, name):
        with op.get_context().autocommit_block():
            op.create_index(name, table, of, postgresql_concurrently=True, **options)


def _is_invalid(index: str) -> bool:
    return op.get_bind().scalar(
        sa.text('SELECT count(*) FROM pg_index WHERE indexrelid = to_regclass(:name) AND NOT indisvalid'),
        {'name': index}) > 0


def drop_index(name: str, table: str) -> None:
    if has_index(table, name):
        op.drop_index(name, table_name=table)


def drop_table(name: str) -> None:
    if has_table(name):
        op.drop_table(name)


@contextlib.contextmanager
def altering_images(*booleans: sa.Column) -> Iterator[BatchOperations]:
    """Alter columns of ``images`` on any engine.

    SQLite alters by copying the table. The copy keeps the CHECK constraints of boolean columns only when it is told of
    them: those that every revision has are known here, ``booleans`` are further ones.
    """
    checked = (
        sa.Column('deleted', sa.Boolean(create_constraint=True), nullable=False),
        sa.Column('protected', sa.Boolean(create_constraint=True), nullable=False, server_default=sa.false()),
        *booleans)
    with warnings.catch_warnings():
        warnings.filterwarnings('ignore', 'Unnamed CHECK constraint', UserWarning)
        with op.batch_alter_table('images', reflect_args=checked) as images:
            yield images
