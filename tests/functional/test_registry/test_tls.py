"""An encrypted way to the registry, on which both ends show certificates."""
import pathlib
import tempfile
import unittest

from oslo_config import cfg

from glance import exceptions
from glance.conf import sections
from glance.db.remote.database import RemoteDatabase
from tests.functional.test_server.test_tls import Authority
from tests.harness.server import RegistryServer


class TLSTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        folder = tempfile.TemporaryDirectory(prefix='glance-test-')
        cls.addClassCleanup(folder.cleanup)
        cls.authority, cls.stranger = (Authority(pathlib.Path(folder.name), name) for name in ('authority', 'stranger'))
        certificate, key = cls.authority.issue('server')
        cls.server = RegistryServer(settings={'DEFAULT': {
            'cert_file': certificate, 'key_file': key, 'ca_file': cls.authority.file,
            'registry_allowed_client_names': 'Node, node2.test'}})
        cls.addClassCleanup(cls.server.cleanup)
        cls.server.manage('db_sync')
        cls.server.launch()
        cls.node, cls.foreign_node = cls.authority.issue('node'), cls.stranger.issue('foreign')

    def database(self, protocol='https', **options):
        conf = cfg.ConfigOpts()
        conf([], default_config_files=[], default_config_dirs=[])
        sections.register(conf)
        for name, value in {'host': '127.0.0.1', 'port': self.server.port, 'client_protocol': protocol, 'client_timeout': 60,
                            **options}.items():
            conf.set_override(f'registry_{name}', value)
        database = RemoteDatabase.from_conf(conf)
        self.addCleanup(database.close)
        return database

    def options(self, authority=None, node=None):
        certificate, key = node or self.node
        return {'client_ca_file': (authority or self.authority).file, 'client_cert_file': certificate, 'client_key_file': key}

    def test_both_show_certificates(self):
        database = self.database(**self.options())
        database.check()
        self.assertEqual(0, database.usage('me')['images'])

    def test_a_server_that_is_not_trusted(self):
        self.assertRaises(exceptions.RegistryUnavailable, self.database(**self.options(self.stranger)).check)
        insecure = self.database(**self.options(self.stranger), client_insecure=True)
        insecure.check()

    def test_the_name_of_the_server_counts(self):
        database = self.database(**self.options())
        self.assertRaises(exceptions.RegistryUnavailable, self.database(**self.options(), host='localhost').check)
        database.check()

    def test_a_node_that_is_not_trusted(self):
        self.assertRaises(exceptions.RegistryUnavailable, self.database(**self.options(node=self.foreign_node)).check)
        self.assertRaises(exceptions.RegistryUnavailable, self.database(client_ca_file=self.authority.file).check)
        self.assertRaises(exceptions.RegistryUnavailable, self.database('http').check)

    def test_a_node_whose_name_is_not_allowed(self):
        self.assertRaises(exceptions.RegistryUnavailable, self.database(**self.options(node=self.authority.issue('other'))).check)
        self.assertIn('none of the names in its certificate (127.0.0.1, other)', self.server.log_text())

    def test_files_that_cannot_be_used(self):
        for option, value in (('client_cert_file', None), ('client_key_file', '/nowhere'), ('client_ca_file', '/nowhere'),
                              ('client_ca_file', self.node[1])):
            with self.subTest(option=option), self.assertRaises(exceptions.ConfigurationError):
                self.database(**{**self.options(), option: value})
