"""Which project may do what with whose images: one table, on every implementation of the DAL.

The table has a row for each action and a column for each caller; the four signs of a cell are for a private, a shared, a
community and a public image of the owner's project.
"""
import json
import unittest

from glance.api.v2.router import API
from glance.db.interface import ImageChanges
from glance.db.memory import MemoryDatabase
from tests.db_conformance.sql import SQLCase
from tests.unit.api import wsgi_client
from tests.unit.layers import fakes

VISIBILITIES = ('private', 'shared', 'community', 'public')
CALLERS = ('owner', 'reader', 'stranger', 'member', 'service', 'admin')
# + done, * done and everything seen, o done and only the caller's own seen, . not listed, 3 and 4 refused with 403 and 404.
TABLE = """
                        owner reader stranger member service admin
show                    ++++  ++++   44++     4+++   44++    ++++
list                    ++++  ++++   ...+     ...+   ...+    ++.+
list-accepted           ++++  ++++   ...+     .+.+   ...+    ++.+
list-rejected           ++++  ++++   ...+     ...+   ...+    ++.+
list-asking-pending     ++++  ++++   ...+     .+.+   ...+    ++.+
list-all                ++++  ++++   ..++     ..++   ..++    ++++
list-community          ..+.  ..+.   ..+.     ..+.   ..+.    ..+.
list-shared             .+..  .+..   ....     ....   ....    .+..
list-hidden             ....  ....   ....     ....   ....    ....
download                ++++  3333   44++     4+++   44++    ++++
download-deactivated    3333  3333   4433     4333   4433    ++++
create                  +++3  3333   +++3     +++3   +++3    ++++
create-for-owner        +++3  3333   3333     3333   3333    ++++
upload                  ++++  3333   4433     4333   4433    ++++
update                  ++++  3333   4433     4333   4433    ++++
delete                  ++++  3333   4433     4333   4433    ++++
delete-protected        3333  3333   4433     4333   4433    3333
delete-deactivated      ++++  3333   4433     4333   4433    ++++
tag                     ++++  3333   4433     4333   4433    ++++
untag                   ++++  3333   4433     4333   4433    ++++
publish                 333+  3333   4433     4333   4433    ++++
communitise             ++++  3333   4433     4333   4433    ++++
give-away               3333  3333   4433     4333   4433    ++++
add-member              3+33  3333   4433     4333   4433    3+33
delete-member           3+33  3333   4433     4333   4433    3+33
delete-other-member     3+33  3333   4433     4433   4433    3+33
list-members            3*33  3*33   4433     4o33   4433    3*33
show-member             4+44  4+44   4444     4+44   4444    4+44
show-other-member       4+44  4+44   4444     4444   4444    4+44
set-status              3333  3333   4433     4+33   4433    3+33
set-other-status        3333  3333   4433     4433   4433    3+33
deactivate              ++++  3333   4433     4333   4433    ++++
reactivate              ++++  3333   4433     4333   4433    ++++
get-locations           3333  3333   4433     4333   44++    ++++
"""
OTHER = 'p-other'
V21 = {'Content-Type': 'application/openstack-images-v2.1-json-patch'}
OCTETS = {'Content-Type': 'application/octet-stream'}


def callers():
    return {
        'owner': fakes.caller(fakes.OWNER), 'reader': fakes.caller(fakes.OWNER, ('reader',)),
        'stranger': fakes.caller(fakes.STRANGER), 'member': fakes.caller(fakes.FRIEND),
        # A service acts as its project: the role alone opens no image of others.
        'service': fakes.caller('p-service', ('service', 'member', 'reader')), 'admin': fakes.admin()}


def cells():
    """Walk over (action, caller, visibility, sign)."""
    _, *rows = TABLE.strip('\n').splitlines()
    for row in rows:
        action, *columns = row.split()
        for caller, signs in zip(CALLERS, columns, strict=True):
            for visibility, sign in zip(VISIBILITIES, signs, strict=True):
                yield action, caller, visibility, sign


class Isolation:
    """Mixin to a TestCase with ``make_database()``."""

    def setUp(self):
        super().setUp()
        self.env = fakes.make_environment(self, database=self.make_database())
        self.api = API()

    def call(self, context, method, target, body=None, headers=None):
        body = json.dumps(body).encode() if isinstance(body, dict | list) else body or b''
        return wsgi_client.request(self.api, method, target, body, headers, **{
            'glance.environment': self.env, 'glance.context': context})

    def stored(self, visibility, status='active', **values):
        """Store an image with data and two members; return its id."""
        values = {'size': None if status == 'queued' else 4, 'disk_format': 'raw', 'container_format': 'bare', 'tags': ['t'], **values}
        record = self.env.database.image_create({'owner': fakes.OWNER, 'visibility': visibility, 'status': status, **values})
        for member in (fakes.FRIEND, OTHER):
            self.env.database.member_create(record['id'], member)
        if status != 'queued':
            store = self.env.stores.enabled[0]
            store.objects[store.url(record['id'])] = b'data'
            self.env.database.image_update(record['id'], ImageChanges(add_locations=[
                {'url': store.url(record['id']), 'metadata': {}, 'status': 'active'}]))
        return record['id']

    def state(self, image_id):
        """Everything that is known of an image, its data included."""
        image = self.env.database.image_get(fakes.admin(), image_id, show_deleted=True)
        return image, self.env.database.member_list(image_id), dict(self.env.stores.enabled[0].objects)

    def test_every_cell(self):
        everybody = callers()
        for action, caller, visibility, sign in cells():
            with self.subTest(action=action, caller=caller, visibility=visibility):
                name, _, detail = action.partition('-')
                if name == 'list' and detail != 'members':
                    found = self.listed(everybody[caller], visibility, detail)
                else:
                    found = self.tried(everybody[caller], visibility, action)
                self.assertEqual(sign, found)

    def listed(self, context, visibility, detail):
        image_id = self.stored(visibility, os_hidden=detail == 'hidden')
        if detail in ('accepted', 'rejected'):
            self.env.database.member_update(image_id, fakes.FRIEND, detail)
        query = {'asking-pending': '&member_status=pending', 'all': '&visibility=all', 'community': '&visibility=community',
                 'shared': '&visibility=shared'}.get(detail, '')
        response = self.call(context, 'GET', '/images?limit=1000' + query)
        self.assertEqual(200, response.status_int)
        listed = image_id in [image['id'] for image in response.json['images']]
        self.env.database.image_remove(image_id)
        return '+' if listed else '.'

    def tried(self, context, visibility, action):
        image_id = self.stored(visibility, **self.condition(action))
        before = self.state(image_id)
        responses = [self.call(context, *request) for request in self.requests(action, image_id, visibility)]
        codes = {response.status_int for response in responses}
        if codes & {403, 404}:
            self.assertEqual(1, len(codes), codes)
            self.assertEqual(before, self.state(image_id))
            return str(codes.pop())[-1]
        self.assertLessEqual(codes, {200, 201, 204})
        if action == 'list-members':
            members = [member['member_id'] for member in responses[0].json['members']]
            return {(fakes.FRIEND, OTHER): '*', (context.owner,): 'o'}.get(tuple(members))
        return '+'

    @staticmethod
    def condition(action):
        return {'upload': {'status': 'queued'}, 'download-deactivated': {'status': 'deactivated'},
                'delete-deactivated': {'status': 'deactivated'}, 'reactivate': {'status': 'deactivated'},
                'delete-protected': {'protected': True}}.get(action, {})

    @staticmethod
    def requests(action, image_id, visibility):
        path = '/images/' + image_id
        friend, other = path + '/members/' + fakes.FRIEND, path + '/members/' + OTHER

        def replace(name, value):
            return [('PATCH', path, [{'op': 'replace', 'path': '/' + name, 'value': value}], V21)]
        return {
            'show': [('GET', path)],
            'download': [('GET', path + '/file')], 'download-deactivated': [('GET', path + '/file')],
            'create': [('POST', '/images', {'visibility': visibility})],
            'create-for-owner': [('POST', '/images', {'visibility': visibility, 'owner': fakes.OWNER})],
            'upload': [('PUT', path + '/file', b'data', OCTETS)],
            'update': replace('name', 'new'), 'publish': replace('visibility', 'public'),
            'communitise': replace('visibility', 'community'), 'give-away': replace('owner', OTHER),
            'delete': [('DELETE', path)], 'delete-protected': [('DELETE', path)], 'delete-deactivated': [('DELETE', path)],
            'tag': [('PUT', path + '/tags/new')], 'untag': [('DELETE', path + '/tags/t')],
            'add-member': [('POST', path + '/members', {'member': 'p-new'})],
            'delete-member': [('DELETE', friend)], 'delete-other-member': [('DELETE', other)],
            'list-members': [('GET', path + '/members')],
            'show-member': [('GET', friend)], 'show-other-member': [('GET', other)],
            'set-status': [('PUT', friend, {'status': status}) for status in ('accepted', 'rejected', 'pending')],
            'set-other-status': [('PUT', other, {'status': status}) for status in ('accepted', 'rejected', 'pending')],
            'get-locations': [('GET', path + '/locations')],
            'deactivate': [('POST', path + '/actions/deactivate')], 'reactivate': [('POST', path + '/actions/reactivate')],
        }[action]

    def test_members_of_one_image_are_not_those_of_another(self):
        mine, theirs = self.stored('shared'), self.stored('shared')
        self.env.database.member_delete(mine, fakes.FRIEND)
        for context in (fakes.caller(), fakes.admin()):
            for method, body in (('GET', None), ('PUT', {'status': 'accepted'}), ('DELETE', None)):
                self.assertEqual(404, self.call(context, method, '/images/%s/members/%s' % (mine, fakes.FRIEND), body).status_int)
        self.assertEqual(404, self.call(fakes.caller(fakes.FRIEND), 'GET', '/images/' + mine).status_int)
        self.assertEqual(200, self.call(fakes.caller(fakes.FRIEND), 'GET', '/images/' + theirs).status_int)

    def test_access_ends_and_returns_with_the_visibility(self):
        image_id = self.stored('shared')
        friend, stranger = fakes.caller(fakes.FRIEND), fakes.caller(fakes.STRANGER)
        for visibility, codes in (('private', (404, 404)), ('shared', (200, 404)), ('public', (200, 200)), ('private', (404, 404)),
                                  ('shared', (200, 404))):
            self.env.database.image_update(image_id, ImageChanges(columns={'visibility': visibility}))
            for path in ('/images/' + image_id, '/images/%s/file' % image_id):
                self.assertEqual(codes, tuple(self.call(context, 'GET', path).status_int for context in (friend, stranger)))


class InMemory(Isolation, unittest.TestCase):
    def make_database(self):
        return MemoryDatabase()


class OnSQLite(Isolation, SQLCase):
    kind = 'sqlite'


class OnMySQL(Isolation, SQLCase):
    kind = 'mysql'


class OnPostgreSQL(Isolation, SQLCase):
    kind = 'postgresql'
