"""Version discovery and negotiation."""
import unittest

from glance.api.middleware.version_negotiation import VersionNegotiationFilter
from tests.unit.api import wsgi_client
from tests.unit.layers import fakes

ALWAYS = {0, 1, 2, 3, 4, 5, 6, 7, 9, 15, 17}
MULTI = {8, 10, 11, 12, 13}
CACHE = {14, 16, 18}
MEDIA_TYPE = 'application/vnd.openstack.images-'


class Base(unittest.TestCase):

    def setUp(self):
        self.conf = fakes.make_conf()
        self.seen = None

    def application(self):
        def inner(environ, start_response):
            self.seen = environ['PATH_INFO']
            start_response('200 OK', [('Content-Type', 'text/plain')])
            return [b'inner']
        return VersionNegotiationFilter(inner, self.conf)

    def request(self, target, method='GET', **headers):
        self.seen = None
        return wsgi_client.request(self.application(), method, target, headers=headers)

    def configure(self, multi=False, cache=False):
        self.conf.set_override('enabled_backends', {'a': 'file'} if multi else None)
        self.conf.set_override('image_cache_dir', '/cache' if cache else None)


class DocumentTest(Base):

    def entries(self, target='/versions', **headers):
        return self.request(target, **headers).json['versions']

    def test_sets_and_order(self):
        for multi in (False, True):
            for cache in (False, True):
                with self.subTest(multi=multi, cache=cache):
                    self.configure(multi, cache)
                    minors = ALWAYS | (MULTI if multi else set()) | (CACHE if cache else set())
                    entries = self.entries()
                    self.assertEqual(['v2.%d' % minor for minor in sorted(minors, reverse=True)],
                                     [entry['id'] for entry in entries])
                    self.assertEqual(['CURRENT'] + ['SUPPORTED'] * (len(minors) - 1),
                                     [entry['status'] for entry in entries])

    def test_links(self):
        for entry in self.entries():
            self.assertEqual([{'rel': 'self', 'href': 'http://localhost:9292/v2/'}], entry['links'])
            self.assertEqual({'id', 'status', 'links'}, set(entry))

    def test_the_public_endpoint_is_the_base(self):
        for endpoint in ('https://images.example.org', 'https://images.example.org/'):
            self.conf.set_override('public_endpoint', endpoint)
            self.assertEqual('https://images.example.org/v2/', self.entries()[0]['links'][0]['href'])

    def test_the_public_endpoint_may_have_a_path(self):
        self.conf.set_override('public_endpoint', 'https://example.org/image/')
        self.assertEqual('https://example.org/image/v2/', self.entries()[0]['links'][0]['href'])

    def test_the_base_is_that_of_the_request(self):
        environ = wsgi_client.environ_of('GET', '/', SCRIPT_NAME='/image', HTTP_HOST='x.example.org',
                                         **{'wsgi.url_scheme': 'https'})
        document = wsgi_client.call(self.application(), environ).json
        self.assertEqual('https://x.example.org/image/v2/', document['versions'][0]['links'][0]['href'])

    def test_without_a_host_header(self):
        environ = wsgi_client.environ_of('GET', '/')
        del environ['HTTP_HOST']
        document = wsgi_client.call(self.application(), environ).json
        self.assertEqual('http://localhost:9292/v2/', document['versions'][0]['links'][0]['href'])

    def test_v1_comes_last(self):
        self.conf.set_override('enable_v1_api', True)
        entries = self.entries()[-2:]
        self.assertEqual([('v1.1', 'DEPRECATED', 'http://localhost:9292/v1/'),
                          ('v1.0', 'DEPRECATED', 'http://localhost:9292/v1/')],
                         [(entry['id'], entry['status'], entry['links'][0]['href']) for entry in entries])

    def test_v1_alone(self):
        self.conf.set_override('enable_v1_api', True)
        self.conf.set_override('enable_v2_api', False)
        self.assertEqual(['v1.1', 'v1.0'], [entry['id'] for entry in self.entries()])
        self.assertEqual(300, self.request('/v2/images').status_int)

    def test_type_and_length(self):
        response = self.request('/')
        self.assertEqual('application/json', response.headers['Content-Type'])
        self.assertEqual(str(len(response.body)), response.headers['Content-Length'])


class StatusTest(Base):

    def test_versions_is_200(self):
        for target in ('/versions', '/versions/', '/versions/2', '/versions?x=y'):
            for method in ('GET', 'POST', 'PUT', 'DELETE', 'PATCH', 'OPTIONS'):
                with self.subTest(target=target, method=method):
                    self.assertEqual(200, self.request(target, method).status_int)
                    self.assertIsNone(self.seen)

    def test_anything_unknown_is_300(self):
        for target in ('/', '', '/v3', '/foo', '/foo/versions', '/v2.99/images', '/v2.05/images', '/V2/images',
                       '/2/images', '/2.0',
                       '/v2.18/images', '/v2.8/images', '/v1/images', '/v1.1/images', '//v2/images', '/versionsx',
                       '/v2.', '/v',
                       '/v2%20/images', '/vv2'):
            with self.subTest(target=target):
                self.assertEqual(300, self.request(target).status_int)
                self.assertIsNone(self.seen)

    def test_head_has_no_body(self):
        response = self.request('/versions', 'HEAD')
        self.assertEqual((200, b''), (response.status_int, response.body))


class PathTest(Base):

    def test_every_enabled_minor_is_the_same(self):
        for multi, cache in ((False, False), (True, False), (False, True), (True, True)):
            self.configure(multi, cache)
            offered = ALWAYS | (MULTI if multi else set()) | (CACHE if cache else set())
            for minor in range(20):
                with self.subTest(minor=minor, multi=multi, cache=cache):
                    response = self.request('/v2.%d/images' % minor)
                    self.assertEqual('/v2/images' if minor in offered else None, self.seen)
                    self.assertEqual(200 if minor in offered else 300, response.status_int)

    def test_the_rest_of_the_path_is_kept(self):
        for target, path in (('/v2', '/v2'), ('/v2/', '/v2/'), ('/v2.0', '/v2'), ('/v2.0/', '/v2/'),
                             ('/v2.3/images/', '/v2/images/'),
                             ('/v2/images//x', '/v2/images//x'), ('/v2//images', '/v2//images'),
                             ('/v2/versions', '/v2/versions')):
            with self.subTest(target=target):
                self.request(target)
                self.assertEqual(path, self.seen)

    def test_v1_names(self):
        self.conf.set_override('enable_v1_api', True)
        for name in ('v1', 'v1.0', 'v1.1'):
            self.request('/%s/images' % name)
            self.assertEqual('/v1/images', self.seen)
        self.assertEqual(300, self.request('/v1.2/images').status_int)


class AcceptTest(Base):

    def test_the_media_type_chooses_and_the_path_stays(self):
        for version in ('v2', 'v2.0', 'v2.17'):
            self.request('/images', accept=MEDIA_TYPE + version)
            self.assertEqual('/v2/images', self.seen)

    def test_a_version_in_the_path_is_then_part_of_the_path(self):
        self.request('/v2/images', accept=MEDIA_TYPE + 'v2')
        self.assertEqual('/v2/v2/images', self.seen)

    def test_an_unknown_version(self):
        for version in ('v3', 'v2.99', '', 'v2;q=1', 'v2, text/html', 'V2', '2', 'v2.18', 'v2+json'):
            with self.subTest(version=version):
                self.assertEqual(300, self.request('/v2/images', accept=MEDIA_TYPE + version).status_int)
                self.assertIsNone(self.seen)

    def test_only_at_the_start_of_the_header(self):
        self.request('/v2/images', accept='text/html, %sv3' % MEDIA_TYPE)
        self.assertEqual('/v2/images', self.seen)
