"""What operators read: one line for each request, no secrets, and nothing that a client could forge."""

import re
import uuid

from tests.functional.api.base import ApiTestCase, Upload, exchange, raw_request, wait_for

LINE = re.compile(
    r'\S+ \S+ \d+ INFO glance\.access \[(?P<context>[^\]]*)\] (?P<address>\S+) (?P<user>\S+) (?P<project>\S+) '
    r'"(?P<method>\S+) (?P<target>[^"]*)" status: (?P<status>\d{3}) len: (?P<length>\d+) time: (?P<ms>[\d.]+) ms')
LOG_LINE = re.compile(r'\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d+ \d+ [A-Z]+ [\w.]+ ')


class LogTestCase(ApiTestCase):
    PROJECTS = True

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        # A line is written when its response has been sent: the one about the harness's own request may be late.
        wait_for('the first line', lambda: '"GET /versions"' in cls.server.log_text())

    def mark(self):
        """What is logged from here on is what counts."""
        self.start = len(self.server.log_text())

    def access_lines(self, count=1):
        """The access lines since the mark: *count* of them, and not one more after a request that follows."""
        marker = f'/v2/images?name={uuid.uuid4()}'
        self.client.get(marker)

        def lines():
            found = [match.groupdict() for line in self.server.log_text()[self.start:].splitlines()
                     if (match := LINE.match(line))]
            return found if any(line['target'] == marker for line in found) and len(found) > count else None
        found = [line for line in wait_for(f'{count} access lines', lines, 10) if line['target'] != marker]
        self.assertEqual(count, len(found), found)
        return found

    def logged(self, response):
        """The only access line about a response, checked against it."""
        # Lines of requests before may come late: they are told from this one by the ids of their requests.
        request_id = response.headers['X-Openstack-Request-ID']

        def lines():
            return [match.groupdict() for line in self.server.log_text()[self.start:].splitlines()
                    if (match := LINE.match(line)) and request_id in match['context']]
        wait_for('the access line', lines, 10)
        self.assertStatus(200, self.client.get('/v2/images?limit=0'))
        [line] = lines()
        self.assertEqual(str(response.status_code), line['status'])
        self.assertEqual(response.request.method, line['method'])
        self.assertEqual(response.request.path_url, line['target'])
        self.assertEqual('127.0.0.1', line['address'])
        self.assertEqual(len(response.content), int(line['length']))
        self.assertIn(response.headers['X-Openstack-Request-ID'], line['context'])
        return line


class TestAccessLines(LogTestCase):

    def test_one_line_for_each_request(self):
        caller = self.caller('p1')
        active = caller.create_image(b'0123456789')['id']
        queued = caller.create_image()['id']
        for method, path, kwargs in (
                ('GET', '/v2/images?limit=1', {}), ('POST', '/v2/images', {'json': {'name': 'n'}}),
                ('POST', '/v2/images', {'json': []}), ('GET', f'/v2/images/{active}', {}),
                ('GET', f'/v2/images/{uuid.uuid4()}', {}), ('GET', f'/v2/images/{active}/file', {}),
                ('GET', f'/v2/images/{active}/file', {'headers': {'Range': 'bytes=2-4'}}),
                ('PUT', f'/v2/images/{queued}/file', {'data': b'x' * 100_000,
                                                      'headers': {'Content-Type': 'application/octet-stream'}}),
                ('PUT', f'/v2/images/{queued}/file', {'data': b'x' * 100_000}),
                ('DELETE', f'/v2/images/{queued}', {}), ('PATCH', f'/v2/images/{active}', {'data': b'[]'}),
                ('GET', '/v2/nothing', {}), ('FOO', '/v2/nothing', {}), ('HEAD', '/v2/images', {}),
                ('GET', '/v2', {})):
            with self.subTest(method=method, path=path):
                self.mark()
                line = self.logged(caller.request(method, path, **kwargs))
                self.assertEqual(('user-of-p1', 'p1'), (line['user'], line['project']))

    def test_without_identity(self):
        for path, status in (('/v2/images', '401'), ('/', '300'), ('/versions', '200')):
            with self.subTest(path=path):
                self.mark()
                line = self.logged(self.server.client().get(path))
                self.assertEqual((status, '-', '-'), (line['status'], line['user'], line['project']))

    def test_a_refused_request_id(self):
        self.mark()
        self.assertEqual('431', self.logged(self.client.get('/v2', headers={'X-Openstack-Request-Id': 'x' * 65}))['status'])

    def test_the_id_of_the_client(self):
        self.mark()
        self.assertIn('req-from-nova', self.logged(self.client.get('/v2', headers={
            'X-Openstack-Request-Id': 'from-nova'}))['context'])

    def test_the_identity_of_the_request_before_does_not_stick(self):
        self.caller('secretive').get('/v2/images')
        for _ in range(20):
            self.mark()
            line = self.logged(self.server.client().get('/v2/images'))
            self.assertNotIn('secretive', str(line))

    def test_a_request_that_breaks_off(self):
        image_id = self.client.create_image()['id']
        self.mark()
        upload = Upload(self.server, image_id, 100_000, **{
            'X-Identity-Status': 'Confirmed', 'X-Roles': 'admin', 'X-Project-Id': 'admin'})
        upload.send(b'x' * 65536)
        upload.disconnect()
        wait_for('queued again', lambda: self.show(image_id)['status'] == 'queued' and '"PUT ' in self.server.log_text())
        found = [match.groupdict() for line in self.server.log_text()[self.start:].splitlines()
                 if (match := LINE.match(line)) and match['method'] == 'PUT']
        self.assertEqual([f'/v2/images/{image_id}/file'], [line['target'] for line in found])


class TestSecrets(LogTestCase):

    def test_tokens_stay_out(self):
        secrets = {'X-Auth-Token': uuid.uuid4().hex, 'X-Service-Token': uuid.uuid4().hex, 'X-Storage-Token': uuid.uuid4().hex,
                   'Authorization': 'Bearer ' + uuid.uuid4().hex, 'Cookie': 'session=' + uuid.uuid4().hex,
                   'X-Subject-Token': uuid.uuid4().hex}
        caller = self.caller('p1')
        caller.session.headers.update(secrets)
        self.mark()
        image = caller.create_image(b'data')
        for path in ('', '/file', '/nothing'):
            caller.get(f'/v2/images/{image["id"]}{path}')
        caller.post('/v2/images', data=b'{')
        caller.delete(f'/v2/images/{image["id"]}')
        self.access_lines(8)
        log = self.server.log_text()
        for name, secret in secrets.items():
            with self.subTest(name=name):
                self.assertNotIn(secret.split('=')[-1].split(' ')[-1], log)


class TestForgery(LogTestCase):

    def test_every_line_is_the_server_s(self):
        forged = '2026-01-01 00:00:00.000 1 INFO glance.access [-] forged'
        encoded = '%0d%0a' + forged.replace(' ', '%20')
        identity = {'X-Identity-Status': 'Confirmed', 'X-Roles': 'admin', 'X-User-Id': 'u', 'X-Project-Id': 'p'}
        image_id = self.client.create_image(name='line\r\nbreak', tags=['\n' + forged])['id']
        self.mark()
        for target, headers in (
                ('/v2/images/' + encoded, {}), (f'/v2/images?name={encoded}', {}), (f'/v2/images?limit={encoded}', {}),
                (f'/v2/images?sort_key={encoded}', {}), ('/v2/images?' + encoded + '=x', {}), ('/v2/' + encoded, {}),
                ('/' + encoded, {}), (f'/v2/images/{image_id}', {'User-Agent': '\x1b[31mred\x07'}),
                ('/v2/images', {'X-Openstack-Request-Id': 'a] ' + forged}), ('/v2/images/%1b%5b31m', {}),
                ('/v2/images/%E2%80%A8' + forged.replace(' ', '%20'), {}), ('/v2/images', {'Range': '\x85' + forged}),
                ('/v2/images', {'Accept': forged, 'X-Forwarded-For': forged})):
            with self.subTest(target=target[:40], headers=headers):
                exchange(self.server.port, raw_request('GET', target, {**identity, **headers}))
        exchange(self.server.port, raw_request('PATCH', f'/v2/images/{image_id}', {
            **identity, 'Content-Type': 'application/openstack-images-v2.1-json-patch'},
            b'[{"op": "replace", "path": "/\\r\\n2026-01-01 forged", "value": "x"}]'))
        self.client.get(f'/v2/images?name=end-{image_id}')
        log = wait_for('the last line', lambda: (text := self.server.log_text()[self.start:]) if f'end-{image_id}' in
                       self.server.log_text() else None)
        for line in log.split('\n')[:-1]:
            self.assertRegex(line, LOG_LINE)
            self.assertTrue(line.isprintable(), ascii(line))
        self.assertNotIn('\n2026-01-01', log)


class TestClientsErrors(LogTestCase):

    def test_they_are_no_errors_of_the_server(self):
        self.mark()
        for path in ('/v2/images?limit=x', '/v2/images/x', '/v2/images?name=%ff', '/v2/nothing'):
            self.client.get(path)
        self.client.post('/v2/images', data=b'{')
        image_id = self.caller('admin', 'admin').create_image()['id']
        self.client.upload(image_id, b'x' * 10, **{'x-openstack-image-size': '11'})
        self.access_lines(7)
        log = self.server.log_text()[self.start:]
        self.assertNotRegex(log, r' (ERROR|CRITICAL) |Traceback')
