"""Lists as former releases ask for them."""
import unittest
from unittest import mock

from glance.db.memory import MemoryDatabase
from glance.registry.classic import images
from glance.registry.classic.session import Session
from tests.unit.layers import fakes


class ImagesTest(unittest.TestCase):

    def test_images_that_are_not_public_are_looked_for_piece_by_piece(self):
        database = MemoryDatabase()
        for number in range(9):
            database.image_create({'status': 'active', 'name': str(number), 'owner': fakes.OWNER,
                                   'visibility': 'private' if number % 4 == 3 else 'public'})
        session, listed = Session(fakes.caller(), database, False), database.image_list

        def names(limit):
            found = images.image_get_all(session, limit=limit, is_public=False, sort_key='name', sort_dir='asc')
            return [image['name'] for image in found]
        with mock.patch.object(images, '_PART', 2), \
                mock.patch.object(database, 'image_list', side_effect=listed) as image_list:
            self.assertEqual([['3'], ['3', '7'], []], [names(limit) for limit in (1, 5, 0)])
            self.assertLessEqual({call.args[1].limit for call in image_list.call_args_list}, {2, 5})
        self.assertEqual(['3', '7'], names(None))
