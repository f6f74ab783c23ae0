"""No project ever reads a byte, a name or an id that it may not, whatever others do: a walk of random requests.

Every image carries a word of its own in its name, tags, a property and its data. After each answer the words of all images
are looked for in it; an independent model says whose the reader may know.
"""
import json
import random
import unittest

from glance import exceptions
from glance.api.v2.router import API
from glance.db.memory import MemoryDatabase
from tests.db_conformance.sql import SQLCase
from tests.unit.api import wsgi_client
from tests.unit.layers import fakes

PROJECTS = ('p-one', 'p-two', 'p-three', 'p-four')
VISIBILITIES = ('private', 'shared', 'community', 'public')
V21 = {'Content-Type': 'application/openstack-images-v2.1-json-patch'}
OCTETS = {'Content-Type': 'application/octet-stream'}


class Walk:
    """Mixin to a TestCase with ``make_database()``."""

    SEEDS, STEPS = (1, 2), 500

    def setUp(self):
        super().setUp()
        self.api = API()

    def test_walk(self):
        for seed in self.SEEDS:
            with self.subTest(seed=seed):
                self.random = random.Random(seed)
                self.env = fakes.make_environment(self, database=self.make_database())
                self.words: dict[str, str] = {}
                self.answers = dict.fromkeys(('read', 'refused'), 0)
                for _ in range(self.STEPS):
                    self.step()
                # A walk that reads nothing, or is refused nothing, shows nothing.
                self.assertGreater(min(self.answers.values()), self.STEPS // 20, self.answers)

    def step(self):
        project = self.random.choice(PROJECTS)
        roles = self.random.choice((('member', 'reader'), ('member', 'reader'), ('reader',), ('service', 'member', 'reader')))
        method, path, body, headers = self.request(project)
        before = {image_id for image_id in self.words if self.may_see(project, image_id)}
        response = wsgi_client.request(self.api, method, path, body, headers, **{
            'glance.environment': self.env, 'glance.context': fakes.caller(project, roles)})
        self.assertNotEqual(500, response.status_int)
        self.answers['read' if response.status_int in (200, 201, 206) else 'refused'] += 1
        if method == 'POST' and path == '/images' and response.status_int == 201:
            self.words[response.json['id']] = json.loads(body)['name']
        text = response.body + str(list(response.headers.items())).encode()
        for image_id, word in self.words.items():
            if image_id in before or self.may_see(project, image_id):
                continue
            # What was asked for is repeated: in links of lists, and in the answer that there is no such image.
            for secret in (word, image_id):
                if secret not in path:
                    self.assertNotIn(secret.encode(), text, (project, method, path))

    def may_see(self, project, image_id):
        try:
            image = self.env.database.image_get(fakes.admin(), image_id)
        except exceptions.ImageNotFound:
            return False
        if image['owner'] == project or image['visibility'] in ('public', 'community'):
            return True
        members = [row['member'] for row in self.env.database.member_list(image_id)]
        return image['visibility'] == 'shared' and project in members

    def request(self, project):
        """Return method, path, body and headers of some request."""
        choose = self.random.choice
        if not self.words or self.random.random() < 0.1:
            word = 'word%dword' % self.random.getrandbits(60)
            return 'POST', '/images', json.dumps({
                'name': word, 'tags': [word], 'secret': word, 'visibility': choose(VISIBILITIES[:3]), 'disk_format': 'raw',
                'container_format': 'bare'}).encode(), {}
        image_id = choose(list(self.words))
        path, other, word = '/images/' + image_id, choose(PROJECTS), self.words[image_id]
        foreign = self.words[choose(list(self.words))]

        def patch(name, value):
            return 'PATCH', path, json.dumps([{'op': 'replace', 'path': '/' + name, 'value': value}]).encode(), V21
        return choose((
            lambda: ('GET', path, b'', {}), lambda: ('GET', path + '/file', b'', {}),
            lambda: ('GET', path + '/file', b'', {'Range': 'bytes=0-99'}), lambda: ('GET', path + '/members', b'', {}),
            lambda: ('GET', path + '/members/' + other, b'', {}), lambda: ('GET', path + '/locations', b'', {}),
            lambda: ('GET', '/images?limit=1000', b'', {}),
            lambda: ('GET', '/images?limit=2&marker=' + image_id, b'', {'Prefer': 'count=exact'}),
            lambda: ('GET', '/images?visibility=%s&member_status=all' % choose((*VISIBILITIES, 'all')), b'', {}),
            lambda: ('GET', choose(('/images?name=', '/images?tag=', '/images?secret=')) + foreign, b'', {}),
            lambda: ('GET', '/images?os_hidden=true&visibility=all', b'', {}), lambda: ('GET', '/images?owner=' + other, b'', {}),
            lambda: ('PUT', path + '/file', word.encode(), OCTETS),
            lambda: ('POST', path + '/members', json.dumps({'member': other}).encode(), {}),
            lambda: ('PUT', path + '/members/' + project, json.dumps({'status': choose(('accepted', 'rejected'))}).encode(), {}),
            lambda: ('DELETE', path + '/members/' + other, b'', {}),
            lambda: patch('visibility', choose(VISIBILITIES)), lambda: patch('os_hidden', choose((True, False))),
            lambda: patch('owner', other), lambda: ('PUT', path + '/tags/' + foreign[::-1], b'', {}),
            lambda: ('POST', path + '/actions/' + choose(('deactivate', 'reactivate')), b'', {}),
            lambda: ('DELETE', path, b'', {}) if self.random.random() < 0.2 else ('GET', path, b'', {})))()


class InMemory(Walk, unittest.TestCase):
    def make_database(self):
        return MemoryDatabase()


class OnSQLite(Walk, SQLCase):
    kind = 'sqlite'
    SEEDS, STEPS = (4,), 100


class OnMySQL(Walk, SQLCase):
    kind = 'mysql'
    SEEDS, STEPS = (5,), 100


class OnPostgreSQL(Walk, SQLCase):
    kind = 'postgresql'
    SEEDS, STEPS = (6,), 100
