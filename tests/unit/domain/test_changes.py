"""What an image tells about its difference from the stored state."""
import unittest

from hypothesis import given
from hypothesis import strategies as st

from glance.domain.image import Image, Location

WORDS = st.text('abc', max_size=2)


def stored(**values):
    image = Image('i', **values)
    image.remember()
    return image


class ChangesTest(unittest.TestCase):

    def test_a_stored_image_has_no_changes(self):
        image = stored(name='n', tags=['a'], extra_properties={'k': 'v'},
                       locations=[Location('u', {'store': 's'}, id=1)])
        self.assertFalse(image.changes)

    def test_only_what_changed_is_named(self):
        image = stored(name='n', min_ram=1, owner='o')
        image.name, image.owner = 'm', None
        self.assertEqual({'name': 'm', 'owner': None}, image.changes.attributes)

    def test_a_change_taken_back_is_none(self):
        image = stored(name='n', tags=['a'])
        image.name, image.tags = 'm', ['b']
        image.name, image.tags = 'n', ['a']
        self.assertFalse(image.changes)

    def test_a_new_image_has_changed_in_everything(self):
        image = Image('i', name='n', tags=['a'], extra_properties={'k': 'v'}, locations=[Location('u')])
        changes = image.changes
        self.assertEqual('n', changes.attributes['name'])
        self.assertEqual(({'k': 'v'}, {'k'}, ['a'], ['u']), (
            changes.set_properties, changes.new_properties, changes.added_tags,
            [location.url for location in changes.added_locations]))

    def test_properties(self):
        image = stored(extra_properties={'same': '1', 'other': '1', 'gone': '1', 'null': None})
        image.extra_properties = {'same': '1', 'other': '2', 'new': '', 'null': ''}
        changes = image.changes
        self.assertEqual({'other': '2', 'new': '', 'null': ''}, changes.set_properties)
        self.assertEqual({'new'}, changes.new_properties)
        self.assertEqual({'gone'}, changes.removed_properties)

    def test_a_property_set_to_null_that_was_absent_is_a_change(self):
        image = stored()
        image.extra_properties['k'] = None
        self.assertEqual({'k': None}, image.changes.set_properties)

    def test_changing_a_collection_in_place_is_seen(self):
        image = stored(tags=['a'], extra_properties={'k': 'v'}, locations=[Location('u', {'a': 1}, id=1)])
        image.tags.remove('a')
        image.extra_properties['k'] = 'w'
        image.locations[0].url = 'v'
        changes = image.changes
        self.assertEqual((['a'], {'k': 'w'}, ['v']), (
            changes.removed_tags, changes.set_properties, [location.url for location in changes.updated_locations]))

    def test_changing_the_metadata_of_a_location_in_place_is_seen(self):
        image = stored(locations=[Location('u', {'store': 'a'}, id=1)])
        image.locations[0].metadata['store'] = 'b'
        self.assertEqual([{'store': 'b'}], [location.metadata for location in image.changes.updated_locations])

    def test_locations(self):
        image = stored(locations=[Location('1', id=1), Location('2', id=2)])
        image.locations = [Location('2', {'x': 'y'}, id=2), Location('3')]
        changes = image.changes
        self.assertEqual((['3'], [2], [1]), (
            [location.url for location in changes.added_locations],
            [location.id for location in changes.updated_locations],
            [location.id for location in changes.removed_locations]))

    def test_what_the_service_keeps_is_no_change(self):
        image = stored()
        image.created_at = image.updated_at = object()
        image.member = 'p'
        self.assertFalse(image.changes)

    @given(st.lists(WORDS, unique=True), st.lists(WORDS, unique=True))
    def test_applying_the_difference_of_tags_gives_the_new_tags(self, before, after):
        image = stored(tags=before)
        image.tags = after
        changes = image.changes
        self.assertEqual(set(after), (set(before) - set(changes.removed_tags)) | set(changes.added_tags))
        self.assertFalse(set(changes.removed_tags) & set(changes.added_tags))

    @given(st.dictionaries(WORDS, st.one_of(st.none(), WORDS)), st.dictionaries(WORDS, st.one_of(st.none(), WORDS)))
    def test_applying_the_difference_of_properties_gives_the_new_properties(self, before, after):
        image = stored(extra_properties=before)
        image.extra_properties = after
        changes = image.changes
        result = {**before, **changes.set_properties}
        for name in changes.removed_properties:
            del result[name]
        self.assertEqual(after, result)
        self.assertEqual(before == after, not changes)
