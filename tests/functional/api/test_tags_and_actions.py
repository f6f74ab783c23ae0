"""Tags by URL, and images that are deactivated, over HTTP."""

import concurrent.futures
import urllib.parse
import uuid

import jsonschema

from tests.functional.api.base import (
    ApiTestCase,
    Upload,
    exchange,
    on_every_database,
    raw_request,
    stored_files,
    wait_for,
)

DATA = b'0123456789'
OWNER = {'X-Identity-Status': 'Confirmed', 'X-Roles': 'member,reader', 'X-Project-Id': 'p-owner', 'X-User-Id': 'u'}


class Base(ApiTestCase):
    PROJECTS = True

    def setUp(self):
        super().setUp()
        self.owner, self.reader = self.caller('p-owner'), self.caller('p-owner', 'reader')
        self.friend, self.stranger = self.caller('p-friend'), self.caller('p-stranger')
        self.schema = self.client.get('/v2/schemas/image').json()

    def image(self, data=DATA, visibility='shared', **attributes):
        """The path of a new image of the owner, shared with a friend."""
        path = f'/v2/images/{self.client.create_image(data, owner="p-owner", visibility=visibility, **attributes)["id"]}'
        if visibility == 'shared':
            self.assertStatus(200, self.owner.post(f'{path}/members', json={'member': 'p-friend'}))
        return path

    def shown(self, path, client=None):
        image = self.assertStatus(200, (client or self.owner).get(path)).json()
        jsonschema.Draft4Validator(self.schema).validate(image)
        return image

    def uploading(self, path):
        """An upload to the image that the server works on."""
        upload = Upload(self.server, path.split('/')[-1], **OWNER)
        self.addCleanup(upload.disconnect)
        upload.send(DATA)
        wait_for(f'{path} saving', lambda: self.shown(path)['status'] == 'saving')
        return upload

    def assertBare(self, response):
        self.assertStatus(204, response)
        self.assertEqual(b'', response.content)
        self.assertNotIn('Content-Type', response.headers)


@on_every_database
class TestTags(Base):

    def tag(self, path, tag, status=204, method='PUT', client=None):
        response = (client or self.owner).request(method, f'{path}/tags/{urllib.parse.quote(tag, safe="")}')
        return self.assertStatus(status, response)

    def test_add_and_remove(self):
        path = self.image(tags=['old'])
        self.assertBare(self.tag(path, 'golden'))
        self.assertEqual({'old', 'golden'}, set(self.shown(path)['tags']))
        self.assertBare(self.tag(path, 'golden'))
        self.assertEqual(2, len(self.shown(path)['tags']))
        self.assertBare(self.tag(path, 'old', method='DELETE'))
        self.assertEqual(['golden'], self.shown(path)['tags'])
        self.tag(path, 'old', 404, 'DELETE')
        self.assertBare(self.tag(path, 'old'))
        self.assertEqual({'old', 'golden'}, set(self.shown(path)['tags']))

    def test_every_kind_of_text(self):
        for tag in ('é', 'e\u0301', '漢字', 'Grün', ' ', ' a ', 'a b', 'a+b', 'a%b', '%41', 'a?b', 'a#b', 'a;b', 'a:b', 'a.json', '..a', "'",
                    '"', '<b>', '\\', '\t', '{x}', 'A', 'a', 'x' * 255, 'é' * 255, '\u200b', '\u202e'):
            with self.subTest(tag=ascii(tag)):
                path = self.image()
                self.tag(path, tag)
                self.assertEqual([tag], self.shown(path)['tags'])
                listed = self.client.get('/v2/images', params={'tag': tag, 'id': path.split('/')[-1]}).json()['images']
                self.assertEqual(tag.strip() == tag, bool(listed))
                self.tag(path, tag, method='DELETE')
                self.assertEqual([], self.shown(path)['tags'])

    def test_tags_set_in_json_can_be_removed_by_url(self):
        tags = ['é', '漢字', 'a b', 'A', 'a']
        path = self.image(tags=tags)
        for tag in tags:
            self.tag(path, tag, method='DELETE')
        self.assertEqual([], self.shown(path)['tags'])

    def test_tags_are_compared_exactly(self):
        path = self.image(tags=['Tag'])
        for tag in ('tag', 'TAG', 'Tag ', 'Tág'):
            self.tag(path, tag, 404, 'DELETE')
            self.tag(path, tag)
        self.assertEqual(5, len(self.shown(path)['tags']))

    def test_characters_that_are_not_escaped(self):
        path = self.image()
        for target, status in ((f'{path}/tags/%E9', 400), (f'{path}/tags/%C3%A9', 204), (f'{path}/tags/%c3%A9', 204)):
            self.assertEqual(status, exchange(self.server.port, raw_request('PUT', target, OWNER)).status)
        self.assertEqual(['é'], self.shown(path)['tags'])

    def test_what_is_no_tag(self):
        path = self.image()
        for tag, status in (('x' * 256, 400), ('é' * 256, 400), ('a\0', 400), ('', 404), ('a/b', 404)):
            self.tag(path, tag, status)
            self.tag(path, tag, 404, 'DELETE')
        self.assertEqual([], self.shown(path)['tags'])

    def test_other_attributes_stay(self):
        path = self.image(name='n', foo='bar', tags=['t'])
        before = self.shown(path)
        self.tag(path, 'u')
        after = self.shown(path)
        self.assertEqual({**before, 'tags': ['t', 'u'], 'updated_at': after['updated_at']}, after)

    def test_the_status_of_the_image_does_not_matter(self):
        queued, deactivated = self.image(None), self.image()
        self.assertStatus(204, self.owner.post(f'{deactivated}/actions/deactivate'))
        busy = self.image(None)
        upload = self.uploading(busy)
        for path, status in ((queued, 'queued'), (deactivated, 'deactivated'), (busy, 'saving')):
            self.tag(path, 't')
            self.assertEqual((['t'], status), tuple(self.shown(path)[name] for name in ('tags', 'status')))
        self.assertEqual(204, upload.finish().status)
        self.assertEqual((['t'], 'active'), tuple(self.shown(busy)[name] for name in ('tags', 'status')))

    def test_who_may(self):
        for visibility, friend, stranger in (('private', 404, 404), ('shared', 403, 404), ('public', 403, 403)):
            path = self.image(visibility=visibility, tags=['t'])
            for client, status in ((self.reader, 403), (self.friend, friend), (self.stranger, stranger)):
                self.tag(path, 'new', status, client=client)
                self.tag(path, 't', status, 'DELETE', client)
                self.tag(path, 'absent', status, 'DELETE', client)
            self.assertEqual(['t'], self.shown(path)['tags'])
            self.tag(path, 'new', client=self.client)

    def test_absent_images_bodies_and_methods(self):
        path = self.image(tags=['t'])
        self.tag(f'/v2/images/{uuid.uuid4()}', 't', 404)
        self.tag(f'/v2/images/{uuid.uuid4()}', 't', 404, 'DELETE')
        for method in ('PUT', 'DELETE'):
            self.assertStatus(400, self.owner.request(method, f'{path}/tags/t', json={}))
        for method in ('GET', 'HEAD', 'POST', 'PATCH'):
            self.assertEqual('DELETE, PUT', self.tag(path, 't', 405, method).headers['Allow'])

    def test_tags_that_are_set_at_once_are_all_kept(self):
        path = self.image()
        names = [f't{number}' for number in range(24)]
        with concurrent.futures.ThreadPoolExecutor(6) as pool:
            codes = list(pool.map(lambda name: self.caller('p-owner').put(f'{path}/tags/{name}').status_code, names))
        self.assertEqual([204] * 24, codes)
        self.assertEqual(set(names), set(self.shown(path)['tags']))

    def test_one_tag_that_is_set_at_once(self):
        path = self.image()
        with concurrent.futures.ThreadPoolExecutor(6) as pool:
            codes = list(pool.map(lambda _: self.caller('p-owner').put(f'{path}/tags/t').status_code, range(12)))
        self.assertEqual([204] * 12, codes)
        self.assertEqual(['t'], self.shown(path)['tags'])
        self.tag(path, 't', method='DELETE')
        self.assertEqual([], self.shown(path)['tags'])


class TestTagQuota(Base):
    SETTINGS = {'DEFAULT': {'image_tag_quota': 2}}

    def test_a_present_tag_never_exceeds(self):
        path = self.image(tags=['a', 'b'])
        self.assertStatus(413, self.owner.put(f'{path}/tags/c'))
        self.assertStatus(204, self.owner.put(f'{path}/tags/a'))
        self.assertStatus(204, self.owner.delete(f'{path}/tags/a'))
        self.assertStatus(204, self.owner.put(f'{path}/tags/c'))
        self.assertEqual(['b', 'c'], sorted(self.shown(path)['tags']))


@on_every_database
class TestActions(Base):

    def act(self, path, action, status=204, client=None):
        return self.assertStatus(status, (client or self.owner).post(f'{path}/actions/{action}'))

    def test_deactivate_and_reactivate(self):
        path = self.image()
        for _ in range(2):
            self.assertBare(self.act(path, 'deactivate'))
            self.assertEqual('deactivated', self.shown(path)['status'])
            self.assertBare(self.act(path, 'deactivate'))
            self.assertBare(self.act(path, 'reactivate'))
            self.assertEqual('active', self.shown(path)['status'])
            self.assertBare(self.act(path, 'reactivate'))

    def test_data_is_for_administrators_meanwhile(self):
        path = self.image()
        for action, status in (('deactivate', 403), ('reactivate', 200)):
            self.act(path, action)
            for client in (self.owner, self.friend):
                for headers in ({}, {'Range': 'bytes=0-1'}):
                    response = client.get(f'{path}/file', headers=headers)
                    self.assertEqual(206 if headers and status == 200 else status, response.status_code)
                self.assertStatus(status, client.request('HEAD', f'{path}/file'))
            self.assertStatus(404, self.stranger.get(f'{path}/file'))
            self.assertEqual(DATA, self.client.get(f'{path}/file').content)

    def test_everything_else_goes_on(self):
        path = self.image()
        self.act(path, 'deactivate')
        self.assertStatus(200, self.owner.patch(path, [{'op': 'replace', 'path': '/name', 'value': 'n'}]))
        self.assertEqual(('n', 'deactivated', 10), tuple(self.shown(path, self.friend)[name] for name in ('name', 'status', 'size')))
        self.assertStatus(200, self.owner.post(f'{path}/members', json={'member': 'p'}))
        self.assertStatus(409, self.owner.upload(path.split('/')[-1], DATA, Connection='close'))
        self.assertStatus(403, self.owner.patch(path, [{'op': 'replace', 'path': '/disk_format', 'value': 'qcow2'}]))

    def test_a_deactivated_image_can_be_deleted_with_its_data(self):
        for client in (self.owner, self.client):
            path = self.image()
            image_id = path.split('/')[-1]
            self.assertIn(image_id, ' '.join(stored_files(self.server.images)))
            self.act(path, 'deactivate')
            self.assertStatus(204, client.delete(path))
            self.assertStatus(404, self.client.get(path))
            self.assertNotIn(image_id, ' '.join(stored_files(self.server.images)))
            for action in ('deactivate', 'reactivate'):
                self.act(path, action, 404)

    def test_a_protected_image_stays_protected(self):
        path = self.image(protected=True)
        self.act(path, 'deactivate')
        self.assertStatus(403, self.owner.delete(path))
        self.act(path, 'reactivate')
        self.assertEqual(DATA, self.owner.get(f'{path}/file').content)

    def test_statuses_that_know_no_actions(self):
        queued, busy = self.image(None), self.image(None)
        upload = self.uploading(busy)
        for path, status in ((queued, 'queued'), (busy, 'saving')):
            for action in ('deactivate', 'reactivate'):
                response = self.act(path, action, 403)
                self.assertIn(status, response.text)
            self.assertEqual(status, self.shown(path)['status'])
        self.assertEqual(204, upload.finish().status)
        self.act(busy, 'deactivate')

    def test_who_may(self):
        for visibility, friend, stranger in (('private', 404, 404), ('shared', 403, 404), ('community', 403, 403), ('public', 403, 403)):
            path = self.image(visibility=visibility)
            for action in ('deactivate', 'reactivate'):
                for client, status in ((self.reader, 403), (self.friend, friend), (self.stranger, stranger),
                                       (self.caller('p-owner', 'nothing'), 404), (self.caller(None), friend if visibility != 'shared' else 404)):
                    self.act(path, action, status, client)
                self.act(path, action)
            # What is refused is refused before the state of the image is looked at.
            queued = self.image(None, visibility=visibility)
            for client, status in ((self.reader, 403), (self.stranger, stranger)):
                self.assertNotIn('queued', self.act(queued, 'deactivate', status, client).text)

    def test_administrators_act_on_images_of_others(self):
        path = self.image(visibility='private')
        self.act(path, 'deactivate', client=self.client)
        self.assertStatus(403, self.owner.get(f'{path}/file'))
        self.act(path, 'reactivate', client=self.client)

    def test_bodies_methods_and_other_actions(self):
        path = self.image()
        for action in ('deactivate', 'reactivate'):
            self.assertStatus(400, self.owner.post(f'{path}/actions/{action}', json={}))
            self.assertStatus(400, self.owner.post(f'{path}/actions/{action}', data=b'x'))
            for method in ('GET', 'HEAD', 'PUT', 'PATCH', 'DELETE'):
                response = self.assertStatus(405, self.owner.request(method, f'{path}/actions/{action}'))
                self.assertEqual('POST', response.headers['Allow'])
        self.act(path, 'activate', 404)
        self.act(f'/v2/images/{uuid.uuid4()}', 'deactivate', 404)
        self.assertEqual('active', self.shown(path)['status'])

    def test_at_once(self):
        """Every answer is one that an order of the calls explains; the image ends in one of the two statuses."""
        path = self.image()
        calls = ['deactivate', 'reactivate'] * 12
        with concurrent.futures.ThreadPoolExecutor(6) as pool:
            codes = set(pool.map(lambda action: self.caller('p-owner').post(f'{path}/actions/{action}').status_code, calls))
        self.assertLessEqual({204}, codes)
        self.assertLessEqual(codes, {204, 409})
        status = self.shown(path)['status']
        self.assertEqual(200 if status == 'active' else 403, self.owner.get(f'{path}/file').status_code)

    def test_at_once_with_a_removal(self):
        for _ in range(5):
            path = self.image()
            with concurrent.futures.ThreadPoolExecutor(2) as pool:
                removal = pool.submit(self.caller('p-owner').delete, path)
                action = pool.submit(self.caller('p-owner').post, f'{path}/actions/deactivate')
                codes = removal.result().status_code, action.result().status_code
            self.assertEqual(204, codes[0])
            self.assertIn(codes[1], (204, 404))
            self.assertStatus(404, self.owner.get(path))


class TestLocationsOfDeactivated(Base):
    SETTINGS = {'DEFAULT': {'show_multiple_locations': True, 'show_image_direct_url': True}}

    def test_they_are_for_administrators(self):
        path = self.image()
        self.assertIn('direct_url', self.shown(path))
        self.assertStatus(204, self.owner.post(f'{path}/actions/deactivate'))
        seen = self.shown(path)
        self.assertEqual(([], False), (seen['locations'], 'direct_url' in seen))
        self.assertEqual(1, len(self.shown(path, self.client)['locations']))


class TestRulesOfActions(Base):

    @classmethod
    def prepare(cls, server):
        (server.folder / 'policy.yaml').write_text('modify_image: "!"\ndeactivate: "role:member"\nreactivate: "rule:context_is_admin"\n')

    def test_each_action_has_its_rule(self):
        path = self.image(visibility='public')
        self.assertStatus(403, self.owner.patch(path, [{'op': 'replace', 'path': '/name', 'value': 'n'}]))
        self.assertStatus(403, self.owner.put(f'{path}/tags/t'))
        self.assertStatus(403, self.stranger.post(f'{path}/actions/deactivate'))
        self.assertStatus(204, self.owner.post(f'{path}/actions/deactivate'))
        self.assertStatus(403, self.owner.post(f'{path}/actions/reactivate'))
        self.assertStatus(204, self.client.post(f'{path}/actions/reactivate'))
