"""Upload and download: whole and in parts, known and unknown sizes, and everything that goes wrong on the way."""

import contextlib
import hashlib
import http.client
import os
import pathlib
import shutil
import subprocess
import tempfile
import threading
import uuid

from tests.functional.api.base import (
    OCTETS,
    SECONDS,
    ApiTestCase,
    Upload,
    exchange,
    raw_request,
    stored_files,
    unlinked_files,
    uploading,
    wait_for,
)

TEN = b'0123456789'
DATA_ATTRIBUTES = ('size', 'virtual_size', 'checksum', 'os_hash_algo', 'os_hash_value')
MIB = 1 << 20


class DataTestCase(ApiTestCase):

    def create(self, **attributes):
        return self.client.create_image(**attributes)['id']

    def upload(self, image_id, data, expected=204, client=None, **headers):
        if expected >= 400:
            headers['Connection'] = 'close'
        return self.assertStatus(expected, (client or self.client).upload(image_id, data, **headers))

    def folders(self):
        return [self.server.images]

    def assertUploaded(self, image_id, data):
        image = self.show(image_id)
        self.assertEqual(
            {'status': 'active', 'size': len(data), 'virtual_size': len(data), 'checksum': hashlib.md5(data).hexdigest(),
             'os_hash_algo': 'sha512', 'os_hash_value': hashlib.sha512(data).hexdigest()},
            {name: image[name] for name in ('status', *DATA_ATTRIBUTES)})
        self.assertEqual(data, self.download(image_id).content)
        self.assertEqual(data, (self.server.images / image_id).read_bytes())

    def assertNothingLeft(self, image_id):
        """The image waits for data, there is no trace of any, and an upload works."""
        image = self.show(image_id)
        self.assertEqual(('queued', [None] * 5), (image['status'], [image[name] for name in DATA_ATTRIBUTES]))
        self.assertFalse([name for name in stored_files(*self.folders()) if image_id in name])
        wait_for('no open files', lambda: not unlinked_files(self.server))
        self.assertStatus(204, self.download(image_id))
        self.upload(image_id, TEN)
        self.assertEqual(TEN, self.download(image_id).content)


class TestUpload(DataTestCase):

    def test_sizes_known_and_unknown(self):
        for size in (0, 1, 65535, MIB - 1, MIB, MIB + 1, 5 * MIB + 3):
            data = os.urandom(size)
            for body in (data, iter([data[:size // 3], data[size // 3:]])):
                with self.subTest(size=size, chunked=not isinstance(body, bytes)):
                    image_id = self.create()
                    response = self.upload(image_id, body)
                    self.assertEqual(b'', response.content)
                    self.assertNotIn('Content-Type', response.headers)
                    self.assertUploaded(image_id, data)

    def test_neither_length_nor_chunks(self):
        image_id = self.create()
        response = exchange(self.server.port, raw_request('PUT', f'/v2/images/{image_id}/file', OCTETS))
        self.assertEqual(204, response.status)
        self.assertUploaded(image_id, b'')

    def test_chunks_of_every_form(self):
        image_id = self.create()
        body = b'1;name=value\r\n0\r\n003\r\n123\r\nA\r\n456789abcd\r\n0;last\r\nTrailer: ignored\r\n\r\n'
        response = exchange(self.server.port, raw_request(
            'PUT', f'/v2/images/{image_id}/file', {**OCTETS, 'Transfer-Encoding': 'chunked'}, body))
        self.assertEqual(204, response.status)
        self.assertUploaded(image_id, b'0123456789abcd')

    def test_expect_continue(self):
        image_id = self.create()
        upload = Upload(self.server, image_id, 10, Expect='100-continue')
        upload.send(TEN)
        self.assertEqual(204, upload.finish().status)
        self.assertUploaded(image_id, TEN)

    def test_media_types(self):
        image_id = self.create()
        for kind in ('text/plain', '', 'application/json', 'application/octet', None):
            with self.subTest(kind=kind):
                headers = {'Content-Type': kind} if kind is not None else {}
                self.assertStatus(415, self.client.put(f'/v2/images/{image_id}/file', data=b'x', headers=headers))
        self.assertStatus(415, self.client.put(f'/v2/images/{uuid.uuid4()}/file', data=b'x'))
        self.assertEqual('queued', self.show(image_id)['status'])
        self.upload(image_id, TEN, **{'Content-Type': 'application/octet-stream; charset=binary'})

    def test_expected_size(self):
        for header, status in (('10', 204), ('0', 204), ('9', 400), ('11', 400), ('x', 400), ('', 400),
                               ('1.0', 400), ('-1', 400), ('1' * 30, 400), ('0x0a', 400)):
            for body in (TEN, iter([TEN])):
                with self.subTest(header=header, chunked=body is not TEN):
                    image_id = self.create()
                    self.upload(image_id, body, status, **{'x-openstack-image-size': header})
                    if status == 400:
                        self.assertNothingLeft(image_id)
                    else:
                        self.assertUploaded(image_id, TEN)

    def test_order_of_refusals(self):
        absent = str(uuid.uuid4())
        self.upload(absent, b'x', 400, **{'x-openstack-image-size': 'x'})
        self.upload(absent, b'x', 404)
        active = self.client.create_image(TEN, disk_format='raw')['id']
        self.upload(active, b'another', 409)
        self.assertUploaded(active, TEN)

    def test_formats_are_needed(self):
        for attributes, missing in (({'disk_format': None}, 'disk_format'), ({'container_format': None}, 'container_format')):
            with self.subTest(missing=missing):
                image_id = self.create(**attributes)
                self.assertIn(missing, self.upload(image_id, TEN, 400).text)
                image = self.show(image_id)
                self.assertEqual(('queued', None), (image['status'], image['size']))

    def test_store_header_means_nothing_with_one_store(self):
        image_id = self.create()
        self.upload(image_id, TEN, **{'X-Image-Meta-Store': 'nowhere'})
        self.assertUploaded(image_id, TEN)

    def test_malformed_chunks(self):
        for body in (b'x\r\n', b'-1\r\n', b'5\r\n1234\r\n0\r\n\r\n', b'FFFFFFFFFFFFFFFFFFFF\r\n', b'3\r\nabcd\r\n0\r\n\r\n',
                     b'3\r\nabc\r\n', b'3\r\nab', b'0x3\r\nabc\r\n0\r\n\r\n'):
            with self.subTest(body=body):
                image_id = self.create()
                request = raw_request('PUT', f'/v2/images/{image_id}/file', {**OCTETS, 'Transfer-Encoding': 'chunked'}, body)
                upload = Upload(self.server, image_id)  # takes the place of a client that closes after the body
                upload.connection.sock.sendall(body)
                upload.connection.sock.shutdown(1)
                self.assertIn(upload.response().status, (400,), request)
                wait_for('queued', lambda image_id=image_id: self.show(image_id)['status'] == 'queued')
                self.assertNothingLeft(image_id)

    def test_other_changes_during_an_upload_are_kept(self):
        image_id = self.create(name='before', foo='1', tags=['a'])
        upload = uploading(self, image_id)
        self.assertStatus(200, self.client.patch(f'/v2/images/{image_id}', [
            {'op': 'replace', 'path': '/name', 'value': 'after'}, {'op': 'replace', 'path': '/foo', 'value': '2'},
            {'op': 'replace', 'path': '/tags', 'value': ['b']}, {'op': 'add', 'path': '/new', 'value': '3'}]))
        self.assertEqual(204, upload.finish().status)
        image = self.show(image_id)
        self.assertEqual(('active', 65536, 'after', '2', ['b'], '3'),
                         tuple(image[name] for name in ('status', 'size', 'name', 'foo', 'tags', 'new')))

    def test_half_an_upload_is_not_visible(self):
        image_id = self.create()
        upload = uploading(self, image_id)
        image = self.show(image_id)
        self.assertEqual([None] * 5, [image[name] for name in DATA_ATTRIBUTES])
        self.assertStatus(204, self.download(image_id))
        self.assertStatus(409, self.client.upload(image_id, b'second'))
        self.assertEqual('saving', self.show(image_id)['status'])
        self.assertEqual(204, upload.finish().status)
        self.assertUploaded(image_id, b'x' * 65536)

    def test_two_uploads_at_once(self):
        for _ in range(5):
            image_id, ready = self.create(), threading.Barrier(2)
            answers = []

            def send(data, image_id=image_id, ready=ready, answers=answers):
                client = self.server.client()
                ready.wait()
                answers.append((client.upload(image_id, data).status_code, data))

            threads = [threading.Thread(target=send, args=(letter * MIB,)) for letter in (b'a', b'b')]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            self.assertEqual([204, 409], sorted(status for status, _ in answers))
            self.assertUploaded(image_id, next(data for status, data in answers if status == 204))

    def test_deleted_meanwhile(self):
        for length in (None, 2 * 65536):
            with self.subTest(length=length):
                image_id = self.create()
                upload = uploading(self, image_id, length)
                self.assertStatus(204, self.client.delete(f'/v2/images/{image_id}'))
                upload.send(b'y' * 65536)
                self.assertEqual(410, upload.finish().status)
                self.assertStatus(404, self.client.get(f'/v2/images/{image_id}'))
                self.assertFalse([name for name in stored_files(self.server.images) if image_id in name])
                wait_for('no open files', lambda: not unlinked_files(self.server))

    def test_the_client_goes_away(self):
        for length in (None, 10 * MIB):
            with self.subTest(length=length):
                image_id = self.create()
                upload = uploading(self, image_id, length)
                upload.disconnect()
                wait_for('queued', lambda image_id=image_id: self.show(image_id)['status'] == 'queued')
                self.assertNothingLeft(image_id)

    def test_a_body_that_ends_early(self):
        image_id = self.create()
        upload = uploading(self, image_id, 10 * MIB)
        upload.connection.sock.shutdown(1)
        self.assertEqual(400, upload.response().status)
        self.assertNothingLeft(image_id)

    def test_a_refused_body_does_not_spoil_the_next_request(self):
        """The server reads the rest, or says that it closes the connection."""
        active = self.client.create_image(TEN)['id']
        for size in (1000, 65536, 3 * MIB):
            for kind, status in (('application/octet-stream', 409), ('text/plain', 415)):
                with self.subTest(size=size, status=status):
                    connection = http.client.HTTPConnection('127.0.0.1', self.server.port, timeout=SECONDS)
                    self.addCleanup(connection.close)
                    connection.request('PUT', f'/v2/images/{active}/file', b'x' * size, {'Content-Type': kind})
                    response = connection.getresponse()
                    response.read()
                    self.assertEqual(status, response.status)
                    if response.headers['Connection'] != 'close':
                        connection.request('GET', f'/v2/images/{active}')
                        self.assertEqual(200, connection.getresponse().status)

    def test_data_in_the_way(self):
        image_id = self.create()
        (self.server.images / image_id).write_bytes(b'of somebody')
        self.upload(image_id, TEN, 409)
        self.assertEqual('queued', self.show(image_id)['status'])
        self.assertEqual(b'of somebody', (self.server.images / image_id).read_bytes())


class TestSizeCap(DataTestCase):
    SETTINGS = {'DEFAULT': {'image_size_cap': 1000}}

    def test_at_the_cap(self):
        for body in (b'x' * 1000, iter([b'x' * 1000])):
            image_id = self.create()
            self.upload(image_id, body)
            self.assertUploaded(image_id, b'x' * 1000)

    def test_above(self):
        for name, body, headers in (('length', b'x' * 1001, {}), ('chunked', iter([b'x' * 600, b'x' * 401]), {}),
                                    ('announced', b'x', {'x-openstack-image-size': '1001'})):
            with self.subTest(name=name):
                image_id = self.create()
                self.upload(image_id, body, 413, **headers)
                wait_for('queued', lambda image_id=image_id: self.show(image_id)['status'] == 'queued')
                self.assertNothingLeft(image_id)

    def test_a_known_size_is_refused_before_the_body_comes(self):
        image_id = self.create()
        upload = Upload(self.server, image_id, 10 ** 15)
        self.assertEqual(413, upload.response().status)
        self.assertNothingLeft(image_id)


class TestDownload(DataTestCase):

    def setUp(self):
        super().setUp()
        self.image = self.client.create_image(TEN)
        self.path = f'/v2/images/{self.image["id"]}/file'

    def get(self, image_id=None, **headers):
        path = self.path if image_id is None else f'/v2/images/{image_id}/file'
        return self.client.get(path, headers={name.replace('_', '-'): value for name, value in headers.items()})

    def test_whole(self):
        response = self.assertStatus(200, self.get())
        self.assertEqual(TEN, response.content)
        self.assertEqual({'Content-Type': 'application/octet-stream', 'Content-Length': '10',
                          'Content-MD5': hashlib.md5(TEN).hexdigest()},
                         {name: response.headers[name] for name in ('Content-Type', 'Content-Length', 'Content-MD5')})
        self.assertNotIn('Content-Range', response.headers)

    def assertPart(self, first, last, response):
        self.assertStatus(206, response)
        self.assertEqual((TEN[first:last + 1], f'bytes {first}-{last}/10', str(last - first + 1)),
                         (response.content, response.headers['Content-Range'], response.headers['Content-Length']))
        self.assertEqual(('application/octet-stream', hashlib.md5(TEN).hexdigest()),
                         (response.headers['Content-Type'], response.headers['Content-MD5']))

    def test_ranges(self):
        for header, first, last in (('bytes=0-4', 0, 4), ('bytes=5-', 5, 9), ('bytes=-3', 7, 9), ('bytes=0-0', 0, 0),
                                    ('bytes=9-9', 9, 9), ('bytes=0-', 0, 9), ('bytes=4-999', 4, 9), ('bytes=-10', 0, 9),
                                    ('bytes=-999', 0, 9), ('BYTES=1-2', 1, 2), ('bytes = 1 - 2', 1, 2), ('Bytes=3-3', 3, 3)):
            with self.subTest(header=header):
                self.assertPart(first, last, self.get(Range=header))

    def test_ranges_that_cannot_be(self):
        for header in ('bytes=10-', 'bytes=10-11', 'bytes=5-4', 'bytes=-', 'bytes=-0', 'items=0-1', 'bytes', 'bytes=', '0-1',
                       'bytes=a-b', 'bytes=0--1', 'bytes=0-4x', 'bytes=1' + '0' * 30 + '-', 'nonsense'):
            with self.subTest(header=header):
                self.assertStatus(416, self.get(Range=header))
        response = exchange(self.server.port, raw_request('GET', self.path, {'Range': ''}))
        self.assertEqual(416, response.status)

    def test_several_ranges(self):
        for header in ('bytes=0-1,3-4', 'bytes=0-1,', ',', 'bytes=0-1, 3-4'):
            with self.subTest(header=header):
                self.assertStatus(400, self.get(Range=header))

    def test_content_range_of_old_clients(self):
        for header, first, last in (('bytes 0-4/10', 0, 4), ('bytes 3-9/*', 3, 9), ('bytes 2-2/10', 2, 2)):
            with self.subTest(header=header):
                self.assertPart(first, last, self.get(Content_Range=header))
        for header in ('bytes 5-4/10', 'bytes 0-10/*', 'bytes 0-10/10', 'bytes 10-11/20', 'bytes */10', 'bytes 0-15/20',
                       'bytes 9-5/*', 'bytes 0-4', 'nonsense', ''):
            with self.subTest(header=header):
                self.assertStatus(416, self.get(Content_Range=header))
        self.assertPart(1, 2, self.get(Range='bytes=1-2', Content_Range='bytes 5-6/10'))

    def test_an_image_of_no_bytes(self):
        image_id = self.client.create_image(b'')['id']
        if self.show(image_id)['status'] == 'queued':
            self.upload(image_id, b'')
        response = self.assertStatus(200, self.get(image_id))
        self.assertEqual((b'', '0'), (response.content, response.headers['Content-Length']))
        self.assertEqual(hashlib.md5(b'').hexdigest(), response.headers['Content-MD5'])
        for header in ('bytes=0-', 'bytes=-1', 'bytes=0-0'):
            with self.subTest(header=header):
                self.assertStatus(416, self.get(image_id, Range=header))

    def test_no_data(self):
        image_id = self.create()
        for headers in ({}, {'Range': 'bytes=0-1'}, {'Content_Range': 'bytes 0-1/*'}):
            with self.subTest(headers=headers):
                response = self.assertStatus(204, self.get(image_id, **headers))
                self.assertNotIn('Content-Type', response.headers)
        self.assertStatus(404, self.get(str(uuid.uuid4())))

    def test_a_body(self):
        self.assertStatus(400, self.client.get(self.path, data=b'x'))

    def test_conditions_do_no_harm(self):
        for name, value in (('If-Modified-Since', 'Wed, 21 Oct 2035 07:28:00 GMT'), ('If-Unmodified-Since', 'x'),
                            ('If-Match', '"x"'), ('If-None-Match', '"x"')):
            with self.subTest(name=name):
                self.assertEqual(TEN, self.assertStatus(200, self.client.get(self.path, headers={name: value})).content)

    def test_many_at_once_and_some_that_leave(self):
        data = os.urandom(3 * MIB)
        image_id, results = self.client.create_image(data)['id'], []

        def fetch():
            client = self.server.client()
            for _ in range(5):
                client.get(f'/v2/images/{image_id}/file', stream=True).close()
                results.append(client.get(f'/v2/images/{image_id}/file').content == data)

        threads = [threading.Thread(target=fetch) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual([True] * 20, results)

    def test_data_that_is_too_short_is_not_taken_for_whole(self):
        (self.server.images / self.image['id']).write_bytes(b'0123')
        with contextlib.suppress(OSError):
            self.assertNotEqual((200, b'0123'), (self.get().status_code, self.get().content))


class TestWhoDownloads(DataTestCase):
    PROJECTS = True

    def test_roles_and_projects(self):
        image = self.client.create_image(TEN, visibility='public', owner='p1')
        path = f'/v2/images/{image["id"]}/file'
        for project, roles, status in (('p1', 'member,reader', 200), ('p2', 'member,reader', 200), ('p1', 'reader', 403),
                                       ('p2', 'reader', 403), ('p2', 'admin', 200)):
            with self.subTest(project=project, roles=roles):
                self.assertStatus(status, self.caller(project, roles).get(path))
        private = self.client.create_image(TEN, visibility='private', owner='p1')
        self.assertStatus(404, self.caller('p2').get(f'/v2/images/{private["id"]}/file'))

    def test_who_uploads(self):
        image_id = self.create(owner='p1')
        self.upload(image_id, TEN, expected=404, client=self.caller('p2'))
        self.upload(image_id, TEN, expected=403, client=self.caller('p1', 'reader'))
        self.upload(image_id, TEN, expected=204, client=self.caller('p1'))


class Tmpfs:
    """A small file system of its own (needs root)."""

    def __init__(self, case, size):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix='glance-test-tmpfs-'))
        case.addClassCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        subprocess.run(['mount', '-t', 'tmpfs', '-o', f'size={size},mode=0700', 'tmpfs', self.folder], check=True)
        case.addClassCleanup(subprocess.run, ['umount', '--lazy', self.folder], check=True)

    @property
    def free(self):
        status = os.statvfs(self.folder)
        return status.f_bavail * status.f_frsize


class TestStoreFull(DataTestCase):
    SIZE = 4 * MIB

    @classmethod
    def prepare(cls, server):
        cls.tmpfs = Tmpfs(cls, cls.SIZE)
        server.settings['glance_store']['filesystem_store_datadir'] = cls.tmpfs.folder

    def folders(self):
        return [self.tmpfs.folder]

    def test_full_then_room_again(self):
        free = self.tmpfs.free
        resident = self.client.create_image(b'r' * (2 * MIB))
        for name, body, headers in (
                ('length', b'x' * (3 * MIB), {}), ('chunked', iter([b'x' * MIB] * 3), {}),
                ('announced', iter([b'x' * MIB] * 3), {'x-openstack-image-size': str(3 * MIB)})):
            with self.subTest(name=name):
                image_id = self.create()
                self.assertIn('Image storage media is full', self.upload(image_id, body, 413, **headers).text)
                wait_for('queued', lambda image_id=image_id: self.show(image_id)['status'] == 'queued')
                self.assertNothingLeft(image_id)
                self.assertStatus(204, self.client.delete(f'/v2/images/{image_id}'))
        self.assertEqual(b'r' * (2 * MIB), self.download(resident['id']).content)
        image_id = self.create()
        self.upload(image_id, b'x' * (3 * MIB), 413)
        self.assertStatus(204, self.client.delete(f'/v2/images/{resident["id"]}'))
        self.upload(image_id, b'x' * (3 * MIB))
        self.assertStatus(204, self.client.delete(f'/v2/images/{image_id}'))
        self.assertEqual(free, self.tmpfs.free)

    def test_another_upload_goes_on(self):
        image_id, other = self.create(), self.create()
        upload = uploading(self, image_id)
        self.upload(other, iter([b'x' * MIB] * 5), 413)
        self.assertEqual(204, upload.finish().status)
        self.assertEqual(65536, self.show(image_id)['size'])
        for each in (image_id, other):
            self.client.delete(f'/v2/images/{each}')


class TestSeveralFolders(DataTestCase):

    @classmethod
    def prepare(cls, server):
        cls.small, cls.large = Tmpfs(cls, MIB), server.folder / 'large'
        del server.settings['glance_store']['filesystem_store_datadir']
        server.settings['glance_store']['filesystem_store_datadirs'] = [f'{cls.small.folder}:200', f'{cls.large}:100']

    def folders(self):
        return [self.small.folder, self.large]

    def test_priority_then_room(self):
        first, second = self.create(), self.create()
        self.upload(first, b'x' * 1000)
        self.upload(second, b'y' * (2 * MIB))
        self.assertIn(first, stored_files(self.small.folder))
        self.assertIn(second, stored_files(self.large))
        self.assertEqual((b'x' * 1000, b'y' * (2 * MIB)), (self.download(first).content, self.download(second).content))
        for image_id in (first, second):
            self.assertStatus(204, self.client.delete(f'/v2/images/{image_id}'))
        self.assertEqual([], stored_files(*self.folders()))


class TestOtherHash(DataTestCase):
    SETTINGS = {'DEFAULT': {'hashing_algorithm': 'sha256'}}

    def test_the_configured_algorithm(self):
        image = self.client.create_image(TEN)
        self.assertEqual(('sha256', hashlib.sha256(TEN).hexdigest()), (image['os_hash_algo'], image['os_hash_value']))
