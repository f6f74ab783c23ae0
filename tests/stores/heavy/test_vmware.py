"""The VMware driver against a substitute for a vCenter (tools/backends/vcenter.sh), and against what stands in between."""
import contextlib
import functools
import http.client
import http.server
import os
import pathlib
import re
import shutil
import ssl
import threading
import unittest
import uuid
from xml.etree import ElementTree

from glance import exceptions
from glance.store.base import Location
from glance.store.drivers import vmware, vmware_files, vmware_soap
from glance.store.drivers.vmware import VmwareStore
from tests.harness.backend import shared_backend
from tests.harness.store_options import store_options
from tests.store_conformance.suite import MIB, StoreConformance, in_threads, read_to_end
from tests.stores.test_served import Service

ONE, BOTH = ['DC0:LocalDS_0'], ['DC0:LocalDS_0:1', '/DC0:LocalDS_1']
FAULT = ('<e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/"><e:Body><e:Fault><faultcode>ServerFaultCode</faultcode>'
         '<detail><%sFault xmlns="urn:vim25"/></detail></e:Fault></e:Body></e:Envelope>')


def make_options(**values):
    server = shared_backend('vcenter')
    return store_options('vmware', **{
        'vmware_server_host': server['VCENTER_HOST'], 'vmware_server_username': server['VCENTER_USER'],
        'vmware_server_password': server['VCENTER_PASSWORD'], 'vmware_ca_file': server['VCENTER_CA'],
        'vmware_task_poll_interval': 1, 'vmware_datastores': ONE, **values})


def make(directory: str, **values) -> VmwareStore:
    return VmwareStore.from_options(make_options(vmware_store_image_dir=directory, **values), 'vc')


class Directory:
    """Mixin to a TestCase: a directory of its own in the datastores."""

    def setUp(self):
        self.server = shared_backend('vcenter')
        self.directory = '/glance-%s/images' % uuid.uuid4().hex
        self.factory = functools.partial(make, self.directory)
        self.addCleanup(self._remove)
        super().setUp()

    def folders(self):
        return [pathlib.Path(found) / self.directory.strip('/') for number in (0, 1) for found in
                pathlib.Path(self.server['VCENTER_FOLDER']).glob('govcsim-DC0-LocalDS_%d-*' % number)]

    def pieces(self):
        return {str(file) for folder in self.folders() if folder.exists() for file in folder.iterdir()}

    def _remove(self):
        for folder in self.folders():
            shutil.rmtree(folder.parent, ignore_errors=True)


class Conformance(Directory, StoreConformance, unittest.TestCase):
    pass


class Intermediary(http.server.ThreadingHTTPServer):
    """Stands in front of the server with its certificate, passes requests on, and does to some what rules say.

    A rule is a function of method, path, body and headers. What it returns is the answer: status, headers, content; None
    leaves the request to the next rule.
    """

    daemon_threads = True

    def __init__(self, server: dict[str, str], host: str = '127.0.0.1'):
        super().__init__((host, 0), _Passage)
        self.rules, self.seen = [], []
        self.free = None            # bytes free in each datastore
        self.ranges, self.cut_after, self.lost = True, None, None
        self.target = server['VCENTER_HOST']
        self.client_context = ssl.create_default_context(cafile=server['VCENTER_CA'])
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(server['VCENTER_CA'], server['VCENTER_KEY'])
        self.socket = context.wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False)
        self.host = '%s:%d' % self.server_address
        self._thread = threading.Thread(target=self.serve_forever, kwargs={'poll_interval': 0.05})
        self._thread.start()

    def handle_error(self, request, client_address):
        pass    # clients hang up

    def stop(self):
        self.shutdown()
        self._thread.join()
        self.server_close()

    def count(self, text):
        return sum(text in call for call in self.seen)

    def answer(self, method, status, times=1, path='/folder/', headers=(), content=b''):
        """The next such requests get this answer."""
        left = iter(range(times))

        def rule(asked, target, body, asked_headers):
            if asked == method and path in target and next(left, None) is not None:
                return status, dict(headers), content
        self.rules.append(rule)

    def fault(self, call, kind, times=1):
        """The next such calls of the API fail."""
        left = iter(range(times))

        def rule(asked, target, body, headers):
            if b'<%s ' % call.encode() in body and next(left, None) is not None:
                return 500, {}, (FAULT % kind).encode()
        self.rules.append(rule)


class _Passage(http.server.BaseHTTPRequestHandler):
    protocol_version = 'HTTP/1.1'

    def log_message(self, *arguments):
        pass

    def do_GET(self):
        body = self.body()
        call = re.search(rb'<(\w+) xmlns="urn:vim25"', body)
        self.server.seen.append('%s %s %s' % (self.command, self.path, call[1].decode() if call else ''))
        for rule in self.server.rules:
            if answer := rule(self.command, self.path, body, self.headers):
                return self.reply(*answer)
        return self.reply(*self.pass_on(body))

    do_POST = do_PUT = do_HEAD = do_GET

    def body(self):
        if self.headers.get('Transfer-Encoding') != 'chunked':
            return self.rfile.read(int(self.headers.get('Content-Length', 0)))
        body = bytearray()
        while size := int(self.rfile.readline(), 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return bytes(body)

    def pass_on(self, body):
        wanted = {name: value for name, value in self.headers.items()
                  if name.lower() in ('cookie', 'soapaction', 'content-type') or name.lower() == 'range' and self.server.ranges}
        connection = http.client.HTTPSConnection(self.server.target, context=self.server.client_context)
        with contextlib.closing(connection):
            connection.request(self.command, self.path, body or None, wanted)
            answer = connection.getresponse()
            content = answer.read()
        if self.server.lost and self.server.lost.encode() in body:
            raise ConnectionAbortedError
        if self.server.free is not None and b'summary.freeSpace' in body:
            free = iter(self.server.free)
            content = re.sub(rb'(freeSpace</name><val[^>]*>)[0-9]+', lambda found: b'%s%d' % (found[1], next(free)), content)
        kept = ('set-cookie', 'content-range', 'location') + (('content-length',) if self.command == 'HEAD' else ())
        return answer.status, {name: value for name, value in answer.getheaders() if name.lower() in kept}, content

    def reply(self, status, headers, content):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        if 'Content-Length' not in headers:
            self.send_header('Content-Length', str(len(content)))
        self.end_headers()
        cut, self.server.cut_after = (self.server.cut_after, None) if self.command == 'GET' else (None, self.server.cut_after)
        if self.command != 'HEAD':
            self.wfile.write(content[:cut])
        self.close_connection = cut is not None


class Driver(Directory, unittest.TestCase):

    def setUp(self):
        super().setUp()
        self.between = Intermediary(self.server)
        self.addCleanup(self.between.stop)
        self.store = self.make()
        self.image_id, self.attempt = str(uuid.uuid4()), str(uuid.uuid4())

    def make(self, **values):
        store = self.factory(**{'vmware_server_host': self.between.host, **values})
        self.addCleanup(store.close)
        return store

    def write(self, content, store=None, size=None):
        writer = (store or self.store).writer(self.image_id, size, self.attempt)
        writer.write(memoryview(content))
        return writer

    def read(self, location, offset=0, length=None, store=None):
        with contextlib.closing((store or self.store).open(location, offset, length)) as reader:
            return read_to_end(reader)

    def assert_unavailable(self, operation, error=exceptions.StoreUnavailable):
        with self.assertRaises(error) as raised, self.assertLogs('glance.store.drivers', 'ERROR') as logs:
            operation()
        self.assertNotIn('S3CR3T', str(raised.exception) + ''.join(logs.output))

    def test_locations(self):
        location = self.write(b'content').commit()
        path = '/folder%s/%s' % (self.directory, self.image_id)
        self.assertEqual('vsphere://%s%s?dsName=LocalDS_0&dcPath=DC0' % (self.between.host, path), location.url)
        self.assertEqual({'store': 'vc'}, location.metadata)
        bare = self.between.host.partition(':')[0]
        for url in ('vsphere://%s%s?dsName=LocalDS_0', 'vsphere://%s%s', 'VSPHERE://%s%s?dcPath=%%2FDC0&dsName=LocalDS_0'):
            for host in (self.between.host, bare):
                self.assertEqual(b'content', self.read(Location(url % (host, path))), url)
        for url in ('vsphere://other.example.com%s?dsName=LocalDS_0&dcPath=DC0', 'vsphere://127.0.0.1:1%s',
                    'vsphere://u:p@HOST%s', 'vsphere://HOST%s?dsName=LocalDS_1', 'vsphere://HOST%s?dcPath=DC1',
                    'vsphere://HOST%s?x=1', 'vsphere://HOST/x%s', 'vsphere://HOST/folder/../x%s', 'vsphere://HOST%s/x',
                    'vsphere://HOST/folder/[LocalDS_1] %s', 'vsphere://HOST/folder/%%2e%%2e%s', 'vsphere://HOST%s-flat.vmdk'):
            url = url.replace('HOST', self.between.host) % path
            with self.assertRaises(exceptions.BadLocation, msg=url):
                self.store.size(Location(url))

    def test_length_is_announced_where_it_is_known(self):
        announced = []
        self.between.rules.append(lambda method, path, body, headers: announced.append(
            headers.get('Content-Length') or headers.get('Transfer-Encoding')) if method == 'PUT' else None)
        for length, size in ((10, None), (2 * MIB, 2 * MIB), (2 * MIB, None), (0, 0)):
            content = os.urandom(length)
            location = self.write(content, size=size).commit()
            self.assertEqual(content, self.read(location))
            self.store.delete(location)
        self.assertEqual(['10', str(2 * MIB), 'chunked', '0'], announced)

    def test_choice_of_the_datastore(self):
        store = self.make(vmware_datastores=BOTH)
        even = self.make(vmware_datastores=['DC0:LocalDS_0', 'DC0:LocalDS_1'])
        for chooser, free, size, wanted in ((store, (500, 900), 100, 'LocalDS_0'), (store, (50, 900), 100, 'LocalDS_1'),
                                            (store, (50, 90), None, 'LocalDS_0'), (even, (500, 900), 100, 'LocalDS_1'),
                                            (even, (900, 500), None, 'LocalDS_0'), (even, (900, 500), 1000, None),
                                            (store, (50, 90), 91, None)):
            self.between.free = free
            if wanted is None:
                with self.assertRaises(exceptions.StoreFull):
                    chooser.writer(self.image_id, size)
                continue
            location = self.write(bytes(size or 1), chooser, size).commit()
            self.assertIn('dsName=%s&' % wanted, location.url)
            with self.assertRaises(exceptions.ObjectExists):
                store.writer(self.image_id)
            self.assertEqual([location.url.partition('dcPath')[0]],
                             [found.location.url.partition('dcPath')[0] for found in store.walk()])
            store.delete(location)
        self.assertEqual(set(), self.pieces())

    def test_of_writers_in_two_datastores_one_wins(self):
        store = self.make(vmware_datastores=BOTH)
        self.between.free = 0, MIB
        second = self.write(b'second', store, 6)
        self.between.free = None
        location = self.write(b'first', store).commit()
        with self.assertRaises(exceptions.ObjectExists):
            second.commit()
        second.abort()
        self.assertEqual(1, len(self.pieces()))
        self.assertEqual(b'first', self.read(location, store=store))

    def test_session_that_ended(self):
        location = self.write(b'content').commit()
        logins = self.between.count('Login')
        self.between.answer('GET', 401, times=2)
        self.between.fault('RetrievePropertiesEx', 'NotAuthenticated')
        self.assertEqual(b'content', self.read(location))
        self.store.delete(location)
        self.assertEqual(logins + 3, self.between.count('Login'))
        store = self.make(vmware_api_retry_count=2)
        self.between.answer('HEAD', 401, times=100)
        self.assert_unavailable(lambda: store.size(location))
        self.assertEqual(logins + 6, self.between.count('Login'), 'the first, and one for each repetition')

    def test_one_login_for_all_threads(self):
        self.write(b'content').commit()
        logins, stale = self.between.count('Login'), self.store.api.cookie
        in_threads([lambda: self.store.api.renew(stale)] * 8)
        self.assertEqual(logins + 1, self.between.count('Login'))
        self.assertNotEqual(stale, self.store.api.cookie)

    def test_wrong_password(self):
        store = self.make(vmware_server_password='S3CR3T')
        location = self.write(b'content').commit()
        logins = self.between.count('Login')
        for operation in (lambda: store.writer(str(uuid.uuid4())), lambda: store.size(location)):
            self.assert_unavailable(operation)
        self.assertEqual(logins + 2, self.between.count('Login'), 'accounts are locked after many')

    def test_refused_uploads(self):
        for status, error in ((409, exceptions.ObjectExists), (507, exceptions.StoreFull), (413, exceptions.StoreFull),
                              (403, exceptions.StoreWriteDenied), (401, exceptions.StoreUnavailable),
                              (500, exceptions.StoreUnavailable), (302, exceptions.StoreUnavailable)):
            writer = self.write(b'content')
            self.between.answer('PUT', status, headers={'Location': 'https://127.0.0.1:1/folder/x'})
            with self.assertRaises(error, msg=status), self.assertLogs('glance', 'DEBUG') \
                    if error is not exceptions.ObjectExists else contextlib.nullcontext():
                writer.commit()
            writer.abort()
            self.assertEqual(set(), self.pieces())
        self.write(b'content').commit()

    def test_refused_reads_and_deletions(self):
        location = self.write(b'content').commit()
        for status, error in ((403, exceptions.StoreForbidden), (404, exceptions.ObjectNotFound),
                              (503, exceptions.StoreUnavailable), (418, exceptions.StoreError)):
            self.between.answer('HEAD', status)
            with self.assertRaises(error):
                self.store.size(location)
        for kind, error in (('NoPermission', exceptions.StoreForbidden), ('FileLocked', exceptions.ObjectInUse),
                            ('SystemError', exceptions.StoreUnavailable)):
            self.between.fault('DeleteDatastoreFile_Task', kind)
            with self.assertRaises(error):
                self.store.delete(location)
        self.assertEqual(b'content', self.read(location))

    def test_redirections(self):
        location = self.write(b'content').commit()
        here = location.url.partition('/folder')[2]
        for status, url in ((301, 'https://%s/folder%s' % (self.between.host, here)), (302, '/folder' + here),
                            (307, '/folder' + here)):
            self.between.answer('GET', status, headers={'Location': url})
            self.assertEqual(b'content', self.read(location))
        other = 'https://%s/folder%s' % (self.server['VCENTER_HOST'], here)
        for url in (other, other.replace('https', 'http'), 'https://127.0.0.1@evil.example.com/', 'file:///etc/passwd'):
            self.between.answer('GET', 302, headers={'Location': url})
            self.assert_unavailable(lambda: self.read(location), exceptions.StoreError)
        self.between.answer('HEAD', 302, times=50, headers={'Location': '/folder' + here})
        self.assert_unavailable(lambda: self.store.size(location), exceptions.StoreError)
        self.assertEqual(50 - 6, sum(self.between.rules[-1]('HEAD', '/folder/', b'', {}) is not None for _ in range(50)))

    def test_server_without_ranges(self):
        content = os.urandom(2 * MIB)
        location = self.write(content).commit()
        self.between.ranges = False
        self.assertEqual(content[MIB:MIB + 10], self.read(location, MIB, 10))

    def test_body_that_breaks_off_is_taken_up_again(self):
        content = os.urandom(3 * MIB)
        location = self.write(content).commit()
        self.between.cut_after = 100_000
        with self.assertLogs(vmware_files.LOG, 'WARNING'):
            self.assertEqual(content, self.read(location))

    def test_file_that_is_shorter_than_what_was_sent(self):
        writer = self.write(b'content')
        self.between.answer('HEAD', 200, headers={'Content-Length': '3'})
        with self.assertRaisesRegex(exceptions.StoreError, '3 of 7 bytes'):
            writer.commit()
        writer.abort()
        self.assertEqual(set(), self.pieces())

    def test_lost_answer_to_the_renaming(self):
        writer = self.write(b'content')
        self.between.lost = 'MoveDatastoreFile_Task'
        self.assert_unavailable(writer.commit)
        self.between.lost = None
        self.assertEqual(1, len(self.pieces()))
        writer.abort()
        self.assertEqual(set(), self.pieces())

    def test_other_size_than_announced(self):
        for content, size in ((b'1234', 5), (b'123456', 5)):
            writer = self.store.writer(self.image_id, size)
            with self.assertRaises(exceptions.SizeMismatch):
                writer.write(memoryview(content))
                writer.commit()
            writer.abort()
        self.assertEqual(set(), self.pieces())

    def test_leftovers_are_told_by_attempt_and_age(self):
        dead, living = self.factory(), self.make()
        self.addCleanup(dead.close)
        writer = self.write(bytes(2 * MIB), dead)
        writer._upload.break_off()      # only now it is sure that the server has seen it
        self.assertEqual(1, len(self.pieces()))
        self.assertEqual(0, living.discard(self.image_id, str(uuid.uuid4())))
        self.assertEqual((0, []), (dead.discard(self.image_id, self.attempt), dead.sweep(0)), 'it lives')
        self.assertEqual([], living.sweep(3600))
        self.assertLess(0, living.discard(self.image_id, self.attempt))
        self.assertEqual(set(), self.pieces())
        writer.abort()
        location = self.write(b'content').commit()
        self.assertEqual(0, living.discard(self.image_id))
        self.assertEqual(7, living.discard(self.image_id, committed=True))
        with self.assertRaises(exceptions.ObjectNotFound):
            living.delete(location)

    def test_what_is_not_there(self):
        for datastores, text in ((['DC9:LocalDS_0'], 'no datacenter DC9'), (['DC0:Other'], 'no datastore Other'),
                                 (['DC0/vm:LocalDS_0'], 'no datacenter DC0/vm')):
            store = self.make(vmware_datastores=datastores)
            with self.assertRaises(exceptions.StoreUnavailable), self.assertLogs(vmware.LOG, 'ERROR') as logs:
                store.writer(self.image_id)
            self.assertIn(text, ''.join(logs.output))

    def test_certificates(self):
        location = self.write(b'content').commit()
        elsewhere = Intermediary(self.server, '127.0.0.2')
        self.addCleanup(elsewhere.stop)
        for values in ({'vmware_ca_file': None}, {'vmware_server_host': elsewhere.host},
                       {'vmware_server_host': elsewhere.host, 'vmware_insecure': True}):
            store = self.make(**values)
            self.assert_unavailable(lambda store=store: store.writer(str(uuid.uuid4())))
        self.assertEqual([], elsewhere.seen)
        with self.assertLogs(vmware.LOG, 'WARNING') as logs:
            store = self.make(vmware_ca_file=None, vmware_insecure=True)
        self.assertIn('[vmware] vmware_insecure is on', logs.output[0])
        self.assertEqual(b'content', self.read(location, store=store))
        other = store.writer(str(uuid.uuid4()))
        other.write(memoryview(b'x'))
        store.delete(other.commit())

    def test_nobody_answers(self):
        store = self.make(vmware_server_host='127.0.0.1:1')
        for operation in (lambda: store.writer(self.image_id), lambda: list(store.walk()), lambda: store.sweep()):
            self.assert_unavailable(operation)
        store.close()

    def test_nonsense_from_the_server(self):
        for content in (b'', b'<html>', b'<a/>', b'<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>', (FAULT % 'x')[:-9].encode()):
            store = self.make()
            self.between.answer('POST', 200, path='/sdk', content=content)
            self.assert_unavailable(lambda store=store: list(store.walk()))


class Served(Service, unittest.TestCase):

    @classmethod
    def stores(cls, folder):
        server = shared_backend('vcenter')
        return 'vc:vmware', {'vc': {
            'vmware_server_host': server['VCENTER_HOST'], 'vmware_server_username': server['VCENTER_USER'],
            'vmware_server_password': server['VCENTER_PASSWORD'], 'vmware_ca_file': server['VCENTER_CA'],
            'vmware_datastores': BOTH, 'vmware_store_image_dir': '/glance-served-%s' % uuid.uuid4().hex}}

    def test_life_of_an_image(self):
        self.check_life_of_an_image('vc')
        properties = self.api.get('/v2/info/stores/detail').json()['stores'][0]['properties']
        self.assertEqual(['DC0:LocalDS_0:1', '/DC0:LocalDS_1:0'], properties['datastores'])
        self.assertNotIn(self.server.settings['vc']['vmware_server_password'], self.server.log_text())


class Parts(unittest.TestCase):

    def test_documents_with_a_type_are_refused(self):
        self.assertEqual('b', vmware_soap.parse(b'<a>b</a>').text)
        lol = b'<!DOCTYPE l [<!ENTITY a "ha">%s]><l>&j;</l>' % b''.join(
            b'<!ENTITY %c "&%c;&%c;&%c;">' % (letter, letter - 1, letter - 1, letter - 1) for letter in b'bcdefghij')
        for content in (lol, b'<!DOCTYPE a SYSTEM "file:///etc/passwd"><a/>', b'<!DOCTYPE a><a/>'):
            with self.assertRaises(ElementTree.ParseError):
                vmware_soap.parse(content)

    def test_addresses(self):
        for text, wanted in (('h', 'h'), ('H.example.com:443', 'h.example.com'), ('h:8443', 'h:8443'), ('::1', '[::1]'),
                             ('[::1]', '[::1]'), ('[::1]:8443', '[::1]:8443'), ('10.0.0.1', '10.0.0.1')):
            self.assertEqual(wanted, str(vmware_files.address(text)))
        for text in ('', 'h:', 'h:0', 'h:65536', 'h/x', 'u@h', 'h:x', '-h', 'h h', '[h'):
            self.assertIsNone(vmware_files.address(text), text)

    def test_options(self):
        store = VmwareStore.from_options(make_options(vmware_datastores=['a b/DC: ds one :-5', 'c:d']), None)
        self.assertEqual({'datastores': ['a b/DC:ds one:-5', 'c:d:0'], 'image_dir': '/openstack_glance'}, store.details)
        classic = VmwareStore.from_options(make_options(vmware_datastores=None, vmware_datastore_name='ds'), None)
        self.assertEqual(['ha-datacenter:ds:0'], classic.details['datastores'])
        for values, text in (
                ({'vmware_server_host': None}, 'vmware_server_host is not set'), ({'vmware_server_password': ''}, 'password is not'),
                ({'vmware_server_username': None}, 'username is not set'), ({'vmware_server_host': 'h:x'}, 'vmware_server_host = h:x'),
                ({'vmware_datastores': None}, 'vmware_datastores is not set'), ({'vmware_datastores': ['x']}, 'vmware_datastores = x'),
                ({'vmware_datastores': ['a:b:c']}, 'vmware_datastores = a:b:c'), ({'vmware_datastores': ['a:']}, 'of the form'),
                ({'vmware_datastore_name': 'x'}, 'both set'), ({'vmware_ca_file': '/nonexistent'}, 'vmware_ca_file = /nonexistent'),
                ({'vmware_store_image_dir': '/a/../b'}, 'vmware_store_image_dir'), ({'vmware_store_image_dir': ''}, 'image_dir')):
            with self.assertRaisesRegex(exceptions.ConfigurationError, r'\[vmware\] .*%s' % re.escape(text)):
                VmwareStore.from_options(make_options(**values), None)
