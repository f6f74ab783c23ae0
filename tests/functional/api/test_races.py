"""Requests that meet at one image, on a service of two processes: one outcome, and nothing left over.

Every test drives its race many times, with the requests in any order and at any distance within the time they take. After
each test the records and the files are looked at directly: see ``invariants``.
"""

import hashlib
import random
import uuid

from tests.functional.api.base import ApiTestCase, on_every_database, stored_files, wait_for
from tests.functional.api.invariants import violations
from tests.functional.api.races import Answer, HeldRequest, crowd, meet

DATA = b'0123456789' * 20_000
FORMATS = {'disk_format': 'raw', 'container_format': 'bare'}


@on_every_database
class TestRaces(ApiTestCase):
    PROJECTS = True
    WORKERS = 2

    def setUp(self):
        super().setUp()
        self.assertEqual(self.WORKERS, len(self.server.workers()))
        self.owner = self.caller('owner')
        self.chance = random.Random(self.id())

    def tearDown(self):
        self.assertEqual([], violations(self.server))
        super().tearDown()

    # What the tests speak of

    def image(self, data: bytes | None = None, **attributes) -> str:
        """The path of a new image."""
        return '/v2/images/' + self.owner.create_image(data, **attributes)['id']

    def request(self, method: str, path: str, body=None, client=None, **kwargs) -> HeldRequest:
        identity = {name: value for name, value in (client or self.owner).session.headers.items() if name.startswith('X-')}
        return HeldRequest(self.server.port, identity, method, path, body, **kwargs)

    def patch(self, path: str, name: str, value, **kwargs) -> HeldRequest:
        return self.request('PATCH', path, [{'op': 'add', 'path': f'/{name}', 'value': value}], **kwargs)

    def upload(self, path: str, data: bytes = DATA, **kwargs) -> HeldRequest:
        return self.request('PUT', f'{path}/file', data, **kwargs)

    def uploading(self, path: str, data: bytes = DATA, **kwargs) -> HeldRequest:
        """An upload that the server waits for the rest of."""
        upload = self.upload(path, data, **kwargs)
        wait_for('saving', lambda: self.seen(path)['status'] == 'saving')
        return upload

    def meet(self, *requests: HeldRequest) -> list[Answer]:
        return meet(list(requests), self.chance)

    def statuses(self, *requests: HeldRequest) -> list[int]:
        return [answer.status for answer in self.meet(*requests)]

    def seen(self, path: str, status: int = 200) -> dict | None:
        response = self.assertStatus(status, self.owner.get(path))
        return response.json() if status == 200 else None

    def members(self, path: str) -> list[tuple[str, str]]:
        members = self.assertStatus(200, self.owner.get(f'{path}/members')).json()['members']
        return [(member['member_id'], member['status']) for member in members]

    def assertActive(self, path: str, data: bytes = DATA) -> dict:
        """The image is active and gives these bytes."""
        image = self.seen(path)
        self.assertEqual(('active', len(data), hashlib.sha512(data).hexdigest()),
                         (image['status'], image['size'], image['os_hash_value']))
        self.assertEqual(data, self.owner.get(f'{path}/file').content)
        return image

    def assertGone(self, path: str):
        for target in (path, f'{path}/file', f'{path}/members'):
            self.seen(target, 404)
        self.assertNotIn(path.split('/')[-1], ' '.join(stored_files(self.server.images)))

    # Changes of one image

    def test_changes_of_different_things_all_survive(self):
        changes = {'name': 'new', 'min_ram': 7, 'min_disk': 3, 'os_hidden': True, 'visibility': 'community',
                   'p0': 'zero', 'p1': 'one', 'p2': 'two', 'kept': 'changed'}
        for _ in range(10):
            path = self.image(kept='before', gone='property', tags=['kept', 'gone'])
            patches = [self.patch(path, name, value) for name, value in changes.items()]
            answers = self.meet(
                *patches, self.request('PATCH', path, [{'op': 'remove', 'path': '/gone'}]),
                *(self.request('PUT', f'{path}/tags/{tag}') for tag in ('a', 'b', 'twice', 'twice', 'kept')),
                self.request('DELETE', f'{path}/tags/gone'))
            self.assertEqual([200] * 10 + [204] * 6, [answer.status for answer in answers])
            for (name, value), answer in zip(changes.items(), answers, strict=False):
                self.assertEqual(value, answer.json()[name])
            image = self.seen(path)
            self.assertEqual(changes, {name: image[name] for name in changes})
            self.assertNotIn('gone', image)
            self.assertEqual(['a', 'b', 'kept', 'twice'], sorted(image['tags']))

    def test_the_last_change_of_a_property_wins(self):
        for number in range(12):
            # The row of a property that is not there, is there, or was there.
            path = self.image(**({'p': 'before'} if number % 3 else {}))
            if number % 3 == 2:
                self.assertStatus(200, self.owner.patch(path, [{'op': 'remove', 'path': '/p'}]))
            answers = self.meet(*(self.patch(path, 'p', value) for value in 'xyz'))
            self.assertEqual([(200, value) for value in 'xyz'], [(answer.status, answer.json()['p']) for answer in answers])
            self.assertIn(self.seen(path)['p'], ('x', 'y', 'z'))

    def test_one_of_the_changes_that_depend_on_a_state(self):
        for _ in range(10):
            path = self.image(p='before')
            tag = self.owner.get(path).headers['ETag']
            names = [f'p{number}' for number in range(5)]
            answers = self.meet(*(self.patch(path, name, name, headers={'If-Match': tag}) for name in names))
            self.assertEqual([200] + [412] * 4, sorted(answer.status for answer in answers))
            winners = [name for name, answer in zip(names, answers, strict=True) if answer.status == 200]
            image = self.seen(path)
            self.assertEqual(winners, [name for name in names if name in image])

    def test_a_condition_and_a_change_without_one(self):
        for _ in range(10):
            path = self.image()
            tag = self.owner.get(path).headers['ETag']
            guarded, free = self.statuses(self.patch(path, 'p', 'guarded', headers={'If-Match': tag}), self.patch(path, 'q', 'free'))
            self.assertEqual(200, free)
            self.assertIn(guarded, (200, 412))
            image = self.seen(path)
            self.assertEqual('free', image['q'])
            self.assertEqual(guarded == 200, 'p' in image)

    # Uploads

    def test_changes_during_an_upload_survive(self):
        changes = {'name': 'new', 'min_ram': 7, 'p': 'new', 'visibility': 'community', 'os_hidden': True}
        for held in (len(DATA), len(DATA) // 2, 1):
            path = self.image(gone='property', p='before')
            upload = self.uploading(path, held=held, chunked=True)
            answers = self.meet(*(self.patch(path, name, value) for name, value in changes.items()),
                                self.request('PATCH', path, [{'op': 'remove', 'path': '/gone'}]),
                                self.request('PUT', f'{path}/tags/a'))
            self.assertEqual([200] * 6 + [204], [answer.status for answer in answers])
            self.assertEqual('saving', self.seen(path)['status'])
            self.assertEqual(204, upload.release().answer().status)
            image = self.assertActive(path)
            self.assertEqual({**changes, 'tags': ['a']}, {name: image[name] for name in (*changes, 'tags')})
            self.assertNotIn('gone', image)

    def test_changes_at_the_end_of_an_upload_survive(self):
        for _ in range(15):
            path = self.image(p='before')
            statuses = self.statuses(self.uploading(path, chunked=True), self.patch(path, 'p', 'new'), self.patch(path, 'name', 'new'),
                                     self.request('PUT', f'{path}/tags/a'))
            self.assertEqual([204, 200, 200, 204], statuses)
            image = self.assertActive(path)
            self.assertEqual(('new', 'new', ['a']), (image['p'], image['name'], image['tags']))

    def test_one_of_many_uploads_wins(self):
        for _ in range(8):
            path = self.image()
            bodies = [letter * 100_000 for letter in (b'a', b'b', b'c', b'd')]
            statuses = self.statuses(*(self.upload(path, body, chunked=body < b'c', held=self.chance.choice((1, 100_000)))
                                       for body in bodies))
            self.assertEqual([204] + [409] * 3, sorted(statuses))
            self.assertActive(path, bodies[statuses.index(204)])

    def test_removal_during_an_upload(self):
        for held in (len(DATA), len(DATA) // 2, 1):
            for chunked in (False, True):
                path = self.image(p='x', tags=['a'])
                upload = self.uploading(path, held=held, chunked=chunked)
                self.assertStatus(204, self.owner.delete(path))
                self.assertEqual(410, upload.release().answer().status)
                self.assertGone(path)

    def test_removal_at_the_end_of_an_upload(self):
        for _ in range(30):
            path = self.image(p='x')
            upload, removal = self.statuses(self.uploading(path, chunked=True), self.request('DELETE', path))
            self.assertEqual(204, removal)
            self.assertIn(upload, (204, 410))
            self.assertGone(path)

    def test_removal_at_the_beginning_of_an_upload(self):
        for _ in range(15):
            path = self.image(p='x')
            # All of the data is there: it is the request line that the server waits for.
            upload, removal = self.statuses(self.upload(path, held=len(DATA) + 1), self.request('DELETE', path))
            self.assertEqual(204, removal)
            self.assertIn(upload, (204, 404, 410))
            self.assertGone(path)

    def test_removals_and_uploads(self):
        for _ in range(8):
            path = self.image()
            *uploads, first, second = self.statuses(*(self.upload(path, letter * 1000) for letter in (b'a', b'b', b'c')),
                                                    *(self.request('DELETE', path) for _ in range(2)))
            self.assertEqual([204, 404], sorted((first, second)))
            self.assertLessEqual(set(uploads), {204, 404, 409, 410})
            self.assertLessEqual(uploads.count(204), 1)
            self.assertGone(path)

    # Removal

    def test_one_of_many_removals_wins(self):
        for number in range(10):
            path = self.image(DATA if number % 2 else None, p='x', q='y', tags=['a', 'b'])
            self.assertStatus(200, self.owner.post(f'{path}/members', json={'member': 'friend'}))
            statuses = self.statuses(*(self.request('DELETE', path) for _ in range(4)))
            self.assertEqual([204] + [404] * 3, sorted(statuses))
            self.assertGone(path)

    def test_removal_and_changes(self):
        for _ in range(10):
            path = self.image(DATA, p='x', tags=['gone'])
            removal, *others = self.statuses(
                self.request('DELETE', path), self.patch(path, 'p', 'new'), self.patch(path, 'q', 'new'),
                self.patch(path, 'tags', ['b']), self.request('PUT', f'{path}/tags/a'), self.request('DELETE', f'{path}/tags/gone'))
            self.assertEqual(204, removal)
            for done, status in zip((200, 200, 200, 204, 204), others, strict=True):
                self.assertIn(status, (done, 404))
            self.assertGone(path)

    def test_removal_and_readers(self):
        for _ in range(12):
            name = uuid.uuid4().hex
            paths = [self.image(DATA if number == 2 else None, name=name) for number in range(5)]
            path, kept = paths[2], sorted(paths[:2] + paths[3:])
            removal, show, members, *answers = self.meet(
                self.request('DELETE', path), self.request('GET', path), self.request('GET', f'{path}/members'),
                *(self.request('GET', f'{path}/file') for _ in range(3)),
                *(self.request('GET', f'/v2/images?name={name}') for _ in range(3)))
            self.assertEqual(204, removal.status)
            for answer in (show, members):
                self.assertIn(answer.status, (200, 404))
            for download in answers[:3]:
                self.assertIn((download.status, download.status == 200 and download.body == DATA), ((200, True), (404, False)))
            for listing in answers[3:]:
                self.assertIn(sorted(image['self'] for image in listing.json()['images']), (kept, sorted(paths)))
            self.assertGone(path)

    def test_a_download_outlives_the_image(self):
        data = self.chance.randbytes(32 << 20)      # more than the buffers of the connection hold
        for status in ('active', 'deactivated'):
            path = self.image(data)
            download = self.request('GET', f'{path}/file').release().read_head()
            beginning = download.read(10)
            if status == 'deactivated':
                self.assertStatus(204, self.client.post(f'{path}/actions/deactivate'))
            self.assertStatus(204, self.owner.delete(path))
            self.assertGone(path)
            self.assertEqual(data, beginning + download.read())

    # Other states

    def test_withdrawing_and_giving_back(self):
        for number in range(10):
            path = self.image(DATA)
            if number % 2:
                self.assertStatus(204, self.client.post(f'{path}/actions/deactivate'))
            statuses = self.statuses(*(self.request('POST', f'{path}/actions/{action}', client=self.client)
                                       for action in ('deactivate', 'reactivate') * 2))
            self.assertLessEqual(set(statuses), {204, 409})
            self.assertIn(204, statuses)
            self.assertIn(self.seen(path)['status'], ('active', 'deactivated'))
            self.assertStatus(204, self.client.post(f'{path}/actions/reactivate'))
            self.assertActive(path)

    def test_withdrawing_and_removal(self):
        for number in range(12):
            path = self.image(DATA)
            if number % 2:
                self.assertStatus(204, self.client.post(f'{path}/actions/deactivate'))
            removal, *others = self.statuses(self.request('DELETE', path), *(
                self.request('POST', f'{path}/actions/{action}', client=self.client) for action in ('deactivate', 'reactivate') * 2))
            self.assertEqual(204, removal)
            self.assertLessEqual(set(others), {204, 404, 409})
            self.assertGone(path)

    def test_one_of_many_creations_wins(self):
        for _ in range(10):
            image_id = str(uuid.uuid4())
            answers = self.meet(*(self.request('POST', '/v2/images', {**FORMATS, 'id': image_id, 'p': value, value: 'x', 'tags': [value]})
                                  for value in 'abcd'))
            self.assertEqual([201] + [409] * 3, sorted(answer.status for answer in answers))
            won = next(answer for answer in answers if answer.status == 201).json()
            self.assertEqual(won, self.seen(f'/v2/images/{image_id}'))
            self.assertEqual([won['p']], won['tags'])
            self.assertEqual([won['p']], [value for value in 'abcd' if value in won])

    # Members

    def test_one_of_many_adds_of_a_member_wins(self):
        for _ in range(6):
            path = self.image()
            for _ in range(2):      # the second time the membership is one that was ended
                statuses = self.statuses(*(self.add(path) for _ in range(4)))
                self.assertEqual([200] + [409] * 3, sorted(statuses))
                self.assertEqual([('friend', 'pending')], self.members(path))
                statuses = self.statuses(*(self.request('DELETE', f'{path}/members/friend') for _ in range(3)))
                self.assertEqual([204, 404, 404], sorted(statuses))
                self.assertEqual([], self.members(path))

    def test_different_members(self):
        for _ in range(6):
            path, names = self.image(), [f'm{number}' for number in range(6)]
            self.assertEqual([200] * 6, self.statuses(*(self.add(path, name) for name in names)))
            self.assertEqual([(name, 'pending') for name in names], sorted(self.members(path)))

    def test_add_and_end_of_a_membership(self):
        for _ in range(10):
            path = self.shared()
            added, ended = self.statuses(self.add(path), self.request('DELETE', f'{path}/members/friend'))
            self.assertEqual(204, ended)
            self.assertIn(added, (200, 409))
            self.assertEqual([('friend', 'pending')] if added == 200 else [], self.members(path))

    def test_answer_and_end_of_a_membership(self):
        for _ in range(10):
            path = self.shared()
            *answered, ended = self.statuses(self.reply(path, 'accepted'), self.reply(path, 'rejected'),
                                             self.request('DELETE', f'{path}/members/friend'))
            self.assertEqual(204, ended)
            self.assertLessEqual(set(answered), {200, 404})
            self.assertEqual([], self.members(path))

    def test_answers_of_a_member(self):
        for _ in range(6):
            path = self.shared()
            answers = self.meet(*(self.reply(path, status) for status in ('accepted', 'rejected', 'accepted')))
            self.assertEqual([(200, status) for status in ('accepted', 'rejected', 'accepted')],
                             [(answer.status, answer.json()['status']) for answer in answers])
            self.assertIn(self.members(path), ([('friend', 'accepted')], [('friend', 'rejected')]))

    def test_removal_and_members(self):
        for _ in range(12):
            path = self.shared('friend', 'other')
            removal, added, again, answered, ended = self.statuses(
                self.request('DELETE', path), self.add(path, 'new'), self.add(path, 'friend'), self.reply(path, 'accepted'),
                self.request('DELETE', f'{path}/members/other'))
            self.assertEqual(204, removal)
            for status, allowed in ((added, (200, 404)), (again, (409, 404)), (answered, (200, 404)), (ended, (204, 404))):
                self.assertIn(status, allowed)
            self.assertGone(path)

    def add(self, path: str, member: str = 'friend') -> HeldRequest:
        return self.request('POST', f'{path}/members', {'member': member})

    def reply(self, path: str, status: str) -> HeldRequest:
        return self.request('PUT', f'{path}/members/friend', {'status': status}, client=self.caller('friend'))

    def shared(self, *members: str) -> str:
        path = self.image()
        for member in members or ('friend',):
            self.assertStatus(200, self.owner.post(f'{path}/members', json={'member': member}))
        return path

    # Everything at once

    def test_a_crowd(self):
        identity = {name: value for name, value in self.client.session.headers.items() if name.startswith('X-')}
        wrong = crowd(self.server.port, identity, processes=4, images=12, deeds=240)
        errors = [line for line in self.server.log_text().splitlines() if ' ERROR ' in line]
        self.assertEqual([], wrong, '\n'.join(errors[-20:]))
