"""Paths and methods of the v2 API."""
from tests.unit.api.serving import OCTETS, ServingTestCase


class RouteTest(ServingTestCase):

    def test_other_methods_are_405_with_the_ones_there_are(self):
        for path, allowed in (('/images', {'GET', 'POST'}), ('/images/x', {'GET', 'HEAD', 'PATCH', 'DELETE'}),
                              ('/schemas/image', {'GET'}), ('/schemas/images', {'GET'}),
                              ('/schemas/member', {'GET'}), ('/schemas/members', {'GET'}),
                              ('/images/x/members', {'GET', 'POST'}),
                              ('/images/x/members/y', {'GET', 'PUT', 'DELETE'}), ('/images/x/tags/y', {'PUT', 'DELETE'}),
                              ('/info/usage', {'GET'}), ('/images/x/actions/deactivate', {'POST'}), ('/images/x/actions/reactivate', {'POST'})):
            for method in ('GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'PROPFIND', 'TRACE'):
                if method not in allowed:
                    with self.subTest(path=path, method=method):
                        response = self.call(method, path)
                        self.assertEqual(405, response.status_int)
                        self.assertEqual(allowed, set(response.headers['Allow'].split(', ')))

    def test_a_refused_method_is_refused_without_a_look_at_the_body(self):
        self.assertEqual(405, self.code('POST', '/images/x/file', b'\xff{', {'Content-Type': OCTETS}))

    def test_head_answers_have_no_body(self):
        response = self.call('HEAD', '/images')
        self.assertEqual((405, b''), (response.status_int, response.body))

    def test_head_of_data(self):
        image = self.active()
        response = self.call('HEAD', '/images/%s/file' % image['id'])
        self.assertEqual((200, b'', '10', image['checksum']), (
            response.status_int, response.body, response.headers['Content-Length'], response.headers['Content-MD5']))

    def test_unknown_paths(self):
        for path in ('/', '/images/', '/images/x/', '/images/x/files', '/image', '/Images', '/images//file', '/schemas',
                     '/schemas/',
                     '/schemas/nothing', '/images/x/file/', '/images/a%2Fb', '/images/a%2fb', '/images/x/file/y',
                     '/v2/images', '//images',
                     '/images/%00', '/images/' + 'x' * 10000, '/images/x/actions',
                     '/images/x/actions/activate', '/images/x/members/', '/images/x/members/y/z', '/images/x/tags',
                     '/images/x/tags/', '/images/x/tags/a/b', '/images/x/tags/a%2Fb'):
            with self.subTest(path=path[:40]):
                self.assertEqual(404, self.code('GET', path))

    def test_an_encoded_slash_does_not_reach_another_resource(self):
        image = self.active()
        for path in ('/images/%s%%2Ffile' % image['id'], '/images%%2F%s' % image['id'],
                     '/images/%s/tags%%2Fx' % image['id']):
            self.assertEqual(404, self.code('GET', path))

    def test_unknown_methods_of_unknown_paths(self):
        for method, code in (('PROPFIND', 501), ('OPTIONS', 501), ('get', 501), ('GET', 404), ('HEAD', 404),
                             ('POST', 404), ('PUT', 404),
                             ('DELETE', 404), ('PATCH', 404)):
            with self.subTest(method=method):
                self.assertEqual(code, self.code(method, '/nothing'))

    def test_a_path_that_is_not_utf8(self):
        self.assertEqual(400, self.code('GET', '/images/%ff'))
        self.assertEqual(404, self.code('GET', '/images/%C3%A9'))

    def test_the_bare_version(self):
        response = self.call('GET', '')
        self.assertEqual((302, 'http://localhost:9292/v2/', ''), (response.status_int, response.headers['Location'],
                                                                  response.text.strip()))

    def test_ids_are_compared_exactly(self):
        image = self.create(id='0000000a-0000-0000-0000-000000000005')
        self.assertEqual(404, self.code('GET', '/images/' + image['id'].upper()))
        self.assertEqual(404, self.code('GET', '/images/%s%%20' % image['id']))
