"""Creating, reading, changing and removing one image."""
import uuid

from glance import exceptions
from glance.db.interface import IMAGE_STATUSES, MAX_BIG_INTEGER, MAX_INTEGER, ImageChanges, ImageQuery
from tests.db_conformance.base import ADMIN, ANONYMOUS, LATER, ME, OTHER, DatabaseCase, lease, moment

ODD_TEXTS = ('', ' ', 'a"b', "a'b", 'a\\b', 'a\\u0041', 'a\nb\tc\r', '\x01\x02\x1f\x7f', '\u2028', 'é漢字', '%s %(x)s :x', '</x>&',
             'trailing ', '\U0001f600', '{"a": [1]}', 'x' * 65535)


class CreateAndGet(DatabaseCase):
    def test_a_created_image_reads_back_as_it_was_returned(self):
        image = self.create(
            name='n', size=MAX_BIG_INTEGER, virtual_size=0, visibility='public', checksum='c' * 32, os_hash_algo='sha512',
            os_hash_value='h' * 128, disk_format='raw', container_format='bare', min_disk=MAX_INTEGER, min_ram=3,
            protected=True, os_hidden=True, properties={'a': '1', 'b': None}, tags=['z', 'a', 'z'],
            locations=[{'url': 'file:///1', 'metadata': {'store': 'x'}}, {'url': 'file:///2', 'status': 'active'}])
        self.assertEqual(image, self.get(image['id']))
        self.assertEqual(['z', 'a'], image['tags'])
        self.assertEqual([('file:///1', {'store': 'x'}), ('file:///2', {})],
                         [(location['url'], location['metadata']) for location in image['locations']])
        self.assertLess(image['locations'][0]['id'], image['locations'][1]['id'])

    def test_what_is_not_given_has_its_default(self):
        image = self.db.image_create({'status': 'queued'})
        self.assertEqual(36, len(image['id']))
        self.assertEqual(('shared', 0, 0, False, False, False), tuple(image[name] for name in (
            'visibility', 'min_disk', 'min_ram', 'protected', 'os_hidden', 'deleted')))
        for name in ('name', 'size', 'virtual_size', 'checksum', 'owner', 'deleted_at', 'disk_format'):
            self.assertIsNone(image[name])
        self.assertEqual(({}, [], []), (image['properties'], image['tags'], image['locations']))
        self.assertEqual(image['created_at'], image['updated_at'])
        self.assertEqual(image, self.get(image['id']))

    def test_times_that_are_given_are_kept(self):
        image = self.create(created_at=moment(5), updated_at=moment(6))
        self.assertEqual((moment(5), moment(6)), (image['created_at'], image['updated_at']))

    def test_the_returned_record_belongs_to_the_caller(self):
        image = self.create(properties={'a': '1'}, tags=['t'], locations=[{'url': 'u', 'metadata': {'k': {'l': 1}}}])
        image['properties']['a'] = 'other'
        image['tags'].clear()
        image['locations'][0]['metadata']['k']['l'] = 2
        stored = self.get(image['id'])
        self.assertEqual(({'a': '1'}, ['t'], {'k': {'l': 1}}),
                         (stored['properties'], stored['tags'], stored['locations'][0]['metadata']))

    def test_an_id_is_given_once_even_after_the_image_was_deleted(self):
        image = self.create()
        self.assertRaises(exceptions.Duplicate, self.create, id=image['id'])
        self.db.image_remove(image['id'])
        self.assertRaises(exceptions.Duplicate, self.create, id=image['id'])

    def test_every_status_is_taken_and_no_other(self):
        for status in IMAGE_STATUSES:
            self.assertEqual(status, self.get(self.create(status=status)['id'])['status'])
        for status in (None, 'gone', 'Active'):
            self.assertRaises(exceptions.Invalid, self.create, status=status)
        self.assertRaises(exceptions.Invalid, self.db.image_create, {'name': 'x'})

    def test_values_that_no_column_can_hold_are_invalid(self):
        for values in ({'name': 'x' * 256}, {'id': 'x' * 37}, {'min_ram': MAX_INTEGER + 1}, {'size': MAX_BIG_INTEGER + 1},
                       {'min_disk': None}, {'visibility': 'secret'}, {'name': 'a\0b'}, {'name': '\ud800'}, {'size': '7'},
                       {'protected': 1}, {'checksum': 'x' * 33}, {'tags': ['x' * 256]}, {'properties': {'x' * 256: 'v'}},
                       {'properties': {'n': 'a\0'}}, {'disk_format': 'x' * 21}, {'owner': 'x' * 256}, {'tags': [None]},
                       {'locations': [{'url': None}]}, {'locations': [{'url': 'u', 'status': 'lost'}]}):
            with self.subTest(values=values):
                self.assertRaises(exceptions.Invalid, self.create, **values)
        self.assertEqual([], self.listed())

    def test_odd_texts_are_kept_exactly(self):
        texts = {'p%d' % i: text for i, text in enumerate(ODD_TEXTS)}
        image = self.create(name='\U0001f600"\\\n', properties={**texts, '"\\\U0001f600': 'x', "'": 'y', '': 'z'},
                            tags=list(dict.fromkeys(text[:255] for text in ODD_TEXTS)),
                            locations=[{'url': text, 'metadata': {'k': text[:99]}} for text in ODD_TEXTS])
        self.assertEqual(image, self.get(image['id']))
        self.assertEqual([image], self.db.image_list(ME, ImageQuery()))
        self.update(image['id'], set_properties={'p0': ODD_TEXTS[2], 'p2': ODD_TEXTS[13]}, add_tags=['new"\\\U0001f600'])
        stored = self.get(image['id'])
        self.assertEqual((ODD_TEXTS[2], ODD_TEXTS[13]), (stored['properties']['p0'], stored['properties']['p2']))
        self.assertEqual('new"\\\U0001f600', stored['tags'][-1])

    def test_an_update_that_expects_something(self):
        image = self.create(name='n', properties={'p': '1'}, tags=['t'], locations=[{'url': 'u', 'metadata': {'k': 'v'}}])
        expected = {name: image[name] for name in ('name', 'owner', 'size', 'properties', 'tags', 'locations')}
        self.db.image_update(image['id'], ImageChanges({'min_ram': 1}), expected=expected)
        for changes in (ImageChanges(set_properties={'p': '2'}), ImageChanges(set_properties={'q': '1'}),
                        ImageChanges(remove_properties=['q']), ImageChanges(add_tags=['u']),
                        ImageChanges({'name': 'm'}), ImageChanges(remove_locations={image['locations'][0]['id']: 'deleted'})):
            fresh = self.get(image['id'])
            expected = {name: fresh[name] for name in expected}
            self.db.image_update(image['id'], changes)
            self.assertRaises(exceptions.ChangedMeanwhile, self.db.image_update, image['id'],
                              ImageChanges({'min_ram': 2}), expected=expected)
        self.assertEqual(1, self.get(image['id'])['min_ram'])
        self.db.image_remove(image['id'])
        for nothing_left in ({}, expected):
            self.assertRaises(exceptions.ImageNotFound, self.db.image_update, image['id'], ImageChanges(), expected=nothing_left)

    def test_a_removal_that_expects_something(self):
        image = self.create(status='queued')
        seen = {name: image[name] for name in ('updated_at', 'protected')}
        self.db.image_update(image['id'], ImageChanges({'protected': True}))
        self.assertRaises(exceptions.ChangedMeanwhile, self.db.image_remove, image['id'], 'deleted', 'queued', None, seen)
        now = self.get(image['id'])
        self.assertFalse(now['deleted'])
        self.db.image_remove(image['id'], from_status='queued', expected={name: now[name] for name in seen})
        self.assertRaises(exceptions.ImageNotFound, self.get, image['id'])
        self.assertRaises(exceptions.ImageNotFound, self.db.image_remove, image['id'], expected=seen)

    def test_what_nobody_can_be_called_is_not_found(self):
        self.create()
        for image_id in ('x' * 37, 'a\0', '\ud800', '', '\U0001f600', str(uuid.uuid4())):
            self.assertRaises(exceptions.ImageNotFound, self.db.image_get, ADMIN, image_id)
            self.assertRaises(exceptions.ImageNotFound, self.update, image_id)
            self.assertRaises(exceptions.ImageNotFound, self.db.image_remove, image_id)

    def test_ids_are_compared_exactly(self):
        self.create(id='abcdef')
        for image_id in ('ABCDEF', 'abcdef ', 'abcdéf'):
            self.assertRaises(exceptions.ImageNotFound, self.db.image_get, ADMIN, image_id)
            self.assertRaises(exceptions.ImageNotFound, self.update, image_id)

    def test_who_sees_an_image(self):
        seen = {'private': (True, False, False), 'shared': (True, False, False), 'public': (True, True, True),
                'community': (True, True, True)}
        for visibility, expected in seen.items():
            image = self.create(visibility=visibility)
            self.assertEqual(expected, tuple(self._sees(caller, image['id']) for caller in (ME, OTHER, ANONYMOUS)))
            self.assertTrue(self._sees(ADMIN, image['id']))
        self.assertTrue(self._sees(OTHER, self.create(visibility='private', owner=None)['id']))

    def test_a_member_sees_a_shared_image_whatever_its_status(self):
        image = self.create(visibility='shared')
        for status in ('pending', 'accepted', 'rejected'):
            self.db.member_create(image['id'], 'other', status)
            self.assertTrue(self.db.image_get(OTHER, image['id'])['is_member'])
            self.db.member_delete(image['id'], 'other')
            self.assertFalse(self._sees(OTHER, image['id']))

    def test_membership_counts_for_shared_images_of_others_only(self):
        image = self.create(visibility='shared')
        self.db.member_create(image['id'], 'other')
        self.db.member_create(image['id'], 'me')
        self.assertFalse(self.db.image_get(ME, image['id'])['is_member'])
        self.assertFalse(self._sees(ANONYMOUS, image['id']))
        self.update(image['id'], columns={'visibility': 'private'})
        self.assertFalse(self._sees(OTHER, image['id']))
        self.update(image['id'], columns={'visibility': 'public'})
        self.assertFalse(self.db.image_get(OTHER, image['id'])['is_member'])

    def test_a_deleted_image_shows_when_it_is_asked_for(self):
        image = self.create(visibility='public')
        self.db.image_remove(image['id'])
        self.assertFalse(self._sees(ADMIN, image['id']))
        self.assertTrue(self.db.image_get(ME, image['id'], show_deleted=True)['deleted'])

    def _sees(self, caller, image_id):
        try:
            return self.db.image_get(caller, image_id)['id'] == image_id
        except exceptions.ImageNotFound:
            return False


class Update(DatabaseCase):
    def test_properties_to_add_must_not_exist(self):
        image_id = self.create(properties={'a': '1', 'gone': 'x'})['id']
        self.update(image_id, remove_properties=['gone'])
        self.update(image_id, add_properties={'b': '2', 'gone': '3'})
        self.assertEqual({'a': '1', 'b': '2', 'gone': '3'}, self.get(image_id)['properties'])
        for name in ('a', 'b', 'gone'):
            with self.assertRaises(exceptions.Duplicate):
                self.update(image_id, add_properties={'new': 'x', name: 'y'}, columns={'name': 'changed'})
        self.assertEqual({'a': '1', 'b': '2', 'gone': '3'}, self.get(image_id)['properties'])
        self.assertIsNone(self.get(image_id)['name'])

    def test_only_the_difference_is_written(self):
        image = self.create(name='n', properties={'a': '1', 'b': '2'}, tags=['t'], locations=[{'url': 'u'}])
        stamp = self.update(image['id'], columns={'min_ram': 7})
        self.assertEqual({**image, 'min_ram': 7, 'updated_at': stamp}, self.get(image['id']))
        self.assertGreaterEqual(stamp, image['updated_at'])

    def test_properties_are_set_changed_removed_and_set_again(self):
        image = self.create(properties={'a': '1', 'b': '2'})
        self.update(image['id'], set_properties={'a': 'x', 'c': None}, remove_properties=['b', 'never'])
        self.assertEqual({'a': 'x', 'c': None}, self.get(image['id'])['properties'])
        self.update(image['id'], set_properties={'b': 'again'}, remove_properties=['a', 'c'])
        self.assertEqual({'b': 'again'}, self.get(image['id'])['properties'])

    def test_property_names_are_compared_exactly(self):
        image = self.create(properties={'Foo': '1'})
        self.update(image['id'], remove_properties=['foo', 'FOO ', 'Foo '])
        self.assertEqual({'Foo': '1'}, self.get(image['id'])['properties'])
        self.update(image['id'], set_properties={'foo': '2'}, remove_properties=['Foo'])
        self.assertEqual({'foo': '2'}, self.get(image['id'])['properties'])

    def test_a_name_that_differs_in_case_never_overwrites_another(self):
        image = self.create(properties={'Foo': '1', 'z': '1'})
        try:
            self.update(image['id'], set_properties={'foo': '2', 'z': '2'})
        except exceptions.Duplicate:        # the collation cannot tell them apart
            self.assertEqual({'Foo': '1', 'z': '1'}, self.get(image['id'])['properties'])
        else:
            self.assertEqual({'Foo': '1', 'foo': '2', 'z': '2'}, self.get(image['id'])['properties'])
        try:
            both = self.create(properties={'Bar': '1', 'bar': '2'})
        except exceptions.Duplicate:
            self.assertEqual(1, len(self.listed()))
        else:
            self.assertEqual({'Bar': '1', 'bar': '2'}, self.get(both['id'])['properties'])

    def test_tags_are_added_once_and_removed_exactly(self):
        image = self.create(tags=['b', 'A'])
        self.update(image['id'], add_tags=['c', 'a', 'b', 'c'], remove_tags=['never'])
        self.assertEqual(['b', 'A', 'c', 'a'], self.get(image['id'])['tags'])
        self.update(image['id'], remove_tags=['A', 'C', 'b '])
        self.assertEqual(['b', 'c', 'a'], self.get(image['id'])['tags'])
        self.update(image['id'], remove_tags=['b'])
        self.update(image['id'], add_tags=['b'])
        self.assertEqual(['c', 'a', 'b'], self.get(image['id'])['tags'])

    def test_locations_are_added_changed_and_removed(self):
        image = self.create(locations=[{'url': 'one'}, {'url': 'two'}, {'url': 'three'}])
        one, two, three = image['locations']
        new = [{'url': 'four', 'metadata': {'k': 1}}, {'url': 'five'}]
        written = self.db.image_update(image['id'], ImageChanges(
            add_locations=new, remove_locations={one['id']: 'deleted', three['id']: 'pending_delete'},
            update_locations=[{**two, 'metadata': {'store': 's'}}]))
        stored = self.get(image['id'])['locations']
        self.assertEqual([('two', {'store': 's'}), ('four', {'k': 1}), ('five', {})],
                         [(location['url'], location['metadata']) for location in stored])
        self.assertEqual([two['id'], *written.location_ids], [location['id'] for location in stored])

    def test_a_location_that_is_gone_cannot_be_changed(self):
        image, other = self.create(locations=[{'url': 'one'}]), self.create(locations=[{'url': 'two'}])
        self.assertRaises(exceptions.LocationNotFound, self.update, image['id'], columns={'name': 'changed'},
                          update_locations=other['locations'])
        self.assertEqual(image, self.get(image['id']))
        self.update(image['id'], remove_locations={other['locations'][0]['id']: 'deleted'})
        self.assertEqual(other, self.get(other['id']))

    def test_a_status_changes_only_from_the_one_that_is_expected(self):
        image = self.create(status='queued')
        self.update(image['id'], 'queued', columns={'status': 'saving'})
        with self.assertRaises(exceptions.StatusConflict) as caught:
            self.update(image['id'], 'queued', columns={'status': 'active'}, set_properties={'a': '1'})
        self.assertEqual(('saving', 'queued'), (caught.exception.current, caught.exception.wanted))
        stored = self.get(image['id'])
        self.assertEqual(('saving', {}), (stored['status'], stored['properties']))
        self.assertRaises(ValueError, self.update, image['id'], columns={'status': 'active'})

    def test_columns_that_nobody_writes_are_a_mistake_of_the_program(self):
        image = self.create()
        for column in ('id', 'created_at', 'updated_at', 'deleted', 'deleted_at', 'properties', 'nonsense'):
            self.assertRaises(ValueError, self.update, image['id'], columns={column: 'x'})

    def test_invalid_values_change_nothing(self):
        image = self.create(locations=[{'url': 'u'}])
        for changes in ({'columns': {'name': 'x' * 256}}, {'columns': {'visibility': None}}, {'add_tags': ['x' * 256]},
                        {'set_properties': {'a\0': '1'}}, {'add_locations': [{'url': 'u', 'status': 'bad'}]},
                        {'remove_locations': {image['locations'][0]['id']: 'active'}}):
            with self.subTest(changes=changes):
                self.assertRaises(exceptions.Invalid, self.update, image['id'], **changes)
        self.assertEqual(image, self.get(image['id']))

    def test_a_deleted_image_cannot_be_changed(self):
        image = self.create()
        self.db.image_remove(image['id'])
        self.assertRaises(exceptions.ImageNotFound, self.update, image['id'], columns={'name': 'x'})
        self.assertRaises(exceptions.ImageNotFound, self.update, image['id'], 'active', columns={'status': 'queued'})


class Remove(DatabaseCase):
    def test_the_row_stays_and_its_children_are_gone(self):
        image = self.create(properties={'a': '1'}, tags=['t'], locations=[{'url': 'u'}])
        self.db.member_create(image['id'], 'other')
        removal = self.db.image_remove(image['id'])
        self.assertEqual(['u'], [location['url'] for location in removal.locations])
        stamp = removal.deleted_at
        stored = self.db.image_get(ADMIN, image['id'], show_deleted=True)
        self.assertEqual(({}, [], [], 'deleted', True), tuple(stored[name] for name in (
            'properties', 'tags', 'locations', 'status', 'deleted')))
        self.assertEqual((stamp, stamp), (stored['deleted_at'], stored['updated_at']))
        self.assertEqual([], self.db.member_list(image['id']))
        self.assertRaises(exceptions.ImageNotFound, self.db.image_remove, image['id'])

    def test_delayed_deletion(self):
        image = self.create(locations=[{'url': 'u'}])
        self.assertEqual('pending_delete', self.db.image_remove(image['id'], 'pending_delete').status)
        self.assertEqual('pending_delete', self.db.image_get(ADMIN, image['id'], show_deleted=True)['status'])

    def test_only_from_the_expected_status(self):
        image = self.create(created_at=moment(1), updated_at=moment(1))
        self.assertRaises(exceptions.StatusConflict, self.db.image_remove, image['id'], 'deleted', 'queued')
        self.assertRaises(exceptions.Invalid, self.db.image_remove, image['id'], 'active')
        self.assertEqual(image, self.get(image['id']))
        self.db.image_remove(image['id'], 'deleted', 'active')

    def test_other_images_are_left_alone(self):
        image, other = self.create(properties={'a': '1'}), self.create(properties={'a': '1'}, tags=['t'])
        self.db.image_remove(image['id'])
        self.assertEqual(other, self.get(other['id']))


class Leases(DatabaseCase):
    def test_a_lease_is_taken_with_the_status_and_given_back_with_it(self):
        image = self.create(status='queued')
        mine = lease(image['id'])
        self.db.image_update(image['id'], ImageChanges({'status': 'saving'}), 'queued', acquire=mine)
        self.assertEqual([mine], self.db.lease_list(worker_prefix='host'))
        self.db.image_update(image['id'], ImageChanges({'status': 'active'}), 'saving', release=mine.attempt)
        self.assertEqual([], self.db.lease_list(worker_prefix='host'))

    def test_who_lost_the_lease_writes_nothing(self):
        image = self.create(status='queued')
        lost, mine = lease(image['id']), lease(image['id'])
        self.db.image_update(image['id'], ImageChanges(), acquire=lost)
        self.db.image_update(image['id'], ImageChanges(), acquire=mine)
        self.assertEqual([mine], self.db.lease_list(expired_at=LATER))
        self.assertRaises(exceptions.Conflict, self.db.image_update, image['id'],
                          ImageChanges({'name': 'x'}, add_locations=[{'url': 'u'}]), release=lost.attempt)
        stored = self.get(image['id'])
        self.assertEqual((None, []), (stored['name'], stored['locations']))
        self.assertEqual([mine], self.db.lease_list(expired_at=LATER))

    def test_a_conflict_takes_no_lease(self):
        image = self.create(status='active')
        self.assertRaises(exceptions.StatusConflict, self.db.image_update, image['id'],
                          ImageChanges({'status': 'saving'}), 'queued', acquire=lease(image['id']))
        self.assertEqual([], self.db.lease_list(expired_at=LATER))

    def test_removal_drops_the_lease(self):
        image = self.create()
        mine = lease(image['id'])
        self.db.image_update(image['id'], ImageChanges(), acquire=mine)
        self.db.image_remove(image['id'])
        self.db.lease_renew([mine.attempt], LATER)
        self.assertEqual([], self.db.lease_list(expired_at=LATER))

    def test_renewal_and_search(self):
        first, second = lease(self.create()['id'], 'a_b.1', moment(1)), lease(self.create()['id'], 'aXb.1', moment(2))
        for one in (first, second):
            self.db.image_update(one.image_id, ImageChanges(), acquire=one)
        self.assertEqual([first], self.db.lease_list(expired_at=moment(1)))
        self.assertEqual([first], self.db.lease_list(worker_prefix='a_b'))
        self.assertEqual([], self.db.lease_list(worker_prefix='A_B'))
        self.assertEqual([first, second], self.db.lease_list(moment(1), 'aXb'))
        self.assertEqual([], self.db.lease_list())
        self.db.lease_renew([first.attempt, 'gone'], LATER)
        self.db.lease_renew([], LATER)
        self.assertEqual([second], self.db.lease_list(expired_at=moment(9)))
        self.assertEqual(LATER, self.db.lease_list(worker_prefix='a_b')[0].expires_at)
