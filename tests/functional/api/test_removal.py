"""Deleting images: what happens to the data, when it cannot be deleted, and when the service dies meanwhile."""

import signal
import threading

import requests
import sqlalchemy as sa

from tests.functional.api.base import ApiTestCase, on_every_database, stored_files, wait_for
from tests.functional.api.test_signed_images import KEY, POLICY, use_key_manager
from tests.harness import key_manager

DATA = b'0123456789'


def states(server, image_ids):
    """Status and deletion of rows, with the statuses of their locations, by the id of the image."""
    engine = sa.create_engine(server.database.url, poolclass=sa.pool.NullPool)
    with engine.connect() as connection:
        found = {row.id: (row.status, bool(row.deleted), []) for row in connection.execute(sa.text(
            'SELECT id, status, deleted FROM images'))}
        for row in connection.execute(sa.text('SELECT image_id, status FROM image_locations ORDER BY id')):
            found[row.image_id][2].append(row.status)
    return {image_id: found[image_id] for image_id in image_ids}


@on_every_database
class TestRemoval(ApiTestCase):
    def state(self, image_id):
        return states(self.server, [image_id])[image_id]

    def test_data_and_row(self):
        for data, expected in ((DATA, ['deleted']), (None, [])):
            image_id = self.client.create_image(data)['id']
            self.assertStatus(204, self.client.delete(f'/v2/images/{image_id}'))
            self.assertEqual(('deleted', True, expected), self.state(image_id))
            self.assertNotIn(image_id, stored_files(self.server.images))

    def test_data_that_cannot_be_deleted_keeps_the_image(self):
        for status in ('active', 'deactivated'):
            image_id = self.client.create_image(DATA, tags=['t'], p='v')['id']
            if status == 'deactivated':
                self.assertStatus(204, self.client.post(f'/v2/images/{image_id}/actions/deactivate'))
            before = self.show(image_id)
            path = self.server.images / image_id
            # Even root cannot unlink a directory.
            path.unlink()
            path.mkdir()
            response = self.assertStatus(403, self.client.delete(f'/v2/images/{image_id}'))
            self.assertIn('does not permit', response.text)
            after = self.show(image_id)
            self.assertEqual({**before, 'updated_at': after['updated_at']}, after)
            self.assertEqual((status, False, ['active']), self.state(image_id))
            path.rmdir()
            path.write_bytes(DATA)
            self.assertEqual(DATA, self.download(image_id).content)
            self.assertStatus(204, self.client.delete(f'/v2/images/{image_id}'))
            self.assertEqual(('deleted', True, ['deleted']), self.state(image_id))

    def test_a_store_that_is_away_keeps_the_image(self):
        image_id = self.client.create_image(DATA)['id']
        away = self.server.images.with_name('away')
        self.server.images.rename(away)
        self.server.images.mkdir()
        try:
            self.assertStatus(503, self.client.delete(f'/v2/images/{image_id}'))
        finally:
            self.server.images.rmdir()
            away.rename(self.server.images)
        self.assertEqual(DATA, self.download(image_id).content)
        self.assertStatus(204, self.client.delete(f'/v2/images/{image_id}'))

    def test_data_that_is_gone_already(self):
        image_id = self.client.create_image(DATA)['id']
        (self.server.images / image_id).unlink()
        self.assertStatus(204, self.client.delete(f'/v2/images/{image_id}'))
        self.assertEqual(('deleted', True, ['deleted']), self.state(image_id))


class DelayedDeleteTest(ApiTestCase):
    PROJECTS = True
    SETTINGS = {'DEFAULT': {'delayed_delete': True}}

    @classmethod
    def prepare(cls, server):
        use_key_manager(server)

    def setUp(self):
        super().setUp()
        self.member = self.caller('owner')
        self.member.session.headers['X-Auth-Token'] = 'token'

    def test_data_and_key_wait_for_the_scrubber(self):
        key_id = key_manager.keep(self.server.folder / 'keys', 'owner', b'key')
        for status in ('active', 'deactivated'):
            image_id = self.member.create_image(DATA, **{KEY: key_id, POLICY: 'on_image_deletion'})['id']
            if status == 'deactivated':
                self.assertStatus(204, self.client.post(f'/v2/images/{image_id}/actions/deactivate'))
            self.assertStatus(204, self.member.delete(f'/v2/images/{image_id}'))
            for client in (self.member, self.client):
                self.assertStatus(404, client.get(f'/v2/images/{image_id}'))
                self.assertStatus(404, client.delete(f'/v2/images/{image_id}'))
            self.assertEqual({image_id: ('pending_delete', True, ['pending_delete'])}, states(self.server, [image_id]))
            self.assertIn(image_id, stored_files(self.server.images))
            self.assertTrue((self.server.folder / 'keys' / 'owner' / key_id).exists())

    def test_without_data_there_is_nothing_to_wait_for(self):
        image_id = self.member.create_image()['id']
        self.assertStatus(204, self.member.delete(f'/v2/images/{image_id}'))
        self.assertEqual({image_id: ('deleted', True, [])}, states(self.server, [image_id]))


class KilledTest(ApiTestCase):

    def test_no_image_loses_its_data_before_it_is_gone(self):
        """Workers are killed while images are deleted: data may outlive its image, never the other way round."""
        image_ids = [self.client.create_image(DATA)['id'] for _ in range(40)]
        some = threading.Event()

        def delete():
            for number, image_id in enumerate(image_ids):
                try:
                    self.client.delete(f'/v2/images/{image_id}')
                except requests.ConnectionError:
                    continue
                finally:
                    if number == 10:
                        some.set()
        thread = threading.Thread(target=delete)
        thread.start()
        some.wait(60)
        for _ in range(3):
            wait_for('a worker', self.server.workers)
            self.server.kill_worker(signal.SIGKILL)
        thread.join()
        files = stored_files(self.server.images)
        for image_id, (status, deleted, locations) in states(self.server, image_ids).items():
            with self.subTest(image=image_id):
                if status == 'active':
                    self.assertEqual((False, ['active'], True), (deleted, locations, image_id in files))
                elif status == 'pending_delete':
                    self.assertEqual((True, ['pending_delete']), (deleted, locations))
                else:
                    self.assertEqual(('deleted', True, ['deleted'], False), (status, deleted, locations, image_id in files))
