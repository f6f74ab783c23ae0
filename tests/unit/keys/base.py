"""What the tests of keys share: a key manager in a folder, and callers with tokens."""
import logging
import os
import unittest

from glance.keys.manager import KeyManager
from tests.harness import key_manager
from tests.unit.layers import fakes


class KeysTestCase(unittest.TestCase):

    def setUp(self):
        self.folder = fakes.temporary_directory(self)
        os.mkdir(self.folder + '/objects')
        self.conf = fakes.make_conf(self.folder, '[key_manager]\nbackend = %s\n[test_key_manager]\nfolder = %s/objects\n'
                                    % (key_manager.NAME, self.folder))
        self.keys = KeyManager(self.conf)
        # castellan warns of a backend that is named by its path.
        log = logging.getLogger('castellan.key_manager')
        self.addCleanup(log.setLevel, log.level)
        log.setLevel(logging.ERROR)
        self.owner = fakes.caller(auth_token='token')
        self.stranger = fakes.caller(fakes.STRANGER, auth_token='token')

    def keep(self, data, project=fakes.OWNER):
        return key_manager.keep(self.folder + '/objects', project, data)

    def kept(self, object_id):
        return any(object_id in names for _, _, names in os.walk(self.folder + '/objects'))

    def write(self, name, text):
        path = os.path.join(self.folder, name)
        with open(path, 'w') as file:
            file.write(text)
        return path
