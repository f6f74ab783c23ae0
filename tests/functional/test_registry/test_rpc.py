"""The protocol of glance-registry, spoken by hand."""
import concurrent.futures
import json
import socket
import subprocess
import sys
import unittest
import uuid
from typing import ClassVar

import hypothesis
from hypothesis import strategies as st

from glance import exceptions
from glance.db.remote.database import RemoteDatabase
from glance.db.remote.endpoints import Endpoint, Limits
from glance.db.remote.identity import Headers
from glance.db.remote.registry import Registry
from glance.db.wire import signature
from glance.db.wire.operations import OPERATIONS
from tests.harness.server import RegistryServer

NATIVE = {'X-Glance-Rpc-Version': '2.1'}
ADMIN = {'is_admin': True, 'owner': None}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
        st.sampled_from(('_type', '_value', 'id', 'status', 'properties', 'locations', 'url', 'limit', 'columns')) | st.text(
            max_size=4), inner, max_size=4), max_leaves=10)
NATIVE_COMMANDS = st.fixed_dictionaries({'command': st.sampled_from(sorted(OPERATIONS))}, optional={
    'kwargs': st.dictionaries(st.sampled_from((
        'caller', 'image_id', 'values', 'query', 'changes', 'member', 'status', 'owner', 'lease', 'attempts', 'charge')),
        JSON | st.just(ADMIN), max_size=4)})


class RegistryTestCase(unittest.TestCase):
    """One registry for the class, without authentication unless ``FLAVOR`` names another pipeline."""

    FLAVOR = ''
    SETTINGS: dict = {}
    DATABASE = 'sqlite'

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.server = RegistryServer(cls.DATABASE, flavor=cls.FLAVOR, settings=cls.SETTINGS)
        cls.addClassCleanup(cls.server.cleanup)
        cls.server.start()
        cls.client = cls.server.client()

    def post(self, body, headers=NATIVE, client=None):
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        return (client or self.client).post('/rpc', data=data, headers=headers)

    def assertRefused(self, code, sentence, body, headers=NATIVE):
        response = self.post(body, headers)
        self.assertEqual(code, response.status_code, response.text)
        self.assertIn(sentence, response.text)

    def results(self, *commands, headers=NATIVE, client=None):
        response = self.post([{'command': name, 'kwargs': kwargs} for name, kwargs in commands], headers, client)
        self.assertEqual(200, response.status_code, response.text)
        return response.json()


class TestProtocol(RegistryTestCase):
    SETTINGS = {'DEFAULT': {'registry_max_body': 100_000, 'registry_max_list': 20}}

    def create(self, **values):
        result, = self.results(('image_create', {'values': {'status': 'queued', **values}}))
        return result['_result']

    def test_routes(self):
        for method, path in (('GET', '/rpc'), ('PUT', '/rpc'), ('POST', '/rpc/'), ('POST', '/'), ('GET', '/images')):
            self.assertEqual(404, self.client.request(method, path).status_code, (method, path))
        self.assertEqual('OK', self.client.get('/healthcheck').text)

    def test_malformed_requests(self):
        good = {'command': 'check'}
        for sentence, body in (
                ('a list of commands', {}), ('a list of commands', 5), ('a list of commands', None),
                ('Element 0', [None]), ('Element 0', [{}]), ('Element 1', [good, []]), ('Element 0', [{'command': ''}]),
                ('Element 0', [{'command': 5}]), ('kwargs', [{'command': 'check', 'kwargs': []}]),
                ('kwargs', [{'command': 'check', 'kwargs': 'x'}]), ('256', [good] * 257), ('is needed', b''),
                ('not valid JSON', b'['), ('not valid JSON', b'\xff'), ('not valid JSON', b'[NaN]'),
                ('not valid JSON', b'[' * 50_000), ('image_id is missing', [{'command': 'image_get', 'kwargs': {'caller': ADMIN}}]),
                ('is not known', [{'command': 'check', 'kwargs': {'more': 1}}]),
                ('caller: is_admin: must be true or false', [{'command': 'image_get', 'kwargs': {
                    'image_id': 'x', 'caller': {'is_admin': 'yes', 'owner': None}}}])):
            with self.subTest(body=str(body)[:60]):
                self.assertRefused(400, sentence, body)
        self.assertRefused(400, 'version', [good], {'X-Glance-Rpc-Version': '9.0'})
        self.assertRefused(413, 'larger', b'[' + b' ' * 100_000 + b']')

    def test_null_arguments_are_none(self):
        self.assertEqual([{'_result': None}], self.results(('check', None)))

    def test_unknown_commands(self):
        for name in ('nonsense', 'close', '_images', '__init__', 'engine', 'from_url', 'image_get\0', 'x' * 500):
            self.assertRefused(404, 'knows no command', [{'command': name}])

    def test_nothing_runs_before_all_is_checked(self):
        body = [{'command': 'image_create', 'kwargs': {'values': {'id': 'never', 'status': 'queued'}}}, {'command': 'nonsense'}]
        self.assertRefused(404, 'nonsense', body)
        result, = self.results(('image_get', {'caller': ADMIN, 'image_id': 'never'}))
        self.assertEqual('ImageNotFound', result['_error']['name'])

    def test_commands_behind_a_failed_one_run(self):
        image = self.create(name='n')
        wrong, right = self.results(('image_get', {'caller': ADMIN, 'image_id': 'no'}),
                                    ('image_get', {'caller': ADMIN, 'image_id': image['id']}))
        self.assertEqual({'name': 'ImageNotFound', 'val': 'No image found with ID no', 'code': 404}, wrong['_error'])
        self.assertEqual(image, right['_result'])
        self.assertEqual({'_type', '_value'}, image['created_at'].keys())

    def test_an_error_keeps_its_attributes(self):
        image = self.create()
        error, = self.results(('image_update', {'image_id': image['id'], 'changes': {}, 'from_status': 'saving'}))
        self.assertEqual({'current': 'queued', 'wanted': 'saving'}, error['_error']['attributes'])

    def test_what_the_registry_can_do(self):
        result, = self.results(('registry_info', {}))
        self.assertEqual({'version': '2.1', 'commands': sorted(OPERATIONS), 'limits': {'list': 20, 'body': 100_000}},
                         result['_result'])

    def test_long_lists_are_fetched_in_pages(self):
        for limit in (None, 21):
            result, = self.results(('image_list', {'caller': ADMIN, 'query': {'limit': limit}}))
            self.assertIn('20 rows at most', result['_error']['val'])
        result, = self.results(('image_list', {'caller': ADMIN, 'query': {'limit': 20}}))
        self.assertIsInstance(result['_result'], list)

    def test_the_request_id_is_passed_on(self):
        response = self.post([{'command': 'check'}], {**NATIVE, 'X-Openstack-Request-Id': 'req-of-the-api'})
        self.assertEqual('req-of-the-api', response.headers['x-openstack-request-id'])
        self.assertEqual('2.1', response.headers['X-Glance-Rpc-Version'])
        self.assertIn('req-of-the-api', self.server.log_text())

    def check_no_server_error(self, commands, headers):
        response = self.post(commands, headers)
        self.assertIn(response.status_code, (200, 400, 404, 413), response.text)
        for result in response.json() if response.status_code == 200 else ():
            self.assertIsInstance(json.dumps(result), str)

    @hypothesis.settings(max_examples=60, deadline=None, suppress_health_check=list(hypothesis.HealthCheck))
    @hypothesis.given(st.lists(NATIVE_COMMANDS | JSON, max_size=3) | JSON, st.sampled_from((NATIVE, {})))
    def test_whatever_is_sent_is_answered(self, commands, headers):
        self.check_no_server_error(commands, headers)

    @hypothesis.settings(max_examples=40, deadline=None, suppress_health_check=list(hypothesis.HealthCheck))
    @hypothesis.given(st.binary(max_size=60) | st.text(alphabet='[]{}":,command0123eE+-. \\u', max_size=60).map(str.encode))
    def test_whatever_bytes_are_sent_are_answered(self, body):
        self.check_no_server_error(body, NATIVE)


class RepeatedWrites(RegistryTestCase):
    """Two processes, of which either may get the second attempt."""

    SETTINGS = {'DEFAULT': {'workers': 2}, 'metrics': {'enabled': True}}
    CREATE = ('image_create', {'values': {'status': 'queued'}})

    def attempt(self, key, *commands, **headers):
        body = [{'command': name, 'kwargs': kwargs} for name, kwargs in commands]
        return self.post(body, {**NATIVE, 'X-Glance-Request-Key': key, **headers}, self.server.client())


class RepeatedWritesCases:
    def test_a_write_with_a_key_is_done_once(self):
        key = str(uuid.uuid4())
        answers = {self.attempt(key, self.CREATE).text for _ in range(8)}
        self.assertEqual(1, len(answers), answers)
        self.assertNotEqual(answers, {self.attempt(str(uuid.uuid4()), self.CREATE).text})
        image_id = json.loads(answers.pop())[0]['_result']['id']
        key, member = str(uuid.uuid4()), {'image_id': image_id, 'member': 'm'}
        once = self.attempt(key, ('member_create', member), ('member_create', member))
        self.assertEqual(['_result', '_error'], [name for result in once.json() for name in result])
        self.assertEqual('120', once.headers['X-Glance-Request-Key-Ttl'])
        self.assertEqual(once.text, self.attempt(key, ('member_create', member), ('member_create', member)).text)
        self.assertEqual('Duplicate', self.attempt(str(uuid.uuid4()), ('member_create', member)).json()[0]['_error']['name'])

    def test_at_the_same_time(self):
        key = name = str(uuid.uuid4())
        create = 'image_create', {'values': {'status': 'queued', 'name': name}}
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            answers = {response.text for response in pool.map(lambda _: self.attempt(key, create), range(16))}
        self.assertEqual(1, len(answers), answers)
        listed, = self.results(('image_list', {'caller': ADMIN, 'query': {'limit': 100}}))
        self.assertEqual([name], [image['name'] for image in listed['_result'] if image['name'] == name])


class TestRepeatedWritesMySQL(RepeatedWritesCases, RepeatedWrites):
    DATABASE = 'mysql'


class TestRepeatedWritesPostgreSQL(RepeatedWritesCases, RepeatedWrites):
    DATABASE = 'postgresql'


class TestRepeatedWrites(RepeatedWritesCases, RepeatedWrites):
    def test_keys_that_cannot_be_used(self):
        key = str(uuid.uuid4())
        self.assertEqual(200, self.attempt(key, self.CREATE).status_code)
        for wrong, commands in ((key, [self.CREATE, self.CREATE]), ('x', [self.CREATE])):
            self.assertEqual(400, self.attempt(wrong, *commands).status_code)
        self.assertEqual(200, self.attempt('x', ('check', {})).status_code)      # a read needs none

    def test_commands_are_not_started_when_the_time_is_over(self):
        result, = self.attempt(str(uuid.uuid4()), ('check', {}), **{'X-Glance-Deadline': '0'}).json()
        self.assertEqual(('RPCError', 504), (result['_error']['name'], result['_error']['code']))
        self.assertIn('was not started', result['_error']['val'])
        self.assertEqual(200, self.attempt(str(uuid.uuid4()), ('check', {}), **{'X-Glance-Deadline': '60000'}).status_code)
        self.assertEqual(400, self.attempt(str(uuid.uuid4()), ('check', {}), **{'X-Glance-Deadline': '-1'}).status_code)

    def test_long_answers_are_compressed_for_who_wants_that(self):
        info = [('registry_info', {})] * 20
        for offer, encoding in (('gzip', 'gzip'), ('br, gzip;q=0.5', 'gzip'), ('identity', None), ('gzip;q=0', None)):
            response = self.attempt('', *info, **{'Accept-Encoding': offer})
            self.assertEqual(encoding, response.headers.get('Content-Encoding'), offer)
            self.assertEqual(20, len(response.json()))
        self.assertNotIn('Content-Encoding', self.attempt('', info[0], **{'Accept-Encoding': 'gzip'}).headers)

    def test_commands_are_counted(self):
        self.attempt('', ('image_get', {'caller': ADMIN, 'image_id': 'x'}), ('lease_list', {}))
        text = self.server.client().get('/metrics').text
        for line in ('glance_registry_commands_total{command="image_get",result="error"} 1.0',
                     'glance_registry_commands_total{command="lease_list",result="success"} 1.0',
                     'glance_registry_command_duration_seconds_count{command="lease_list"} 1.0'):
            self.assertIn(line, text)


class TogetherCases:
    """Lists of commands that are carried out as a whole or not at all."""

    TOGETHER: ClassVar = {'X-Glance-Rpc-Atomic': 'true'}

    def create(self, image_id):
        return 'image_create', {'values': {'id': image_id, 'status': 'queued'}}

    def get(self, image_id):
        return 'image_get', {'caller': ADMIN, 'image_id': image_id}

    def shown(self, *image_ids):
        return [next(iter(result)) for result in self.results(*map(self.get, image_ids))]

    def test_all(self):
        one, two = str(uuid.uuid4()), str(uuid.uuid4())
        headers = {**NATIVE, **self.TOGETHER}
        results = self.results(self.create(one), self.create(two), self.get(one), headers=headers)
        self.assertEqual([one, two, one], [result['_result']['id'] for result in results])
        self.assertEqual(['_result'] * 2, self.shown(one, two))
        self.assertEqual('true', self.post([{'command': 'check'}], headers).headers['X-Glance-Rpc-Atomic'])

    def test_or_nothing(self):
        one, two, three = (str(uuid.uuid4()) for _ in range(3))
        results = self.results(self.create(one), self.create(two), self.create(one), self.create(three), self.get(one),
                               headers={**NATIVE, **self.TOGETHER})
        self.assertEqual([('RPCError', 'rolled back', 424)] * 2 + [('Duplicate', f'Image ID {one} already exists!', 409)] + [
            ('RPCError', 'not executed', 424)] * 2, [tuple(result['_error'][name] for name in ('name', 'val', 'code'))
                                                    for result in results])
        self.assertEqual(['_error'] * 3, self.shown(one, two, three))

    def test_with_a_key(self):
        key, one, two = (str(uuid.uuid4()) for _ in range(3))
        headers = {'X-Glance-Request-Key': key, **self.TOGETHER}
        failed = self.attempt(key, self.create(one), self.get(two), **headers)
        self.assertIn('_error', failed.json()[0])
        # What was undone may be tried again under the same key, and is done once.
        self.results(self.create(two))
        done = self.attempt(key, self.create(one), self.get(two), **headers)
        self.assertEqual(['_result'] * 2, [next(iter(result)) for result in done.json()])
        self.assertEqual(done.text, self.attempt(key, self.create(one), self.get(two), **headers).text)
        self.assertEqual(400, self.attempt(key, self.create(one), self.get(two)).status_code)

    def test_former_releases(self):
        one = str(uuid.uuid4())
        create = 'image_create', {'values': {'id': one, 'status': 'queued'}}
        results = self.results(create, create, create, headers=self.TOGETHER)
        self.assertEqual([('glance.common.exception.RPCError', 'rolled back'),
                          ('glance.common.exception.Duplicate', f'Image ID {one} already exists!'),
                          ('glance.common.exception.RPCError', 'not executed')],
                         [(result['_error']['cls'], result['_error']['val']) for result in results])
        self.assertEqual(['_error'], self.shown(one))
        self.assertEqual(one, self.results(create, headers={'X-Glance-Rpc-Atomic': 'False'})[0]['id'])


class TestTogether(TogetherCases, RepeatedWrites):
    def test_what_is_neither(self):
        self.assertRefused(400, 'X-Glance-Rpc-Atomic', [{'command': 'check'}], {**NATIVE, 'X-Glance-Rpc-Atomic': 'perhaps'})

    def test_the_time_is_over(self):
        headers = {**NATIVE, **self.TOGETHER, 'X-Glance-Deadline': '0'}
        first, second = self.results(self.create(str(uuid.uuid4())), self.get('x'), headers=headers)
        self.assertEqual((504, 'not executed'), (first['_error']['code'], second['_error']['val']))


class TestTogetherMySQL(TogetherCases, RepeatedWrites):
    DATABASE = 'mysql'


class TestTogetherPostgreSQL(TogetherCases, RepeatedWrites):
    DATABASE = 'postgresql'


class TestHealth(unittest.TestCase):
    def test_the_database_is_away(self):
        with socket.create_server(('127.0.0.1', 0)) as sock:
            port = sock.getsockname()[1]
        server = RegistryServer(settings={'database': {'connection': f'mysql+pymysql://nobody@127.0.0.1:{port}/none'}})
        self.addCleanup(server.cleanup)
        server.launch()
        response = server.client().get('/healthcheck', timeout=60)
        self.assertEqual((503, 'The database cannot be reached at the moment; try again later.'),
                         (response.status_code, response.text))
        response = server.client().get('/healthcheck', headers={'Accept': 'application/json'})
        self.assertEqual([503, ['The database cannot be reached at the moment; try again later.']],
                         [response.status_code, response.json()['reasons']])


class TestSwitches(unittest.TestCase):
    def refusal(self, **settings):
        server = RegistryServer(settings={'DEFAULT': settings})
        self.addCleanup(server.cleanup)
        server.manage('db_sync')
        result = subprocess.run([sys.executable, '-m', 'glance.cmd.registry', '--config-file', str(server.config_file)],
                                cwd=server.folder, capture_output=True, text=True, timeout=60)
        self.assertEqual(1, result.returncode, result.stderr)
        return result.stderr

    def test_a_registry_does_not_ask_a_registry(self):
        self.assertRegex(self.refusal(data_api='glance.db.registry.api'), '(?m)^ERROR: .*glance.db.registry.api')

    def test_nothing_to_serve(self):
        self.assertRegex(self.refusal(enable_v1_registry=False, enable_v2_registry=False), '(?m)^ERROR: .*nothing to serve')

    def test_rpc_switched_off(self):
        with RegistryServer(settings={'DEFAULT': {'enable_v2_registry': False}}) as server:
            self.assertEqual(404, server.client().post('/rpc', data=b'[]').status_code)


class TestTrustedAuth(RegistryTestCase):
    """Identity headers from this host are believed; only services get at the records as such."""

    FLAVOR = 'trusted-auth'

    def caller(self, **headers):
        return self.server.client(headers={'X-Identity-Status': 'Confirmed', 'X-User-Id': 'u', 'X-Tenant-Id': 'p', **headers})

    def test_who_may_send_operations(self):
        body = [{'command': 'check'}]
        for code, headers in ((403, {'X-Roles': 'member'}), (200, {'X-Roles': 'member', 'X-Service-Roles': 'service'}),
                              (200, {'X-Roles': 'member,Service'}), (200, {'X-Roles': 'admin'}), (403, {'X-Service-Roles': 'x'})):
            with self.subTest(headers=headers):
                self.assertEqual(code, self.post(body, client=self.caller(**headers)).status_code)

    def test_without_identity(self):
        self.assertRefused(401, 'not authenticated', [{'command': 'check'}])


class TestAnonymous(RegistryTestCase):
    FLAVOR = 'trusted-auth'
    SETTINGS = {'DEFAULT': {'allow_anonymous_access': True}}

    def test_anonymous_callers_only_read_what_everybody_may(self):
        self.assertRefused(403, 'services only', [{'command': 'check'}])
        listed, created = self.results(('image_get_all', {}), ('image_create', {'values': {'status': 'queued'}}), headers={})
        self.assertEqual(([], 'Forbidden'), (listed, created['_error']['name']))


class TestSharedSecret(RegistryTestCase):
    """Who knows the secret is believed; being on the same host is not enough."""

    FLAVOR = 'trusted-auth'
    SETTINGS = {'DEFAULT': {'registry_shared_secret': 'a secret'}}
    IDENTITY = {'X-Identity-Status': 'Confirmed', 'X-User-Id': 'u', 'X-Tenant-Id': 'p', 'X-Roles': 'service', **NATIVE}
    BODY = json.dumps([{'command': 'check'}]).encode()

    def signed(self, secret='a secret'):
        return {**self.IDENTITY, **signature.sign(secret, 'POST', '/rpc', self.IDENTITY, self.BODY)}

    def test_who_is_believed(self):
        good = self.signed()
        for code, headers, body in ((200, good, self.BODY), (401, self.IDENTITY, self.BODY), (401, self.signed('another'), self.BODY),
                                    (401, {**good, 'X-User-Id': 'v'}, self.BODY), (401, {**good, 'X-Project-Id': 'q'}, self.BODY),
                                    (401, good, b'[]')):
            response = self.post(body, headers, self.server.client())
            self.assertEqual(code, response.status_code, response.text)
        self.assertIn('are not believed', self.server.log_text())
        self.assertNotIn('a secret', self.server.log_text())

    def test_a_node_with_the_secret(self):
        for secret, known in (('a secret', True), ('another', False), (None, False)):
            database = RemoteDatabase(Registry([Endpoint('127.0.0.1', self.server.port, None, Limits())], Headers('node', 'é'),
                                               60, 0, secret))
            self.addCleanup(database.close)
            if known:
                database.check()
            else:
                self.assertRaises(exceptions.RegistryUnavailable, database.check)
