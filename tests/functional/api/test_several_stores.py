"""Several stores at once: where images are read from, and how they leave one store."""
import functools
import json
import os
import random
from collections.abc import Callable

from glance.db.interface import ImageChanges
from glance.db.sqlalchemy.database import SQLDatabase
from tests.functional.api.base import ApiTestCase, on_every_database, stored_files
from tests.functional.api.races import HeldRequest, meet
from tests.harness.web import WebServer

DATA = b'0123456789'
OTHER = b'9876543210'       # of the same size, so that it shows where the bytes came from
UNKNOWN_ID = '00000000-0000-4000-8000-000000000000'


class StoresTestCase(ApiTestCase):
    """Stores ``fast`` (the default one, read first), ``cheap`` and ``web``."""

    @classmethod
    def prepare(cls, server):
        cls.folders = {name: server.folder / name for name in ('fast', 'cheap')}
        server.settings['DEFAULT'].update({
            'enabled_backends': 'fast:file, cheap:file, web:http', 'show_multiple_locations': True, **cls.OPTIONS})
        server.settings['glance_store'] = {'default_backend': 'fast'}
        server.settings['import_filtering_opts'] = {'allowed_networks': '[127.0.0.0/8]', 'allowed_ports': '[]'}
        server.settings.update({
            'fast': {'filesystem_store_datadir': cls.folders['fast'], 'weight': 7},
            'cheap': {'filesystem_store_datadir': cls.folders['cheap']},
            'os_glance_staging_store': {'filesystem_store_datadir': server.folder / 'staging'},
            'os_glance_tasks_store': {'filesystem_store_datadir': server.folder / 'tasks'},
        })

    OPTIONS: dict = {}

    def setUp(self):
        super().setUp()
        self.owner = self.caller('p-owner')
        self.database = SQLDatabase.from_url(self.server.database.url)
        self.addCleanup(self.database.close)

    def image(self, *stores: str, **attributes) -> str:
        """An image with its data in these of the file stores, the first one being the default store."""
        image_id = self.owner.create_image(DATA, **attributes)['id']
        for store in stores[1:]:
            (self.folders[store] / image_id).write_bytes(OTHER)
            self.add_location(image_id, 'file://%s/%s' % (self.folders[store], image_id), {'store': store})
        return image_id

    def add_location(self, image_id: str, url: str, metadata: dict) -> None:
        self.database.image_update(image_id, ImageChanges(add_locations=[{'url': url, 'metadata': metadata}]))

    def events(self, image_id: str) -> list[str]:
        """The types of the notifications about an image, which go to the log."""
        return [line.split('INFO oslo.messaging.notification.')[1].split(' ')[0]
                for line in self.server.log_text().splitlines()
                if 'oslo.messaging.notification.' in line and image_id in line]

    def stores(self, image_id: str) -> str:
        return self.show(image_id).get('stores', '')


@on_every_database
class LeavingAStore(StoresTestCase):
    PROJECTS = True

    def leave(self, status, store, image_id, client=None, **kwargs):
        return self.assertStatus(status, (client or self.client).delete(f'/v2/stores/{store}/{image_id}', **kwargs))

    def test_the_data_goes_and_the_image_stays(self):
        image_id = self.image('fast', 'cheap')
        self.assertEqual('fast,cheap', self.stores(image_id))
        self.leave(204, 'fast', image_id)
        self.assertEqual('cheap', self.stores(image_id))
        self.assertFalse((self.folders['fast'] / image_id).exists())
        self.assertEqual(OTHER, self.download(image_id).content)
        self.leave(403, 'cheap', image_id)
        self.assertEqual(OTHER, self.download(image_id).content)

    def test_refusals_in_their_order(self):
        image_id = self.image('fast', 'cheap')
        for store in ('nowhere', 'os_glance_staging_store', 'os_glance_tasks_store', 'file'):
            self.assertIn(store, self.leave(409, store, image_id).text)
            self.leave(409, store, UNKNOWN_ID)
        self.leave(404, 'fast', UNKNOWN_ID)
        self.leave(404, 'fast', image_id, self.caller('p-stranger'))
        self.leave(403, 'fast', image_id, self.owner)
        self.leave(404, 'web', image_id)
        self.leave(400, 'fast', image_id, json={})
        self.leave(409, 'fast', self.owner.create_image()['id'])
        self.leave(403, 'cheap', self.image('fast'))
        self.assertStatus(405, self.client.get(f'/v2/stores/fast/{image_id}'))
        self.assertEqual('DELETE', self.client.get(f'/v2/stores/fast/{image_id}').headers['Allow'])
        self.assertEqual('fast,cheap', self.stores(image_id))

    def test_the_last_two_at_once(self):
        """Whatever calls remove them: one of them is left, with its data."""
        chance = random.Random(self.id())
        for number in range(24):
            image_id = self.image('fast', 'cheap')
            ways = self.removals(image_id)
            answers = meet([ways[store][(number >> bit) % 2]() for bit, store in enumerate(ways)], chance)
            statuses = sorted(answer.status for answer in answers)
            self.assertIn(statuses[0], (200, 204))
            self.assertIn(statuses[1], (403, 409))
            self.assertIn(self.stores(image_id), ('fast', 'cheap'))
            self.assertStatus(200, self.download(image_id))

    def removals(self, image_id: str) -> dict[str, list[Callable[[], HeldRequest]]]:
        """For each store the calls that remove the location there."""
        identity = {name: value for name, value in self.client.session.headers.items() if name.startswith('X-')}
        request = functools.partial(HeldRequest, self.server.port, identity)
        return {store: [
            functools.partial(request, 'DELETE', f'/v2/stores/{store}/{image_id}'),
            functools.partial(request, 'PATCH', f'/v2/images/{image_id}', [{'op': 'remove', 'path': f'/locations/{position}'}]),
        ] for position, store in enumerate(('fast', 'cheap'))}

    def test_not_while_a_task_works_on_the_image(self):
        image_id = self.image('fast', 'cheap')
        self.database.image_update(image_id, ImageChanges(set_properties={'os_glance_import_task': 'some-task'}))
        self.assertIn('some-task', self.leave(409, 'fast', image_id).text)
        self.assertEqual('fast,cheap', self.stores(image_id))

    def test_data_that_is_gone_already(self):
        image_id = self.image('fast', 'cheap', protected=True)
        (self.folders['fast'] / image_id).unlink()
        self.leave(204, 'fast', image_id)
        self.assertEqual('cheap', self.stores(image_id))

    def test_a_place_that_is_not_ours_is_forgotten_and_nothing_more(self):
        with WebServer() as web:
            web.put('/a', DATA)
            image_id = self.image('fast')
            self.add_location(image_id, web.url('/a'), {'store': 'web'})
            self.assertEqual('fast,web', self.stores(image_id))
            self.leave(204, 'web', image_id)
            self.assertNotIn('DELETE', [method for method, *_ in web.requests])
        self.assertEqual('fast', self.stores(image_id))

    def test_rows_that_do_not_name_their_store(self):
        image_id = self.image('fast')
        (self.folders['cheap'] / image_id).write_bytes(OTHER)
        self.add_location(image_id, 'file://%s/%s' % (self.folders['cheap'], image_id), {'store': 'of-another-time'})
        self.assertEqual('fast,cheap', self.stores(image_id))
        self.leave(204, 'cheap', image_id)
        self.assertEqual([], [name for name in stored_files(self.folders['cheap']) if name == image_id])
        self.assertEqual('fast', self.stores(image_id))


class LeavingAStoreLater(StoresTestCase):
    OPTIONS = {'delayed_delete': True}

    def test_the_data_waits_for_the_scrubber(self):
        image_id = self.image('fast', 'cheap')
        self.assertStatus(204, self.client.delete(f'/v2/stores/cheap/{image_id}'))
        self.assertEqual('fast', self.stores(image_id))
        self.assertTrue((self.folders['cheap'] / image_id).exists())


@on_every_database
class ReadingOrder(StoresTestCase):
    PROJECTS = True

    def get(self, image_id, prefer=None, client=None):
        parameters = {'params': {'prefer': prefer}} if prefer is not None else {}
        return (client or self.owner).get(f'/v2/images/{image_id}/file', **parameters)

    def test_weights_and_preferences(self):
        image_id = self.image('fast', 'cheap')
        for prefer, expected in ((None, DATA), ('cheap', OTHER), ('fast', DATA), ('web, cheap', OTHER), ('fast,cheap', DATA),
                                 (['web', 'cheap'], OTHER)):
            self.assertEqual(expected, self.assertStatus(200, self.get(image_id, prefer)).content, prefer)

    def test_unknown_stores(self):
        image_id = self.image('fast', 'cheap')
        for prefer in ('', 'nowhere', 'fast,nowhere', 'os_glance_staging_store', 'file', 'fast,,cheap'):
            self.assertStatus(400, self.get(image_id, prefer))

    def test_a_place_that_fails_is_passed_over(self):
        image_id = self.image('fast', 'cheap')
        path = self.folders['fast'] / image_id
        path.unlink()
        self.assertEqual(OTHER, self.assertStatus(200, self.get(image_id)).content)
        path.write_bytes(b'short')
        self.assertEqual(OTHER, self.assertStatus(200, self.get(image_id, 'fast')).content)
        os.unlink(self.folders['cheap'] / image_id)
        self.assertStatus(503, self.get(image_id))
        path.unlink()
        self.assertStatus(204, self.get(image_id))


class PreferenceRule(StoresTestCase):
    PROJECTS = True

    @classmethod
    def prepare(cls, server):
        super().prepare(server)
        (server.folder / 'policy.yaml').write_text(json.dumps({'download_from_store': 'role:admin'}))
        server.settings['oslo_policy'] = {'policy_file': server.folder / 'policy.yaml'}

    def test_who_may_prefer(self):
        image_id = self.image('fast', 'cheap')
        path = f'/v2/images/{image_id}/file'
        self.assertStatus(403, self.owner.get(path, params={'prefer': 'cheap'}))
        self.assertStatus(200, self.owner.get(path))
        self.assertStatus(200, self.client.get(path, params={'prefer': 'cheap'}))


class OneStore(ApiTestCase):

    def test_nothing_to_prefer_and_nothing_to_leave(self):
        image_id = self.client.create_image(DATA)['id']
        self.assertStatus(400, self.client.get(f'/v2/images/{image_id}/file', params={'prefer': 'file'}))
        self.assertStatus(404, self.client.delete(f'/v2/stores/file/{image_id}'))
        self.assertEqual(DATA, self.download(image_id).content)
