"""Request ids, the access log, and what happens to response bodies on their way out."""
import unittest

from glance import exceptions
from glance.context import RequestContext
from glance.transfer.body import ReaderBody
from glance.wsgi import application
from tests.unit.api import wsgi_client
from tests.unit.layers import fakes

HEADER = 'X-Openstack-Request-ID'


class Base(unittest.TestCase):

    def setUp(self):
        self.env = fakes.make_environment(self)
        self.conf = self.env.conf
        self.serve(lambda environ: [b'body'])

    def serve(self, answer):
        """``answer`` takes the environ and returns the body, or raises."""
        self.seen = None

        def pipeline(environ, start_response):
            self.seen = environ
            body = answer(environ)
            start_response('200 OK', [('Content-Type', 'text/plain')])
            return body
        self.application = application.Application(pipeline, self.conf, self.env)
        self.addCleanup(self.application.close)

    def request(self, method='GET', target='/v2/images', headers=None, **extra):
        return wsgi_client.request(self.application, method, target, b'', headers, **extra)

    def logged(self, *args, **kwargs):
        with self.assertLogs('glance.access', 'INFO') as logs:
            self.request(*args, **kwargs)
        self.assertEqual(1, len(logs.records))
        return logs.records[0].getMessage()


class RequestIdTest(Base):

    def request_id(self, given=None):
        response = self.request(headers={} if given is None else {HEADER: given})
        self.assertEqual(200, response.status_int)
        self.assertEqual([response.headers[HEADER]], response.headers.getall(HEADER))
        self.assertEqual(self.seen['glance.request_id'], response.headers[HEADER])
        return response.headers[HEADER]

    def test_one_is_made(self):
        self.assertRegex(self.request_id(), '^req-[0-9a-f-]{36}$')
        self.assertNotEqual(self.request_id(), self.request_id())

    def test_the_clients_is_taken_over(self):
        self.assertEqual('req-abc', self.request_id('req-abc'))
        self.assertEqual('req-a.b:c_d-1', self.request_id('a.b:c_d-1'))

    def test_harmful_ones_are_replaced(self):
        for given in ('', 'a b', 'a\tb', 'é', 'a\x1b[31m', 'a/b', 'req-a;b', 'a%0a', '"', 'a\n', '٣'):
            with self.subTest(given=given):
                self.assertRegex(self.request_id(given), '^req-[0-9a-f-]{36}$')

    def test_one_that_is_too_long(self):
        self.assertEqual('req-' + 'a' * 60, self.request_id('req-' + 'a' * 60))
        response = self.request(headers={HEADER: 'a' * 65})
        self.assertEqual(431, response.status_int)
        self.assertRegex(response.headers[HEADER], '^req-[0-9a-f-]{36}$')

    def test_the_pipeline_does_not_see_a_refused_request(self):
        self.request(headers={HEADER: 'a' * 65})
        self.assertIsNone(self.seen)

    def test_the_limit_is_an_option(self):
        self.conf.set_override('max_request_id_length', 5)
        self.assertEqual(431, self.request(headers={HEADER: 'abcdef'}).status_int)
        self.conf.set_override('max_request_id_length', 0)
        self.assertEqual('req-' + 'a' * 500, self.request_id('a' * 500))

    def test_the_form_of_a_refusal_follows_accept(self):
        response = self.request(headers={HEADER: 'a' * 65, 'Accept': 'application/json'})
        self.assertEqual('431 Request Header Fields Too Large', response.json['code'])

    def test_the_environment_is_handed_down(self):
        self.request()
        self.assertIs(self.env, self.seen['glance.environment'])


class AccessLogTest(Base):

    def test_a_line(self):
        def answer(environ):
            environ['glance.context'] = RequestContext(user_id='u-1', project_id='p-1', overwrite=False)
            return [b'12', b'345']
        self.serve(answer)
        line = self.logged('GET', '/v2/images?limit=2')
        for part in ('127.0.0.1', 'u-1', 'p-1', 'GET /v2/images?limit=2', 'status: 200', 'len: 5'):
            self.assertIn(part, line)

    def test_without_a_caller(self):
        self.assertIn('- -', self.logged())

    def test_a_refusal(self):
        self.assertIn('status: 431', self.logged(headers={HEADER: 'a' * 65}))

    def test_a_target_cannot_forge_lines(self):
        for target in ('/x\ny', '/x\r\ny', '/\x1b[2J', '/\u2028'):
            with self.subTest(target=ascii(target)):
                line = self.logged(RAW_URI=target)
                self.assertTrue(line.isprintable())

    def test_a_long_target_is_cut(self):
        self.assertLess(len(self.logged(RAW_URI='/' + 'x' * 100000)), 3000)

    def test_the_line_is_written_when_the_body_is_closed(self):
        environ = wsgi_client.environ_of('GET', '/')
        with self.assertNoLogs('glance.access'):
            body = self.application(environ, lambda status, headers, exc_info=None: None)
            self.assertEqual(b'body', b''.join(body))
        with self.assertLogs('glance.access', 'INFO'):
            body.close()

    def test_a_body_that_was_cut_short_is_counted_as_far_as_it_went(self):
        self.serve(lambda environ: iter([b'12', b'34', b'56']))
        body = self.application(wsgi_client.environ_of('GET', '/'), lambda status, headers, exc_info=None: None)
        pieces = iter(body)
        next(pieces)
        with self.assertLogs('glance.access', 'INFO') as logs:
            body.close()
        self.assertIn('len: 2', logs.output[0])


class BodyTest(Base):

    def test_the_body_of_the_pipeline_is_closed(self):
        closed = []

        class Body(list):
            def close(self):
                closed.append(True)
        self.serve(lambda environ: Body([b'x']))
        self.request()
        self.assertEqual([True], closed)

    def test_the_line_is_written_although_closing_fails(self):
        class Body(list):
            def close(self):
                raise OSError
        self.serve(lambda environ: Body([b'x']))
        body = self.application(wsgi_client.environ_of('GET', '/'), lambda status, headers, exc_info=None: None)
        with self.assertLogs('glance.access', 'INFO'), self.assertRaises(OSError):
            body.close()

    def test_an_image_reaches_the_server_as_it_is(self):
        """The server sends such a body with sendfile, and has to see the object."""
        reader = fakes.Reader(b'0123456789')
        self.serve(lambda environ: ReaderBody(reader))
        body = self.application(wsgi_client.environ_of('GET', '/'), lambda status, headers, exc_info=None: None)
        self.assertIsInstance(body, ReaderBody)
        with self.assertLogs('glance.access', 'INFO') as logs:
            self.assertEqual(b'0123456789', b''.join(body))
            body.close()
        self.assertEqual((True, 1), (reader.closed, len(logs.output)))
        self.assertIn('len: 10', logs.output[0])


class LifeTest(Base):

    def test_close_releases_everything(self):
        self.application.close()
        self.assertTrue(self.env.stores.closed)

    def test_start_and_stop_of_the_log_name_no_caller_of_before(self):
        RequestContext(user_id='before')
        seen = []

        def answer(environ):
            from oslo_context import context
            seen.append((context.get_current().user_id, context.get_current().request_id))
            return []
        self.serve(answer)
        self.request()
        self.assertEqual(None, seen[0][0])
        self.assertTrue(seen[0][1].startswith('req-'))


class LoadTest(unittest.TestCase):

    def test_a_paste_file_that_cannot_be_used(self):
        directory = fakes.temporary_directory(self)
        for text in ('', 'no section', '[app:glance-api]\npaste.app_factory = nowhere:factory\n',
                     '[pipeline:glance-api]\npipeline = absent\n'):
            with self.subTest(text=text):
                with open(directory + '/glance-api-paste.ini', 'w') as file:
                    file.write(text)
                with self.assertRaises(exceptions.ConfigurationError) as caught:
                    application.load(fakes.make_conf(directory))
                self.assertIn(directory, str(caught.exception))

    def test_a_flavor_that_is_none(self):
        directory = fakes.temporary_directory(self)
        with open(directory + '/glance-api-paste.ini', 'w') as file:
            file.write('[app:glance-api]\npaste.app_factory = glance.api.v2.router:API.factory\n')
        with self.assertRaises(exceptions.ConfigurationError) as caught:
            application.load(fakes.make_conf(directory, '[paste_deploy]\nflavor = nonsense\n'))
        self.assertIn('nonsense', str(caught.exception))
