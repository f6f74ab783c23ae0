"""Upload and download over HTTP."""
import dataclasses
from unittest import mock

from glance import exceptions
from glance.db.interface import ImageChanges
from glance.transfer import sources
from glance.transfer.turns import Turns
from tests.unit.api import wsgi_client
from tests.unit.api.serving import DATA, OCTETS, UUID, ServingTestCase
from tests.unit.layers import fakes


class UploadTest(ServingTestCase):

    def test_success(self):
        image = self.create()
        response = self.upload(image)
        self.assertEqual((204, b''), (response.status_int, response.body))
        self.assertNotIn('Content-Type', response.headers)
        self.assertEqual(('active', 10, 10),
                         tuple(self.show(image)[name] for name in ('status', 'size', 'virtual_size')))

    def test_media_types(self):
        image = self.create()
        for media_type in ('application/json', 'text/plain', '', 'application/octet-streams'):
            self.assertEqual(415, self.upload(image, **{'Content-Type': media_type}).status_int)
        self.assertEqual(415, self.code('PUT', '/images/%s/file' % image['id'], DATA))
        self.assertEqual(204, self.upload(image, **{'Content-Type': OCTETS + '; charset=x'}).status_int)

    def test_the_announced_size(self):
        for header, code in (('10', 204), ('0', 204), ('9', 400), ('11', 400), ('-1', 400), ('x', 400), ('', 400),
                             ('1.0', 400),
                             ('10' * 20, 400), ('٣', 400)):
            with self.subTest(header=header):
                image = self.create()
                self.assertEqual(code, self.upload(image, **{'x-openstack-image-size': header}).status_int)
                self.assertEqual('active' if code == 204 else 'queued', self.show(image)['status'])

    def test_without_a_length(self):
        image = self.create()
        environ = wsgi_client.environ_of('PUT', '/images/%s/file' % image['id'], DATA,
                                         {'Content-Type': OCTETS, 'Transfer-Encoding': 'chunked'})
        del environ['CONTENT_LENGTH']
        environ.update({'glance.environment': self.env, 'glance.context': fakes.caller()})
        self.assertEqual('204 No Content', wsgi_client.call(self.api, environ).status)
        self.assertEqual(10, self.show(image)['size'])

    def test_an_empty_body(self):
        image = self.create()
        self.assertEqual(204, self.upload(image, b'').status_int)
        self.assertEqual(('active', 0), (self.show(image)['status'], self.show(image)['size']))

    def test_refusals(self):
        image = self.active()
        self.assertEqual(409, self.upload(image).status_int)
        self.assertEqual(400, self.upload(self.create(disk_format=None)).status_int)
        self.assertEqual(404, self.upload({'file': '/v2/images/%s/file' % UUID}).status_int)
        self.conf.set_override('image_size_cap', 9)
        image = self.create()
        self.assertEqual(413, self.upload(image).status_int)
        self.assertEqual('queued', self.show(image)['status'])

    def test_crowds_and_slow_clients(self):
        image = self.create()
        for turns, code in ((Turns(total=1), 503), (Turns(of_project=1), 429)):
            self.env = dataclasses.replace(self.env, uploads=turns)
            with turns.turn(fakes.OWNER):
                response = self.upload(image)
                self.assertEqual((code, '5', 'close'), (response.status_int, response.headers['Retry-After'],
                                                        response.headers['Connection']))
        self.conf.set_override('min_upload_rate', 1 << 60)
        with mock.patch.object(sources, 'PACE_SECONDS', 0):
            self.assertEqual(408, self.upload(image).status_int)
        self.assertEqual('queued', self.show(image)['status'])
        self.conf.clear_override('min_upload_rate')
        self.assertEqual(204, self.upload(image).status_int)

    def test_store_errors(self):
        for error, code in ((exceptions.StoreFull, 413), (exceptions.StoreWriteDenied, 503),
                            (exceptions.StoreReadOnly, 410),
                            (exceptions.StoreUnavailable, 503), (exceptions.ObjectExists, 409),
                            (exceptions.ClientDisconnected, 400)):
            with self.subTest(error=error.__name__):
                image = self.create()
                self.store.fail = {'write': error()}
                self.assertEqual(code, self.upload(image).status_int)
                self.assertEqual('queued', self.show(image)['status'])
                self.store.fail = {}
                self.assertEqual(204, self.upload(image).status_int)

    def test_deleted_meanwhile(self):
        image = self.create()
        self.store.fail = {}
        delete = self.env.database.image_remove

        class Body:
            left = [DATA]

            def read(inner, size=-1):
                if not inner.left:
                    return b''
                delete(image['id'])
                return inner.left.pop()
        response = self.call('PUT', '/images/%s/file' % image['id'], DATA, {'Content-Type': OCTETS},
                             **{'wsgi.input': Body()})
        self.assertEqual(410, response.status_int)
        self.assertEqual({}, self.store.objects)

    def test_the_chosen_store(self):
        header = 'X-Image-Meta-Store'
        self.assertEqual(204, self.upload(self.create(), **{header: 'ignored'}).status_int)
        self.serve(stores=fakes.Stores('one', 'two'))
        image = self.create()
        for name in ('three', '', 'os_glance_staging_store', 'os_glance_tasks_store', 'ONE'):
            self.assertEqual(400, self.upload(image, **{header: name}).status_int)
            self.assertEqual('queued', self.show(image)['status'])
        self.assertEqual(204, self.upload(image, **{header: 'two'}).status_int)
        self.assertEqual('two', self.show(image)['stores'])


class DownloadTest(ServingTestCase):

    def download(self, image, query='', context=None, **headers):
        return self.call('GET', '/images/%s/file%s' % (image['id'], query), headers=headers, context=context)

    def test_crowds(self):
        image = self.active()
        for turns, code in ((Turns(total=1), 503), (Turns(of_project=1), 429)):
            self.env = dataclasses.replace(self.env, downloads=turns)
            with turns.turn(fakes.OWNER):
                response = self.download(image)
                self.assertEqual((code, '5'), (response.status_int, response.headers['Retry-After']))
            for headers in ({}, {'Range': 'bytes=9-99'}, {'Range': 'bytes=99-'}, {}):
                self.assertIn(self.download(image, **headers).status_int, (200, 206, 416))

    def test_whole(self):
        image = self.active()
        response = self.download(image)
        self.assertEqual((200, DATA, '10', OCTETS, image['checksum']), (
            response.status_int, response.body, response.headers['Content-Length'], response.headers['Content-Type'],
            response.headers['Content-MD5']))
        self.assertNotIn('Content-Range', response.headers)
        self.assertEqual(('nosniff', 'attachment'), (
            response.headers['X-Content-Type-Options'], response.headers['Content-Disposition']))

    def test_part(self):
        image = self.active()
        response = self.download(image, Range='bytes=2-4')
        self.assertEqual((206, b'234', '3', 'bytes 2-4/10', image['checksum']), (
            response.status_int, response.body, response.headers['Content-Length'], response.headers['Content-Range'],
            response.headers['Content-MD5']))
        self.assertEqual(b'789', self.download(image, Range='bytes=-3').body)
        self.assertEqual(b'0123456789', self.download(image, Range='bytes=0-100').body)
        self.assertEqual(b'12', self.download(image, **{'Content-Range': 'bytes 1-2/10'}).body)
        for header, code in (('bytes=0-1,2-3', 400), ('bytes=10-', 416), ('x', 416), ('', 416)):
            self.assertEqual(code, self.download(image, Range=header).status_int)
        self.assertEqual('bytes */10', self.download(image, Range='bytes=10-').headers['Content-Range'])

    def test_an_empty_image(self):
        image = self.create()
        self.upload(image, b'')
        response = self.download(image)
        self.assertEqual((200, b'', '0'), (response.status_int, response.body, response.headers['Content-Length']))
        self.assertEqual(416, self.download(image, Range='bytes=0-').status_int)
        self.assertEqual(416, self.download(image, Range='bytes=-1').status_int)

    def test_no_data(self):
        image = self.active()
        for disturb in (self.store.objects.clear, lambda: None):
            disturb()
            response = self.download(image)
            self.assertEqual((204, b''), (response.status_int, response.body))
            self.assertNotIn('Content-Type', response.headers)
        for status in ('queued', 'saving', 'uploading', 'importing', 'killed'):
            record = self.env.database.image_create({'status': status, 'owner': fakes.OWNER})
            self.assertEqual(204, self.download(record).status_int)
            self.assertEqual(204, self.download(record, Range='bytes=0-1').status_int)

    def test_refusals(self):
        image = self.active()
        self.assertEqual(400, self.code('GET', '/images/%s/file' % image['id'], b'x'))
        self.assertEqual(403, self.download(image, context=fakes.caller(roles=('reader',))).status_int)
        self.assertEqual(404, self.download(image, context=fakes.caller(fakes.STRANGER)).status_int)
        self.set_status(image, 'deactivated')
        self.assertEqual(403, self.download(image).status_int)
        self.assertEqual(200, self.download(image, context=fakes.admin()).status_int)

    def test_a_store_that_cannot(self):
        image = self.active()
        for error, code in ((exceptions.StoreUnavailable, 503), (exceptions.RangeNotSupported, 400)):
            self.store.fail = {'open': error()}
            self.assertEqual(code, self.download(image, Range='bytes=0-1').status_int)

    def test_no_checksum(self):
        image = self.active()
        self.env.database.image_update(image['id'], ImageChanges(columns={'checksum': None}))
        self.assertNotIn('Content-MD5', self.download(image).headers)
