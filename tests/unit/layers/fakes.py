"""What stands in for configuration, stores and callers in these tests."""
import dataclasses
import os
import shutil
import tempfile
import types
import uuid

from oslo_config import cfg

from glance import conf as configuration
from glance import exceptions
from glance.context import RequestContext
from glance.db.memory import MemoryDatabase
from glance.domain.properties import Validator
from glance.environment import Environment, ExtraSchema, inspection_rules
from glance.keys.manager import KeyManager
from glance.keys.signatures import Signatures
from glance.notify.notifier import Notifier
from glance.policies.enforcer import Enforcer
from glance.store.base import Location
from glance.tasks.leases import LeaseKeeper
from glance.transfer.sources import BytesSource

OWNER, FRIEND, STRANGER = 'p-owner', 'p-friend', 'p-stranger'


def temporary_directory(test):
    """Make a directory that goes away with the test."""
    path = tempfile.mkdtemp(prefix='glance-test-')
    test.addCleanup(shutil.rmtree, path, ignore_errors=True)
    return path


def make_conf(directory=None, text='[DEFAULT]\n'):
    """Return a configuration of our options; files named in options are searched in the directory."""
    options = cfg.ConfigOpts()
    configuration.register(options)
    files = []
    if directory is not None:
        files = [os.path.join(directory, 'glance-api.conf')]
        with open(files[0], 'w') as file:
            file.write(text)
    # A project of its own, so that files of an installation on this machine are not found.
    options([], project='glance-test-%s' % uuid.uuid4(), prog='glance-api', default_config_files=files,
            default_config_dirs=[])
    return options


def caller(project=OWNER, roles=('member', 'reader'), **identity):
    """Return the context of a user."""
    identity.setdefault('is_admin', 'admin' in roles)
    return RequestContext(project_id=project, user_id='u', roles=list(roles), overwrite=False, **identity)


def admin():
    """Return the context of an administrator."""
    return caller('p-admin', ('admin', 'member', 'reader'))


class Store:
    """A store in memory. ``fail`` maps the name of an operation to the error that it raises."""

    name, schemes, url_prefixes = None, ('memory',), ('memory://',)

    def __init__(self, name=None):
        self.name = name
        self.objects, self.partial, self.fail = {}, {}, {}

    def _check(self, operation):
        if operation in self.fail:
            raise self.fail[operation]

    def url(self, image_id):
        return 'memory://%s/%s' % (self.name or '', image_id)

    def writer(self, image_id, size=None, attempt=None):
        self._check('writer')
        if self.url(image_id) in self.objects:
            raise exceptions.ObjectExists()
        return _Writer(self, image_id, attempt or str(uuid.uuid4()))

    def open(self, location, offset=0, length=None):
        self._check('open')
        data = self._find(location)[offset:]
        return Reader(data if length is None else data[:length], offset)

    def size(self, location):
        return len(self._find(location))

    def delete(self, location):
        self._check('delete')
        self._find(location)
        del self.objects[location.url]

    def _find(self, location):
        if location.url not in self.objects:
            raise exceptions.ObjectNotFound()
        return self.objects[location.url]

    def discard(self, image_id, attempt=None, committed=False):
        self._check('discard')
        found = [key for key in self.partial if key[0] == image_id and attempt in (None, key[1])]
        freed = sum(len(self.partial.pop(key)) for key in found)
        return freed + (len(self.objects.pop(self.url(image_id), b'')) if committed else 0)

    def sweep(self, older_than=3600.0):
        return []

    def walk(self):
        return iter(())

    def close(self):
        """Nothing is open."""


class _Writer:
    holes = False

    def __init__(self, store, image_id, attempt):
        self._store, self._image_id, self._key, self._ended = store, image_id, (image_id, attempt), False
        store.partial[self._key] = bytearray()

    def write(self, data):
        self._store._check('write')
        self._store.partial[self._key] += data

    def hole(self, length):
        self.write(bytes(length))

    def commit(self):
        self._store._check('commit')
        url = self._store.url(self._image_id)
        if url in self._store.objects:
            raise exceptions.ObjectExists()
        self._store.objects[url] = bytes(self._store.partial.pop(self._key))
        self._ended = True
        return Location(url, {'store': self._store.name} if self._store.name else {})

    def abort(self):
        if not self._ended:
            self._store.partial.pop(self._key, None)


class Reader:
    """A span of bytes in memory."""

    def __init__(self, data, offset=0):
        self._data, self.length, self.offset, self.closed = data, len(data), offset, False

    def readinto(self, buffer):
        count = min(len(buffer), len(self._data))
        buffer[:count], self._data = self._data[:count], self._data[count:]
        return count

    def fileno(self):
        return None

    def close(self):
        self.closed = True


class Stores:
    """The stores of a process, as ``glance.store.backends.Backends`` describes them."""

    def __init__(self, *names):
        self._stores = {name: Store(name) for name in names} or {'memory': Store()}
        self.multiple, self.names = bool(names), names
        self.enabled = tuple(self._stores.values())
        self.default = next(iter(self._stores))
        self.staging, self.closed = Store('os_glance_staging_store'), False

    def get(self, name):
        try:
            return self._stores[name]
        except KeyError:
            raise exceptions.UnknownStore(name) from None

    def for_location(self, url, metadata=None):
        found = [store for store in self.enabled if url.startswith(store.url(''))]
        if not found:
            raise exceptions.BadLocation()
        return found[0]

    def name_for(self, url):
        return self.for_location(url).name

    def name_of(self, url, metadata):
        return metadata['store'] if metadata.get('store') in self.names else self.name_for(url)

    def in_reading_order(self, locations, prefer=()):
        return list(locations)

    def close(self):
        self.closed = True


class Source(BytesSource):
    """A request body; ``at_end`` is called when it has been read."""

    def __init__(self, data, at_end=None):
        super().__init__(data)
        self._at_end, self.read = at_end, 0

    def readinto(self, buffer):
        count = super().readinto(buffer)
        self.read += count
        if not count and self._at_end:
            at_end, self._at_end = self._at_end, None
            at_end()
        return count


def make_environment(test, conf=None, database=None, stores=None, schema=None, notifier=None, keys=None):
    """Return the environment of a process in memory, closed at the end of the test."""
    database = database or MemoryDatabase()
    conf = conf or make_conf()
    keys = keys or KeyManager(conf)
    env = Environment(
        conf=conf, database=database, stores=stores or Stores(), enforcer=Enforcer(conf),
        validator=Validator(conf.image_format.disk_formats, conf.image_format.container_formats),
        schema=schema or ExtraSchema({}), leases=LeaseKeeper(database), notifier=notifier or Notifier(conf),
        inspection=inspection_rules(conf), keys=keys, signatures=Signatures(keys))
    test.addCleanup(env.leases.close)
    return env


class Spy:
    """An innermost layer that records the verbs and answers them from ``answers``; an exception is raised."""

    def __init__(self, **answers):
        self.calls, self.answers = [], answers

    def __getattr__(self, verb):
        def call(*args, **kwargs):
            self.calls.append(verb)
            answer = self.answers.get(verb)
            if isinstance(answer, BaseException):
                raise answer
            return answer(*args, **kwargs) if isinstance(answer, types.FunctionType) else answer
        return call


class Failing:
    """Another object, some of whose methods raise: ``Failing(database, image_update=[None, error])``.

    The list holds what the calls raise, one after the other; None lets one through, and so does the end of the list.
    A function is called before the real method.
    """

    def __init__(self, real, **plans):
        self._real, self._plans = real, plans

    def __getattr__(self, name):
        method = getattr(self._real, name)
        if name not in self._plans:
            return method

        def call(*args, **kwargs):
            step = self._plans[name].pop(0) if self._plans[name] else None
            if isinstance(step, BaseException):
                raise step
            if step is not None:
                step()
            return method(*args, **kwargs)
        return call


@dataclasses.dataclass
class Clock:
    """A clock that stands still until it is moved."""

    now: float = 1000.0

    def monotonic(self):
        return self.now
