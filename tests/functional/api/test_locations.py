"""Locations over HTTP: patches, the calls of their own, hashing behind the scenes, reading from several places."""
import hashlib
import json
import os
import pathlib
import signal
import threading

import sqlalchemy as sa

from tests.functional.api.base import ApiTestCase, wait_for
from tests.harness.web import WebServer

DATA = b'0123456789'
OTHER = b'9876543210'
LOCATIONS = {'show_multiple_locations': True, 'show_image_direct_url': True}
REACHABLE = {'allowed_networks': '[127.0.0.0/8]', 'allowed_ports': '[]'}
SETTINGS = {'DEFAULT': LOCATIONS, 'glance_store': {'stores': 'file,http'}, 'import_filtering_opts': REACHABLE}
LOCAL_SPELLINGS = (
    'file:///etc/passwd', 'FILE:///etc/passwd', 'File:///etc/passwd', 'fILe:///etc/passwd', 'file:/etc/passwd',
    'file:etc/passwd', 'file://localhost/etc/passwd', 'file://127.0.0.1/etc/passwd', 'file:////etc/passwd', 'file:\\\\etc',
    'file:///etc/../etc/passwd', '%66ile:///etc/passwd', 'f%69le:///etc/passwd', 'filesystem:///etc/passwd',
    'FILESYSTEM:///etc/passwd', 'filesystem:////x', 'filesystem://localhost/x', ' file:///etc/passwd', '\tfile:///etc/passwd',
    'file ///etc/passwd', 'file:///etc/passwd ', '\nfile:///etc/passwd', 'http+file:///etc/passwd', 'file+http:///etc/passwd',
    'local:///etc/passwd', 'swift+config://ref/c/o', 'SWIFT+CONFIG://ref/c/o', 'swift+https+config://ref/c/o',
    'swift+config:///c/o', '/etc/passwd', '//etc/passwd', 'etc/passwd', '\\\\host\\share', 'file', 'file:', 'file://', '://x',
    'data:text/plain,x', 'jar:file:///etc/passwd', 'view-source:file:///etc/passwd', 'netdoc:///etc/passwd')


def sha512(data: bytes) -> str:
    return hashlib.sha512(data).hexdigest()


class Base(ApiTestCase):
    PROJECTS = True
    SETTINGS = SETTINGS

    def setUp(self):
        super().setUp()
        self.owner = self.caller('p-owner')
        self.service = self.caller('p-owner')
        self.service.session.headers['X-Service-Roles'] = 'service'
        self.web = self.enterContext(WebServer())
        self.web.put('/a', DATA)
        self.web.put('/b', DATA)

    def queued(self, **attributes) -> str:
        return self.owner.create_image(**attributes)['id']

    def patch(self, image_id, *operations, expected=200, client=None):
        response = (client or self.owner).patch(f'/v2/images/{image_id}', list(operations))
        self.assertStatus(expected, response, json.dumps(operations)[:300])
        return response.json() if expected == 200 else response.text

    def active(self, *paths: str) -> str:
        image_id = self.queued()
        self.patch(image_id, *(self.add(path) for path in paths or ('/a',)))
        return image_id

    def add(self, path='/a', position='-', **more):
        url = path if '://' in path else self.web.url(path)
        return {'op': 'add', 'path': f'/locations/{position}', 'value': {'url': url, 'metadata': {}, **more}}

    def urls(self, image_id):
        return [location['url'].removeprefix(self.web.url('')) for location in self.show(image_id)['locations']]


def replace(*locations):
    return {'op': 'replace', 'path': '/locations', 'value': list(locations)}


def remove(position='-'):
    return {'op': 'remove', 'path': f'/locations/{position}'}


class TestPatch(Base):

    def test_first_location_makes_an_image_active(self):
        image_id = self.queued()
        image = self.patch(image_id, self.add())
        url = self.web.url('/a')
        self.assertEqual(('active', 10, None, None, None, [{'url': url, 'metadata': {}}], url), tuple(image[name] for name in (
            'status', 'size', 'checksum', 'os_hash_algo', 'os_hash_value', 'locations', 'direct_url')))
        self.assertEqual(image, self.assertStatus(200, self.owner.get(f'/v2/images/{image_id}')).json())
        self.assertEqual(DATA, self.assertStatus(200, self.owner.get(f'/v2/images/{image_id}/file')).content)
        part = self.owner.get(f'/v2/images/{image_id}/file', headers={'Range': 'bytes=2-4'})
        self.assertEqual(b'234', self.assertStatus(206, part).content)
        self.assertStatus(204, self.owner.delete(f'/v2/images/{image_id}'))
        self.assertNotIn('DELETE', [method for method, *_ in self.web.requests])

    def test_replace_on_an_image_without_locations(self):
        image_id = self.queued()
        location = {'url': self.web.url('/a'), 'metadata': {'a': ['b', {'c': 'd'}]}}
        image = self.patch(image_id, replace(location, {'url': self.web.url('/b'), 'metadata': {}, 'other': 'dropped'}))
        self.assertEqual([location, {'url': self.web.url('/b'), 'metadata': {}}], image['locations'])
        self.assertEqual(('active', image['locations']), (self.show(image_id)['status'], self.show(image_id)['locations']))

    def test_draft_form(self):
        image_id = self.queued()
        headers = {'Content-Type': 'application/openstack-images-v2.0-json-patch'}
        body = [{'add': '/locations/-', 'value': {'url': self.web.url('/a'), 'metadata': {}}}]
        response = self.owner.request('PATCH', f'/v2/images/{image_id}', json=body, headers=headers)
        self.assertEqual('active', self.assertStatus(200, response).json()['status'])

    def test_positions_are_kept(self):
        self.web.put('/c', DATA)
        image_id = self.queued()
        self.patch(image_id, self.add('/a'))
        self.patch(image_id, self.add('/b', 0), client=self.client)
        self.assertEqual(['/b', '/a'], self.urls(image_id))
        self.patch(image_id, self.add('/c', 1), client=self.client)
        self.assertEqual(['/b', '/c', '/a'], self.urls(image_id))
        self.patch(image_id, {'op': 'replace', 'path': '/name', 'value': 'x'}, remove(1), self.add('/c', 99), client=self.client)
        self.assertEqual(['/b', '/a', '/c'], self.urls(image_id))
        turned = [{'url': self.web.url(path), 'metadata': {'m': path}} for path in ('/c', '/b', '/a')]
        self.assertEqual(turned, self.patch(image_id, replace(*turned))['locations'])
        self.assertEqual(turned, self.show(image_id)['locations'])

    def test_removal(self):
        image_id = self.active('/a')
        self.patch(image_id, self.add('/b'), client=self.client)
        self.patch(image_id, remove(0), expected=403)
        for position in (2, 99):
            self.patch(image_id, remove(position), expected=400, client=self.client)
        self.patch(image_id, remove(0), client=self.client)
        self.assertEqual(['/b'], self.urls(image_id))
        for position in (0, '-', 5):
            self.patch(image_id, remove(position), expected=403, client=self.client)
        self.assertEqual('active', self.show(image_id)['status'])

    def test_removal_of_stored_data(self):
        image_id = self.owner.create_image(DATA)['id']
        path = self.server.images / image_id
        self.patch(image_id, self.add('/a'))
        self.assertTrue(path.exists())
        self.patch(image_id, remove(0), client=self.client)
        self.assertFalse(path.exists())
        self.assertEqual(['/a'], self.urls(image_id))
        self.assertEqual(DATA, self.download(image_id).content)

    def test_data_that_is_gone_counts_as_removed(self):
        image_id = self.owner.create_image(DATA)['id']
        self.patch(image_id, self.add('/a'))
        (self.server.images / image_id).unlink()
        self.patch(image_id, remove(0), client=self.client)
        self.assertEqual(['/a'], self.urls(image_id))

    def test_documents(self):
        image_id, active = self.queued(), self.active()
        url = self.web.url('/b')
        values = (None, 1, 'x', [], {}, {'url': url}, {'metadata': {}}, {'url': 1, 'metadata': {}}, {'url': '', 'metadata': {}},
                  {'url': url, 'metadata': None}, {'url': url, 'metadata': 'x'}, {'url': url + 'x' * 255, 'metadata': {}},
                  {'url': url, 'metadata': {'a': 1}}, {'url': url, 'metadata': {'a': None}}, {'url': url, 'metadata': {'a': True}},
                  {'url': url, 'metadata': {'a': [1.5]}}, {'url': url, 'metadata': {'a b': 'c'}},
                  {'url': url, 'metadata': {'a': [[[['deep']]]]}}, {'url': url, 'metadata': {'a': 'x' * 4096}},
                  {'url': url, 'metadata': {'store': 'os_glance_staging_store'}}, {'url': url, 'metadata': {'store': []}})
        for each in (image_id, active):
            for value in values:
                self.patch(each, {'op': 'add', 'path': '/locations/-', 'value': value}, expected=400)
                self.patch(each, {'op': 'replace', 'path': '/locations', 'value': [value]}, expected=400)
            for path in ('/locations/x', '/locations/-1', '/locations/1.5', '/locations/0/url', '/locations/'):
                self.patch(each, {'op': 'add', 'path': path, 'value': {'url': url, 'metadata': {}}}, expected=400)
            self.patch(each, {'op': 'add', 'path': '/locations', 'value': {'url': url, 'metadata': {}}}, expected=400)
            self.patch(each, {'op': 'replace', 'path': '/locations/0', 'value': {'url': url, 'metadata': {}}}, expected=400)
            self.patch(each, {'op': 'remove', 'path': '/locations'}, expected=400)
            self.patch(each, {'op': 'add', 'path': '/locations/-'}, expected=400)
            self.patch(each, replace(), expected=403)
        self.assertEqual(('queued', 'active'), (self.show(image_id)['status'], self.show(active)['status']))

    def test_what_validates_the_data(self):
        good = {'os_hash_algo': 'sha512', 'os_hash_value': sha512(DATA), 'checksum': hashlib.md5(DATA).hexdigest()}
        for status, wrong in ((400, {'os_hash_algo': 'sha512'}), (400, {**good, 'other': 'x'}), (400, None),
                              (400, {**good, 'checksum': 'x'}), (400, {**good, 'os_hash_value': 'a' * 129}),
                              (400, {**good, 'os_hash_algo': 1}), (409, {**good, 'checksum': 'x' * 32}),
                              (409, {**good, 'os_hash_value': 'x' * 128}), (409, {**good, 'os_hash_value': 'a' * 127}),
                              (409, {**good, 'os_hash_algo': 'sha256', 'os_hash_value': 'a' * 64})):
            image_id = self.queued()
            self.patch(image_id, self.add(validation_data=wrong), expected=status)
            self.assertEqual('queued', self.show(image_id)['status'])
        image = self.patch(image_id, self.add(validation_data=good))
        self.assertEqual(good, {name: image[name] for name in good})
        self.assertNotIn('validation_data', image['locations'][0])
        self.patch(image_id, self.add('/b', validation_data=good))
        self.patch(image_id, self.add('/b?2', validation_data={**good, 'os_hash_value': 'b' * 128}), expected=409)
        without = self.active()
        self.patch(without, self.add('/b', validation_data=good), expected=409, client=self.client)
        two = [{'url': self.web.url(path), 'metadata': {}, 'validation_data': {**good, 'os_hash_value': digit * 128}}
               for path, digit in (('/a', 'a'), ('/b', 'b'))]
        self.patch(self.queued(), replace(*two), expected=409)

    def test_local_files(self):
        image_id = self.queued()
        for url in LOCAL_SPELLINGS:
            self.patch(image_id, self.add(url if '://' in url else 'x://') | {'value': {'url': url, 'metadata': {}}}, expected=400,
                       client=self.client)
        own = 'file://%s/%s' % (self.server.images, self.owner.create_image(DATA)['id'])
        self.patch(image_id, self.add(own), expected=400, client=self.client)
        self.assertEqual(('queued', []), (self.show(image_id)['status'], self.show(image_id)['locations']))

    def test_urls_that_are_no_data(self):
        self.web.put('/empty', b'')
        image_id = self.queued()
        for url in (self.web.url('/absent'), self.web.url('/empty'), 'http://127.0.0.1:1/', 'http://user:pass@127.0.0.1/',
                    'http://169.254.169.254/', 'http://[::1]:%d/a' % self.web.port, 'rbd://a/b/c/d', 'ftp://127.0.0.1/', 'x'):
            self.patch(image_id, {'op': 'add', 'path': '/locations/-', 'value': {'url': url, 'metadata': {}}}, expected=400)
        self.assertEqual(['/absent', '/empty'], sorted(self.web.paths()))

    def test_same_location_twice(self):
        image_id = self.active('/a')
        self.patch(image_id, self.add('/a'), expected=400, client=self.client)
        self.patch(image_id, self.add('/b'), self.add('/b'), expected=400, client=self.client)
        self.patch(image_id, self.add('/a', metadata={'a': 'b'}), client=self.client)

    def test_replace_keeps_the_urls(self):
        image_id = self.active('/a')
        a, b = ({'url': self.web.url(path), 'metadata': {}} for path in ('/a', '/b'))
        for locations in ((b,), (a, b), (a, a)):
            self.patch(image_id, replace(*locations), expected=400)
        self.assertEqual({'x': 'y'}, self.patch(image_id, replace({**a, 'metadata': {'x': 'y'}}))['locations'][0]['metadata'])

    def test_other_data_is_refused(self):
        self.web.put('/other', OTHER)
        self.web.put('/longer', DATA + b'x')
        image_id = self.owner.create_image(DATA)['id']
        self.patch(image_id, self.add('/other'), expected=400, client=self.client)
        self.patch(image_id, self.add('/longer'), expected=400, client=self.client)
        self.patch(image_id, self.add('/a'))
        self.assertEqual(2, len(self.show(image_id)['locations']))
        without_hash = self.active('/a')
        self.patch(without_hash, self.add('/b'), expected=403)
        self.patch(without_hash, self.add('/b'), client=self.service)

    def test_statuses(self):
        image_id = self.queued()
        self.patch(image_id, remove(0), expected=409, client=self.client)
        image_id = self.active()
        self.assertStatus(204, self.owner.post(f'/v2/images/{image_id}/actions/deactivate'))
        for operation in (self.add('/b'), replace({'url': self.web.url('/a'), 'metadata': {}}), remove(0)):
            self.patch(image_id, operation, expected=409, client=self.client)
        for missing in ('disk_format', 'container_format'):
            self.patch(self.queued(**{missing: None}), self.add(), expected=400)

    def test_who_may(self):
        image_id = self.queued(visibility='community')
        self.patch(image_id, self.add(), expected=403, client=self.caller('p-other'))
        self.patch(image_id, self.add(), expected=403, client=self.caller('p-owner', roles='reader'))
        private = self.queued(visibility='private')
        self.patch(private, self.add(), expected=404, client=self.caller('p-other'))

    def test_several_operations_are_done_together_or_not_at_all(self):
        image_id = self.queued()
        self.patch(image_id, {'op': 'replace', 'path': '/name', 'value': 'x'}, self.add(), self.add('/absent'), expected=400)
        self.assertEqual((None, 'queued', []), tuple(self.show(image_id)[name] for name in ('name', 'status', 'locations')))

    def test_after_an_active_image_no_other_bytes(self):
        image_id = self.active()
        self.patch(image_id, replace(), expected=403)
        self.assertStatus(409, self.owner.upload(image_id, OTHER))
        self.assertEqual('active', self.show(image_id)['status'])

    def test_image_that_changed_meanwhile(self):
        path = f'/v2/images/{self.active()}'
        response = self.owner.get(path)
        changes = [self.add('/a', metadata={'a': 'b'})]
        headers = {'If-Match': response.headers['ETag'], 'Content-Type': 'application/openstack-images-v2.1-json-patch'}
        self.assertStatus(200, self.client.patch(path, [{'op': 'replace', 'path': '/name', 'value': 'x'}]))
        self.assertStatus(412, self.owner.request('PATCH', path, json=changes, headers=headers))


class TestQuotas(Base):
    SETTINGS = {**SETTINGS, 'DEFAULT': {**LOCATIONS, 'image_location_quota': 2, 'user_storage_quota': '25B'}}

    def test_quotas(self):
        image_id = self.active('/a')
        self.patch(image_id, self.add('/b'), client=self.service)
        before = len(self.web.requests)
        self.patch(image_id, self.add('/c'), expected=413, client=self.service)
        self.assertEqual(before, len(self.web.requests))
        self.patch(self.queued(), self.add('/a'), expected=413)


class TestOff(Base):
    SETTINGS = {**SETTINGS, 'DEFAULT': {}}

    def test_order_of_refusals(self):
        image_id = self.queued(visibility='community')
        self.patch(image_id, {'op': 'add', 'path': '/locations/-', 'value': {}}, expected=400)
        for client in (self.owner, self.client, self.caller('p-other')):
            for operation in (self.add(), replace({'url': 'http://x', 'metadata': {}}), remove(0), replace()):
                self.patch(image_id, operation, expected=403, client=client)
        self.assertIn('show_multiple_locations', self.patch(image_id, self.add(), expected=403))
        self.patch('11111111-2222-3333-4444-555555555555', self.add(), expected=404)
        shown = self.show(image_id)
        self.assertFalse({'locations', 'direct_url'} & shown.keys())
        self.assertEqual([], self.web.requests)

    def test_calls_of_their_own_work(self):
        image_id = self.queued()
        self.assertStatus(202, self.owner.post(f'/v2/images/{image_id}/locations', json={'url': self.web.url('/a')}))
        wait_for('hash', lambda: self.show(image_id)['os_hash_value'])
        locations = self.assertStatus(200, self.client.get(f'/v2/images/{image_id}/locations')).json()
        self.assertEqual([{'url': self.web.url('/a'), 'metadata': {}}], locations)


class ImportBase(Base):

    def post(self, image_id, path='/a', expected=202, client=None, **body):
        url = path if '://' in path else self.web.url(path)
        response = (client or self.owner).post(f'/v2/images/{image_id}/locations', json={'url': url, **body})
        return self.assertStatus(expected, response, f'{url} {body}')

    def settled(self, image_id):
        """The image when no work goes on any more."""
        def look():
            image = self.show(image_id)
            return None if 'os_glance_import_task' in image else image
        return wait_for('end of the work', look)


class TestImport(ImportBase):

    def test_hashes_come_later(self):
        image_id = self.queued()
        response = self.post(image_id)
        self.assertEqual((b'', '0', False), (response.content, response.headers['Content-Length'], 'Content-Type' in response.headers))
        image = self.settled(image_id)
        self.assertEqual(('active', 10, hashlib.md5(DATA).hexdigest(), 'sha512', sha512(DATA)), tuple(image[name] for name in (
            'status', 'size', 'checksum', 'os_hash_algo', 'os_hash_value')))
        self.assertEqual(DATA, self.download(image_id).content)

    def test_active_while_it_is_hashed(self):
        go_on = threading.Event()
        self.addCleanup(go_on.set)
        self.web.answers['/slow'] = lambda handler: (handler.command == 'HEAD' or go_on.wait(60), self.web.serve(handler, DATA))
        image_id = self.queued()
        self.post(image_id, '/slow')
        image = wait_for('active', lambda: (image := self.show(image_id))['status'] == 'active' and image)
        self.assertEqual((10, None, True), (image['size'], image['os_hash_value'], 'os_glance_import_task' in image))
        self.assertStatus(409, self.owner.post(f'/v2/images/{image_id}/locations', json={'url': self.web.url('/a')}))
        self.patch(image_id, {'op': 'replace', 'path': '/name', 'value': 'kept'})
        go_on.set()
        image = self.settled(image_id)
        self.assertEqual(('kept', sha512(DATA)), (image['name'], image['os_hash_value']))

    def test_data_that_is_validated_first(self):
        for algorithm in ('sha1', 'sha256', 'sha512', 'md5'):
            image_id, digest = self.queued(), hashlib.new(algorithm, DATA).hexdigest()
            self.post(image_id, validation_data={'os_hash_algo': algorithm, 'os_hash_value': digest})
            image = self.settled(image_id)
            self.assertEqual(('active', algorithm, digest, hashlib.md5(DATA).hexdigest()), tuple(image[name] for name in (
                'status', 'os_hash_algo', 'os_hash_value', 'checksum')))

    def test_failures_leave_the_image_as_it_was(self):
        self.web.put('/empty', b'')
        wrong = {'os_hash_algo': 'sha512', 'os_hash_value': sha512(OTHER)}
        image_id = self.queued(foo='bar')
        for path, body in (('/absent', {}), ('/empty', {}), ('/a', {'validation_data': wrong}), ('http://127.0.0.1:1/', {})):
            self.post(image_id, path, **body)
            image = self.settled(image_id)
            self.assertEqual(('queued', None, None, None, None, [], 'bar'), tuple(image[name] for name in (
                'status', 'size', 'checksum', 'os_hash_algo', 'os_hash_value', 'locations', 'foo')))
        self.post(image_id)
        self.assertEqual('active', self.settled(image_id)['status'])

    def test_documents(self):
        image_id = self.queued()
        url, digest = self.web.url('/a'), sha512(DATA)
        for body in ({}, {'url': None}, {'url': 1}, {'url': ''}, {'url': url, 'validation_data': None},
                     {'url': url, 'validation_data': []}, {'url': url, 'validation_data': {'os_hash_algo': 'sha512'}},
                     {'url': url, 'validation_data': {'os_hash_value': digest}},
                     {'url': url, 'validation_data': {'os_hash_algo': 'sha512', 'os_hash_value': digest, 'checksum': 'a' * 32}},
                     {'url': url, 'validation_data': {'os_hash_algo': 'sha3_512', 'os_hash_value': digest}},
                     {'url': url, 'validation_data': {'os_hash_algo': 'sha512', 'os_hash_value': 1}},
                     {'url': url, 'validation_data': {'os_hash_algo': 'sha512', 'os_hash_value': 'x' * 128}},
                     {'url': url, 'validation_data': {'os_hash_algo': 'sha512', 'os_hash_value': digest[:-1]}}):
            self.assertStatus(400, self.owner.post(f'/v2/images/{image_id}/locations', json=body), str(body))
        self.assertStatus(400, self.owner.post(f'/v2/images/{image_id}/locations', data=b'x'))
        self.post(image_id, other='ignored', validation_data={})
        self.assertEqual('active', self.settled(image_id)['status'])

    def test_refusals(self):
        absent = '11111111-2222-3333-4444-555555555555'
        self.post(absent, expected=404)
        self.post(self.active(), expected=409)
        private, community = self.queued(visibility='private'), self.queued(visibility='community')
        self.post(private, expected=404, client=self.caller('p-other'))
        self.post(community, expected=403, client=self.caller('p-other'))
        self.post(community, expected=403, client=self.caller('p-owner', roles='reader'))
        for url in ('rbd://a/b/c/d', 'file:///etc/passwd', 'x://', 'swift+config://a/b/c'):
            self.post(community, url, expected=403)
            self.post(community, url, expected=400, client=self.service)
        self.assertIn('does not pass filtering', self.post(community, 'http://[::1]/', expected=400).text)
        self.assertIn('does not pass filtering', self.post(community, 'http://u:S3CR3T@127.0.0.1/', expected=400).text)
        self.assertIn('does not pass filtering', self.post(community, 'http://2130706433/', expected=400).text)
        self.assertNotIn('S3CR3T', self.server.log_text())
        self.post(self.queued(disk_format=None), expected=400)
        self.assertEqual('queued', self.show(community)['status'])

    def test_services(self):
        image_id = self.queued(visibility='community')
        service = self.caller('p-service', roles='service')
        self.post(image_id, client=service)
        self.assertEqual('active', self.settled(image_id)['status'])

    def test_lock_of_another_task(self):
        image_id = self.queued()
        engine = sa.create_engine(self.server.database.url)
        self.addCleanup(engine.dispose)
        with engine.begin() as connection:
            connection.execute(sa.text(
                "INSERT INTO image_properties (image_id, name, value, created_at, deleted) "
                "VALUES (:id, 'os_glance_import_task', 'other', '2026-01-01 00:00:00', false)"), {'id': image_id})
        self.post(image_id, expected=409)
        self.assertEqual('other', self.show(image_id)['os_glance_import_task'])

    def test_of_several_calls_one_wins(self):
        image_id = self.queued()
        codes = []
        threads = [threading.Thread(target=lambda: codes.append(self.caller('p-owner').post(
            f'/v2/images/{image_id}/locations', json={'url': self.web.url('/a')}).status_code)) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual([202] + [409] * 5, sorted(codes))
        self.assertEqual(['/a'], self.urls(self.settled(image_id)['id']))

    def test_deletion_cancels_the_hashing(self):
        begun, go_on = threading.Event(), threading.Event()
        self.addCleanup(go_on.set)

        def respond(handler):
            if handler.command == 'GET':
                begun.set()
                go_on.wait(60)
            self.web.serve(handler, DATA)

        self.web.answers['/slow'] = respond
        for body in ({}, {'validation_data': {'os_hash_algo': 'sha512', 'os_hash_value': sha512(DATA)}}):
            begun.clear()
            go_on.clear()
            image_id = self.queued()
            self.post(image_id, '/slow', **body)
            self.assertTrue(begun.wait(60))
            self.assertStatus(204, self.owner.delete(f'/v2/images/{image_id}'))
            self.assertStatus(404, self.owner.get(f'/v2/images/{image_id}'))
            go_on.set()
        wait_for('log', lambda: self.server.log_text().count('was deleted') >= 1)
        self.assertNotIn('Traceback', self.server.log_text())


class TestRetries(ImportBase):
    SETTINGS = {**SETTINGS, 'DEFAULT': {**LOCATIONS, 'http_retries': 2}}

    def failing(self, times):
        left = [times]

        def respond(handler):
            if handler.command == 'GET' and left[0]:
                left[0] -= 1
                handler.send_error(503)
            else:
                self.web.serve(handler, DATA)
        self.web.answers['/f'] = respond

    def test_retries(self):
        good = {'validation_data': {'os_hash_algo': 'sha512', 'os_hash_value': sha512(DATA)}}
        for times, body, status, digest in ((2, {}, 'active', sha512(DATA)), (3, {}, 'active', None),
                                            (2, good, 'active', sha512(DATA)), (3, good, 'queued', None)):
            self.failing(times)
            image_id = self.queued()
            self.post(image_id, '/f', **body)
            image = self.settled(image_id)
            self.assertEqual((status, digest), (image['status'], image['os_hash_value']), (times, body))


class TestWithoutHashing(ImportBase):
    SETTINGS = {**SETTINGS, 'DEFAULT': {**LOCATIONS, 'do_secure_hash': False}}

    def test_given_values_are_taken_as_they_are(self):
        image_id = self.queued()
        self.post(image_id, validation_data={'os_hash_algo': 'sha256', 'os_hash_value': 'a' * 64})
        image = self.settled(image_id)
        self.assertEqual(('active', 10, None, 'sha256', 'a' * 64), tuple(image[name] for name in (
            'status', 'size', 'checksum', 'os_hash_algo', 'os_hash_value')))
        self.assertFalse([name for name in image if name.startswith('os_glance')])

    def test_no_values(self):
        image_id = self.queued()
        self.post(image_id)
        image = self.settled(image_id)
        self.assertEqual(('active', None, None), tuple(image[name] for name in ('status', 'checksum', 'os_hash_value')))
        self.assertEqual(['HEAD'], [method for method, *_ in self.web.requests])


class TestNoHttpStore(ImportBase):
    SETTINGS = {**SETTINGS, 'glance_store': {'stores': 'file'}}

    def test_refused(self):
        image_id = self.queued()
        self.post(image_id, expected=403)
        self.post(image_id, expected=400, client=self.service)
        self.patch(image_id, self.add(), expected=400)


class TestDeadWorkers(ImportBase):

    def test_interrupted_work_is_undone(self):
        begun, go_on = threading.Semaphore(0), threading.Event()
        self.addCleanup(go_on.set)

        def respond(handler):
            if handler.command == 'GET':
                begun.release()
                go_on.wait(60)
            self.web.serve(handler, DATA)

        self.web.answers['/slow'] = respond
        queued, active = self.queued(), self.queued()
        self.post(queued, '/slow', validation_data={'os_hash_algo': 'sha512', 'os_hash_value': sha512(DATA)})
        self.post(active, '/slow')
        for _ in range(2):
            self.assertTrue(begun.acquire(timeout=60))
        self.server.kill_worker(signal.SIGKILL)
        image = self.settled(queued)
        self.assertEqual(('queued', None, []), (image['status'], image['size'], image['locations']))
        image = self.settled(active)
        self.assertEqual(('active', 10, None), (image['status'], image['size'], image['os_hash_value']))
        go_on.set()
        self.assertEqual(DATA, self.download(active).content)
        self.post(queued, '/a')
        self.assertEqual('active', self.settled(queued)['status'])


class TestShow(Base):

    def get(self, image_id, client, expected=200):
        return self.assertStatus(expected, client.get(f'/v2/images/{image_id}/locations'))

    def test_who_reads_locations(self):
        image_id = self.active()
        expected = [{'url': self.web.url('/a'), 'metadata': {}}]
        for client in (self.client, self.service, self.caller('p-owner', roles='service')):
            self.assertEqual(expected, self.get(image_id, client).json())
        for client in (self.owner, self.caller('p-owner', roles='reader')):
            self.get(image_id, client, 403)
        self.get(image_id, self.caller('p-other'), 404)
        self.assertEqual([], self.get(self.queued(), self.client).json())
        self.get('11111111-2222-3333-4444-555555555555', self.client, 404)
        public = self.assertStatus(200, self.client.patch(f'/v2/images/{image_id}', [
            {'op': 'replace', 'path': '/visibility', 'value': 'public'}])).json()
        self.assertEqual(expected, self.get(public['id'], self.caller('p-x', roles='service')).json())
        self.get(image_id, self.caller('p-other'), 403)

    def test_deactivated(self):
        image_id = self.active()
        self.assertStatus(204, self.owner.post(f'/v2/images/{image_id}/actions/deactivate'))
        self.assertEqual([], self.get(image_id, self.service).json())
        self.assertEqual(1, len(self.get(image_id, self.client).json()))

    def test_credentials_are_not_shown(self):
        image_id = self.active()
        engine = sa.create_engine(self.server.database.url)
        self.addCleanup(engine.dispose)
        url = self.web.url('/a')
        with engine.begin() as connection:
            connection.execute(sa.text('UPDATE image_locations SET value = :url WHERE image_id = :id'),
                               {'url': url.replace('://', '://user:S3CR3T@'), 'id': image_id})
        self.assertEqual([{'url': url, 'metadata': {}}], self.get(image_id, self.client).json())
        image = self.show(image_id)
        self.assertEqual((url, url), (image['direct_url'], image['locations'][0]['url']))
        self.assertEqual(DATA, self.download(image_id).content)
        self.patch(image_id, replace({'url': url, 'metadata': {'a': 'b'}}))
        with engine.begin() as connection:
            self.assertIn('S3CR3T', connection.scalar(sa.text(
                'SELECT value FROM image_locations WHERE image_id = :id AND NOT deleted'), {'id': image_id}))
        self.assertNotIn('S3CR3T', self.server.log_text())


class TestOverriddenRule(Base):

    @classmethod
    def prepare(cls, server):
        (server.folder / 'policy.yaml').write_text('get_image_location: "role:admin"\n')

    def test_locations_are_hidden(self):
        image_id = self.active()
        seen = self.owner.get(f'/v2/images/{image_id}').json()
        self.assertFalse({'locations', 'direct_url'} & seen.keys())
        self.assertTrue({'locations', 'direct_url'} <= self.show(image_id).keys())


class TestFallback(Base):

    def image(self):
        image_id = self.active('/a')
        self.patch(image_id, self.add('/b'), client=self.client)
        return image_id

    def test_first_one_fails(self):
        image_id = self.image()
        for breakage in (lambda handler: handler.send_error(500), lambda handler: handler.send_error(404),
                         lambda handler: self.web.serve(handler, b'short')):
            self.web.answers['/a'] = breakage
            self.assertEqual(DATA, self.assertStatus(200, self.download(image_id)).content)
            self.assertEqual(b'3456', self.download(image_id, Range='bytes=3-6').content)

    def test_it_fails_before_the_first_byte(self):
        def respond(handler):
            handler.send_response(200)
            handler.send_header('Content-Length', '10')
            handler.end_headers()
            handler.close_connection = True

        image_id = self.image()
        self.web.answers['/a'] = respond
        self.assertEqual(DATA, self.assertStatus(200, self.download(image_id)).content)
        self.assertEqual('/b', self.web.paths()[-1])

    def test_all_fail(self):
        image_id = self.image()
        for path in ('/a', '/b'):
            self.web.answers[path] = lambda handler: handler.send_error(503)
        self.assertStatus(503, self.download(image_id))
        del self.web.answers['/a'], self.web.answers['/b']
        self.web.objects.clear()
        self.assertStatus(204, self.download(image_id))

    def test_addresses_are_judged_at_each_read(self):
        other = self.enterContext(WebServer())
        other.put('/x', DATA)
        image_id = self.active('/a')
        self.web.redirect('/a', 'http://169.254.169.254/latest')
        self.assertStatus(503, self.download(image_id))
        self.web.redirect('/a', other.url('/x'))
        self.assertEqual(DATA, self.download(image_id).content)


class TestStores(Base):
    """Named stores: their names in the metadata, their weights, the strategy among equals."""

    SETTINGS = {'DEFAULT': {**LOCATIONS, 'enabled_backends': 'disk:file,web:http', 'location_strategy': 'store_type'},
                'glance_store': {'default_backend': 'disk'}, 'import_filtering_opts': REACHABLE,
                'web': {'weight': 5}, 'store_type_location_strategy': {'store_type_preference': 'file'}}

    @classmethod
    def prepare(cls, server):
        folder = pathlib.Path(server.folder)
        server.settings['disk'] = {'filesystem_store_datadir': folder / 'disk'}
        for name in ('os_glance_staging_store', 'os_glance_tasks_store'):
            server.settings[name] = {'filesystem_store_datadir': folder / name}

    def test_store_and_weight(self):
        image_id = self.owner.create_image(DATA)['id']
        image = self.patch(image_id, self.add('/a', metadata={'store': 'disk', 'a': 'b'}))
        self.assertEqual([{'store': 'web', 'a': 'b'}, {'store': 'disk'}], [each['metadata'] for each in image['locations']])
        self.assertEqual((self.web.url('/a'), 'web,disk'), (image['direct_url'], image['stores']))
        before = len(self.web.requests)
        self.assertEqual(DATA, self.download(image_id).content)
        self.assertEqual(before + 1, len(self.web.requests))
        self.web.objects.clear()
        self.assertEqual(DATA, self.download(image_id).content)
        listed = self.client.get(f'/v2/images/{image_id}/locations').json()
        self.assertEqual(image['locations'], listed)
        # Positions are those that are shown.
        self.patch(image_id, remove(1), client=self.client)
        self.assertEqual([], os.listdir(self.server.folder / 'disk')[1:])
        self.assertEqual(['web'], [each['metadata']['store'] for each in self.show(image_id)['locations']])

    def test_store_that_is_gone_by_now(self):
        image_id = self.owner.create_image(DATA)['id']
        engine = sa.create_engine(self.server.database.url)
        self.addCleanup(engine.dispose)
        with engine.begin() as connection:
            connection.execute(sa.text("UPDATE image_locations SET meta_data = '{\"store\": \"former\"}' WHERE image_id = :id"),
                               {'id': image_id})
        self.assertEqual('disk', self.show(image_id)['stores'])
        self.assertEqual(DATA, self.download(image_id).content)

    def test_import(self):
        image_id = self.queued()
        self.assertStatus(202, self.owner.post(f'/v2/images/{image_id}/locations', json={'url': self.web.url('/a')}))
        wait_for('hash', lambda: self.show(image_id)['os_hash_value'])
        self.assertEqual('web', self.show(image_id)['stores'])


class TestStrategy(Base):
    SETTINGS = {**SETTINGS, 'DEFAULT': {**LOCATIONS, 'location_strategy': 'store_type'},
                'store_type_location_strategy': {'store_type_preference': 'http,file'}}

    def test_types_of_stores(self):
        image_id = self.owner.create_image(DATA)['id']
        self.assertEqual(self.web.url('/a'), self.patch(image_id, self.add('/a'))['direct_url'])
        self.assertEqual(self.web.url('/a'), self.show(image_id)['direct_url'])


class TestEncryption(Base):
    SETTINGS = {**SETTINGS, 'DEFAULT': {**LOCATIONS, 'metadata_encryption_key': '0123456789abcdef'}}

    def stored(self):
        engine = sa.create_engine(self.server.database.url)
        try:
            with engine.connect() as connection:
                return connection.scalars(sa.text('SELECT value FROM image_locations ORDER BY id')).all()
        finally:
            engine.dispose()

    def test_every_way_in(self):
        uploaded = self.owner.create_image(DATA)['id']
        self.patch(uploaded, self.add('/a'))
        imported = self.queued()
        self.assertStatus(202, self.owner.post(f'/v2/images/{imported}/locations', json={'url': self.web.url('/a')}))
        wait_for('hash', lambda: self.show(imported)['os_hash_value'])
        self.assertEqual(3, len(self.stored()))
        self.assertFalse([value for value in self.stored() if '://' in value])
        for image_id in (uploaded, imported):
            self.assertEqual(DATA, self.download(image_id).content)
            self.assertStatus(204, self.owner.delete(f'/v2/images/{image_id}'))
        self.assertFalse((self.server.images / uploaded).exists())
        self.assertFalse([value for value in self.stored() if '://' in value])
