"""Stores of types whose locations need no address, enabled side by side as an operator does it."""
import os
import pathlib
import shutil
import sys
import tempfile
import unittest
import uuid
from unittest import mock

import pymongo
from oslo_config import cfg

from glance import conf as configuration
from glance.store import drivers
from glance.store.backends import Backends
from glance.store.base import Location
from tests.harness.backend import shared_backend
from tests.store_conformance.suite import read_to_end

CONFIGURATION = """
[DEFAULT]
enabled_backends = one:gridfs, two:gridfs, north:sheepdog, south:sheepdog
[glance_store]
default_backend = one
[one]
mongodb_store_uri = %(uri)s/%(one)s
[two]
mongodb_store_uri = %(uri)s
mongodb_store_db = %(two)s
[backend_defaults]
sheepdog_store_chunk_size = 1
[south]
sheepdog_store_port = 7001
[os_glance_staging_store]
filesystem_store_datadir = %(folder)s/staging
[os_glance_tasks_store]
filesystem_store_datadir = %(folder)s/tasks
"""


class Enabled(unittest.TestCase):

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        shutil.copy(pathlib.Path(shared_backend('sheepdog')['SHEEPDOG_BIN']) / 'dog', self.folder)
        for port in (7000, 7001):
            (self.folder / ('127.0.0.1_%d' % port)).mkdir()
        path = mock.patch.dict(os.environ, {'PATH': '%s:%s' % (self.folder, os.environ['PATH'])})
        path.start()
        self.addCleanup(path.stop)
        uri = shared_backend('mongodb')['MONGODB_URI']
        names = {name: 'glance-%s' % uuid.uuid4().hex for name in ('one', 'two')}
        client = pymongo.MongoClient(uri)
        self.addCleanup(client.close)
        for name in names.values():
            self.addCleanup(client.drop_database, name)
        file = self.folder / 'glance.conf'
        file.write_text(CONFIGURATION % {'uri': uri, 'folder': self.folder, **names})
        conf = cfg.ConfigOpts()
        configuration.register(conf)
        conf(args=[], default_config_files=[str(file)], default_config_dirs=[])
        self.backends = Backends(conf)
        self.addCleanup(self.backends.close)

    def test_each_keeps_its_own(self):
        image_id = str(uuid.uuid4())
        stored = {}
        for name in self.backends.names:
            writer = self.backends.get(name).writer(image_id)
            writer.write(memoryview(name.encode()))
            stored[name] = writer.commit()
        for name, location in stored.items():
            self.assertEqual({'store': name}, location.metadata)
            store = self.backends.for_location(location.url, location.metadata)
            self.assertEqual(name, store.name)
            reader = store.open(location)
            self.addCleanup(reader.close)
            self.assertEqual(name.encode(), read_to_end(reader))
        for name in ('north', 'south'):
            self.assertEqual(name, self.backends.name_for(stored[name].url))
        self.assertEqual('north', self.backends.for_location('sheepdog://' + image_id).name)
        self.assertEqual(5, self.backends.get('north').size(Location('sheepdog://' + image_id)))


class MissingLibrary(unittest.TestCase):

    def test_error_names_the_extra(self):
        with mock.patch.dict(sys.modules, {'pymongo': None}):
            sys.modules.pop('glance.store.drivers.gridfs', None)
            with self.assertRaisesRegex(drivers.DriverUnavailable, r"stores of type 'gridfs' .* pip install glance\[gridfs\]"):
                drivers.load('gridfs', 'stores = gridfs')
