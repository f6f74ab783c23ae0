"""The configured stores of a process: both modes, look-up, and what is refused at start."""
import os
import sys
import tempfile
import unittest
from unittest import mock

from oslo_config import cfg

from glance import conf as configuration
from glance import exceptions
from glance.store.backends import Backends
from glance.store.base import Location


class BackendsTestCase(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = folder.name

    def conf(self, text):
        path = os.path.join(self.root, 'glance.conf')
        with open(path, 'w') as file:
            file.write(text.replace('@', self.root))
        conf = cfg.ConfigOpts()
        configuration.register(conf)
        conf(args=[], default_config_files=[path], default_config_dirs=[])
        conf.set_default('node_staging_uri', 'file://%s/staging/' % self.root)
        return conf

    def backends(self, text):
        backends = Backends(self.conf(text))
        self.addCleanup(backends.close)
        return backends

    def assert_refused(self, text, error=exceptions.ConfigurationError):
        with self.assertRaises(error) as caught:
            self.backends(text)
        return str(caught.exception)


class UnnamedTest(BackendsTestCase):
    single = '[glance_store]\nfilesystem_store_datadir = @/images\n'

    def test_default(self):
        backends = self.backends(self.single)
        self.assertFalse(backends.multiple)
        self.assertEqual('file', backends.default)
        self.assertEqual((), backends.names)
        store = backends.get(backends.default)
        self.assertIsNone(store.name)
        self.assertIs(store, backends.get('filesystem'))
        location = store.writer('0f0e9a34-3d2b-4a57-8a1c-1c9d2e3f4a5b').commit()
        self.assertEqual(Location('file://%s/images/0f0e9a34-3d2b-4a57-8a1c-1c9d2e3f4a5b' % self.root), location)
        self.assertIs(store, backends.for_location(location.url, {'store': 'of another time'}))

    def test_staging(self):
        backends = self.backends(self.single)
        self.assertEqual(('file://%s/staging/' % self.root, 'filesystem://%s/staging/' % self.root),
                         backends.staging.url_prefixes)
        self.assertEqual(0o700, os.stat(os.path.join(self.root, 'staging')).st_mode & 0o777)

    def test_old_names(self):
        backends = self.backends('[DEFAULT]\nknown_stores = glance.store.filesystem.Store, glance.store.http.Store\n'
                                 'default_store = filesystem\nfilesystem_store_datadir = @/old\n')
        self.assertEqual('filesystem', backends.default)
        self.assertIn('file://%s/old/' % self.root, backends.get('file').url_prefixes)

    def test_unknown(self):
        backends = self.backends(self.single)
        with self.assertRaises(exceptions.UnknownStore):
            backends.get('rbd')
        for url in ('rbd://x', 'gopher://x', 'x'):
            with self.assertRaises(exceptions.BadLocation):
                backends.for_location(url, {})

    def test_default_store_that_is_not_served(self):
        message = self.assert_refused(self.single + 'default_store = rbd\n')
        self.assertIn('[glance_store] default_store = rbd', message)

    def test_type_that_does_not_exist(self):
        self.assertIn('[glance_store] stores = tape', self.assert_refused(self.single + 'stores = file,tape\n'))

    def test_staging_in_the_directory_of_images(self):
        self.assertIn('staging', self.assert_refused('[glance_store]\nfilesystem_store_datadir = @/staging\n'))


class NamedTest(BackendsTestCase):
    text = """
[DEFAULT]
enabled_backends = fast:file, slow : glance.store.filesystem.Store
[glance_store]
default_backend = slow
filesystem_store_datadir = @/ignored
[fast]
filesystem_store_datadir = @/fast
store_description = Flash
weight = 5
[slow]
filesystem_store_datadir = @/fast2
[backend_defaults]
filesystem_thin_provisioning = True
[os_glance_staging_store]
filesystem_store_datadir = @/staging
[os_glance_tasks_store]
filesystem_store_datadir = @/tasks
"""

    def test_names(self):
        backends = self.backends(self.text)
        self.assertTrue(backends.multiple)
        self.assertEqual(('fast', 'slow'), backends.names)
        self.assertEqual('slow', backends.default)
        fast = backends.backend('fast')
        self.assertEqual(('fast', 'file', 'Flash', 5), (fast.name, fast.type, fast.description, fast.weight))
        self.assertEqual('file', backends.backend('slow').type)

    def test_reserved_stores(self):
        backends = self.backends(self.text)
        self.assertIs(backends.staging, backends.get('os_glance_staging_store'))
        self.assertIn('file://%s/tasks/' % self.root, backends.get('os_glance_tasks_store').url_prefixes)
        with self.assertRaises(exceptions.UnknownStore):
            backends.backend('os_glance_staging_store')

    def test_unknown(self):
        backends = self.backends(self.text)
        for name in ('file', 'none', ''):
            with self.assertRaises(exceptions.UnknownStore):
                backends.get(name)

    def test_backend_defaults(self):
        backends = self.backends(self.text + '[fast]\nfilesystem_thin_provisioning = False\n')
        self.assertFalse(backends.get('fast').thin)
        self.assertTrue(backends.get('slow').thin)
        self.assertFalse(backends.staging.thin)

    def test_location(self):
        """By name, else by the directory, comparing whole components of the path."""
        backends = self.backends(self.text)
        fast, slow = backends.get('fast'), backends.get('slow')
        url = 'file://%s/%s/x'
        self.assertIs(slow, backends.for_location(url % (self.root, 'fast'), {'store': 'slow'}))
        for metadata in (None, {}, {'store': 'removed'}, {'store': 1}, {'store': 'os_glance_staging_store'}):
            self.assertIs(fast, backends.for_location(url % (self.root, 'fast'), metadata))
            self.assertIs(slow, backends.for_location(url % (self.root, 'fast2'), metadata))
        self.assertIs(slow, backends.for_location('filesystem://%s/fast2/x' % self.root))
        with self.assertRaises(exceptions.BadLocation):
            backends.for_location('rbd://x', {'store': 'fast'})

    def test_reading_order(self):
        backends = self.backends(self.text)
        slow, fast, gone = (Location('file://%s/%s/x' % (self.root, folder), metadata)
                            for folder, metadata in (('fast2', {'store': 'slow'}), ('fast', {}), ('z', {'store': 'gone'})))
        self.assertEqual([fast, gone, slow], backends.in_reading_order([gone, slow, fast]))
        self.assertEqual([slow, fast, gone], backends.in_reading_order([gone, slow, fast], ['slow']))
        self.assertEqual([slow, fast, gone], backends.in_reading_order([gone, slow, fast], ['slow', 'fast']))

    def test_name_of_the_store_of_a_location(self):
        backends = self.backends(self.text)
        for folder, metadata, name in (('fast', {}, 'fast'), ('fast', {'store': 'slow'}, 'slow'), ('fast2', {'store': 'x'}, 'slow'),
                                       ('fast2', {'store': ['fast']}, 'slow'), ('fas', {}, None), ('fast3', {}, None),
                                       ('fast', {'store': 'os_glance_staging_store'}, 'fast')):
            self.assertEqual(name, backends.name_of('file://%s/%s/x' % (self.root, folder), metadata))

    def test_credentials_in_old_urls(self):
        backends = self.backends(self.text.replace('fast:file', 'fast:file, far:s3') + (
            '[far]\ns3_store_host = https://s3.example.org\ns3_store_bucket = b\ns3_store_access_key = a\n'
            's3_store_secret_key = s\ns3_store_bucket_url_format = path\n'))
        for url, name in (('s3+https://key:se/cret@s3.example.org/b/x', 'far'), ('s3+https://s3.example.org/b/x', 'far'),
                          ('s3+https://s3.example.org/b2/x', None)):
            self.assertEqual(name, backends.name_for(url))

    def test_name_is_in_the_metadata_of_locations(self):
        location = self.backends(self.text).get('fast').writer('0f0e9a34-3d2b-4a57-8a1c-1c9d2e3f4a5b').commit()
        self.assertEqual({'store': 'fast'}, location.metadata)

    def test_default_backend(self):
        self.assertIn('default_backend is not set', self.assert_refused(self.text.replace('default_backend = slow', '')))
        self.assertIn('default_backend = x', self.assert_refused(self.text.replace('default_backend = slow',
                                                                            'default_backend = x')))

    def test_types(self):
        self.assertIn('fast:tape', self.assert_refused(self.text.replace('fast:file', 'fast:tape')))

    def test_a_library_that_is_missing(self):
        text = self.text.replace('fast:file', 'fast:gridfs')
        with mock.patch.dict(sys.modules, {'glance.store.drivers.gridfs': None}):
            with self.assertLogs('glance.store.backends', 'WARNING') as logs:
                backends = self.backends(text)
            self.assertEqual(('slow',), backends.names)
            for word in (self.root, 'fast:gridfs', 'pip install glance[gridfs]', 'left out'):
                self.assertIn(word, logs.output[0])
            error = self.assert_refused(text.replace('default_backend = slow', 'default_backend = fast'),
                                        exceptions.StoreConfigurationError)
        self.assertIn('pip install glance[gridfs]', error)

    def test_a_wrong_option(self):
        """Of the default store it ends the start; another store is there, and answers that it cannot be used."""
        text = self.text + '[fast]\nfilesystem_store_datadirs = @/fast:high\nfilesystem_store_datadir =\n'
        with self.assertLogs('glance.store.backends', 'ERROR') as logs:
            backends = self.backends(text)
        for word in (os.path.join(self.root, 'glance.conf'), '[fast] filesystem_store_datadirs', 'high'):
            self.assertIn(word, logs.output[0])
        fast = backends.get('fast')
        location = Location('file://%s/fast/x' % self.root)
        for call in (lambda: fast.writer('x'), lambda: fast.open(location), lambda: fast.size(location),
                     lambda: fast.delete(location), fast.walk):
            self.assertRaises(exceptions.StoreUnavailable, call)
        self.assertEqual((0, []), (fast.discard('x'), fast.sweep()))
        message = self.assert_refused(text.replace('default_backend = slow', 'default_backend = fast'),
                                      exceptions.StoreConfigurationError)
        for word in (os.path.join(self.root, 'glance.conf'), '[fast] filesystem_store_datadirs', 'high'):
            self.assertIn(word, message)

    def test_servers_are_not_asked_at_start(self):
        with mock.patch('socket.socket.connect', side_effect=AssertionError('connected')):
            backends = self.backends(self.text.replace('fast:file', 'fast:file, far:s3') + (
                '[far]\ns3_store_host = https://192.0.2.1\ns3_store_bucket = b\ns3_store_access_key = a\n'
                's3_store_secret_key = s\n'))
        self.assertEqual(('fast', 'far', 'slow'), backends.names)

    def test_one_http_store_at_most(self):
        self.backends(self.text.replace('fast:file', 'fast:file, web:http'))
        self.assertIn('web, web2', self.assert_refused(self.text.replace('fast:file', 'fast:file, web:http, web2:http')))

    def test_reserved_names(self):
        self.assertIn('os_glance_mine', self.assert_refused(self.text.replace('fast:file', 'os_glance_mine:file')))

    def test_shared_directory(self):
        for other in ('fast2', 'staging', './fast2/'):
            message = self.assert_refused(self.text.replace('= @/fast\n', '= @/%s\n' % other))
            self.assertIn('share the directory', message)
        os.symlink(os.path.join(self.root, 'fast2'), os.path.join(self.root, 'link'))
        self.assertIn('share the directory', self.assert_refused(self.text.replace('= @/fast\n', '= @/link\n')))
