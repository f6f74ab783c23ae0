"""What an image's data is verified by."""
import unittest
import uuid

from glance.cache.content import Content
from glance.cache.layout import is_image_id
from glance.domain.image import Image
from glance.domain.properties import UNVERIFIED_HASH


class ContentTest(unittest.TestCase):

    def test_the_best_hash_that_is_trusted(self):
        hashes = {'os_hash_algo': 'sha512', 'os_hash_value': 'a' * 128}
        unverified = {'extra_properties': {UNVERIFIED_HASH: 'true'}}
        for values, expected in (
                ({**hashes, 'checksum': 'b' * 32}, ('sha512', 'a' * 128)), (hashes, ('sha512', 'a' * 128)),
                ({'checksum': 'b' * 32}, ('md5', 'b' * 32)), ({}, (None, None)),
                # Given by a user, and never compared with the data.
                ({**hashes, **unverified}, (None, None)), ({**hashes, **unverified, 'checksum': 'b' * 32}, ('md5', 'b' * 32))):
            content = Content.of(Image('i', size=7, **values))
            self.assertEqual(expected, (content.algorithm, content.digest))
            self.assertEqual(7, content.size)

    def test_names_that_are_ids_of_images(self):
        some_id = str(uuid.uuid4())
        self.assertTrue(is_image_id(some_id))
        for name in ('', '.', '..', 'cache.db', 'incomplete', some_id.upper(), some_id + '\n', ' ' + some_id, some_id[:-1],
                     some_id.replace('-', ''), '../' + some_id, some_id + '/x', some_id + '.part'):
            self.assertFalse(is_image_id(name), name)
