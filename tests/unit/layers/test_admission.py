"""Which locations whom may bring: the table of schemes and callers."""
import types
import unittest
from unittest import mock

from glance import exceptions
from glance.context import RequestContext
from glance.db.memory import MemoryDatabase
from glance.domain.image import Image, Location
from glance.layers import admission
from glance.layers.admission import Admission, is_service
from glance.store.guard import GuardedStore
from tests.unit.layers import fakes

IMAGE_ID = '0f0e9a34-3d2b-4a57-8a1c-1c9d2e3f4a5b'
OTHER_ID = '11111111-2222-3333-4444-555555555555'


class FakeStore:
    """A store of some type. ``found`` is the size that it tells, or the error."""

    name = None

    def __init__(self, schemes, prefixes, found=10):
        self.schemes, self.url_prefixes, self.found, self.asked = schemes, prefixes, found, []

    def check(self, location):
        self.asked.append('check')
        if 'bad' in location.url:
            raise exceptions.URIRefused(location.url)

    def size(self, location):
        self.asked.append('size')
        if isinstance(self.found, Exception):
            raise self.found
        return self.found

    def made_for(self, location):
        return IMAGE_ID if location.url.endswith('own-volume') else OTHER_ID


class FakeStores:
    multiple, names = False, ()

    def __init__(self):
        self.enabled = [
            FakeStore(('file', 'filesystem'), ('file:///srv/',)), FakeStore(('http', 'https'), ('http://', 'https://')),
            FakeStore(('rbd',), ('rbd://cluster/pool/',)), GuardedStore(FakeStore(('cinder',), ('cinder://',))),
            FakeStore(('s3', 's3+https'), ('s3+https://host/bucket/',)),
            FakeStore(('swift+config', 'swift', 'swift+https'), ('swift+https://auth/account/container/',))]

    def for_location(self, url, metadata=None):
        scheme = url.partition('://')[0].lower()
        for store in self.enabled:
            if scheme in store.schemes:
                return store
        raise exceptions.BadLocation()


def context(*roles, service_roles=(), is_admin=False):
    return RequestContext(roles=list(roles), service_roles=list(service_roles), is_admin=is_admin, overwrite=False)


USER, SERVICE, ADMIN = context('member'), context('member', service_roles=['service']), context('admin', is_admin=True)


class AdmissionTest(unittest.TestCase):

    def setUp(self):
        self.env = types.SimpleNamespace(stores=FakeStores(), conf=fakes.make_conf(), database=MemoryDatabase())
        self.enterContext(mock.patch.object(admission, 'LEAST_SECONDS', 0))

    def check(self, caller, url, status='queued'):
        image = Image(IMAGE_ID, status=status)
        location = Location(url)
        try:
            Admission(caller, self.env).check(image, location)
        except (exceptions.Invalid, exceptions.Forbidden) as error:
            return type(error).__name__ if not isinstance(error, exceptions.Invalid) else 'Invalid'
        return location.url

    def test_who_is_a_service(self):
        self.assertEqual([False, True, True, False], [is_service(each) for each in (
            USER, SERVICE, context('Service'), ADMIN)])

    def test_table(self):
        own, foreign = 'rbd://cluster/pool/%s/snap' % IMAGE_ID, 'rbd://cluster/pool/%s/snap' % OTHER_ID
        for url, user, service in (
                ('file:///etc/passwd', 'Invalid', 'Invalid'), ('FILE:///etc/passwd', 'Invalid', 'Invalid'),
                ('filesystem:///srv/x', 'Invalid', 'Invalid'), ('swift+config://ref/c/o', 'Invalid', 'Invalid'),
                ('ftp://host/x', 'Invalid', 'Invalid'), ('sheepdog://a:1:b', 'Invalid', 'Invalid'), ('x', 'Invalid', 'Invalid'),
                ('http://host/x', None, None), ('http://bad/x', 'Invalid', 'Invalid'), ('HTTPS://host/x', None, None),
                (own, None, None), (foreign, 'Forbidden', None), ('rbd://cluster/other/%s/snap' % IMAGE_ID, 'Forbidden', 'Invalid'),
                ('rbd://cluster/pool', 'Forbidden', 'Invalid'),
                ('cinder://own-volume', None, None), ('cinder://other-volume', 'Forbidden', None),
                ('s3+https://host/bucket/o', 'Forbidden', None), ('s3+https://evil/bucket/o', 'Forbidden', 'Invalid'),
                ('s3+https://key:se/cret@host/bucket/o', 'Forbidden', 's3+https://host/bucket/o'),
                ('swift+https://auth/account/container/o', 'Forbidden', None),
                ('swift+https://u:k@auth/account/container/o', 'Invalid', 'Invalid'),
                ('swift+https://evil/account/container/o', 'Forbidden', 'Invalid')):
            for caller, expected in ((USER, user), (SERVICE, service), (ADMIN, service)):
                with self.subTest(url=url, roles=caller.roles):
                    self.assertEqual(expected or url, self.check(caller, url))

    def test_own_objects_are_for_queued_images(self):
        self.assertEqual('Forbidden', self.check(USER, 'rbd://cluster/pool/%s/snap' % IMAGE_ID, 'active'))

    def test_size(self):
        store = self.env.stores.enabled[1]
        image = Image(IMAGE_ID)
        for found in (0, -1, exceptions.ObjectNotFound(), exceptions.BadLocation(), exceptions.StoreUnavailable()):
            store.found = found
            with self.assertRaises(exceptions.Invalid):
                Admission(USER, self.env).admit(image, Location('http://host/x'))
            self.assertIsNone(image.size)
        store.found = 10
        Admission(USER, self.env).admit(image, Location('http://host/x'))
        self.assertEqual(10, image.size)
        store.found = 11
        with self.assertRaisesRegex(exceptions.Invalid, '11 bytes.*10'):
            Admission(USER, self.env).admit(image, Location('http://host/x'))

    def test_size_has_a_limit(self):
        self.env.conf.set_override('image_size_cap', 10)
        for url in ('http://host/x', 'rbd://cluster/pool/x/snap'):
            Admission(SERVICE, self.env).admit(Image(IMAGE_ID), Location(url))
        self.env.conf.set_override('image_size_cap', 9)
        for url in ('http://host/x', 'rbd://cluster/pool/x/snap'):
            with self.assertRaises(exceptions.ImageSizeLimitExceeded):
                Admission(SERVICE, self.env).admit(Image(IMAGE_ID), Location(url))

    def test_how_long_it_takes_tells_nothing_of_a_web_server(self):
        store, pauses = self.env.stores.enabled[1], []
        now = iter((100.0, 100.25) * 3)
        with mock.patch.object(admission, 'LEAST_SECONDS', 1), mock.patch.multiple(
                admission.time, monotonic=lambda: next(now), sleep=pauses.append):
            for found in (exceptions.ObjectNotFound(), exceptions.BadLocation(), exceptions.StoreUnavailable()):
                store.found = found
                with self.assertRaises(exceptions.Invalid):
                    Admission(USER, self.env).admit(Image(IMAGE_ID), Location('http://host/x'))
        self.assertEqual([0.75] * 3, pauses)

    def test_our_own_stores_may_be_away(self):
        self.env.stores.enabled[2].found = exceptions.StoreUnavailable()
        with self.assertRaises(exceptions.StoreUnavailable):
            Admission(SERVICE, self.env).admit(Image(IMAGE_ID), Location('rbd://cluster/pool/x/snap'))

    def test_nothing_is_asked_before_the_check(self):
        for url in ('http://bad/x', 'file:///srv/x'):
            with self.assertRaises(exceptions.Invalid):
                Admission(ADMIN, self.env).admit(Image(IMAGE_ID), Location(url))
        self.assertEqual([], [asked for store in self.env.stores.enabled for asked in getattr(store, 'inner', store).asked if asked == 'size'])
