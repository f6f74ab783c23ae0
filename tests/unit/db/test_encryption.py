"""Encrypted URLs of locations: both forms, mixtures of them, wrong keys and damage."""
import base64
import pathlib
import tempfile
import unittest

import sqlalchemy as sa
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from hypothesis import given
from hypothesis import strategies as st

from glance import exceptions
from glance.db.encryption import UrlCipher
from glance.db.interface import ImageChanges, ImageQuery
from glance.db.sqlalchemy import models
from glance.db.sqlalchemy.database import SQLDatabase
from tests.db_conformance.base import ADMIN

KEY, OTHER_KEY = '0123456789abcdef', 'fedcba9876543210'
URL = 'rbd://cluster/pool/image/snap'
OTHER_URL = 'rbd://cluster/pool/other/snap'


def cbc(url, key=KEY, block=16):
    """Encrypt as older releases did; ``block`` is what they pad to."""
    text, vector = url.encode() + b'\0', bytes(range(16))
    padded = text + b'\x01' * (-len(text) % block)
    encryptor = Cipher(algorithms.AES(key.encode()), modes.CBC(vector)).encryptor()
    return base64.urlsafe_b64encode(vector + encryptor.update(padded) + encryptor.finalize()).decode()


class CipherTest(unittest.TestCase):

    @given(st.text(st.characters(exclude_categories=['Cs'])), st.sampled_from((16, 24, 32)))
    def test_round_trip(self, url, length):
        cipher = UrlCipher('k' * length)
        self.assertEqual(url, cipher.open(cipher.seal(url)))

    def test_each_time_something_else_that_shows_nothing(self):
        cipher = UrlCipher(KEY)
        first, second = cipher.seal(URL), cipher.seal(URL)
        self.assertNotEqual(first, second)
        self.assertNotIn('rbd', first)
        self.assertTrue(first.isascii())

    def test_without_a_key(self):
        self.assertEqual(URL, UrlCipher().seal(URL))
        self.assertEqual(URL, UrlCipher().open(URL))
        with self.assertRaises(exceptions.LocationUnreadable), self.assertLogs('glance.db.encryption', 'ERROR'):
            UrlCipher().open(UrlCipher(KEY).seal(URL))

    def test_what_older_releases_wrote(self):
        cipher = UrlCipher(KEY)
        self.assertEqual(URL, cipher.open(URL))
        for url in (URL, 'file:///' + 'x' * 100, 'http://a/é'):
            for block in (16, 64):
                self.assertEqual(url, cipher.open(cbc(url, block=block)))

    def test_wrong_keys(self):
        for stored in (UrlCipher(KEY).seal(URL), cbc(URL)):
            with self.assertRaises(exceptions.LocationUnreadable), self.assertLogs('glance.db.encryption') as logs:
                UrlCipher(OTHER_KEY).open(stored)
            self.assertNotIn(stored, ''.join(logs.output))

    def test_damage(self):
        stored = UrlCipher(KEY).seal(URL)
        prefix, _, sealed = stored.rpartition(':')
        raw = bytearray(base64.urlsafe_b64decode(sealed))
        for position in range(len(raw)):
            raw[position] ^= 1
            damaged = '%s:%s' % (prefix, base64.urlsafe_b64encode(raw).decode())
            with self.assertRaises(exceptions.LocationUnreadable):
                UrlCipher(KEY).open(damaged)
            raw[position] ^= 1
        for damaged in (prefix + ':', prefix + ':x', prefix + ':é', 'gcm1:', '', 'no base64 é', 'AAAA'):
            with self.assertRaises(exceptions.LocationUnreadable, msg=damaged):
                UrlCipher(KEY).open(damaged)


class DatabaseTest(unittest.TestCase):

    def setUp(self):
        folder = self.enterContext(tempfile.TemporaryDirectory())
        self.url = 'sqlite:///%s' % pathlib.Path(folder, 'db')
        self.plain, self.sealed = self.open(), self.open(KEY)
        models.metadata.create_all(self.plain.engine.writer, checkfirst=False)

    def open(self, key=None):
        database = SQLDatabase.from_url(self.url, key)
        self.addCleanup(database.close)
        return database

    def rows(self):
        with self.plain.engine.reader.connect() as connection:
            return [tuple(row) for row in connection.execute(sa.text(
                'SELECT value, status FROM image_locations ORDER BY id'))]

    def create(self, database, *urls):
        return database.image_create({'status': 'active', 'locations': [{'url': url} for url in urls]})['id']

    def urls(self, database, image_id):
        return [location['url'] for location in database.image_get(ADMIN, image_id)['locations']]

    def test_on(self):
        image_id = self.create(self.sealed, URL)
        self.sealed.image_update(image_id, ImageChanges(add_locations=[{'url': 'file:///a'}, {'url': 'file:///b'}]))
        self.assertEqual([URL, 'file:///a', 'file:///b'], self.urls(self.sealed, image_id))
        self.assertTrue(all(value.startswith('gcm1:') for value, _ in self.rows()))
        self.assertEqual([URL, 'file:///a', 'file:///b'],
                         [each['url'] for each in self.sealed.image_list(ADMIN, ImageQuery())[0]['locations']])
        self.assertEqual([URL, 'file:///a', 'file:///b'],
                         [each['url'] for each in self.sealed.image_remove(image_id, 'pending_delete').locations])
        self.assertTrue(all(value.startswith('gcm1:') for value, _ in self.rows()))

    def test_off(self):
        self.create(self.plain, URL)
        self.assertEqual([(URL, 'active')], self.rows())

    def test_switched_on(self):
        image_id = self.create(self.plain, URL)
        with self.plain.engine.writer.begin() as connection:
            connection.execute(sa.text('UPDATE image_locations SET value = :value'), {'value': cbc(URL)})
        plain = self.create(self.plain, OTHER_URL)
        for each, url in ((image_id, URL), (plain, OTHER_URL)):
            self.assertEqual([url], self.urls(self.sealed, each))
            self.sealed.image_update(each, ImageChanges(add_locations=[{'url': 'file:///%s' % each}]))
            self.assertEqual([url, 'file:///%s' % each], self.urls(self.sealed, each))

    def test_only_changed_urls_are_encrypted_again(self):
        image_id = self.create(self.sealed, URL, OTHER_URL)
        first, second = self.sealed.image_get(ADMIN, image_id)['locations']
        before = [value for value, _ in self.rows()]
        self.sealed.image_update(image_id, ImageChanges(update_locations=[
            {**first, 'metadata': {'a': 'b'}}, {**second, 'url': 'file:///x'}]))
        after = [value for value, _ in self.rows()]
        self.assertEqual((True, False), (before[0] == after[0], before[1] == after[1]))
        self.assertEqual([{'a': 'b'}, {}], [each['metadata'] for each in self.sealed.image_get(ADMIN, image_id)['locations']])
        self.assertEqual([URL, 'file:///x'], self.urls(self.sealed, image_id))

    def test_guarded_changes_compare_urls(self):
        image_id = self.create(self.sealed, URL)
        image = self.sealed.image_get(ADMIN, image_id)
        self.sealed.image_update(image_id, ImageChanges(columns={'name': 'x'}), expected={'locations': image['locations']})
        with self.assertRaises(exceptions.ChangedMeanwhile):
            self.sealed.image_update(image_id, ImageChanges(), expected={'locations': []})

    def test_wrong_key(self):
        image_id = self.create(self.sealed, URL)
        with self.assertRaises(exceptions.LocationUnreadable), self.assertLogs('glance.db.encryption', 'ERROR'):
            self.open(OTHER_KEY).image_get(ADMIN, image_id)
