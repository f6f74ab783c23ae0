"""What the image caches of the nodes hold."""
import dataclasses
import uuid

from glance import exceptions
from glance.db.interface import CachedImage
from tests.db_conformance.base import DatabaseCase, moment

HERE, THERE = 'http://one:9292', 'http://two:9292'


class Caches(DatabaseCase):
    def save(self, node: str = HERE, second: int = 0, **values) -> CachedImage:
        entry = CachedImage(**{'image_id': str(uuid.uuid4()), 'size': 2 ** 40, 'hits': 0, 'last_accessed': moment(second),
                               'last_modified': moment(0), **values})
        self.db.cache_save(node, entry)
        return entry

    def listed(self, node: str = HERE) -> list[CachedImage]:
        return [dataclasses.replace(entry, id=None) for entry in self.db.cache_list(node)]

    def test_entries_are_listed_by_node_the_least_recently_used_first(self):
        late, early, other = self.save(second=9), self.save(second=1), self.save(THERE)
        self.assertEqual([early, late], self.listed())
        self.assertEqual([other], self.listed(THERE))
        self.assertEqual([], self.listed('http://nobody'))
        self.assertEqual(3, len({entry.id for node in (HERE, THERE) for entry in self.db.cache_list(node)}))

    def test_an_entry_is_recorded_once_for_each_node(self):
        first = self.save(checksum='a' * 32)
        known = self.db.cache_list(HERE)
        again = dataclasses.replace(first, size=7, hits=3, checksum=None, last_accessed=moment(5), last_modified=moment(4))
        self.db.cache_save(HERE, again)
        self.db.cache_save(THERE, first)
        self.assertEqual([again], self.listed())
        self.assertEqual(known[0].id, self.db.cache_list(HERE)[0].id)
        self.assertEqual([first], self.listed(THERE))

    def test_uses_are_counted_at_the_node(self):
        entry = self.save()
        self.db.cache_save(THERE, entry)
        for second in (5, 3):
            self.db.cache_hit(HERE, entry.image_id, moment(second))
        self.assertEqual([dataclasses.replace(entry, hits=2, last_accessed=moment(3))], self.listed())
        self.assertEqual([entry], self.listed(THERE))
        self.db.cache_hit(HERE, str(uuid.uuid4()), moment(6))
        self.db.cache_hit('http://nobody', entry.image_id, moment(6))
        self.assertEqual(1, len(self.listed()))

    def test_entries_are_forgotten(self):
        one, two, three = self.save(second=1), self.save(second=2), self.save(second=3)
        self.db.cache_save(THERE, one)
        self.db.cache_delete(HERE, [one.image_id, two.image_id, str(uuid.uuid4())])
        self.assertEqual([three], self.listed())
        self.db.cache_delete(HERE, [])
        self.assertEqual([three], self.listed())
        self.db.cache_delete(HERE)
        self.db.cache_delete('http://nobody')
        self.assertEqual([], self.listed())
        self.assertEqual([one], self.listed(THERE))

    def test_nodes_that_have_an_image(self):
        entry = self.save(THERE)
        self.db.cache_save(HERE, entry)
        self.save('http://three')
        self.assertEqual([HERE, THERE], self.db.cache_nodes(entry.image_id))
        for nothing in (str(uuid.uuid4()), 'x' * 37, 'a\0'):
            self.assertEqual([], self.db.cache_nodes(nothing))

    def test_what_no_column_can_hold_is_refused(self):
        for node, values in ((HERE, {'checksum': 'c' * 33}), (HERE, {'size': 2 ** 63}), (HERE, {'image_id': 'x' * 37}),
                             ('http://' + 'n' * 250, {})):
            self.assertRaises(exceptions.Invalid, self.save, node, **values)
        self.assertEqual([], self.listed())
