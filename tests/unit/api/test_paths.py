"""Composites of applications, and the whole stack put together by hand."""
import unittest
from unittest import mock

from oslo_middleware import cors, http_proxy_to_wsgi
from osprofiler import _utils, web

from glance import api, conf, exceptions
from glance.api.middleware.context import ContextMiddleware
from glance.api.middleware.version_negotiation import VersionNegotiationFilter
from glance.api.v2.router import API
from glance.api.versions import Versions
from tests.unit.api import wsgi_client
from tests.unit.layers import fakes


def application(name):
    def serve(environ, start_response):
        start_response('200 OK', [('Content-Type', 'text/plain')])
        return [('%s %s %s' % (name, environ['SCRIPT_NAME'], environ['PATH_INFO'])).encode()]
    return serve


class Loader:
    """What paste gives to a composite factory."""

    def __init__(self, **filters):
        self.loaded = []

    def get_app(self, name, global_conf=None):
        self.loaded.append(name)
        return application(name)

    def get_filter(self, name, global_conf=None):
        def wrap(inner):
            def serve(environ, start_response):
                return [name.encode() + b' '] + list(inner(environ, start_response))
            return serve
        return wrap


class PathMapTest(unittest.TestCase):

    def get(self, path, **applications):
        paths = applications.pop('paths')
        return wsgi_client.request(api.PathMap({each: application(each) for each in paths}), 'GET', path)

    def test_the_longest_path_that_fits(self):
        paths = ('/', '/v2', '/v2/deep', '/healthcheck/')
        for path, expected in (('/', '/  /'), ('/x', '/  /x'), ('/v2', '/v2 /v2 '), ('/v2/', '/v2 /v2 /'),
                               ('/v2/images', '/v2 /v2 /images'),
                               ('/v2x', '/  /v2x'), ('/v2/deep/er', '/v2/deep /v2/deep /er'), ('/V2', '/  /V2'),
                               ('/healthcheck', '/healthcheck/ /healthcheck ')):
            with self.subTest(path=path):
                self.assertEqual(expected, self.get(path, paths=paths).text)

    def test_nothing_fits(self):
        self.assertEqual(404, self.get('/x', paths=('/v2',)).status_int)

    def test_a_script_name_is_kept(self):
        mapped = api.PathMap({'/v2': application('v2')})
        environ = wsgi_client.environ_of('GET', '/v2/images', SCRIPT_NAME='/image')
        self.assertEqual('v2 /image/v2 /images', wsgi_client.call(mapped, environ).text)


class FactoryTest(unittest.TestCase):

    def setUp(self):
        self.conf = fakes.make_conf()
        patcher = mock.patch.object(conf, 'CONF', self.conf)
        patcher.start()
        self.addCleanup(patcher.stop)

    def test_versions_that_are_switched_off_are_left_out(self):
        for v1, v2, expected in ((False, True, ['root', 'two']), (True, True, ['root', 'one', 'two']),
                                 (True, False, ['root', 'one'])):
            self.conf.set_override('enable_v1_api', v1)
            self.conf.set_override('enable_v2_api', v2)
            loader = Loader()
            api.root_app_factory(loader, {}, **{'/': 'root', '/v1': 'one', '/v2': 'two'})
            self.assertEqual(expected, loader.loaded)

    def test_the_flavor_chooses_the_pipeline(self):
        for flavor, expected in ((None, 'a b app  /'), ('keystone', 'c app  /')):
            self.conf.set_override('flavor', flavor, 'paste_deploy')
            stack = api.pipeline_factory(Loader(), {}, default='a b app', keystone='c app')
            self.assertEqual(expected, wsgi_client.request(stack, 'GET', '/').text)
        self.conf.set_override('flavor', 'other', 'paste_deploy')
        with self.assertRaisesRegex(exceptions.ConfigurationError, 'flavor = other .* default, keystone'):
            api.pipeline_factory(Loader(), {}, default='a b app', keystone='c app')


class DetourTest(unittest.TestCase):
    """Filters of libraries do the same as without the way past them, whatever they are configured to do."""

    def setUp(self):
        self.conf = fakes.make_conf()
        patcher = mock.patch.object(conf, 'CONF', self.conf)
        patcher.start()
        self.addCleanup(patcher.stop)
        self.seen = []

    def application(self, environ, start_response):
        self.seen.append((environ['wsgi.url_scheme'], environ['HTTP_HOST'], environ['SCRIPT_NAME'],
                          'webob.adhoc_attrs' in environ or any(name.startswith('webob.') for name in environ)))
        found = environ['REQUEST_METHOD'] in ('GET', 'HEAD')
        start_response('200 OK' if found else '405 Method Not Allowed', [('Content-Type', 'text/plain')])
        return [b'' if environ['REQUEST_METHOD'] == 'HEAD' else b'here']

    def compare(self, wrap, method, **headers):
        """Return the response, the same as without detour, and whether the filter had the request."""
        class Loader:
            get_app = staticmethod(lambda name, global_conf=None: self.application)
            get_filter = staticmethod(lambda name, global_conf=None: wrap)

        responses = [wsgi_client.request(stack, method, '/', headers=headers)
                     for stack in (wrap(self.application), api.pipeline_factory(Loader(), {}, default='filter app'))]
        (*alone, _), (*detoured, filtered) = self.seen[-2:]
        self.assertEqual(alone, detoured)
        alone, detoured = responses
        self.assertEqual((alone.status, sorted(alone.headers.items()), alone.body),
                         (detoured.status, sorted(detoured.headers.items()), detoured.body))
        return detoured, filtered

    def test_cors(self):
        for allowed in ('', 'http://here'):
            filtering = cors.filter_factory({}, allowed_origin=allowed or None) if allowed else \
                cors.filter_factory({}, oslo_config_project='glance')
            for method in ('GET', 'HEAD', 'POST'):
                self.assertFalse(self.compare(filtering, method)[1])
            response, filtered = self.compare(filtering, 'GET', Origin='http://here')
            self.assertEqual((bool(allowed), True), ('Access-Control-Allow-Origin' in response.headers, filtered))
            self.assertEqual(200, self.compare(filtering, 'OPTIONS')[0].status_int)

    def test_proxy_headers(self):
        for switch in ('true', 'false'):
            filtering = http_proxy_to_wsgi.HTTPProxyToWSGI.factory({}, enable_proxy_headers_parsing=switch)
            self.assertFalse(self.compare(filtering, 'GET')[1])
            for headers in ({'X-Forwarded-Proto': 'https'}, {'X-Forwarded-Host': 'there'}, {'X-Forwarded-Prefix': '/p'},
                            {'X-Forwarded-For': '192.0.2.1'}, {'Forwarded': 'proto=https;host=there'}):
                self.assertTrue(self.compare(filtering, 'GET', **headers)[1])

    def test_traces(self):
        filtering = web.WsgiMiddleware.factory({}, hmac_keys='key', enabled=True)
        self.assertFalse(self.compare(filtering, 'GET')[1])
        packed = _utils.signed_pack({'base_id': 'b', 'parent_id': 'p'}, 'key')
        self.assertTrue(self.compare(filtering, 'GET', **{'X-Trace-Info': packed[0].decode(), 'X-Trace-HMAC': packed[1]})[1])


class StackTest(unittest.TestCase):
    """Negotiation, identity and routes as the paste file puts them together."""

    def setUp(self):
        self.env = fakes.make_environment(self)
        root = api.PathMap({'/': Versions(self.env.conf), '/v2': API()})
        self.stack = VersionNegotiationFilter(ContextMiddleware(root, self.env.conf), self.env.conf)

    def call(self, method, target, confirmed=True, body=b'', **headers):
        identity = {'X-Identity-Status': 'Confirmed', 'X-Roles': 'member,reader', 'X-Project-Id': fakes.OWNER,
                    'X-User-Id': 'u'}
        return wsgi_client.request(self.stack, method, target, body, {**(identity if confirmed else {}), **headers},
                                   **{'glance.environment': self.env, 'glance.request_id': 'req-1'})

    def test_every_minor_serves_the_same(self):
        for minor in (0, 1, 2, 3, 4, 5, 6, 7, 9, 15, 17):
            self.assertEqual('/v2/images', self.call('GET', '/v2.%d/images' % minor).json['first'])

    def test_the_bare_version_leads_to_the_slash(self):
        for path in ('/v2', '/v2.3'):
            response = self.call('GET', path)
            self.assertEqual((302, 'http://localhost:9292/v2/'), (response.status_int, response.headers['Location']))
            self.assertEqual(401, self.call('GET', path, confirmed=False).status_int)
        self.assertEqual(404, self.call('GET', '/v2/').status_int)
        self.assertEqual(401, self.call('GET', '/v2/', confirmed=False).status_int)

    def test_a_version_in_the_accept_header(self):
        accept = {'Accept': 'application/vnd.openstack.images-v2.3'}
        self.assertEqual(200, self.call('GET', '/images', **accept).status_int)
        self.assertEqual(404, self.call('GET', '/v2/images', **accept).status_int)

    def test_discovery_needs_no_token(self):
        for target, code in (('/', 300), ('/versions', 200), ('/v3', 300)):
            self.assertEqual(code, self.call('GET', target, confirmed=False).status_int)

    def test_everything_else_does(self):
        for method, target in (('GET', '/v2/images'), ('POST', '/v2/images'), ('GET', '/v2/nothing'),
                               ('PUT', '/v2/images/x/file'),
                               ('GET', '/v2/schemas/image'), ('PROPFIND', '/v2/images')):
            with self.subTest(method=method, target=target):
                self.assertEqual(401, self.call(method, target, confirmed=False).status_int)

    def test_the_location_of_a_new_image_is_under_v2(self):
        response = self.call('POST', '/v2.3/images', body=b'{}')
        self.assertEqual('http://localhost:9292/v2/images/' + response.json['id'], response.headers['Location'])

    def test_a_policy_that_sees_the_caller(self):
        self.assertEqual(403, self.call('GET', '/v2/images', **{'X-Roles': 'nobody'}).status_int)
