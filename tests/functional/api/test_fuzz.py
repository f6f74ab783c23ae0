"""Whatever a client sends, it gets an answer that is not the server's fault."""

import json
import os
import re
import string
import uuid

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.functional.api.base import ApiTestCase, RawResponse, exchange, on_every_database, raw_request

EXAMPLES = int(os.environ.get('GLANCE_TEST_FUZZ_EXAMPLES', '200'))
BOUNDED = settings(max_examples=EXAMPLES, deadline=None, derandomize=True, database=None, phases=(Phase.generate,),
                   suppress_health_check=list(HealthCheck))
ATTRIBUTES = ('name', 'id', 'owner', 'visibility', 'protected', 'os_hidden', 'tags', 'min_disk', 'min_ram', 'disk_format',
              'container_format', 'status', 'size', 'checksum', 'locations', 'self', 'deleted', 'os_glance_x', 'kernel_id',
              'foo', '', 'image_id', '__class__')
PATCH_TYPES = ('application/openstack-images-v2.1-json-patch', 'application/openstack-images-v2.0-json-patch')
MEDIA_TYPES = (*PATCH_TYPES, 'application/json', 'application/octet-stream', 'text/plain', '', 'a/b; c="', 'multipart/form-data',
               'application/x-www-form-urlencoded', '\xff', ';', 'x' * 300)
METHODS = ('GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'HEAD', 'OPTIONS', 'TRACE', 'PROPFIND', 'get', 'X-1')
FILTERS = ('name', 'id', 'status', 'visibility', 'member_status', 'owner', 'tag', 'tags', 'size', 'size_min', 'size_max',
           'min_ram', 'min_disk_max', 'virtual_size_min', 'created_at', 'updated_at', 'protected', 'os_hidden', 'checksum',
           'limit', 'marker', 'sort', 'sort_key', 'sort_dir', 'changes-since', 'properties', 'foo', 'foo_min', 'deleted', '',
           'members', 'locations', 'os_glance_import_task')

# Text that has hurt somebody: other planes, combining, right-to-left, quotes of every language, numbers of every size.
words = st.sampled_from((
    '', ' ', 'x', 'é', '\U0001f600', '\U0010ffff', '\x00', '\x01', '\n', '\r\n', '\x7f', '\ud800', '\udfff', '\u202e', '%', '_', "'", '"',
    '\\', "' OR 1=1 --", '../..', '${x}', '{0}', '%s', '%n', 'null', 'true', '-1', '0', '1e999', 'NaN', '9' * 19, '9' * 400, 'in:', 'in:"',
    'eq:', 'gt:', 'gt:0001-01-01', 'lt:9999-12-31T23:59:59Z', 'eq:0001-01-01T00:00:00+14:00', 'lte:9999-12-31T23:59:59-14:00', '2020-02-30',
    'in:a,b', 'in:' + ',' * 300, 'asc', 'desc', 'name:asc', 'size:desc,name', 'all', 'public', 'x' * 256, 'x' * 5000, 'é' * 255,
    'raw', 'bare', 'active', '\ufeff', 'ß', 'İ', '\u0345', 'a\u0300' * 130))
texts = words | st.text(max_size=20) | st.builds(''.join, st.lists(words, max_size=3))
uuids = st.sampled_from(('00000000-0000-0000-0000-000000000000', 'F' * 8 + '-ffff-FFFF-ffff-' + 'f' * 12)) | st.uuids().map(str)
numbers = st.integers() | st.sampled_from((-1, 0, 2 ** 31 - 1, 2 ** 31, 2 ** 63 - 1, 2 ** 63, -2 ** 63 - 1, 10 ** 400)) | st.floats()
scalars = st.none() | st.booleans() | numbers | texts | uuids
values = st.recursive(scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4), max_leaves=8)
names = st.sampled_from(ATTRIBUTES) | texts
objects = st.dictionaries(names, values, max_size=5)
likely = st.fixed_dictionaries({}, optional={
    'name': texts, 'tags': st.lists(texts, max_size=4), 'min_ram': numbers, 'min_disk': numbers, 'protected': st.booleans(),
    'disk_format': st.sampled_from(('raw', 'qcow2', None, 'x')), 'owner': texts, 'foo': texts,
    'visibility': st.sampled_from(('public', 'private', 'shared', 'community', 'x')), 'id': uuids})


def pointer(name):
    return '/' + name.replace('~', '~0').replace('/', '~1')


paths = names.map(pointer) | texts | values | st.sampled_from(('/tags/-', '/locations/-', '/locations/0', '//', '/~2', '/a/b'))
operations = st.fixed_dictionaries({}, optional={
    'op': st.sampled_from(('add', 'replace', 'remove', 'test', 'move')) | values, 'path': paths, 'value': values, 'add': paths,
    'replace': paths, 'remove': paths})
good_operations = st.fixed_dictionaries({'op': st.sampled_from(('add', 'replace')), 'path': names.map(pointer), 'value': texts | values})
patches = st.lists(operations | good_operations, max_size=4)


def encoded(value):
    """JSON as a careless client writes it: NaN, lone surrogates and all."""
    return json.dumps(value).encode()


documents = st.one_of(
    likely.map(encoded), objects.map(encoded), patches.map(encoded), values.map(encoded), st.binary(max_size=60),
    st.sampled_from((
        b'', b'{', b'[' * 3000, b'[' * 100_000, b'{"a":' * 3000 + b'1' + b'}' * 3000, b'[' * 64 + b']' * 64, b'{"a": 1, "a": 2}',
        b'{"name": "\\ud800"}', b'{"name": "\\u0000"}', b'{"name": "\xed\xa0\x80"}', b'{"min_ram": 1e400}', b'{"min_ram": -0}',
        b'{"min_ram": ' + b'1' * 5000 + b'}', b'{"min_disk": 1' + b'0' * 100_000 + b'}', b'\xef\xbb\xbf{}', '{}'.encode('utf-16'),
        '{}'.encode('utf-32'), b'[{"op": "add", "path": "/name", "value": NaN}]', b'[' + b'1,' * 30_000 + b'1]',
        b'{"tags": [' + b'"a",' * 15_000 + b'"a"]}', b'{' + b','.join(b'"%d": "v"' % n for n in range(300)) + b'}', b'null',
        b'[' + b','.join([b'{"op": "add", "path": "/name", "value": "x"}'] * 3000) + b']')))

unreserved = string.ascii_letters + string.digits + '-._~'


def quoted(text):
    """Percent-encode every byte that may not stand in a URL; lone surrogates become bytes that are not UTF-8."""
    return ''.join(chr(byte) if chr(byte) in unreserved else '%%%02X' % byte for byte in text.encode('utf-8', 'surrogatepass'))


queries = st.lists(st.tuples(st.sampled_from(FILTERS) | texts, texts | numbers.map(str) | uuids), max_size=5).map(
    lambda pairs: '&'.join(f'{quoted(name)}={quoted(value)}' for name, value in pairs)) | st.sampled_from(
    ('%', '%f', '%zz', '&&&', '=', ';', '%ff=%fe', 'a' * 9000, '&'.join(['tag=x'] * 1500), '?', '+', 'limit=1;limit=2'))
ids = uuids | texts.map(quoted) | st.sampled_from(('EXISTING', 'EXISTING%0a', 'EXISTING%00', '%', '%zz', '..', '%2e%2e', '%2F', 'x' * 9000))
targets = st.builds(
    lambda form, image_id, text: form.format(id=image_id, text=quoted(text)),
    st.sampled_from(('/v2/images', '/v2/images', '/v2/images/{id}', '/v2/images/{id}', '/v2/images/{id}/file', '/v2/schemas/image',
                     '/v2/schemas/{text}', '/v2/{text}', '/{text}', '/', '/v2', '/v2/', '/v2.{text}/images', '/versions/{text}', '//v2/images',
                     '/v2/images/{id}/{text}', '/v2/images/{id}/members', '/healthcheck', '/healthcheck/{text}', '*', '/v1/images/{id}')),
    ids, texts)
header_texts = texts.map(lambda text: re.sub(r'[\x00-\x08\x0a-\x1f\x7f]', '?', text)).map(
    lambda text: text.encode('utf-8', 'replace').decode('latin-1')[:3000].strip())
headers = st.dictionaries(st.sampled_from((
    'Accept', 'Accept-Language', 'Accept-Encoding', 'Range', 'Content-Range', 'If-Range', 'If-None-Match', 'X-Image-Meta-Store',
    'x-openstack-image-size', 'X-Openstack-Request-Id', 'X-Auth-Token', 'X-Roles', 'X-Identity-Status', 'X-Project-Id', 'X-User-Id',
    'X-Service-Catalog', 'X-Forwarded-For', 'X-Forwarded-Proto', 'Forwarded', 'X-HTTP-Method-Override', 'Origin', 'Content-MD5',
    'Access-Control-Request-Method', 'Cookie', 'Referer', 'User-Agent', 'X-Trace-Info', 'X-Trace-HMAC', 'TE', 'Date')),
    header_texts | st.sampled_from((
        '*/*', 'application/json', 'text/html;q=0', ';;', 'bytes=0-0', 'bytes=-', 'bytes 0-1/*', 'bytes=0-1,2-3', 'application/vnd.openstack.images-v2.3',
        'application/vnd.openstack.images-', 'PUT', 'http://example.org', '[]', '{}', 'bytes=9' + '9' * 50 + '-')), max_size=4)


@on_every_database
class TestFuzz(ApiTestCase):

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.image = cls.server.client().create_image(b'0123456789', protected=True)
        cls.workers = cls.server.workers()

    def tearDown(self):
        self.assertEqual(self.workers, self.server.workers(), 'a worker ended')
        self.assertEqual(b'0123456789', self.download(self.image['id']).content)
        super().tearDown()

    def checked(self, request: bytes) -> RawResponse:
        """The response to a request, which must be one and not be the server's fault."""
        response = exchange(self.server.port, request)
        told = f'{request[:600]!r}\n-> {response.data[:600]!r}'
        self.assertIsNotNone(response.status, f'no answer: {told}')
        self.assertTrue(response.complete, told)
        if response.status != 501:  # an unknown method on an unknown path
            self.assertLess(response.status, 500, f'{told}\n{self.server.log_text()[-3000:]}')
        length = response.headers.get('content-length')
        if length is not None and not request.startswith(b'HEAD '):
            self.assertEqual(int(length), len(response.body), told)
        if response.status >= 400 and not request.startswith(b'HEAD '):
            words = re.sub(r'<[^>]*>', ' ', response.body.decode()).split()
            self.assertGreater(len(words), 4, f'no sentence: {told}')
            self.assertNotIn('Traceback', response.body.decode())
        return response

    def check(self, method, target, headers=None, body=b''):
        target = target.replace('EXISTING', self.image['id'])
        return self.checked(raw_request(method, target, headers, body))

    @BOUNDED
    @given(likely | objects)
    def test_create(self, attributes):
        response = self.check('POST', '/v2/images', {'Content-Type': 'application/json'}, encoded(attributes))
        if response.status == 201:
            image = json.loads(response.body)
            shown = self.check('GET', f'/v2/images/{image["id"]}')
            self.assertEqual((200, image), (shown.status, json.loads(shown.body)))

    @BOUNDED
    @given(st.sampled_from(('POST', 'PATCH')), documents, st.sampled_from(MEDIA_TYPES))
    def test_documents(self, method, document, media_type):
        target = '/v2/images' if method == 'POST' else f'/v2/images/{self.image["id"]}'
        self.check(method, target, {'Content-Type': media_type.encode().decode('latin-1')}, document)

    @BOUNDED
    @given(st.lists(good_operations | operations, min_size=1, max_size=4), st.sampled_from(PATCH_TYPES))
    def test_patch(self, patch, media_type):
        target = f'/v2/images/{self.image["id"]}'
        before = self.show(self.image['id'])
        response = self.check('PATCH', target, {'Content-Type': media_type}, encoded(patch))
        after = self.show(self.image['id'])
        if response.status == 200:
            self.assertEqual(after, json.loads(response.body))
        else:
            self.assertEqual(before, after)
        self.assertEqual((self.image['id'], 'active', 10), (after['id'], after['status'], after['size']))
        if not after['protected'] or after['os_hidden']:
            self.client.patch(target, [{'op': 'replace', 'path': '/protected', 'value': True},
                                       {'op': 'replace', 'path': '/os_hidden', 'value': False}])

    @BOUNDED
    @given(queries)
    def test_lists(self, query):
        response = self.check('GET', '/v2/images?' + query)
        if response.status == 200:
            page = json.loads(response.body)
            for link in (page['first'], page.get('next', page['first'])):
                self.assertEqual(200, self.check('GET', link).status)

    @BOUNDED
    @given(st.sampled_from(METHODS), targets, headers, st.sampled_from((b'', b'', b'{}', b'\x00', b'x' * 70_000)), queries)
    def test_everything(self, method, target, headers, body, query):
        if method == 'DELETE' and 'EXISTING' in target:
            target = target.replace('EXISTING', str(uuid.uuid4()))
        headers = {'Content-Type': 'application/octet-stream', **headers} if body else headers
        self.check(method, f'{target}?{query}', headers, body)

    @BOUNDED
    @given(headers, st.sampled_from(('/v2/images', '/v2/images/EXISTING', '/v2/images/EXISTING/file', '/', '/v2/schemas/image')))
    def test_headers(self, headers, target):
        self.check('GET', target, headers)

    @BOUNDED
    @given(st.binary(max_size=300), headers, st.booleans())
    def test_uploads(self, data, headers, chunked):
        image_id = self.client.create_image()['id']
        body = b'%x\r\n%s\r\n0\r\n\r\n' % (len(data), data) if chunked and data else b'0\r\n\r\n' if chunked else data
        framing = {'Transfer-Encoding': 'chunked'} if chunked else {}
        headers = {'Content-Type': 'application/octet-stream', **headers, **framing}
        response = self.check('PUT', f'/v2/images/{image_id}/file', headers, body)
        image = self.show(image_id)
        self.assertEqual(('active', len(data)) if response.status == 204 else ('queued', None), (image['status'], image['size']))
        self.assertStatus(204, self.client.delete(f'/v2/images/{image_id}'))

    def test_lies_about_the_body(self):
        """A Content-Length that is none, or several, is refused and the connection closed: nothing can be smuggled in."""
        smuggled = b'GET /v2/images?name=smuggled HTTP/1.1\r\nHost: x\r\n\r\n'
        for lines in ('Content-Length: -1', 'Content-Length: x', 'Content-Length: 1e3', 'Content-Length: +5', 'Content-Length: 0x10',
                      'Content-Length: ' + '9' * 40, 'Content-Length: 5\r\nContent-Length: 6', 'Content-Length: 5, 6', 'Content-Length: 5 5',
                      'Content-Length: 5\r\nTransfer-Encoding: chunked', 'Transfer-Encoding: gzip, chunked', 'Transfer-Encoding: x',
                      'Transfer-Encoding: chunked, identity', 'Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked',
                      'Content-Length : 5', ' Content-Length: 5', 'Content-Length:\x0b5'):
            for method, target in (('PUT', f'/v2/images/{self.image["id"]}/file'), ('POST', '/v2/images'), ('GET', '/v2/images')):
                with self.subTest(lines=lines, method=method):
                    response = self.checked(f'{method} {target} HTTP/1.1\r\nHost: x\r\n{lines}\r\n\r\n'.encode() + b'0\r\n\r\n' + smuggled)
                    self.assertIn(response.status, (400, 413, 501))
        self.assertNotIn('smuggled', self.server.log_text())

    def test_heads_that_are_none(self):
        for head in ('GET /v2/images HTTP/1.1\r\nHost: x\r\nA: ' + 'x' * 20_000, 'GET /' + 'x' * 20_000 + ' HTTP/1.1\r\nHost: x',
                     'GET /v2/images HTTP/1.1\r\nHost: x\r\n' + '\r\n'.join(f'A{number}: x' for number in range(250)),
                     'GET /v2/images HTTP/1.1\r\nHost: x\r\nA: b\r\n folded', 'GET /v2/images HTTP/1.1\r\nHost: x\r\nA: \x00',
                     'GET /v2/images HTTP/1.1\r\nHost: x\r\nno colon', 'GET /v2/images HTTP/1.1\r\nHost: x\r\n: no name',
                     'GET  /v2/images HTTP/1.1\r\nHost: x', 'GET /v2/ images HTTP/1.1\r\nHost: x', 'GET /v2/images HTTP/9.9\r\nHost: x',
                     'GET /v2/images HTTP/1.1\r\nHost: x\r\nHost: y', '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03', 'G\x00T / HTTP/1.1',
                     'CONNECT example.org:80 HTTP/1.1\r\nHost: x'):
            with self.subTest(head=head[:60]):
                response = exchange(self.server.port, head.encode('latin-1') + b'\r\n\r\n')
                self.assertIsNotNone(response.status, response.data)
                self.assertTrue(400 <= response.status < 500 or response.status in (501, 505), response.data[:300])
