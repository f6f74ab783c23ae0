"""The query string of image lists."""
import datetime
import types
import unittest
from urllib.parse import parse_qsl, urlencode

from hypothesis import example, given, settings
from hypothesis import strategies as st

from glance import exceptions
from glance.api.v2 import image_query
from glance.db.interface import SORT_COLUMNS, Condition, ImageQuery

CONF = types.SimpleNamespace(limit_param_default=25, api_limit_max=1000)
TEXT = st.text(st.characters(exclude_categories=['Cs'], exclude_characters='\0'), max_size=8)
NAMES = st.sampled_from((
    'name', 'id', 'status', 'disk_format', 'container_format', 'created_at', 'updated_at', 'size', 'size_min',
    'min_ram_max',
    'virtual_size', 'owner', 'checksum', 'tag', 'visibility', 'member_status', 'os_hidden', 'protected', 'limit',
    'marker',
    'sort', 'sort_key', 'sort_dir', 'deleted', 'changes-since', 'properties', 'locations', 'members', 'tags', 'x_min',
    'p', '',
    'os_glance_import_task', 'os_glance_stage_host', 'is_public'))
VALUES = st.one_of(TEXT, st.sampled_from((
    'in:a,b', 'in:"a', 'eq:', 'eq:a:b', 'gt:2026-01-01', 'lte:2026-01-01T00:00:00+23:59', '0001-01-01T00:00:00+23:59',
    'true',
    'name:asc', 'name,size:desc', 'asc', 'name', '-1', '1', '99999999999999999999', 'all', 'public', '1.5', '٣')))


def parse(query_string):
    return image_query.parse(image_query.parameters(query_string), CONF)


def moment(*parts):
    return datetime.datetime(*parts)


class Base(unittest.TestCase):

    def conditions(self, query_string):
        return parse(query_string).conditions

    def assert_refused(self, *query_strings):
        for query_string in query_strings:
            with self.subTest(query=query_string[:80]):
                with self.assertRaises(exceptions.Invalid) as caught:
                    parse(query_string)
                self.assertLess(len(str(caught.exception)), 400)


class AnyQueryTest(Base):

    @given(st.lists(st.tuples(NAMES, VALUES), max_size=6))
    @example([('created_at', '0001-01-01T00:00:00+23:59')])
    @example([('created_at', 'eq:9999-12-31T23:59:59-23:59')])
    @settings(max_examples=500)
    def test_is_a_query_or_invalid(self, pairs):
        try:
            query = parse(urlencode(pairs))
        except exceptions.Invalid:
            return
        self.assertIsInstance(query, ImageQuery)
        self.assertLessEqual(query.limit, CONF.api_limit_max)

    @given(st.text(st.sampled_from('abc=&%;+:,"\\f0é'), max_size=30))
    def test_any_text_is_answered(self, text):
        try:
            query = parse(text)
        except exceptions.Invalid:
            return
        self.assertIsInstance(query, ImageQuery)


class FilterTest(Base):

    def test_nothing(self):
        self.assertEqual(ImageQuery(limit=25, hidden=False), parse(''))

    def test_text_with_operators(self):
        for name in ('name', 'id', 'status', 'container_format', 'disk_format'):
            self.assertEqual((Condition(name, 'eq', 'a'),), self.conditions(name + '=a'))
            self.assertEqual((Condition(name, 'eq', 'a:b'),), self.conditions(name + '=eq:a:b'))
            self.assertEqual((Condition(name, 'in', ('a', 'b')),), self.conditions(name + '=in:a,b'))
            self.assertEqual((Condition(name, 'eq', ''),), self.conditions(name + '='))
            self.assert_refused(name + '=a:b', name + '=gt:a', name + '=:a', name + '=EQ:a', name + '=neq:a')

    def test_text_without_operators(self):
        for name in ('owner', 'checksum', 'os_hash_value', 'os_hash_algo'):
            self.assertEqual((Condition(name, 'eq', 'in:a,b'),), self.conditions(name + '=in:a,b'))

    def test_integers(self):
        for name in ('size', 'virtual_size', 'min_ram', 'min_disk'):
            self.assertEqual((Condition(name, 'eq', 5),), self.conditions(name + '=5'))
            self.assertEqual((Condition(name, 'gte', 5),), self.conditions(name + '_min=5'))
            self.assertEqual((Condition(name, 'lte', 5),), self.conditions(name + '_max=5'))
            for end in ('', '_min', '_max'):
                self.assert_refused(*('%s%s=%s' % (name, end, value) for value in (
                    '', 'a', '1.5', '1e3', str(2 ** 63), '9' * 5000, '%D9%A3', 'gt:1', '0x10', '%201', '1_0')))

    def test_both_bounds(self):
        self.assertEqual({Condition('size', 'gte', 1), Condition('size', 'lte', 2)},
                         set(self.conditions('size_min=1&size_max=2')))

    def test_bounds_of_what_has_none(self):
        self.assert_refused('foo_min=1', 'name_max=1', 'created_at_min=1', '_min=1')

    def test_times(self):
        noon = moment(2026, 1, 31, 12)
        for name in ('created_at', 'updated_at'):
            for operator in ('gte', 'lt', 'eq', 'neq'):
                self.assertEqual((Condition(name, operator, noon),),
                                 self.conditions('%s=%s:2026-01-31T12:00:00Z' % (name, operator)))
            # Times are known to the second: what happened within it is neither before nor after it.
            for operator, other in (('gt', 'gte'), ('lte', 'lt')):
                self.assertEqual((Condition(name, other, noon.replace(second=1)),),
                                 self.conditions('%s=%s:2026-01-31T12:00:00Z' % (name, operator)))
            for text in ('2026-01-31T12:00:00', '2026-01-31T12:00:00Z', '2026-01-31T14:00:00%2B02:00',
                         '2026-01-31T07:00:00-05:00'):
                self.assertEqual((Condition(name, 'eq', noon),), self.conditions('%s=%s' % (name, text)))
            self.assertEqual((Condition(name, 'lt', moment(2026, 1, 31)),), self.conditions(name + '=lt:2026-01-31'))
            self.assert_refused(*('%s=%s' % (name, value) for value in (
                '', 'x', 'gt:', 'gt:x', 'in:2026-01-31', 'GT:2026-01-31', '2026-13-01', '2026-01-31T25:00:00Z',
                'gt:gt:2026-01-31',
                '0001-01-01T00:00:00%2B23:59', '9999-12-31T23:59:59-23:59')))

    def test_tags(self):
        self.assertEqual(('a', 'b', 'a'), parse('tag=a&tag=%20b%20&tag=a').tags)

    def test_tags_is_read_as_one_tag(self):
        query = parse('tags=ab')
        self.assertEqual((('ab',), ()), (query.tags, query.properties))

    def test_visibility(self):
        for value in ('public', 'community', 'private', 'shared', 'all'):
            self.assertEqual(value, parse('visibility=' + value).visibility)
        self.assertIsNone(parse('visibility=').visibility)
        self.assert_refused('visibility=x', 'visibility=Public', 'visibility=eq:public')

    def test_member_status(self):
        self.assertEqual('accepted', parse('').member_status)
        for value in ('pending', 'accepted', 'rejected', 'all'):
            self.assertEqual(value, parse('member_status=' + value).member_status)
        self.assert_refused('member_status=', 'member_status=x', 'member_status=Pending')

    def test_hidden(self):
        self.assertIs(False, parse('').hidden)
        for value in ('true', 'TRUE', 'True'):
            self.assertIs(True, parse('os_hidden=' + value).hidden)
        self.assertIs(False, parse('os_hidden=False').hidden)
        self.assert_refused('os_hidden=', 'os_hidden=1', 'os_hidden=yes')

    def test_protected(self):
        self.assertEqual((Condition('protected', 'eq', True),), self.conditions('protected=true'))
        self.assertEqual((Condition('protected', 'eq', False),), self.conditions('protected=false'))
        self.assert_refused('protected=', 'protected=True', 'protected=1')

    def test_unsupported(self):
        self.assert_refused('changes-since=2026-01-01', 'changes-since=', 'properties=x', 'locations=x', 'members=x')

    def test_deleted_is_ignored(self):
        self.assertEqual(parse(''), parse('deleted=true'))

    def test_other_keys_are_properties(self):
        query = parse('os_distro=a&Name=b&is_public=True&=x&changes_since=&self=y')
        self.assertEqual((('os_distro', 'a'), ('Name', 'b'), ('is_public', 'True'), ('', 'x'), ('changes_since', ''),
                          ('self', 'y')),
                         query.properties)
        self.assertEqual((), query.conditions)

    def test_the_services_own_properties_cannot_be_guessed(self):
        for name in ('os_glance_stage_host', 'os_glance_hash_op_host'):
            query = parse(name + '=worker-1')
            self.assertEqual(((), (Condition('id', 'in', ()),)), (query.properties, query.conditions))
        self.assertEqual((('os_glance_import_task', 'x'),), parse('os_glance_import_task=x').properties)

    def test_the_last_occurrence_counts(self):
        query = parse('limit=2&visibility=public&name=a&p=1&limit=3&visibility=all&name=b&p=2&sort=name&sort=size')
        self.assertEqual((3, 'all', (Condition('name', 'eq', 'b'),), (('p', '2'),), ('size', 'desc')),
                         (query.limit, query.visibility, query.conditions, query.properties, query.sort[0]))

    def test_text_that_is_none(self):
        self.assert_refused('name=%ff', '%ff=a', 'name=%00', 'p=a%00', 'name=%ed%a0%80')


class ListTest(Base):

    @given(st.lists(TEXT, min_size=1, max_size=5), st.data())
    def test_round_trip(self, items, data):
        written = []
        for item in items:
            plain = '"' not in item and ',' not in item
            if plain and data.draw(st.booleans()):
                written.append(item)
            else:
                written.append('"%s"' % item.replace('\\', '\\\\').replace('"', '\\"'))
        query_string = urlencode([('name', 'in:' + ','.join(written))])
        self.assertEqual((Condition('name', 'in', tuple(items)),), self.conditions(query_string))

    def test_examples(self):
        for text, items in (('"beta, two",alpha', ('beta, two', 'alpha')), (r'"a\"b"', ('a"b',)), (r'"a\\"', ('a\\',)),
                            (r'a\b', (r'a\b',)), ('a,,b', ('a', '', 'b')), ('""', ('',))):
            with self.subTest(text=text):
                self.assertEqual(items, self.conditions(urlencode({'name': 'in:' + text}))[0].value)

    def test_quotes_in_wrong_places(self):
        for text in ('a"b', '"a', 'a,"b', '"a"b', '"a"b"', 'a"b"', r'"a\"', '"', '"""', '"a","b'):
            self.assert_refused(urlencode({'name': 'in:' + text}))

    def test_at_most_200_items(self):
        self.assertEqual(200, len(self.conditions('id=in:' + ','.join('a' * 200))[0].value))
        self.assert_refused('id=in:' + ','.join('a' * 201), 'id=in:' + ','.join('a' * 10000))

    def test_a_long_run_of_quotes_and_backslashes_takes_no_time(self):
        for text in ('"' + '\\' * 50001, '"' + '\\"' * 50000, '",' * 50000):
            self.assert_refused(urlencode({'name': 'in:' + text}))


class SortTest(Base):

    def sort(self, query_string):
        return parse(query_string).sort

    def test_default(self):
        self.assertEqual((('created_at', 'desc'), ('id', 'desc')), self.sort(''))

    def test_every_key(self):
        for key in SORT_COLUMNS:
            for query in ('sort_key=%s' % key, 'sort=%s' % key, 'sort=%s:desc' % key, 'sort=%s:' % key):
                self.assertEqual((key, 'desc'), self.sort(query)[0])
        self.assert_refused('sort_key=owner', 'sort=owner', 'sort_key=', 'sort=', 'sort=name,', 'sort=:asc', 'sort_key=Name',
                     'sort_key=tags')

    def test_directions(self):
        self.assertEqual(('name', 'asc'), self.sort('sort=name:asc')[0])
        self.assert_refused('sort=name:ASC', 'sort=name:x', 'sort=name:asc:asc', 'sort_dir=ASC', 'sort_dir=',
                     'sort_key=name&sort_dir=x')

    def test_the_old_form(self):
        for query, expected in (
                ('sort_dir=asc', [('created_at', 'asc'), ('id', 'asc')]),
                ('sort_key=name', [('name', 'desc'), ('created_at', 'desc'), ('id', 'desc')]),
                ('sort_key=name&sort_key=size', [('name', 'desc'), ('size', 'desc'), ('created_at', 'desc'),
                                                 ('id', 'desc')]),
                ('sort_key=name&sort_key=size&sort_dir=asc', [('name', 'asc'), ('size', 'asc'), ('created_at', 'asc'),
                                                              ('id', 'asc')]),
                ('sort_key=name&sort_dir=asc&sort_key=size&sort_dir=desc',
                 [('name', 'asc'), ('size', 'desc'), ('created_at', 'desc'), ('id', 'desc')]),
                ('sort_key=id&sort_dir=asc', [('id', 'asc'), ('created_at', 'asc')])):
            with self.subTest(query=query):
                self.assertEqual(expected, list(self.sort(query)))
        self.assert_refused('sort_dir=asc&sort_dir=desc', 'sort_key=name&sort_dir=asc&sort_dir=desc',
                     'sort_key=name&sort_key=size&sort_key=id&sort_dir=asc&sort_dir=desc')

    def test_the_new_form(self):
        for query, expected in (
                ('sort=name:asc', [('name', 'asc'), ('created_at', 'asc'), ('id', 'asc')]),
                ('sort=name', [('name', 'desc'), ('created_at', 'desc'), ('id', 'desc')]),
                ('sort=name:asc,size', [('name', 'asc'), ('size', 'desc'), ('created_at', 'desc'), ('id', 'desc')]),
                ('sort=%20name%20:%20asc%20,%20size%20:', [('name', 'asc'), ('size', 'desc'), ('created_at', 'desc'),
                                                           ('id', 'desc')]),
                ('sort=id:asc,created_at:asc', [('id', 'asc'), ('created_at', 'asc')])):
            with self.subTest(query=query):
                self.assertEqual(expected, list(self.sort(query)))

    def test_the_forms_do_not_mix(self):
        self.assert_refused('sort=name&sort_key=name', 'sort=name&sort_dir=asc', 'sort=name&sort_key=name&sort_dir=asc')

    def test_a_repeated_key_counts_where_it_first_stands(self):
        expected = [('name', 'asc'), ('size', 'desc'), ('created_at', 'desc'), ('id', 'desc')]
        self.assertEqual(expected, list(self.sort('sort=name:asc,size:desc,name:desc')))

    def test_at_most_eight_keys(self):
        self.sort('&'.join('sort_key=' + key for key in sorted(SORT_COLUMNS)))
        self.assert_refused('&'.join(['sort_key=name'] * 9), 'sort=' + ','.join(['name'] * 100))


class PagingTest(Base):

    def test_limit(self):
        for value, limit in (('0', 0), ('1', 1), ('1000', 1000), ('1001', 1000), ('999999999999', 1000)):
            self.assertEqual(limit, parse('limit=' + value).limit)
        self.assert_refused('limit=', 'limit=-1', 'limit=1.5', 'limit=a', 'limit=%D9%A3', 'limit=%2B1', 'limit=' + '9' * 5000)

    def test_the_default_is_cut_too(self):
        conf = types.SimpleNamespace(limit_param_default=25, api_limit_max=10)
        self.assertEqual(10, image_query.parse([], conf).limit)

    def test_marker(self):
        self.assertEqual('x', parse('marker=x').marker)
        self.assertIsNone(parse('').marker)
        self.assert_refused('marker=')


class ParametersTest(unittest.TestCase):

    @given(st.lists(st.tuples(st.sampled_from(('tag', 'sort_key', 'sort_dir')), TEXT), max_size=8))
    def test_every_occurrence_is_kept_in_order(self, pairs):
        self.assertEqual(pairs, image_query.parameters(urlencode(pairs)))

    @given(st.lists(st.tuples(TEXT, TEXT), max_size=8))
    def test_writing_and_reading_again_changes_nothing(self, pairs):
        once = image_query.parameters(urlencode(pairs))
        self.assertEqual(once, image_query.parameters(urlencode(once)))
        self.assertEqual(dict(pairs), dict(once))

    def test_blank_values_are_kept(self):
        self.assertEqual([('a', ''), ('b', '')], image_query.parameters('a=&b'))

    def test_as_the_standard_library_reads_it(self):
        text = 'name=a+b%20c%2Bd;e&p=%C3%A9'
        self.assertEqual(parse_qsl(text), image_query.parameters(text))

    def test_too_many(self):
        self.assertRaises(exceptions.Invalid, image_query.parameters, '&'.join(['a=b'] * 1001))
