"""A key manager for tests: a backend of castellan that keeps its objects in files.

Configured by ``[key_manager] backend = tests.harness.key_manager.FileKeyManager`` and ``[test_key_manager] folder``.
"""

import pathlib
import uuid

from castellan.common import exception
from castellan.common.objects import opaque_data, x_509
from castellan.key_manager import key_manager
from oslo_config import cfg

NAME = 'tests.harness.key_manager.FileKeyManager'


class FileKeyManager(key_manager.KeyManager):
    """Each object is a file, in a folder that is named like the project that owns it; others are refused."""

    def __init__(self, configuration):
        super().__init__(configuration)
        configuration.register_opts([cfg.StrOpt('folder')], 'test_key_manager')
        self.folder = pathlib.Path(configuration.test_key_manager.folder)

    def store(self, context, managed_object, expiration=None):
        return keep(self.folder, context.project_id, managed_object.get_encoded())

    def get(self, context, managed_object_id, metadata_only=False):
        data = self._find(context, managed_object_id).read_bytes()
        if data == b'broken':
            raise RuntimeError('http://user:password@keys.example.org is down')
        kind = opaque_data.OpaqueData if data.startswith(b'key') else x_509.X509
        return kind(data)

    def delete(self, context, managed_object_id, force=False):
        self._find(context, managed_object_id).unlink()

    def _find(self, context, managed_object_id):
        if context is None or not context.auth_token:
            raise exception.Forbidden()
        found = list(self.folder.glob('*/%s' % managed_object_id))
        if not found:
            raise exception.ManagedObjectNotFoundError(uuid=managed_object_id)
        if found[0].parent.name != context.project_id:
            raise exception.Forbidden()
        return found[0]

    def create_key(self, *unused, **also_unused):
        raise NotImplementedError

    create_key_pair = copy = list = add_consumer = remove_consumer = create_key


def keep(folder, project, data):
    """Put an object of a project into the folder; return its id."""
    object_id = str(uuid.uuid4())
    path = pathlib.Path(folder) / project / object_id
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return object_id
