import contextlib
import datetime
import ipaddress
import os
import pathlib
import socket
import ssl
import tempfile

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.functional.test_server.running import SECONDS, ServerTestCase, assert_soon, read_all


class Authority:
    """A certificate authority for tests; writes PEM files into a folder."""

    def __init__(self, folder: pathlib.Path, name: str = 'authority'):
        self._folder, self._name = folder, x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        self._key = ec.generate_private_key(ec.SECP256R1())
        self.file = self._write(name + '.pem', self._certificate(self._key, self._name, True, 1))

    def issue(self, name: str, days: int = 1) -> tuple[str, str]:
        """Certificate and key files for 127.0.0.1."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        key_file = self._folder / (name + '.key')
        key_file.write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                                               serialization.NoEncryption()))
        key_file.chmod(0o600)
        return self._write(name + '.crt', self._certificate(key, subject, False, days)), str(key_file)

    def _certificate(self, key, subject: x509.Name, ca: bool, days: int) -> x509.Certificate:
        now = datetime.datetime.now(datetime.UTC)
        builder = x509.CertificateBuilder(
            self._name, subject, key.public_key(), x509.random_serial_number(), now - datetime.timedelta(days=10),
            now + datetime.timedelta(days=days))
        builder = builder.add_extension(x509.BasicConstraints(ca, None), True)
        if not ca:
            address = x509.IPAddress(ipaddress.ip_address('127.0.0.1'))
            builder = builder.add_extension(x509.SubjectAlternativeName([address]), False)
        return builder.sign(self._key, hashes.SHA256())

    def _write(self, name: str, certificate: x509.Certificate) -> str:
        path = self._folder / name
        path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        return str(path)


class TLSTestCase(ServerTestCase):

    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix='glance-test-')
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.authority = Authority(self.folder)
        self.cert_file, self.key_file = self.authority.issue('server')

    def start_tls(self, **options):
        return self.start(**({'workers': 1, 'cert_file': self.cert_file, 'key_file': self.key_file} | options))

    def connect(self, server, client: tuple[str, str] | None = None, **context_options) -> ssl.SSLSocket:
        context = ssl.create_default_context(cafile=self.authority.file)
        context.set_alpn_protocols(['h2', 'http/1.1'])
        if client:
            context.load_cert_chain(*client)
        for name, value in context_options.items():
            setattr(context, name, value)
        sock = socket.create_connection(('127.0.0.1', server.port), SECONDS)
        try:
            secure = context.wrap_socket(sock, server_hostname='127.0.0.1')
        except BaseException:
            sock.close()
            raise
        self.addCleanup(secure.close)
        return secure

    def talk(self, sock: ssl.SSLSocket, request: bytes) -> bytes:
        sock.sendall(request)
        return read_all(sock)


class TLSTest(TLSTestCase):

    def test_request(self):
        sock = self.connect(self.start_tls())
        self.assertEqual('http/1.1', sock.selected_alpn_protocol())
        reply = self.talk(sock, b'GET /environ HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n')
        self.assertIn(b'"wsgi.url_scheme": "https"', reply)

    def test_large_bodies_both_ways(self):
        server, content = self.start_tls(), os.urandom(2_000_000)
        path = server.folder / 'image'
        path.write_bytes(content)
        for request in (b'GET /file?path=%s HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n' % str(path).encode(),
                        b'PUT /echo HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s'
                        % (len(content), content)):
            self.assertEqual(content, self.talk(self.connect(server), request).partition(b'\r\n\r\n')[2])

    def test_keep_alive(self):
        sock = self.connect(self.start_tls())
        for _ in range(3):
            sock.sendall(b'GET / HTTP/1.1\r\nHost: a\r\n\r\n')
            self.assertTrue(sock.recv(1000).endswith(b'hello'))

    def test_old_versions_are_refused(self):
        server = self.start_tls(ssl_min_version='TLSv1.3')
        with self.assertRaises(ssl.SSLError):
            self.connect(server, maximum_version=ssl.TLSVersion.TLSv1_2)
        self.assertEqual('TLSv1.3', self.connect(server).version())

    def test_plain_text_is_no_harm(self):
        server = self.start_tls()
        self.assertNotIn(b'200', server.talk(b'GET / HTTP/1.1\r\nHost: a\r\n\r\n'))
        self.connect(server)

    def test_stalled_handshakes_hold_up_nobody(self):
        server = self.start_tls()
        with contextlib.ExitStack() as stack:
            for _ in range(50):
                stack.enter_context(server.connect())
            sock = self.connect(server)
            self.assertIn(b'hello', self.talk(sock, b'GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n'))

    def test_client_certificate(self):
        server = self.start_tls(ca_file=self.authority.file)
        request = b'GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n'
        self.assertIn(b'hello', self.talk(self.connect(server, self.authority.issue('client')), request))
        stranger = Authority(self.folder, 'stranger').issue('intruder')
        for client in (None, stranger):
            with self.assertRaises((ssl.SSLError, ConnectionError)):
                sock = self.connect(server, client)
                sock.sendall(request)
                sock.recv(10)

    def test_certificate_is_read_again(self):
        for workers in (0, 1):
            server = self.start_tls(workers=workers)
            before = self.connect(server).getpeercert()['serialNumber']
            self.authority.issue('server')
            server.reload()
            # The former worker may accept for another moment.
            assert_soon(lambda server=server, before=before: self.connect(server).getpeercert()['serialNumber'] != before)

    def test_broken_certificate_on_reload_keeps_the_old(self):
        server = self.start_tls()
        before = self.connect(server).getpeercert()
        pathlib.Path(self.cert_file).write_text('rubbish')
        server.reload()
        self.assertEqual(before, self.connect(server).getpeercert())
        self.assertIn('cert_file = %s' % self.cert_file, server.log)


class BadFilesTest(TLSTestCase):

    def assert_refused(self, expected: str, **options) -> None:
        server = self.start(wait=False, **options)
        self.assertEqual(1, server.wait())
        self.assertRegex(server.log, '(?m)^ERROR: .*' + expected)

    def test_only_one_of_the_pair(self):
        self.assert_refused('both cert_file and key_file', cert_file=self.cert_file)
        self.assert_refused('both cert_file and key_file', key_file=self.key_file)

    def test_missing_file(self):
        missing = str(self.folder / 'missing')
        self.assert_refused('cert_file = %s .*No such file' % missing, cert_file=missing, key_file=self.key_file)
        self.assert_refused('key_file = %s .*No such file' % missing, cert_file=self.cert_file, key_file=missing)
        self.assert_refused('ca_file = %s .*No such file' % missing, cert_file=self.cert_file, key_file=self.key_file,
                     ca_file=missing)

    def test_no_pem(self):
        rubbish = self.folder / 'rubbish'
        rubbish.write_text('rubbish')
        self.assert_refused('cert_file = %s' % rubbish, cert_file=str(rubbish), key_file=self.key_file)
        self.assert_refused('key_file = %s' % rubbish, cert_file=self.cert_file, key_file=str(rubbish))
        self.assert_refused('ca_file = %s' % rubbish, cert_file=self.cert_file, key_file=self.key_file, ca_file=str(rubbish))

    def test_key_of_another_certificate(self):
        _, other = self.authority.issue('other')
        self.assert_refused('key_file = %s does not belong' % other, cert_file=self.cert_file, key_file=other)

    def test_cipher_that_does_not_exist(self):
        self.assert_refused('ssl_ciphers = NONSENSE', cert_file=self.cert_file, key_file=self.key_file,
                     ssl_ciphers='NONSENSE')

    def test_expired_certificate_is_told(self):
        cert_file, key_file = self.authority.issue('expired', days=-1)
        os.chmod(key_file, 0o644)
        server = self.start(cert_file=cert_file, key_file=key_file)
        self.assertIn('cert_file = %s expired' % cert_file, server.log)
        self.assertIn('key_file = %s has mode 0644' % key_file, server.log)
