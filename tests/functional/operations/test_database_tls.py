"""Connections to a MariaDB that can encrypt, and to one that cannot."""
import pathlib
import shutil
import ssl
import subprocess
import tempfile
import unittest
from unittest import mock

import sqlalchemy as sa

from glance import exceptions
from glance.db.sqlalchemy.database import SQLDatabase
from tests.harness.mariadb import PrivateMariaDB


class DatabaseTLSTest(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix='glance-test-'))
        self.addCleanup(shutil.rmtree, self.folder)

    def encrypting(self):
        """A running server with a certificate that nobody trusts; return its URL."""
        key, certificate = self.folder / 'server.key', self.folder / 'server.pem'
        subprocess.run(['openssl', 'req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days',
                        '2', '-subj', '/CN=other', '-keyout', key, '-out', certificate], check=True, capture_output=True)
        return self.enterContext(PrivateMariaDB(self.folder, f'--ssl-cert={certificate}', f'--ssl-key={key}')).url

    def cipher(self, url):
        """How a connection of the DAL is encrypted; empty when it is not."""
        database = SQLDatabase.from_url(url)
        self.addCleanup(database.close)
        return database.engine.read(lambda connection: connection.execute(sa.text("SHOW STATUS LIKE 'Ssl_cipher'")).one()[1])

    def test_encrypted_where_the_server_can_without_reading_certificates(self):
        url = self.encrypting()
        with mock.patch.object(ssl.SSLContext, 'load_default_certs', side_effect=AssertionError):
            self.assertTrue(self.cipher(url))

    def test_not_encrypted_where_it_cannot(self):
        self.assertEqual('', self.cipher(self.enterContext(PrivateMariaDB(self.folder)).url))

    def test_verified_where_the_url_says_so(self):
        url = self.encrypting()
        trusted = '?ssl_ca=%s' % (self.folder / 'server.pem')
        self.assertTrue(self.cipher(url + trusted + '&ssl_check_hostname=false'))
        for parameters in ('?ssl_verify_cert=true', trusted):
            with self.subTest(parameters), self.assertRaises(exceptions.DatabaseUnavailable):
                self.cipher(url + parameters)
