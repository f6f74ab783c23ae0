"""Databases as past releases have left them: their schema, their mark and rows that have to survive."""
import datetime
import json
from dataclasses import dataclass

import sqlalchemy as sa

from glance.db.objects import hash_of
from glance.db.sqlalchemy import schema

OLD = datetime.datetime(2015, 10, 15, 12, 0, 0)
LATER = datetime.datetime(2015, 10, 16, 12, 0, 0)
SOFT_DELETED_TABLES = ('images', 'image_properties', 'image_locations', 'image_members', 'image_tags', 'tasks')

BEFORE_MITAKA02 = ('liberty', 'mitaka01')
WITH_IS_PUBLIC = (*BEFORE_MITAKA02, 'mitaka02')
WITH_BACKEND_KEY = (*WITH_IS_PUBLIC, 'ocata_contract01', 'pike_contract01', 'queens_contract01', 'rocky_contract02')


@dataclass(frozen=True)
class Marker:
    """What a release has written down about its database.

    :ivar name: of the marker, as the table of the specification has it
    :ivar builds: the revisions of our own chain that make the same schema
    :ivar meaning: what the marker has to be understood as
    :ivar premature: the number in ``migrate_version``, for releases before alembic
    :ivar linear: the single revision in ``alembic_version``, when it is not one of the chain's
    """

    name: str
    builds: tuple[str, ...]
    meaning: tuple[str, ...]
    premature: int | None = None
    linear: str | None = None


def _plain(revision: str) -> Marker:
    return Marker(revision, (revision,), (revision,))


MARKERS = (
    Marker('42', ('liberty',), ('liberty',), premature=42),
    Marker('43', ('mitaka01',), ('mitaka01',), premature=43),
    Marker('44', ('mitaka02',), ('mitaka02',), premature=44),
    Marker('45', ('ocata_contract01',), ('ocata_contract01',), premature=45),
    _plain('liberty'),
    _plain('mitaka02'),
    Marker('ocata01', ('ocata_contract01',), ('ocata_contract01',), linear='ocata01'),
    _plain('ocata_contract01'),
    Marker('pike01', ('pike_contract01',), ('pike_contract01',), linear='pike01'),
    _plain('queens_contract01'),
    _plain('rocky_contract02'),
    _plain('train_contract01'),
    _plain('ussuri_contract01'),
    _plain('wallaby_contract01'),
    _plain('2023_1_contract01'),
    _plain('2024_1_contract01'),
    Marker('interrupted before Train', ('queens_contract01', '2024_1_expand01'),
           ('2024_1_expand01', 'queens_contract01')),
    Marker('interrupted in Ocata', ('mitaka02', 'ocata_expand01'), ('ocata_expand01',)),
    Marker('interrupted in ours', ('2024_1_contract01', 'v1_expand04'), ('2024_1_contract01', 'v1_expand04')),
)


def marker(name: str) -> Marker:
    return next(each for each in MARKERS if each.name == name)


def build(url: str, origin: Marker) -> sa.Engine:
    """Make the database of ``origin`` at ``url``, with rows."""
    engine = schema.create_engine(url)
    for revision in origin.builds:
        schema.upgrade(engine, revision)
    insert_rows(engine)
    with engine.begin() as connection:
        if origin.premature:
            connection.execute(sa.text('DROP TABLE alembic_version'))
            connection.execute(sa.text('CREATE TABLE migrate_version (repository_id VARCHAR(250) PRIMARY KEY,'
                                       ' repository_path TEXT, version INTEGER)'))
            connection.execute(sa.text("INSERT INTO migrate_version VALUES ('Glance Migrations', '/x', :version)"),
                               {'version': origin.premature})
        if origin.linear:
            connection.execute(sa.text('UPDATE alembic_version SET version_num = :mark'), {'mark': origin.linear})
    return engine


def reflected(engine: sa.Engine, *names: str) -> dict[str, sa.Table]:
    metadata = sa.MetaData()
    metadata.reflect(engine, only=names or None)
    return {table.name: table for table in metadata.tables.values()}


# id: (is_public, members as (member, deleted), visibility that follows)
IMAGES = {
    'public': (True, (), 'public'),
    'public-with-member': (True, (('bob', False),), 'public'),
    'private': (False, (), 'private'),
    'shared': (False, (('bob', False), ('eve', True)), 'shared'),
    'no-longer-shared': (False, (('bob', True),), 'private'),
}


def insert_rows(engine: sa.Engine) -> None:
    """Fill the tables with what the revisions and data migrations have to keep, to move or to heal."""
    tables = reflected(engine)
    with engine.begin() as connection:
        def insert(table: str, **values: object) -> None:
            columns = tables[table].columns
            stamps = {'created_at': OLD, 'updated_at': LATER, 'deleted': False}
            row = {name: value for name, value in (stamps | values).items() if name in columns}
            connection.execute(tables[table].insert().values(row))

        for image_id, (is_public, members, visibility) in IMAGES.items():
            row = {'is_public': is_public} if 'is_public' in tables['images'].columns else {'visibility': visibility}
            insert('images', id=image_id, name=f'{image_id} é', size=2**40, status='active', owner='alice', min_disk=1,
                   min_ram=2, protected=image_id == 'public', disk_format='qcow2', container_format='bare', **row)
            for member, deleted in members:
                insert('image_members', image_id=image_id, member=member, can_share=False, status='accepted',
                       deleted=deleted, deleted_at=LATER if deleted else None)
        _insert_children(insert)
        _insert_duplicates(insert)
        _insert_definitions(insert)


def _insert_children(insert) -> None:
    insert('image_properties', image_id='public', name='os_distro', value='debian')
    insert('image_properties', image_id='public', name='again', value='live', deleted_at=OLD)
    insert('image_properties', image_id='public', name='gone', value='dead', deleted=True, deleted_at=OLD)
    for location, metadata in LOCATIONS.items():
        insert('image_locations', image_id='public', value=location, status='active', meta_data=metadata)
    for image_id in ('public', 'private'):
        insert('image_locations', image_id=image_id, value=LOCATION_OF_TWO, status='active', meta_data='{}')
    insert('tasks', id='task', type='import', status='success', owner='alice')
    insert('task_info', task_id='task', input='{"a": 1}', result='{}', message='')


LOCATION_OF_TWO = 'rbd://cluster/pool/public/snap'
LOCATIONS = {
    'file:///plain': '{}',
    'file:///old': '{"backend": "fast", "note": "backend"}',
    'file:///new': '{"store": "fast"}',
    'file:///both': '{"backend": "slow", "store": "fast"}',
    'file:///nested': '{"tags": {"backend": "x"}}',
    'file:///value': '{"note": "\\"backend\\": 1"}',
    'file:///broken': '{"backend": ',
    'file:///none': None,
    'https://example.org/web': '{}',
}


def _insert_duplicates(insert) -> None:
    for status, updated_at in (('pending', OLD), ('rejected', LATER), ('accepted', OLD)):
        insert('image_members', image_id='public', member='carol', can_share=False, status=status,
               updated_at=updated_at)
    for value, deleted in (('twice', False), ('twice', False), ('twice', True), ('Case', False), ('case', False)):
        insert('image_tags', image_id='public', value=value, deleted=deleted, deleted_at=OLD if deleted else None)


def _insert_definitions(insert) -> None:
    insert('metadef_namespaces', id=1, namespace='OS::Test', owner='admin', visibility='public', protected=True)
    insert('metadef_objects', namespace_id=1, name='object', required='a,b', json_schema='{}')
    insert('metadef_properties', namespace_id=1, name='property', json_schema='{}')
    insert('metadef_tags', namespace_id=1, name='tag')
    insert('metadef_resource_types', id=1, name='OS::Nova::Instance', protected=True)
    insert('metadef_namespace_resource_types', namespace_id=1, resource_type_id=1, prefix='hw_')


def rows(engine: sa.Engine) -> dict[str, list[dict]]:
    """Every row of every table of images, tasks and definitions, ordered by primary key."""
    found = {}
    with engine.connect() as connection:
        for name, table in reflected(engine).items():
            if name not in ('alembic_version', 'migrate_version'):
                found[name] = [dict(row._mapping) for row in
                               connection.execute(table.select().order_by(*table.primary_key))]
    return found


def expected_rows(before: dict[str, list[dict]], origin: Marker) -> dict[str, list[dict]]:
    """What ``rows`` has to tell at this release of a database that had ``before``."""
    after = {name: [dict(row) for row in table] for name, table in before.items()}
    for name in SOFT_DELETED_TABLES:
        for row in after[name]:
            row['deleted_at'] = row['deleted_at'] if row['deleted'] else None
    for row in after['images']:
        row.pop('is_public', None)
        row['visibility'] = IMAGES[row['id']][2]
        row.setdefault('os_hidden', False)
        row.setdefault('os_hash_algo', None)
        row.setdefault('os_hash_value', None)
    for row in after['tasks']:
        row |= {'image_id': None, 'request_id': None, 'user_id': None}
    for row in after['image_locations']:
        if row['value'] == 'file:///old':
            row['meta_data'] = json.dumps({'store': 'fast', 'note': 'backend'})
        row['object_hash'] = None if row['value'] == LOCATION_OF_TWO else hash_of(row['value'])
    # Of two images at one place the older one keeps it.
    next(row for row in after['image_locations'] if row['value'] == LOCATION_OF_TWO)['object_hash'] = hash_of(LOCATION_OF_TWO)
    carols = [row for row in after['image_members'] if row['member'] == 'carol']
    carols[0]['status'] = 'rejected'
    after['image_members'] = [row for row in after['image_members'] if row not in carols[1:]]
    doubles = [row for row in after['image_tags'] if row['value'] == 'twice' and not row['deleted']]
    after['image_tags'] = [row for row in after['image_tags'] if row not in doubles[1:]]
    if origin.builds[0] in BEFORE_MITAKA02:
        after['metadef_resource_types'][0]['name'] = 'OS::Nova::Server'
    for name in ('image_leases', 'image_id_tombstones', 'owner_locks', 'node_reference', 'cached_images',
                 'registry_requests'):
        after.setdefault(name, [])
    return after


def describe(engine: sa.Engine) -> dict[str, dict]:
    """Columns, keys, constraints and indexes of every table, in a form that can be compared."""
    with engine.connect() as connection:
        inspector = sa.inspect(connection)
        return {name: _describe_table(inspector, name)
                for name in inspector.get_table_names() if name != 'migrate_version'}


def _describe_table(inspector: sa.Inspector, name: str) -> dict:
    return {
        'columns': [(column['name'], str(column['type']), column['nullable'], column['default'])
                    for column in inspector.get_columns(name)],
        'primary key': inspector.get_pk_constraint(name)['constrained_columns'],
        'foreign keys': sorted((key['constrained_columns'], key['referred_table'], key['referred_columns'],
                                sorted(key['options'].items())) for key in inspector.get_foreign_keys(name)),
        'unique': sorted((key['name'], key['column_names']) for key in inspector.get_unique_constraints(name)),
        'checks': sorted(check['sqltext'] for check in inspector.get_check_constraints(name)),
        'indexes': sorted((index['name'], index['column_names'], bool(index['unique']),
                           sorted((key, str(value)) for key, value in index.get('dialect_options', {}).items()))
                          for index in inspector.get_indexes(name)),
        'options': {key: value for key, value in inspector.get_table_options(name).items()
                    if 'auto_increment' not in key},
    }
