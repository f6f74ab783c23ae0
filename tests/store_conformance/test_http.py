"""The driver of web servers: what a store promises about reading, and what only this one has to stand."""
import datetime
import ipaddress
import os
import pathlib
import shutil
import socket
import subprocess
import tempfile
import time
import unittest
from unittest import mock

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from oslo_config import cfg

from glance import conf as configuration
from glance import exceptions
from glance.outbound import fetch, heads
from glance.outbound.fetch import Fetcher
from glance.outbound.uri_filter import Rules, URIFilter
from glance.store.backends import Backends
from glance.store.base import Location
from glance.store.drivers.http import HttpStore
from tests.harness.web import WebServer

MIB = 1024 * 1024
LOOPBACK = {'allowed_networks': [ipaddress.ip_network('127.0.0.0/8')], 'allowed_ports': ()}
REFUSED = [ipaddress.ip_network(text) for text in ('127.0.0.0/8', '169.254.0.0/16', '::1/128')]


def make_store(resolver=None, rules=None, **options):
    uri_filter = URIFilter(Rules(disallowed_networks=REFUSED, **(rules or LOOPBACK)),
                           resolver or (lambda host: ['127.0.0.1']))
    return HttpStore(None, Fetcher(uri_filter, **options), uri_filter)


def read(reader):
    try:
        content, buffer = bytearray(), memoryview(bytearray(100_000))
        while count := reader.readinto(buffer):
            content += buffer[:count]
        return bytes(content)
    finally:
        reader.close()
        reader.close()


class Case(unittest.TestCase):
    RANGES = True

    def setUp(self):
        super().setUp()
        self.web = self.start(ranges=self.RANGES)
        self.store = make_store()
        self.addCleanup(self.store.close)

    def start(self, **options):
        return self.enterContext(WebServer(**options))

    def put(self, content, path='/image'):
        return Location(self.web.put(path, content))

    def get(self, location, offset=0, length=None):
        return read(self.store.open(location, offset, length))


class ReadingTest(Case):

    def test_many_lengths(self):
        for length in (0, 1, 4095, 65536, MIB, 3 * MIB + 1):
            content = os.urandom(length)
            location = self.put(content)
            self.assertEqual(content, self.get(location), length)
            self.assertEqual(length, self.store.size(location))

    def test_ranges(self):
        content = os.urandom(3 * MIB)
        location = self.put(content)
        for offset, length in ((0, 1), (3 * MIB - 1, 1), (MIB - 10, 20), (5, None), (0, 0), (3 * MIB, None),
                               (7, 2 * MIB), (0, 3 * MIB), (3 * MIB, 0)):
            end = None if length is None else offset + length
            reader = self.store.open(location, offset, length)
            self.assertEqual((offset, len(content[offset:end]), None), (reader.offset, reader.length, reader.fileno()))
            self.assertEqual(content[offset:end], read(reader), (offset, length))

    def test_range_outside_the_object(self):
        location = self.put(b'0123456789')
        for offset, length in ((11, None), (0, 11), (5, 6), (-1, 2), (0, -1), (11, 0), (11, 1)):
            with self.assertRaises(exceptions.Invalid, msg=(offset, length)):
                self.store.open(location, offset, length)

    def test_absent(self):
        location = Location(self.web.url('/absent'))
        for operation in (self.store.open, self.store.size):
            with self.assertRaises(exceptions.ObjectNotFound):
                operation(location)

    def test_foreign_location(self):
        for url in ('', 'nothing', 'file:///etc/passwd', 'gopher://host/x', 'http://', 'http:///path', 'http://user@host/',
                    'http://:@host/', 'http://u:p@/x', 'http://127.0.0.1:x/', 'http://169.254.169.254/', 'http://[::1/'):
            for operation in (self.store.open, self.store.size):
                with self.assertRaises(exceptions.BadLocation, msg=url):
                    operation(Location(url))
        self.assertEqual([], self.web.requests)


class ReadingWithoutRangesTest(ReadingTest):
    RANGES = False


class NginxTest(ReadingTest):
    """The same with the web server that most mirrors run."""

    def setUp(self):
        super().setUp()
        folder = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory(prefix='glance-test-')))
        self.root = folder / 'root'
        self.root.mkdir(mode=0o755)
        folder.chmod(0o755)
        with socket.socket() as probe:
            probe.bind(('127.0.0.1', 0))
            self.port = probe.getsockname()[1]
        (folder / 'nginx.conf').write_text(f"""
daemon off; pid {folder}/pid; error_log stderr;
events {{}}
http {{ access_log off; client_body_temp_path {folder}/b; proxy_temp_path {folder}/p; fastcgi_temp_path {folder}/f;
uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
server {{ listen 127.0.0.1:{self.port}; root {self.root}; }} }}
""")
        program = shutil.which('nginx') or shutil.which('nginx', path='/usr/sbin')
        process = subprocess.Popen([program, '-p', str(folder), '-c', 'nginx.conf'], stderr=subprocess.DEVNULL)
        self.addCleanup(process.wait)
        self.addCleanup(process.terminate)
        deadline = time.monotonic() + 60
        while not self.listens():
            self.assertIsNone(process.poll(), 'nginx ended')
            self.assertLess(time.monotonic(), deadline, 'nginx does not listen')
            time.sleep(0.01)

    def listens(self):
        with socket.socket() as probe:
            return not probe.connect_ex(('127.0.0.1', self.port))

    def put(self, content, path='/image'):
        file = self.root / path.removeprefix('/')
        file.write_bytes(content)
        return Location('http://127.0.0.1:%d%s' % (self.port, path))


class WritingTest(Case):

    def test_nothing_is_written(self):
        location = self.put(b'content')
        with self.assertRaises(exceptions.StoreReadOnly):
            self.store.writer('0f0e9a34-3d2b-4a57-8a1c-1c9d2e3f4a5b')
        with self.assertRaises(exceptions.StoreReadOnly):
            self.store.delete(location)
        self.assertEqual((0, []), (self.store.discard('x', 'y', committed=True), self.store.sweep(0)))
        self.assertRaises(exceptions.WalkNotSupported, self.store.walk)
        self.assertEqual([], self.web.requests)


class AnswersTest(Case):

    def answer(self, respond, path='/image'):
        self.web.answers[path] = respond
        return Location(self.web.url(path))

    def test_failures(self):
        for status, error in ((400, exceptions.BadLocation), (401, exceptions.BadLocation), (403, exceptions.BadLocation),
                              (304, exceptions.BadLocation), (410, exceptions.ObjectNotFound),
                              (500, exceptions.StoreUnavailable), (503, exceptions.StoreUnavailable)):
            location = self.answer(lambda handler: handler.send_error(status, explain='INTERNALS'))
            for operation in (self.store.open, self.store.size):
                with self.subTest(status=status), self.assertRaises(error) as raised:
                    operation(location)
                self.assertNotIn('INTERNALS', str(raised.exception))

    def test_nobody_listens(self):
        location = self.put(b'x')
        self.web.stop()
        with self.assertRaises(exceptions.StoreUnavailable):
            self.store.open(location)

    def test_heads_without_end(self):
        piece = b'X-Filler: %s\r\n' % (b'x' * 1000)
        answers = {
            'many headers': b'HTTP/1.1 200 OK\r\n' + piece * 90,
            'long line': b'HTTP/1.1 200 OK\r\nX-Filler: ' + b'x' * heads.MOST_BYTES,
            'interim responses': b'HTTP/1.1 100 Continue\r\n\r\n' * 10_000,
        }
        for name, head in answers.items():
            location = self.answer(lambda handler, head=head: handler.wfile.write(head))
            with self.subTest(name), self.assertLogs('glance.outbound') as logs:
                with self.assertRaisesRegex(exceptions.BadLocation, 'too-large'):
                    self.store.size(location)
                self.assertIn('the head is larger than 65536 bytes', logs.output[0])

    def test_large_heads_are_read(self):
        def respond(handler):
            handler.wfile.write(b'HTTP/1.1 200 OK\r\nContent-Length: 4\r\n')
            handler.wfile.write(b''.join(b'X-%d: %s\r\n' % (number, b'x' * 700) for number in range(90)))
            handler.wfile.write(b'\r\ndata')

        self.assertEqual(b'data', read(self.store.open(self.answer(respond))))

    def test_slow_heads_are_given_up(self):
        location = self.answer(lambda handler: handler.wfile.write(b'HTTP/1.1 200 OK\r\nX-Filler: '))
        with mock.patch.object(heads, 'MOST_SECONDS', -1.0), self.assertLogs('glance.outbound') as logs:
            with self.assertRaises(exceptions.StoreUnavailable):
                self.store.size(location)
        self.assertIn('Read timed out', logs.output[0])

    def test_encoded_bodies(self):
        def respond(handler):
            handler.send_response(200)
            handler.send_header('Content-Encoding', 'gzip')
            handler.send_header('Content-Length', '4')
            handler.end_headers()
            handler.wfile.write(b'gzip')

        with self.assertRaises(exceptions.BadLocation):
            self.store.open(self.answer(respond))
        self.assertEqual('identity', self.web.requests[0][2]['Accept-Encoding'])

    def test_size_where_head_is_refused(self):
        def respond(handler):
            if handler.command == 'HEAD':
                handler.send_error(405)
            else:
                self.web.serve(handler, b'0123456789')

        self.assertEqual(10, self.store.size(self.answer(respond)))

    def test_size_that_nobody_tells(self):
        def respond(handler):
            handler.send_response(200)
            handler.send_header('Connection', 'close')
            handler.end_headers()

        location = self.answer(respond)
        with self.assertRaises(exceptions.BadLocation):
            self.store.size(location)
        with self.assertRaises(exceptions.StoreError):
            self.store.open(location)

    def test_part_that_was_not_asked_for(self):
        def respond(handler):
            handler.send_response(206)
            handler.send_header('Content-Range', 'bytes 0-3/10')
            handler.send_header('Content-Length', '4')
            handler.end_headers()
            handler.wfile.write(b'0123')

        with self.assertRaises(exceptions.StoreError):
            self.store.open(self.answer(respond), 2, 4)

    def broken_off(self, times, version='"v1"', then='"v1"'):
        """Serve an object such that the first bodies end half-way."""
        content, left = os.urandom(MIB), [times]

        def respond(handler):
            self.web.version = version if left[0] == times else then
            if left[0] and handler.command == 'GET':
                left[0] -= 1
                rfile, handler.wfile = handler.wfile, _Short(handler.wfile, 200_000)
                handler.close_connection = True
                self.web.serve(handler, content)
                handler.wfile = rfile
            else:
                self.web.serve(handler, content)
        return content, self.answer(respond)

    def test_broken_body_is_taken_up_again(self):
        content, location = self.broken_off(3)
        self.assertEqual(content, self.get(location))
        content, location = self.broken_off(2)
        self.assertEqual(content[1000:900_000], self.get(location, 1000, 899_000))

    def test_broken_body_without_end(self):
        _, location = self.broken_off(4)
        with self.assertRaises(exceptions.StoreUnavailable):
            self.get(location)

    def test_broken_body_of_which_no_version_is_known(self):
        for version in ('', 'W/"weak"'):
            _, location = self.broken_off(1, version, version)
            with self.assertRaises(exceptions.StoreUnavailable):
                self.get(location)

    def test_broken_body_that_changed_meanwhile(self):
        _, location = self.broken_off(1, then='"v2"')
        with self.assertRaises(exceptions.StoreUnavailable):
            self.get(location)

    def test_credentials_of_old_locations(self):
        self.put(b'content')
        url = self.web.url('/image').replace('://', '://us%40er:pass@')
        self.assertEqual(b'content', self.get(Location(url)))
        self.assertEqual('Basic dXNAZXI6cGFzcw==', self.web.requests[0][2]['Authorization'])


class _Short:
    """Takes only so many bytes of a body."""

    def __init__(self, file, left):
        self._file, self._left, self._head = file, left, True

    def write(self, data):
        if self._head:
            self._head = False
            return self._file.write(data)
        self._file.write(data[:self._left])
        self._left -= len(data[:self._left])

    def flush(self):
        self._file.flush()


class RedirectTest(Case):

    def test_every_kind(self):
        for status in (301, 302, 303, 307, 308):
            target = self.start().put('/x', b'content')
            location = Location(self.web.redirect('/%d' % status, target, status))
            self.assertEqual(b'content', self.get(location))
            self.assertEqual(7, self.store.size(location))

    def test_relative_targets(self):
        self.put(b'content', '/a/b')
        for target in ('b', '/a/b', './b', '//127.0.0.1:%d/a/b' % self.web.port, self.web.url('/a/b#part')):
            self.assertEqual(b'content', self.get(Location(self.web.redirect('/a/c', target))), target)

    def test_five_and_no_more(self):
        self.put(b'content', '/0')
        for number in range(6):
            self.web.redirect('/%d' % (number + 1), '/%d' % number)
        self.assertEqual(b'content', self.get(Location(self.web.url('/5'))))
        with self.assertRaises(exceptions.BadLocation):
            self.get(Location(self.web.url('/6')))
        with self.assertRaises(exceptions.BadLocation):
            self.get(Location(self.web.redirect('/loop', '/loop')))

    def test_each_hop_is_judged(self):
        secret = self.start()
        secret.put('/x', b'secret')
        rules = {'allowed_networks': [ipaddress.ip_network('127.0.0.1')], 'allowed_ports': ()}
        addresses = {'good.example.com': ['127.0.0.1'], 'evil.example.com': ['127.0.0.2']}
        store = make_store(addresses.__getitem__, rules)
        for target in ('http://127.0.0.2:%d/x' % secret.port, secret.url('/x', 'evil.example.com'), 'file:///etc/passwd',
                       'http://[::1]:%d/x' % secret.port, '//127.0.0.2:%d/x' % secret.port,
                       'http://0x7f000002:%d/x' % secret.port, 'http://[', 'ftp://good.example.com/', ''):
            location = Location(self.web.redirect('/r', target).replace('127.0.0.1', 'good.example.com'))
            for operation in (store.open, store.size):
                with self.subTest(target=target), self.assertRaises(exceptions.BadLocation):
                    operation(location)
        self.assertEqual([], secret.requests)

    def test_credentials_stay_with_their_origin(self):
        other = self.start()
        target = other.put('/x', b'content')
        url = self.web.redirect('/r', target).replace('://', '://user:pass@')
        self.assertEqual(b'content', self.get(Location(url)))
        self.assertIn('Authorization', self.web.requests[0][2])
        self.assertNotIn('Authorization', other.requests[0][2])


class PinningTest(Case):

    def test_the_address_that_passed_is_connected_to(self):
        asked = []

        def resolver(host):
            asked.append(host)
            return ['127.0.0.1'] if len(asked) == 1 else ['169.254.169.254']

        self.put(b'content')
        store = make_store(resolver)
        self.assertEqual(b'content', read(store.open(Location(self.web.url('/image', 'mirror.example.com')))))
        self.assertEqual(['mirror.example.com'], asked)
        self.assertEqual('mirror.example.com:%d' % self.web.port, self.web.requests[0][2]['Host'])

    def test_addresses_are_tried_in_turn(self):
        self.put(b'content')
        store = make_store(lambda host: ['127.0.0.77', '127.0.0.1'])
        self.assertEqual(b'content', read(store.open(Location(self.web.url('/image', 'mirror.example.com')))))

    def test_proxies_of_the_environment_do_not_count(self):
        proxy = self.start()
        for name in ('http_proxy', 'HTTP_PROXY', 'all_proxy'):
            self.addCleanup(os.environ.pop, name, None)
            os.environ[name] = proxy.url()
        self.put(b'content')
        self.assertEqual(b'content', read(make_store().open(Location(self.web.url('/image')))))
        self.assertEqual([], proxy.requests)

    def test_configured_proxy_is_given_the_address(self):
        proxy = self.start()
        url = 'http://127.0.0.1:%d/image' % self.web.port
        proxy.objects[url] = b'content'
        store = make_store(proxies={'http': proxy.url()})
        self.assertEqual(b'content', read(store.open(Location(self.web.url('/image', 'mirror.example.com')))))
        self.assertEqual([url], proxy.paths())
        self.assertEqual('mirror.example.com:%d' % self.web.port, proxy.requests[0][2]['Host'])

    def test_slow_peers_are_given_up(self):
        location = self.put(bytes(MIB))
        clock = [0.0]
        real, fetch.time = fetch.time, type('Clock', (), {'monotonic': staticmethod(lambda: clock[0])})
        self.addCleanup(setattr, fetch, 'time', real)
        reader = self.store.open(location)
        self.addCleanup(reader.close)
        self.assertEqual(100, reader.readinto(memoryview(bytearray(100))))
        clock[0] = fetch.SLOW_SECONDS
        self.web.version = '"other"'
        with self.assertRaises(exceptions.StoreUnavailable):
            reader.readinto(memoryview(bytearray(100)))

    def test_no_answer_goes_on_for_ever(self):
        location = self.put(bytes(MIB))
        clock = [0.0]
        real, fetch.time = fetch.time, type('Clock', (), {'monotonic': staticmethod(lambda: clock[0])})
        self.addCleanup(setattr, fetch, 'time', real)
        longest, fetch.LONGEST_SECONDS = fetch.LONGEST_SECONDS, 60.0
        self.addCleanup(setattr, fetch, 'LONGEST_SECONDS', longest)
        reader = self.store.open(location)
        self.addCleanup(reader.close)
        for clock[0] in (1.0, 60.0):
            self.assertEqual(100, reader.readinto(memoryview(bytearray(100))))
        clock[0] = 60.1
        self.web.version = '"other"'
        with self.assertRaises(exceptions.StoreUnavailable):
            reader.readinto(memoryview(bytearray(100)))


class TlsTest(Case):

    def setUp(self):
        super().setUp()
        self.folder = self.enterContext(tempfile.TemporaryDirectory(prefix='glance-test-'))
        self.file = self.certificate('mirror.example.com')
        self.tls = self.start(certificate=self.file)
        self.tls.put('/image', b'content')

    def certificate(self, name):
        """Make a self-signed certificate; return the file with it and its key."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
        now = datetime.datetime.now(datetime.UTC)
        made = x509.CertificateBuilder().subject_name(subject).issuer_name(subject).public_key(key.public_key()) \
            .serial_number(1).not_valid_before(now - datetime.timedelta(days=1)).not_valid_after(now + datetime.timedelta(days=1)) \
            .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), False).sign(key, hashes.SHA256())
        path = os.path.join(self.folder, name)
        with open(path, 'wb') as file:
            file.write(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                                         serialization.NoEncryption()))
            file.write(made.public_bytes(serialization.Encoding.PEM))
        return path

    def read(self, host, **options):
        store = make_store(**options)
        self.addCleanup(store.close)
        return read(store.open(Location(self.tls.url('/image', host))))

    def test_certificates_are_for_names(self):
        self.assertEqual(b'content', self.read('mirror.example.com', ca_file=self.file))
        for host, options in (('other.example.com', {'ca_file': self.file}), ('127.0.0.1', {'ca_file': self.file}),
                              ('mirror.example.com', {})):
            with self.subTest(host=host, options=options), self.assertRaises(exceptions.StoreUnavailable):
                self.read(host, **options)

    def test_no_checks_at_all(self):
        self.assertEqual(b'content', self.read('other.example.com', verify=False))

    def test_no_way_back_from_tls(self):
        self.put(b'plain')
        self.tls.redirect('/image', self.web.url('/image', 'mirror.example.com'))
        with self.assertRaises(exceptions.BadLocation):
            self.read('mirror.example.com', ca_file=self.file)
        self.assertEqual([], self.web.requests)

    def configured(self, text):
        path = os.path.join(self.folder, 'glance-api.conf')
        with open(path, 'w') as file:
            file.write('[DEFAULT]\nnode_staging_uri = file://%s/staging\n[glance_store]\nstores = file,http\n'
                       'filesystem_store_datadir = %s/images\n%s\n[import_filtering_opts]\nallowed_networks = 127.0.0.0/8\n'
                       'allowed_ports = []\n' % (self.folder, self.folder, text))
        conf = cfg.ConfigOpts()
        configuration.register(conf)
        conf([], default_config_files=[path], default_config_dirs=[])
        backends = Backends(conf)
        self.addCleanup(backends.close)
        return backends.get('http')

    def test_options(self):
        location = Location(self.tls.url('/image'))
        with self.assertRaises(exceptions.StoreUnavailable):
            self.configured('').open(location)
        with self.assertLogs('glance.store.drivers.http', 'WARNING'):
            store = self.configured('https_insecure = true')
        self.assertEqual(b'content', read(store.open(location)))
        with self.assertRaises(exceptions.StoreUnavailable):
            self.configured('https_insecure = true\nhttps_ca_certificates_file = %s' % self.file).open(location)
