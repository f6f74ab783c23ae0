"""Lists: visibility, filters, order and pages."""
import datetime
import itertools

from glance import exceptions
from glance.db.interface import FILTER_COLUMNS, SORT_COLUMNS, Condition, ImageQuery
from tests.db_conformance.base import ADMIN, ANONYMOUS, ME, OTHER, Caller, DatabaseCase, moment

ADMIN_OF_PROJECT = Caller('me', is_admin=True)
BY_NAME = (('name', 'asc'),)


class Visibility(DatabaseCase):
    """The table "row visibility" of the DAL, for every kind of caller."""

    def setUp(self):
        super().setUp()
        for owner, visibility in itertools.product(('me', 'other'), ('private', 'public', 'shared', 'community')):
            self.create(owner=owner, visibility=visibility, name='%s %s' % (owner, visibility))
        self.create(owner=None, visibility='private', name='nobody private')
        self.create(owner=None, visibility='public', name='nobody public')
        self.create(owner=None, visibility='community', name='nobody community')
        for status in ('pending', 'accepted', 'rejected'):
            image = self.create(owner='third', visibility='shared', name='third ' + status)
            self.db.member_create(image['id'], 'me', status)
        image = self.create(owner='third', visibility='private', name='third private')
        self.db.member_create(image['id'], 'me', 'accepted')
        image = self.create(owner='third', visibility='shared', name='third left')
        self.db.member_create(image['id'], 'me', 'accepted')
        self.db.member_delete(image['id'], 'me')

    own = ['me community', 'me private', 'me public', 'me shared']
    public = ['me public', 'nobody public', 'other public']
    community = ['me community', 'nobody community', 'other community']
    shared = ['me shared', 'other shared', 'third accepted', 'third left', 'third pending', 'third rejected']
    private = ['me private', 'nobody private', 'other private', 'third private']

    def check(self, caller, visibility, *expected, **query):
        got = self.listed(caller, visibility=visibility, sort=BY_NAME, **query)
        self.assertEqual(sorted(set(itertools.chain(*expected))), got)
        limited = self.listed(caller, visibility=visibility, sort=BY_NAME, limit=3, **query)
        self.assertEqual(got[:3], limited)
        self.assertEqual(len(got), self.db.image_count(caller, ImageQuery(visibility=visibility, limit=3, **query)))

    def test_a_project(self):
        self.check(ME, None, self.own, self.public, ['third accepted'])
        self.check(ME, 'all', self.own, self.public, self.community, ['third accepted'])
        self.check(ME, 'public', self.public)
        self.check(ME, 'community', self.community)
        self.check(ME, 'private', ['me private'])
        self.check(ME, 'shared', ['me shared', 'third accepted'])

    def test_the_status_of_membership_narrows_what_others_share(self):
        self.check(ME, None, self.own, self.public, ['third pending'], member_status='pending')
        self.check(ME, 'shared', ['me shared', 'third rejected'], member_status='rejected')
        self.check(ME, 'shared', ['me shared', 'third accepted', 'third pending', 'third rejected'], member_status='all')
        self.check(ADMIN, 'shared', self.shared, member_status='rejected')
        self.assertRaises(exceptions.InvalidFilter, self.listed, ME, member_status='maybe')

    def test_nobody(self):
        self.check(ANONYMOUS, None, self.public)
        self.check(ANONYMOUS, 'all', self.public, self.community)
        self.check(ANONYMOUS, 'public', self.public)
        self.check(ANONYMOUS, 'community', self.community)
        self.check(ANONYMOUS, 'private')
        self.check(ANONYMOUS, 'shared')

    def test_an_admin(self):
        usual = self.private + self.public + self.shared
        self.check(ADMIN, None, usual)
        self.check(ADMIN_OF_PROJECT, None, usual, ['me community'])
        for admin in (ADMIN, ADMIN_OF_PROJECT):
            self.check(admin, 'all', usual, self.community)
            for visibility in ('public', 'shared', 'private', 'community'):
                self.check(admin, visibility, getattr(self, visibility))

    def test_projects_are_compared_exactly(self):
        for owner in ('ME', 'me ', 'mé', '\U0001f600'):
            self.check(Caller(owner), None, self.public)
            self.check(Caller(owner), 'shared', member_status='all')

    def test_membership_shows_on_the_records(self):
        images = self.db.image_list(ME, ImageQuery(visibility='all', member_status='all'))
        self.assertEqual({'third pending', 'third accepted', 'third rejected'},
                         {image['name'] for image in images if image['is_member']})
        for image in images:
            self.assertEqual(self.db.image_get(ME, image['id']), image)

    def test_a_visibility_that_is_none(self):
        self.assertRaises(exceptions.InvalidFilter, self.listed, ME, visibility='secret')


class Filters(DatabaseCase):
    def found(self, *conditions, **query):
        return self.listed(sort=BY_NAME, conditions=tuple(Condition(*one) for one in conditions), **query)

    def test_texts(self):
        self.create(name='a', checksum='x' * 32, os_hash_value='h', disk_format='raw', container_format='bare', owner='o')
        self.create(name='b', status='queued', owner=None)
        for column, value in (('name', 'a'), ('checksum', 'x' * 32), ('os_hash_value', 'h'), ('disk_format', 'raw'),
                              ('container_format', 'bare'), ('owner', 'o'), ('status', 'active')):
            self.assertEqual(['a'], self.found((column, 'eq', value)))
            self.assertEqual(['a'], self.found((column, 'in', (value, 'another'))))
            self.assertEqual([], self.found((column, 'eq', value.upper())))
            self.assertEqual([], self.found((column, 'eq', value + ' ')))
            self.assertEqual([], self.found((column, 'in', ())))
        self.assertEqual(['b'], self.found(('name', 'neq', 'a')))
        self.assertEqual(['a', 'b'], self.found(('name', 'neq', 'A')))
        self.assertEqual(['b'], self.found(('owner', 'eq', None)))
        self.assertEqual(['a'], self.found(('owner', 'neq', None)))
        try:
            self.assertEqual([], self.found(('name', 'eq', '\U0001f600')))
        except exceptions.InvalidFilter:        # an engine that cannot hold it says so
            self.assertRaises(exceptions.Invalid, self.create, name='\U0001f600')

    def test_ids(self):
        ids = [self.create(name=name)['id'] for name in 'abc']
        self.assertEqual(['b'], self.found(('id', 'eq', ids[1])))
        self.assertEqual(['a', 'c'], self.found(('id', 'in', (ids[0], ids[2], 'gone'))))

    def test_numbers(self):
        for name, size in (('a', 1), ('b', 2), ('c', 3), ('d', None)):
            self.create(name=name, size=size, virtual_size=size, min_ram=size or 0, min_disk=size or 0)
        for column in ('size', 'virtual_size'):
            for op, expected in (('eq', 'b'), ('neq', 'ac'), ('gt', 'c'), ('gte', 'bc'), ('lt', 'a'), ('lte', 'ab')):
                self.assertEqual(list(expected), self.found((column, op, 2)))
        self.assertEqual(['a', 'd'], self.found(('min_ram', 'lt', 2)))
        self.assertEqual(['b', 'c'], self.found(('min_disk', 'in', (2, 3, 9))))
        self.assertEqual([], self.found(('min_disk', 'gt', 2 ** 60)))
        self.assertEqual(['b'], self.found(('size', 'gte', 2), ('size', 'lt', 3)))

    def test_truths(self):
        self.create(name='a', protected=True)
        self.create(name='b', os_hidden=True)
        self.assertEqual(['a'], self.found(('protected', 'eq', True)))
        self.assertEqual(['b'], self.found(('protected', 'neq', True)))
        self.assertEqual(['b'], self.found(('os_hidden', 'eq', True)))
        self.assertEqual(['a'], self.listed(hidden=False))
        self.assertEqual(['b'], self.listed(hidden=True))
        self.assertEqual(['a', 'b'], self.listed(hidden=None, sort=BY_NAME))
        self.assertEqual(['a'], self.listed(hidden=None, sort=BY_NAME, limit=1))

    def test_times(self):
        for name, second in (('a', 10), ('b', 11), ('c', 12)):
            self.create(name=name, created_at=moment(second), updated_at=moment(second))
        within = moment(11) + datetime.timedelta(milliseconds=400)
        for column in ('created_at', 'updated_at'):
            for op, expected in (('eq', 'b'), ('neq', 'ac'), ('gt', 'c'), ('gte', 'bc'), ('lt', 'a'), ('lte', 'ab')):
                self.assertEqual(list(expected), self.found((column, op, moment(11))))
            self.assertEqual(['b'], self.found((column, 'eq', within)))
            self.assertEqual(['a', 'b'], self.found((column, 'lte', within)))
            self.assertEqual(['a', 'c'], self.found((column, 'in', (moment(10), moment(12)))))

    def test_properties_and_tags(self):
        self.create(name='a', properties={'k': 'v', 'l': 'w'}, tags=['t', 'u'])
        self.create(name='b', properties={'k': 'v', 'l': 'W'}, tags=['t'])
        self.create(name='c', properties={'K': 'v'}, tags=['T'])
        self.create(name='d', properties={'k ': 'v'}, tags=['t\n'])
        self.assertEqual(['a', 'b'], self.found(properties=(('k', 'v'),)))
        self.assertEqual(['a'], self.found(properties=(('k', 'v'), ('l', 'w'))))
        self.assertEqual(['a', 'b'], self.found(tags=('t',)))
        self.assertEqual(['a'], self.found(tags=('t', 'u')))
        self.assertEqual(['b'], self.found(('name', 'neq', 'a'), tags=('t',), properties=(('k', 'v'),)))
        self.assertEqual([], self.found(tags=('t ',), properties=(('k', 'V'),)))
        image = self.db.image_list(ADMIN, ImageQuery(conditions=(Condition('name', 'eq', 'a'),)))[0]
        self.update(image['id'], remove_properties=['k'], remove_tags=['t'])
        self.assertEqual(['b'], self.found(properties=(('k', 'v'),)))
        self.assertEqual(['b'], self.found(tags=('t',)))

    def test_deleted_and_killed(self):
        self.create(name='a')
        self.create(name='b', status='killed')
        self.db.image_remove(self.create(name='c')['id'])
        self.assertEqual(['a'], self.found())
        self.assertEqual(['c'], self.found(deleted=True))
        self.assertEqual(['a', 'b', 'c'], self.found(deleted=None))
        self.assertEqual(['a', 'b'], self.found(deleted=None, limit=2))

    def test_invalid_filters(self):
        now = moment(0)
        for one in (('properties', 'eq', 'x'), ('deleted_at', 'eq', now), ('visibility', 'eq', 'public'), ('size', 'eq', 'x'),
                    ('size', 'eq', True), ('size', 'gt', None), ('name', 'gt', 'a'), ('name', 'eq', 7), ('name', 'in', 'ab'),
                    ('name', 'like', 'a'), ('created_at', 'eq', '2024'), ('protected', 'eq', 1), ('protected', 'gt', True),
                    ('size', 'eq', 2 ** 63), ('name', 'eq', 'a\0'), ('name', 'in', ('a', None)), ('id', 'eq', '\ud800')):
            with self.subTest(condition=one):
                self.assertRaises(exceptions.InvalidFilter, self.found, one)
        self.assertRaises(exceptions.InvalidFilter, self.found, properties=(('k\0', 'v'),))
        # What is not of the declared type may be refused before it is looked at.
        self.assertRaises(exceptions.Invalid, self.found, properties=(('k', None),))
        self.assertRaises(exceptions.Invalid, self.found, tags=(1,))

    def test_every_column_can_be_compared(self):
        self.create(name='a')
        samples = {str: 'x', int: 9, bool: True, datetime.datetime: moment(0)}
        for column, kind in FILTER_COLUMNS.items():
            self.assertEqual([], self.found((column, 'eq', samples[kind])))


class Pages(DatabaseCase):
    def setUp(self):
        super().setUp()
        rows = itertools.product((None, 'a', 'b'), (None, 5, 7), (0, 1))
        for i, (name, size, second) in enumerate(rows):
            self.create(id='%02d' % i, name=name, size=size, created_at=moment(second), updated_at=moment(second),
                        disk_format=(None, 'raw')[i % 2], container_format=(None, 'bare', 'ovf')[i % 3],
                        status=('active', 'queued')[i % 2], visibility=('public', 'shared', 'private')[i % 3],
                        owner=('me', 'other')[i % 2], os_hidden=i % 5 == 0)

    def pages(self, caller, limit, between=lambda ids: None, **query):
        ids, marker = [], None
        while True:
            page = [image['id'] for image in self.db.image_list(caller, ImageQuery(marker=marker, limit=limit, **query))]
            ids += page
            if len(page) < limit:
                return ids
            marker = page[-1]
            between(ids)

    @staticmethod
    def expected(images, sort):
        """Sort the slow and obvious way: key by key from the last, null first."""
        for key, direction in reversed(sort):
            images = sorted(images, key=lambda image: (image[key] is not None, image[key] or 0 if key == 'size' else
                                                       image[key] or '' if key not in ('created_at', 'updated_at') else
                                                       image[key]), reverse=direction == 'desc')
        return [image['id'] for image in images]

    def test_every_key_and_direction_gives_every_row_once(self):
        images = self.db.image_list(ADMIN, ImageQuery())
        for key, direction in itertools.product(sorted(SORT_COLUMNS), ('asc', 'desc')):
            sort = ((key, direction), *(((other, direction)) for other in ('created_at', 'id') if other != key))
            with self.subTest(key=key, direction=direction):
                self.assertEqual(self.expected(images, sort), self.pages(ADMIN, 4, sort=((key, direction),)))

    def test_mixed_directions(self):
        images = self.db.image_list(ADMIN, ImageQuery())
        for directions in itertools.product(('asc', 'desc'), repeat=3):
            sort = tuple(zip(('name', 'size', 'created_at'), directions, strict=True))
            with self.subTest(sort=sort):
                self.assertEqual(self.expected(images, (*sort, ('id', 'desc'))), self.pages(ADMIN, 5, sort=sort))
                self.assertEqual(self.expected(images, (*sort, ('id', 'desc'))), self.pages(ADMIN, 1, sort=sort))

    def test_pages_of_a_project_are_the_whole_list(self):
        for query in ({}, {'visibility': 'all'}, {'hidden': False}, {'deleted': None, 'member_status': 'all'}):
            whole = [image['id'] for image in self.db.image_list(ME, ImageQuery(**query))]
            self.assertEqual(whole, self.pages(ME, 3, **query))
            self.assertEqual(len(whole), len(set(whole)))

    def test_rows_that_stay_are_neither_lost_nor_repeated(self):
        for sort in ((('name', 'asc'),), (('size', 'desc'),), (('created_at', 'desc'),), (('updated_at', 'asc'),)):
            staying = [image['id'] for image in self.db.image_list(ADMIN, ImageQuery(sort=sort))]
            made, numbers = [], itertools.count()

            def churn(ids):
                for name, size in ((None, None), ('a', 5), ('c', 9)):
                    made.append(self.create(id='new %s %d' % (sort[0][0], next(numbers)), name=name, size=size,
                                            created_at=moment(1), updated_at=moment(1))['id'])
                for image_id in made[::2]:
                    if image_id not in gone:
                        gone.add(image_id)
                        if image_id != ids[-1]:
                            self.db.image_remove(image_id)
            gone = set()
            got = self.pages(ADMIN, 3, between=lambda ids: churn(ids) if len(made) < 30 else None, sort=sort)
            self.assertEqual(len(got), len(set(got)))
            self.assertEqual(staying, [image_id for image_id in got if image_id in staying])
            for image in self.db.image_list(ADMIN, ImageQuery()):
                if image['id'].startswith('new'):
                    self.db.image_remove(image['id'])

    def test_limits(self):
        self.assertEqual([], self.listed(limit=0))
        self.assertEqual(18, len(self.listed()))
        self.assertEqual(18, len(self.listed(limit=1000)))
        self.assertRaises(exceptions.Invalid, self.listed, limit=-1)

    def test_markers(self):
        hidden = self.create(owner='third', visibility='private')
        for marker in ('gone', hidden['id'], 'x' * 37, '', 'a\0'):
            self.assertRaises(exceptions.InvalidMarker, self.listed, ME, marker=marker)
            self.assertRaises(exceptions.InvalidMarker, self.listed, ME, marker=marker, limit=0)
        self.db.image_remove('03')
        self.assertRaises(exceptions.InvalidMarker, self.listed, marker='03')
        self.assertTrue(self.listed(marker='03', deleted=None, sort=(('id', 'asc'),)))

    def test_sort_keys(self):
        for sort in ((('owner', 'asc'),), (('properties', 'asc'),), (('name', 'up'),), (('name', 'asc'), ('x', 'asc'))):
            self.assertRaises(exceptions.InvalidSortKey, self.listed, sort=sort)
        self.assertEqual(self.listed(sort=(('id', 'asc'), ('id', 'desc'))), self.listed(sort=(('id', 'asc'),)))
        self.assertEqual(self.listed(), self.listed(sort=()))

    def test_a_long_list(self):
        for i in range(520):
            self.create(id='long %03d' % i, tags=['t%d' % i])
        images = self.db.image_list(ADMIN, ImageQuery(sort=(('id', 'asc'),)))
        self.assertEqual(538, len(images))
        self.assertEqual(['t519'], images[-1]['tags'])


class OtherOwners(DatabaseCase):
    def test_a_marker_of_another_scope_is_as_good(self):
        mine = self.create(name='mine', created_at=moment(1))
        self.create(name='public', owner='other', visibility='public', created_at=moment(2))
        public = self.db.image_list(OTHER, ImageQuery())[0]
        self.assertEqual(['mine'], self.listed(ME, marker=public['id']))
        self.assertEqual([], self.listed(ME, marker=mine['id']))
