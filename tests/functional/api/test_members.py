"""Sharing images with projects over HTTP: what each call answers, and what the other side then sees."""

import concurrent.futures
import uuid

import jsonschema

from tests.functional.api.base import ApiTestCase, on_every_database

VISIBILITIES = ('private', 'shared', 'community', 'public')


class MembersTestCase(ApiTestCase):
    PROJECTS = True

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        client = cls.server.client(headers={'X-Identity-Status': 'Confirmed'})
        cls.schemas = {name: client.get(f'/v2/schemas/{name}').json() for name in ('member', 'members', 'image')}

    def setUp(self):
        super().setUp()
        # Names of their own, so that lists hold nothing of other tests.
        self.names = {name: f'{name}-{uuid.uuid4().hex[:8]}' for name in ('owner', 'friend', 'other', 'stranger')}
        self.owner, self.friend, self.other, self.stranger = (self.caller(project) for project in self.names.values())

    def image(self, *members, **attributes):
        """The path of a new image of the owner with these members (names of callers)."""
        path = '/v2/images/' + self.owner.create_image(b'data', **attributes)['id']
        for member in members:
            self.add(path, self.names[member])
        return path

    def add(self, path, member, expected=200, client=None):
        return self.checked(expected, (client or self.owner).post(f'{path}/members', json={'member': member}))

    def answer(self, path, member, answer, expected=200, client=None):
        body = answer if isinstance(answer, dict) else {'status': answer}
        return self.checked(expected, (client or self.friend).put(f'{path}/members/{member}', json=body))

    def checked(self, status, response, schema='member'):
        """The content of a response with this status, which obeys the schema when it is no error."""
        self.assertStatus(status, response)
        if status != 200:
            return None
        self.assertEqual('application/json', response.headers['Content-Type'])
        # Clients depend on nothing else being there; the schemas themselves are open.
        closed = {**self.schemas[schema], 'additionalProperties': False, 'required': list(self.schemas[schema]['properties'])}
        jsonschema.Draft4Validator(closed, format_checker=jsonschema.FormatChecker()).validate(response.json())
        return response.json()

    def members(self, path, expected=200, client=None):
        content = self.checked(expected, (client or self.owner).get(f'{path}/members'), 'members')
        if content is None:
            return None
        self.assertEqual('/v2/schemas/members', content['schema'])
        for member in content['members']:
            jsonschema.Draft4Validator(self.schemas['member']).validate(member)
        return [(member['member_id'], member['status']) for member in content['members']]

    def listed(self, client, path, **filters):
        response = self.assertStatus(200, client.get('/v2/images', params={'limit': 1000, **filters}))
        return path in [image['self'] for image in response.json()['images']]


@on_every_database
class TestMembers(MembersTestCase):

    def test_the_story_of_a_share(self):
        path, friend = self.image(), self.names['friend']
        self.assertStatus(404, self.friend.get(path))
        added = self.add(path, friend)
        self.assertEqual((friend, path.split('/')[-1], 'pending', '/v2/schemas/member'), tuple(
            added[name] for name in ('member_id', 'image_id', 'status', 'schema')))
        self.assertRegex(added['created_at'], r'\A\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ\Z')
        self.assertEqual(added['created_at'], added['updated_at'])
        # Whatever the status, the image can be read; it is listed once it is accepted.
        for status in ('pending', 'rejected', 'accepted'):
            if status != 'pending':
                answered = self.answer(path, friend, status)
                self.assertEqual({**added, 'status': status, 'updated_at': answered['updated_at']}, answered)
            self.assertEqual('data', self.friend.get(f'{path}/file').text)
            self.assertEqual(status == 'accepted', self.listed(self.friend, path))
            self.assertTrue(self.listed(self.friend, path, member_status=status))
            self.assertTrue(self.listed(self.friend, path, member_status='all', visibility='shared'))
            self.assertEqual(status, self.checked(200, self.owner.get(f'{path}/members/{friend}'))['status'])
        self.assertStatus(204, self.owner.delete(f'{path}/members/{friend}'))
        for target in (path, f'{path}/file', f'{path}/members'):
            self.assertStatus(404, self.friend.get(target))
        self.assertFalse(self.listed(self.friend, path, member_status='all'))
        self.assertEqual('pending', self.add(path, friend)['status'])

    def test_the_answer_to_a_removal_is_bare(self):
        path = self.image('friend')
        response = self.owner.delete(f'{path}/members/{self.names["friend"]}')
        self.assertEqual((204, b''), (response.status_code, response.content))
        self.assertNotIn('Content-Type', response.headers)

    def test_lists_are_in_the_order_of_creation(self):
        path, ids = self.image(), [f'{letter}-{uuid.uuid4().hex}' for letter in 'cab']
        for member in ids:
            self.add(path, member)
        self.assertEqual([(member, 'pending') for member in ids], self.members(path))
        self.assertEqual([], self.members(self.image()))

    def test_who_sees_whom(self):
        path = self.image('friend', 'other')
        friend, other = self.names['friend'], self.names['other']
        everybody = [(friend, 'pending'), (other, 'pending')]
        for client, seen in ((self.owner, everybody), (self.client, everybody), (self.friend, everybody[:1]), (self.other, everybody[1:]),
                             (self.caller(self.names['owner'], 'reader'), everybody),
                             (self.caller(self.names['friend'], 'reader'), everybody[:1])):
            self.assertEqual(seen, self.members(path, client=client))
            for member in everybody:
                self.checked(200 if member in seen else 404, client.get(f'{path}/members/{member[0]}'))
        for client in (self.stranger, self.caller(None), self.caller(self.names['owner'], 'nothing')):
            self.members(path, 404, client)
            self.assertStatus(404, client.get(f'{path}/members/{friend}'))

    def test_only_the_member_answers(self):
        path, friend = self.image('friend', 'other'), self.names['friend']
        for client, status in ((self.owner, 403), (self.other, 404), (self.stranger, 404), (self.caller(friend, 'reader'), 403),
                               (self.caller(self.names['other'], 'reader'), 404)):
            self.answer(path, friend, 'accepted', status, client)
        self.assertEqual('pending', self.members(path)[0][1])
        self.assertEqual('accepted', self.answer(path, friend, 'accepted', client=self.client)['status'])

    def test_only_the_owner_adds_and_removes(self):
        path, friend = self.image('friend'), self.names['friend']
        for client, status in ((self.friend, 403), (self.stranger, 404), (self.caller(self.names['owner'], 'reader'), 403)):
            self.add(path, 'p', status, client)
            self.assertStatus(status, client.delete(f'{path}/members/{friend}'))
        self.assertEqual([(friend, 'pending')], self.members(path))
        self.add(path, 'p', client=self.client)
        self.assertStatus(204, self.client.delete(f'{path}/members/p'))

    def test_the_owner_as_a_member(self):
        path, owner = self.image(), self.names['owner']
        self.add(path, owner)
        self.assertEqual([(owner, 'pending')], self.members(path))
        self.answer(path, owner, 'accepted', 403, self.owner)

    def test_other_visibilities_have_no_members(self):
        for visibility in set(VISIBILITIES) - {'shared'}:
            path = f'/v2/images/{self.client.create_image(visibility=visibility, owner=self.names["owner"])["id"]}'
            hidden = 404 if visibility == 'private' else 403
            for client, status in ((self.owner, 403), (self.client, 403), (self.stranger, hidden)):
                with self.subTest(visibility=visibility, client=status):
                    self.add(path, 'p', status, client)
                    self.members(path, status, client)
                    self.assertStatus(404, client.get(f'{path}/members/p'))
                    self.answer(path, 'p', 'accepted', status, client)
                    self.assertStatus(status, client.delete(f'{path}/members/p'))

    def test_members_wait_for_the_image_to_be_shared_again(self):
        path, friend = self.image('friend'), self.names['friend']
        self.answer(path, friend, 'accepted')
        for visibility in ('private', 'shared'):
            response = self.owner.patch(path, [{'op': 'replace', 'path': '/visibility', 'value': visibility}])
            self.assertStatus(200, response)
            seen = visibility == 'shared'
            self.assertStatus(200 if seen else 404, self.friend.get(path))
            self.assertEqual(seen, self.listed(self.friend, path))
        self.assertEqual([(friend, 'accepted')], self.members(path))

    def test_members_of_absent_and_deleted_images(self):
        gone = self.image('friend')
        self.assertStatus(204, self.owner.delete(gone))
        for path in (gone, f'/v2/images/{uuid.uuid4()}', '/v2/images/' + 'x' * 40):
            for client in (self.owner, self.client, self.friend):
                self.add(path, 'p', 404, client)
                self.members(path, 404, client)
                self.answer(path, self.names['friend'], 'accepted', 404, client)
                self.assertStatus(404, client.delete(f'{path}/members/{self.names["friend"]}'))

    def test_unknown_members(self):
        path = self.image('friend')
        for member in ('p', self.names['friend'].upper(), 'x' * 300, '%20', '%00', '%F0%9F%98%80', self.names['friend'] + '%20'):
            with self.subTest(member=member):
                self.assertStatus(404, self.owner.get(f'{path}/members/{member}'))
                self.answer(path, member, 'accepted', 404, self.client)
                self.assertStatus(404, self.owner.delete(f'{path}/members/{member}'))

    def test_one_of_many_adds_wins(self):
        for _ in range(3):
            path = self.image()
            with concurrent.futures.ThreadPoolExecutor(6) as pool:
                clients = [self.caller(self.names['owner']) for _ in range(6)]
                codes = [future.result().status_code for future in [
                    pool.submit(client.post, f'{path}/members', json={'member': 'p'}) for client in clients]]
            self.assertEqual([200] + [409] * 5, sorted(codes))
            self.assertEqual([('p', 'pending')], self.members(path))
            self.assertStatus(204, self.owner.delete(f'{path}/members/p'))
            self.assertEqual([], self.members(path))

    def test_anonymous_callers(self):
        self.assertStatus(401, self.server.client().get(f'{self.image()}/members'))


class TestBodies(MembersTestCase):

    def test_bodies_that_name_no_member(self):
        path = self.image()
        for body in (b'', b'{', b'[]', b'null', b'"p"', b'{}', b'{"members": "p"}', b'{"member": null}', b'{"member": ""}', b'{"member": 1}',
                     b'{"member": ["p"]}', b'{"member": {"id": "p"}}', b'{"member": true}', b'{"member": "a\\u0000"}',
                     b'{"member": "\\ud800"}', b'{"member": "p", "member": "q"}', b'{"member": "%s"}' % (b'x' * 256)):
            with self.subTest(body=body[:40]):
                self.assertStatus(400, self.owner.post(f'{path}/members', data=body))
        self.assertEqual([], self.members(path))

    def test_ids_of_members(self):
        path, ids = self.image(), ['x' * 255, 'é' * 255, 'a b', "' OR 1=1 --", 'a.b;c?d#e%f', '漢字']
        for member in ids:
            self.assertEqual(member, self.add(path, member)['member_id'])
        self.assertEqual([(member, 'pending') for member in ids], self.members(path))
        for member in ids:
            quoted = ''.join(f'%{byte:02X}' for byte in member.encode())
            self.assertEqual(member, self.checked(200, self.owner.get(f'{path}/members/{quoted}'))['member_id'])
            self.assertStatus(204, self.owner.delete(f'{path}/members/{quoted}'))

    def test_other_keys_are_ignored(self):
        path = self.image()
        body = {'member': self.names['friend'], 'status': 'accepted', 'can_share': True, 'image_id': 'x', 'foo': {}}
        self.assertEqual('pending', self.checked(200, self.owner.post(f'{path}/members', json=body))['status'])
        body = {'status': 'accepted', 'member': 'p', 'member_id': 'p', 'foo': []}
        self.assertEqual(self.names['friend'], self.answer(path, self.names['friend'], body)['member_id'])

    def test_bodies_that_hold_no_status(self):
        path, friend = self.image('friend'), self.names['friend']
        for body in (b'', b'{', b'[]', b'{}', b'{"member": "p"}', b'{"status": null}', b'{"status": ""}', b'{"status": "Accepted"}',
                     b'{"status": "deleted"}', b'{"status": 1}', b'{"status": ["accepted"]}', b'{"status": {}}'):
            with self.subTest(body=body):
                self.assertStatus(400, self.friend.put(f'{path}/members/{friend}', data=body))
        self.assertEqual([(friend, 'pending')], self.members(path))

    def test_the_order_of_refusals(self):
        absent, path = f'/v2/images/{uuid.uuid4()}', self.image('friend')
        self.assertStatus(400, self.owner.post(f'{absent}/members', json={}))
        self.assertStatus(400, self.owner.put(f'{absent}/members/p', json={}))
        self.answer(absent, 'p', 'nonsense', 404)
        self.answer(path, 'p', 'nonsense', 404, self.owner)
        self.answer(path, self.names['friend'], 'nonsense', 403, self.owner)
        self.answer(path, self.names['friend'], 'nonsense', 400)

    def test_calls_that_take_no_body(self):
        path = self.image('friend')
        for method, target in (('GET', f'{path}/members'), ('GET', f'{path}/members/{self.names["friend"]}'),
                               ('DELETE', f'{path}/members/{self.names["friend"]}')):
            self.assertStatus(400, self.owner.request(method, target, json={}))

    def test_methods(self):
        path = self.image()
        for target, allowed in ((f'{path}/members', 'GET, POST'), (f'{path}/members/p', 'DELETE, GET, PUT'),
                                ('/v2/schemas/member', 'GET'), ('/v2/schemas/members', 'GET')):
            for method in ('HEAD', 'PATCH', 'POST', 'PUT', 'DELETE'):
                if method not in allowed:
                    self.assertEqual(allowed, self.assertStatus(405, self.owner.request(method, target)).headers['Allow'])


class TestLimits(MembersTestCase):
    SETTINGS = {'DEFAULT': {'image_member_quota': 2}}

    def test_the_quota_comes_before_the_duplicate(self):
        path = self.image('friend')
        self.add(path, self.names['friend'], 409)
        self.add(path, 'p')
        for member in ('q', self.names['friend']):
            self.add(path, member, 413)
        self.assertStatus(204, self.owner.delete(f'{path}/members/p'))
        self.add(path, 'q')
        self.assertEqual(2, len(self.members(path)))

    def test_administrators_have_the_same_limit(self):
        path = self.image('friend', 'other')
        self.add(path, 'p', expected=413, client=self.client)


class TestNoLimit(MembersTestCase):
    SETTINGS = {'DEFAULT': {'image_member_quota': -1}}

    def test_many_members(self):
        path = self.image()
        for number in range(130):
            self.add(path, str(number))
        self.assertEqual([str(number) for number in range(130)], [member for member, _ in self.members(path)])


class TestNone(MembersTestCase):
    SETTINGS = {'DEFAULT': {'image_member_quota': 0}}

    def test_sharing_can_be_switched_off(self):
        self.add(self.image(), 'p', expected=413)


class TestOldDefaults(MembersTestCase):
    SETTINGS = {'oslo_policy': {'enforce_new_defaults': False}}

    def test_ownership_decides(self):
        path, friend = self.image('friend'), self.names['friend']
        for client, status in ((self.friend, 403), (self.stranger, 404)):
            self.add(path, 'p', status, client)
            self.assertStatus(status, client.delete(f'{path}/members/{friend}'))
        self.answer(path, friend, 'accepted', 403, self.owner)
        self.answer(path, friend, 'accepted', client=self.caller(friend, 'nothing'))
        self.add(path, 'p', client=self.caller(self.names['owner'], 'nothing'))
