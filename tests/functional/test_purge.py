"""``glance-manage db purge`` and ``purge_images_table`` beside a running service, on every database."""
import datetime

import sqlalchemy as sa

from glance.db.interface import ImageChanges
from glance.db.sqlalchemy import models
from glance.db.sqlalchemy.database import SQLDatabase
from tests.functional.api.base import ApiTestCase, on_every_database

NOW = datetime.datetime.now(datetime.UTC).replace(tzinfo=None, microsecond=0)
LONG_AGO = NOW - datetime.timedelta(days=400)
TABLES = (models.image_properties, models.image_tags, models.image_locations, models.image_members)


@on_every_database
class Purge(ApiTestCase):

    def setUp(self):
        super().setUp()
        self.db = SQLDatabase.from_url(self.server.database.url)
        self.addCleanup(self.db.close)
        self.addCleanup(self.empty)

    def empty(self):
        with self.db.engine.writer.begin() as connection:
            for table in reversed(models.metadata.sorted_tables):
                connection.execute(table.delete())

    def image(self, status='deleted', when=LONG_AGO):
        """An image with children, removed at a time; None leaves it alive."""
        image_id = self.db.image_create({'status': 'active', 'owner': 'me', 'properties': {'a': '1', 'b': '2'}, 'tags': ['t'],
                                         'locations': [{'url': 'file:///nowhere/%s' % datetime.datetime.now().timestamp()}]})['id']
        self.db.member_create(image_id, 'other')
        if when is not None:
            self.db.image_remove(image_id, status)
            for table in (models.images, *TABLES):
                key = table.c.id if table is models.images else table.c.image_id
                self.execute(table.update().where(key == image_id).values(deleted_at=when))
        return image_id

    def task(self, **values):
        number = self.count(models.tasks)
        task_id = '%08d-0000-4000-8000-000000000000' % number
        self.execute(models.tasks.insert().values(**{
            'id': task_id, 'type': 'import', 'status': 'success', 'owner': 'me', 'created_at': LONG_AGO, 'deleted': False, **values}))
        self.execute(models.task_info.insert().values(task_id=task_id, message='m'))
        return task_id

    def execute(self, statement):
        with self.db.engine.writer.begin() as connection:
            connection.execute(statement)

    def count(self, table):
        with self.db.engine.reader.connect() as connection:
            return connection.scalar(sa.select(sa.func.count()).select_from(table))

    def counts(self):
        return [self.count(table) for table in TABLES]

    def purge(self, *arguments, action='purge', code=0):
        done = self.server.manage('db', action, *arguments)
        self.assertEqual(code, done.returncode, done.stderr)
        self.assertNotIn('Traceback', done.stderr)
        return done.stdout + done.stderr

    def test_only_what_was_deleted_long_ago(self):
        self.image()
        live, young, waiting = self.image(when=None), self.image(when=NOW), self.image('pending_delete')
        # A row that was used again and kept its time, as other releases left it.
        self.execute(models.image_properties.update().where(models.image_properties.c.image_id == live).values(
            deleted_at=LONG_AGO))
        self.assertIn('image_properties: 2 rows would be removed', self.purge('--dry-run'))
        self.assertEqual([8, 4, 4, 4], self.counts())
        output = self.purge('--age-in-days', '30', '--max-rows', '-1')
        for line in ('image_properties: 2 rows were removed', 'image_tags: 1 rows', 'image_locations: 1 rows',
                     'image_members: 1 rows', 'Purged 2 rows of image_properties'):
            self.assertIn(line, output)
        self.assertEqual([6, 3, 3, 3], self.counts())
        self.assertEqual(4, self.count(models.images))
        # What can be restored comes back whole.
        self.db.image_restore(waiting)
        self.assertEqual(['t'], self.show(waiting)['tags'])
        self.assertEqual('1', self.show(live)['a'])
        self.purge('0', '-1')
        self.assertEqual([4, 2, 2, 2], self.counts())
        self.assertEqual(404, self.client.get(f'/v2/images/{young}').status_code)

    def test_a_limit_takes_the_oldest_rows_of_each_table(self):
        for day in (3, 1, 2):
            self.image(when=LONG_AGO + datetime.timedelta(days=day))
        self.purge('--max_rows', '4')
        self.assertEqual([2, 0, 0, 0], self.counts())
        with self.db.engine.reader.connect() as connection:
            left = connection.scalars(sa.select(models.image_properties.c.deleted_at)).all()
        self.assertEqual([LONG_AGO + datetime.timedelta(days=3)] * 2, left)

    def test_tasks_go_with_what_belongs_to_them(self):
        self.task(deleted=True, deleted_at=LONG_AGO)
        self.task(expires_at=LONG_AGO)
        kept = [self.task(), self.task(expires_at=NOW), self.task(status='processing', expires_at=LONG_AGO),
                self.task(deleted=True, deleted_at=NOW)]
        self.purge()
        self.assertEqual((len(kept), len(kept)), (self.count(models.tasks), self.count(models.task_info)))

    def test_images_go_without_children_and_their_ids_stay_taken(self):
        gone, waiting, live = self.image(), self.image('pending_delete'), self.image(when=None)
        output = self.purge(action='purge_images_table')
        self.assertIn('images: 0 rows were removed', output)
        self.assertIn('images: 1 old rows stay', output)
        self.purge()
        output = self.purge('180', '100', action='purge_images_table')
        self.assertIn('images: 1 rows were removed', output)
        self.assertIn('never be brought back', output)
        self.assertEqual(2, self.count(models.images))
        self.assertStatus(404, self.client.get(f'/v2/images/{gone}'))
        # T-07: not even an administrator gets the id again.
        for image_id in (gone, waiting, live):
            self.assertStatus(409, self.client.post('/v2/images', json={'id': image_id}))
        self.assertStatus(201, self.client.post('/v2/images', json={'id': gone[:-1] + ('0' if gone[-1] != '0' else '1')}))

    def test_beside_a_service_that_changes_rows(self):
        image_id = self.image(when=None)
        self.db.image_update(image_id, ImageChanges(remove_properties=['a']))
        self.execute(models.image_properties.update().where(models.image_properties.c.deleted == sa.true()).values(
            deleted_at=LONG_AGO))
        self.purge()
        self.db.image_update(image_id, ImageChanges(set_properties={'a': '3'}))
        self.assertEqual('3', self.show(image_id)['a'])


class ArgumentsTest(ApiTestCase):

    def test_arguments_that_are_refused(self):
        for arguments, code, words in (
                (('--age_in_days', '-1'), 1, 'must not be negative'), (('--age_in_days', '99999'), 1, 'before 1970'),
                (('--max_rows', '-2'), 1, 'must be -1'), (('--max_rows', '2147483648'), 1, 'must be -1'),
                (('--max_rows', 'many'), 2, 'invalid'), (('many',), 2, 'not a whole number'), (('1', '2', '3'), 2, 'usage')):
            for action in ('purge', 'purge_images_table'):
                with self.subTest(arguments, action=action):
                    done = self.server.manage('db', action, *arguments)
                    self.assertEqual(code, done.returncode, done.stderr)
                    self.assertIn(words, done.stderr)
                    self.assertNotIn('Traceback', done.stderr)

    def test_aliases(self):
        for action in ('db_purge', 'db_purge_images_table'):
            self.assertEqual(0, self.server.manage(action, '30', '100').returncode)
