"""The list of images: filters, operators, sorting and paging, on every database."""

import uuid
from urllib.parse import parse_qsl, urlencode, urlsplit

from tests.functional.api.base import ApiTestCase, on_every_database


class ListTestCase(ApiTestCase):
    PROJECTS = True

    def get(self, query='', client=None, expected=200):
        """The list for a query: text, or pairs."""
        query = query if isinstance(query, str) else urlencode(query)
        return self.assertStatus(expected, (client or self.client).get('/v2/images' + ('?' + query if query else '')))

    def names(self, query='', client=None):
        return [image['name'] for image in self.get(query, client).json()['images']]

    def assertNames(self, expected, query='', client=None):
        self.assertEqual(sorted(expected), sorted(self.names(query, client)), str(query))

    def walk(self, query, client=None):
        """All pages of a list, following the links to the end."""
        client, path, pages = client or self.client, '/v2/images?' + query, []
        while path:
            page = self.assertStatus(200, client.get(path)).json()
            pages.append([image['name'] for image in page['images']])
            self.assertLess(len(pages), 60, 'the links never end')
            path = page.get('next')
        return pages


@on_every_database
class TestFilters(ListTestCase):
    """A fixed set of images of project ``f``."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        client = cls.caller(cls, 'admin', 'admin,member,reader')
        cls.images = {image['name']: image for image in (
            client.create_image(b'1', name='alpha', owner='f', min_ram=1, min_disk=10, tags=['x', 'y'], os='linux'),
            client.create_image(b'22', name='beta, two', owner='f', min_ram=2, min_disk=20, tags=['x'], os='linux', arch='a'),
            client.create_image(b'333', name='say "hi"', owner='f', min_ram=3, container_format='ovf', tags=['y', 'x,y']),
            client.create_image(name='a:b', owner='f', protected=True, os='Linux', disk_format='qcow2'),
            client.create_image(name='back\\slash', owner='f', visibility='private'),
            client.create_image(name='%', owner='f', visibility='public', os='%'),
            client.create_image(name='ALPHA', owner='f', visibility='community'),
            client.create_image(name='hidden', owner='f', os_hidden=True),
        )}

    def setUp(self):
        super().setUp()
        self.f = self.caller('f')
        self.visible = [name for name in self.images if name != 'hidden']

    def found(self, query):
        return self.names(query, self.f)

    def assertFound(self, expected, *query):
        self.assertNames(expected, list(query), self.f)

    def test_all(self):
        self.assertFound(self.visible)
        page = self.get('', self.f).json()
        self.assertEqual(['images', 'first', 'schema'], sorted(page, key=['images', 'first', 'schema', 'next'].index))
        self.assertEqual(('/v2/images', '/v2/schemas/images'), (page['first'], page['schema']))
        self.assertEqual({image['name']: image for image in page['images']},
                         {name: image for name, image in self.images.items() if name != 'hidden'})

    def test_name(self):
        for value, expected in (
                ('alpha', ['alpha']), ('eq:alpha', ['alpha']), ('alph', []), ('ALPHA', ['ALPHA']), ('alpha ', []), ('%', ['%']),
                ('_', []), ('eq:a:b', ['a:b']), ('in:alpha', ['alpha']), ('in:alpha,%', ['alpha', '%']), ('in:', []),
                ('in:"beta, two",alpha', ['beta, two', 'alpha']), ('in:"say \\"hi\\""', ['say "hi"']),
                ('in:"back\\\\slash"', ['back\\slash']), ('\U0001f600', []), ("' OR 1=1 --", []), ('', [])):
            with self.subTest(value=value):
                self.assertFound(expected, ('name', value))
        self.assertFound(['alpha'], ('name', 'in:alpha,' + ','.join(map(str, range(199)))))
        for value in ('a:b', 'gt:alpha', 'neq:alpha', ':', 'in:"alpha', 'in:al"pha', 'in:"al"pha', 'in:alpha"',
                      'in:' + ','.join(map(str, range(201)))):
            with self.subTest(value=value[:20]):
                self.get([('name', value)], self.f, expected=400)

    def test_id(self):
        first, second = self.images['alpha']['id'], self.images['%']['id']
        self.assertFound(['alpha'], ('id', first))
        self.assertFound(['alpha', '%'], ('id', f'in:{first},{second}'))
        self.assertFound([], ('id', first.upper()))
        self.assertFound([], ('id', self.images['hidden']['id']))
        self.assertFound([], ('id', 'no id'))

    def test_status_and_formats(self):
        active = ['alpha', 'beta, two', 'say "hi"']
        for query, expected in {
                'status=active': active, 'status=in:active,queued': self.visible, 'status=perhaps': [], 'status=deleted': [],
                'status=killed': [], 'disk_format=qcow2': ['a:b'], 'disk_format=in:qcow2,vdi': ['a:b'], 'disk_format=x': [],
                'container_format=eq:ovf': ['say "hi"'], 'container_format=ovf&status=queued': [], 'status=': []}.items():
            with self.subTest(query=query):
                self.assertNames(expected, query, self.f)
        for query in ('status=neq:active', 'disk_format=gt:raw', 'container_format=x:y'):
            with self.subTest(query=query):
                self.get(query, self.f, expected=400)

    def test_numbers(self):
        sized = ['alpha', 'beta, two', 'say "hi"']
        for query, expected in {
                'size_min=2': sized[1:], 'size_max=2': sized[:2], 'size_min=2&size_max=2': sized[1:2], 'size=3': sized[2:],
                'min_ram_min=1&min_ram_max=2': sized[:2], 'min_disk_min=20': sized[1:2], 'min_disk=10': sized[:1],
                'min_ram=3': sized[2:], 'size_min=0': sized, 'size=9223372036854775807': [], 'virtual_size=2': sized[1:2],
                'virtual_size_min=1': sized[:2], 'size_min=-5': sized}.items():
            with self.subTest(query=query):
                self.assertNames(expected, query, self.f)
        for name in ('size', 'virtual_size', 'min_ram', 'min_disk'):
            for suffix in ('', '_min', '_max'):
                for value in ('x', '1.5', '', '1e3', 'eq:1', '9' * 19 + '9', '1' + '0' * 30):
                    with self.subTest(name=name + suffix, value=value):
                        self.get([(name + suffix, value)], self.f, expected=400)
        for name in ('foo_min', 'name_max', 'created_at_min'):
            with self.subTest(name=name):
                self.get(f'{name}=1', self.f, expected=400)

    def test_plain_equality(self):
        alpha = self.images['alpha']
        for query, expected in (
                ([('owner', 'f')], self.visible), ([('owner', 'g')], []), ([('checksum', alpha['checksum'])], ['alpha']),
                ([('os_hash_value', alpha['os_hash_value'])], ['alpha']),
                ([('os_hash_algo', 'sha512')], ['alpha', 'beta, two', 'say "hi"']), ([('os_hash_algo', 'eq:sha512')], [])):
            with self.subTest(query=query):
                self.assertNames(expected, query, self.f)

    def test_tags(self):
        for tags, expected in ((['x'], ['alpha', 'beta, two']), (['x', 'y'], ['alpha']), ([' y '], ['alpha', 'say "hi"']),
                               (['X'], []), (['z'], []), (['x', 'z'], []), (['x,y'], ['say "hi"']), (['y', 'y'], ['alpha', 'say "hi"'])):
            with self.subTest(tags=tags):
                self.assertFound(expected, *(('tag', tag) for tag in tags))

    def test_tags_word_is_one_tag(self):
        self.assertFound(['alpha', 'say "hi"'], ('tags', 'y'))
        self.assertFound([], ('tags', 'xy'))

    def test_additional_properties(self):
        for query, expected in {
                'os=linux': ['alpha', 'beta, two'], 'os=Linux': ['a:b'], 'OS=linux': [], 'os=linux&arch=a': ['beta, two'],
                'os=%25': ['%'], 'os=l%25': [], 'os=': [], 'nothing=x': [], 'is_public=true': [], 'changes_since=2020-01-01': [],
                'links=x': [], 'self=x': [], 'file=x': [], 'schema=x': [], 'direct_url=x': [], 'deleted=true': self.visible,
                'os_glance_stage_host=x': [], 'os=linux%00': None}.items():
            with self.subTest(query=query):
                if expected is None:
                    self.get(query, self.f, expected=400)
                else:
                    self.assertNames(expected, query, self.f)

    def test_refused_names(self):
        for query in ('changes-since=2020-01-01T00:00:00Z', 'changes-since=', 'properties=x', 'locations=x', 'members=x'):
            with self.subTest(query=query):
                self.get(query, self.f, expected=400)

    def test_flags(self):
        for query, expected in {
                'protected=true': ['a:b'], 'protected=false': [name for name in self.visible if name != 'a:b'],
                'os_hidden=true': ['hidden'], 'os_hidden=TRUE': ['hidden'], 'os_hidden=false': self.visible,
                'os_hidden=False': self.visible, 'os_hidden=true&name=hidden': ['hidden'], 'name=hidden': []}.items():
            with self.subTest(query=query):
                self.assertNames(expected, query, self.f)
        for query in ('protected=True', 'protected=1', 'protected=', 'os_hidden=1', 'os_hidden=', 'os_hidden=x'):
            with self.subTest(query=query):
                self.get(query, self.f, expected=400)

    def test_times(self):
        created = self.images['alpha']['created_at']
        plain, offset = created.rstrip('Z'), created.replace('Z', '+00:00')
        for name in ('created_at', 'updated_at'):
            value = self.images['%'][name]
            for query, expected in (
                    (f'{value}', True), (f'eq:{value}', True), (f'gte:{value}', True), (f'lte:{value}', True),
                    (f'gt:{value}', False), (f'lt:{value}', False), (f'neq:{value}', False), ('gt:2001-01-01', True),
                    ('lt:2001-01-01', False), ('neq:2001-01-01T00:00:00Z', True), ('gt:2001-01-01T00:00:00+10:00', True)):
                with self.subTest(name=name, query=query):
                    self.assertEqual(expected, '%' in self.found([(name, query)]))
            for query in ('x:2001-01-01', 'gt:', '', 'yesterday', 'gt:yesterday', '2001-13-01', 'gt', 'in:2001-01-01'):
                with self.subTest(name=name, query=query):
                    self.get([(name, query)], self.f, expected=400)
        for form in (plain, offset):
            self.assertIn('alpha', self.found([('created_at', form)]))

    def test_the_last_of_repeated_keys_counts(self):
        for query, expected in {
                'name=x&name=alpha': ['alpha'], 'visibility=public&visibility=private': ['back\\slash'],
                'limit=1&limit=100': self.visible, 'os=x&os=linux': ['alpha', 'beta, two'], 'size=x&size=3': ['say "hi"'],
                'sort=x&sort=name': self.visible}.items():
            with self.subTest(query=query):
                self.assertNames(expected, query, self.f)

    def test_junk(self):
        for query in ('name=%ff', 'name=%c3', '%ff=x', 'name=%00', '%00=x', 'marker=%00'):
            with self.subTest(query=query):
                self.get(query, self.f, expected=400)
        for query in ('&&&', '=', '=x', 'x', 'name', '%F0%9F%98%80=%F0%9F%98%80', 'a' * 300 + '=b'):
            with self.subTest(query=query[:20]):
                self.get(query, self.f)

    def test_a_body_is_ignored(self):
        self.assertStatus(200, self.f.get('/v2/images', data=b'\x00'))


@on_every_database
class TestVisibility(ListTestCase):

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        client = cls.caller(cls, 'admin', 'admin,member,reader')
        for owner in ('v1', 'v2'):
            for visibility in ('public', 'community', 'shared', 'private'):
                client.create_image(name=f'{owner} {visibility}', owner=owner, visibility=visibility)
        client.create_image(name='gone', owner='v1')
        gone = client.create_image(name='gone', owner='v1')
        for image in client.get('/v2/images?name=gone').json()['images'] + [gone]:
            client.delete(f'/v2/images/{image["id"]}')

    def assertSeen(self, expected, query, client):
        """*expected*: like ``v1: public shared; v2: public``."""
        wanted = [f'{owner.strip()} {visibility}' for part in expected.split(';') if part
                  for owner, _, words in [part.partition(':')] for visibility in words.split()]
        self.assertNames(wanted, query, client)

    def test_owner(self):
        own = self.caller('v1', 'reader')
        for query, expected in {
                '': 'v1: public community shared private; v2: public', 'visibility=': 'v1: public community shared private; v2: public',
                'visibility=public': 'v1: public; v2: public', 'visibility=community': 'v1: community; v2: community',
                'visibility=shared': 'v1: shared', 'visibility=private': 'v1: private',
                'visibility=all': 'v1: public community shared private; v2: public community', 'owner=v2': 'v2: public',
                'owner=v2&visibility=all': 'v2: public community'}.items():
            with self.subTest(query=query):
                self.assertSeen(expected, query, own)

    def test_admin(self):
        everything = 'v1: public community shared private; v2: public community shared private'
        for project in ('v1', 'admin', None):
            admin = self.caller(project, 'admin')
            with self.subTest(project=project):
                self.assertSeen('v1: public shared private' + (' community' if project == 'v1' else '')
                                + '; v2: public shared private', '', admin)
                self.assertSeen(everything, 'visibility=all', admin)
                self.assertSeen('v1: community; v2: community', 'visibility=community', admin)
                self.assertSeen('v1: private; v2: private', 'visibility=private', admin)

    def test_wrong_values(self):
        for query in ('visibility=x', 'visibility=Public', 'member_status=x', 'member_status='):
            with self.subTest(query=query):
                self.get(query, expected=400)
        for status in ('pending', 'accepted', 'rejected', 'all'):
            self.get(f'member_status={status}')

    def test_who_may_list(self):
        self.get('', self.caller('v1', 'other'), expected=403)
        self.get('', self.caller(None), expected=403)


@on_every_database
class TestPaging(ListTestCase):
    COUNT = 12

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        client = cls.caller(cls, 'p')
        # Names, sizes and formats repeat, and some are null: ties everywhere.
        cls.images = []
        for number in range(cls.COUNT):
            attributes = {'name': None if number % 4 == 0 else f'name {number % 3}', 'tags': ['t', str(number % 2)], 'os': 'o'}
            data = b'x' * (number % 3) if number % 2 else None
            if number % 5 == 0 and data is None:
                attributes.update(disk_format=None, container_format=None)
            cls.images.append(client.create_image(data, **attributes))

    def setUp(self):
        super().setUp()
        self.p = self.caller('p')
        self.stored = {image['id']: image for image in self.get('limit=100', self.p).json()['images']}

    def walk_ids(self, query):
        path, found, seen = '/v2/images?' + query, [], set()
        while path:
            self.assertNotIn(path, seen, 'the links run in circles')
            seen.add(path)
            page = self.assertStatus(200, self.p.get(path)).json()
            found += [image['id'] for image in page['images']]
            self.assertLessEqual(len(found), self.COUNT)
            path = page.get('next')
        return found

    def test_every_key_in_both_directions_by_pages_of_every_size(self):
        for key in ('name', 'status', 'container_format', 'disk_format', 'size', 'id', 'created_at', 'updated_at'):
            for direction in ('asc', 'desc'):
                whole = [image['id'] for image in self.get(f'limit=100&sort_key={key}&sort_dir={direction}', self.p).json()['images']]
                with self.subTest(key=key, direction=direction):
                    # Null is the smallest value; ties are broken by the time of creation, then by the id.
                    values = [(self.stored[image_id][key] is not None, self.stored[image_id][key] or '') if key != 'size' else
                              (self.stored[image_id][key] is not None, self.stored[image_id][key] or 0) for image_id in whole]
                    self.assertEqual(sorted(values, reverse=direction == 'desc'), values)
                    for limit in (1, 5, self.COUNT):
                        self.assertEqual(whole, self.walk_ids(f'limit={limit}&sort_key={key}&sort_dir={direction}'))

    def test_several_keys(self):
        for query in ('sort=name:asc,size:desc', 'sort=size,name', 'sort_key=status&sort_key=name&sort_dir=asc&sort_dir=desc',
                      'sort=disk_format:asc,container_format:desc,size:asc,id:desc', 'sort=%20name%20:%20asc%20,%20id',
                      'sort_key=name&sort_key=status&sort_dir=asc'):
            with self.subTest(query=query):
                whole = [image['id'] for image in self.get(query, self.p).json()['images']]
                self.assertEqual(self.COUNT, len(set(whole)))
                self.assertEqual(whole, self.walk_ids(query + '&limit=2'))

    def test_default_is_newest_first(self):
        times = [image['created_at'] for image in self.get('', self.p).json()['images']]
        self.assertEqual(sorted(times, reverse=True), times)

    def test_links_keep_the_query(self):
        query = [('tag', 't'), ('tag', '1'), ('os', 'o'), ('sort_key', 'name'), ('sort_key', 'size'), ('sort_dir', 'asc'),
                 ('sort_dir', 'desc'), ('limit', '1'), ('name', 'in:name 0,"name 1",name 2')]
        page = self.get(query, self.p).json()
        self.assertEqual(query, parse_qsl(urlsplit(page['first']).query))
        self.assertEqual([*query, ('marker', page['images'][0]['id'])], parse_qsl(urlsplit(page['next']).query))
        self.assertEqual('/v2/images', urlsplit(page['next']).path)
        self.assertIn('+', page['first'])
        second = self.assertStatus(200, self.p.get(page['next'])).json()
        self.assertEqual(page['first'], second['first'])
        self.assertEqual([image['id'] for image in self.get([*query[:-2], query[-1]], self.p).json()['images']],
                         self.walk_ids(urlencode(query)))

    def test_limit(self):
        self.assertEqual([], self.get('limit=0', self.p).json()['images'])
        self.assertNotIn('next', self.get('limit=0', self.p).json())
        for limit, count in (('1', 1), ('007', 7), ('1000000', self.COUNT)):
            with self.subTest(limit=limit):
                self.assertEqual(count, len(self.get(f'limit={limit}', self.p).json()['images']))
        self.assertNotIn('limit', self.get('', self.p).json()['first'])
        for limit in ('', '1.5', '-1', 'x', '1e3', ' ', '%2B1', '1' + '0' * 30):
            with self.subTest(limit=limit):
                self.get(f'limit={limit}', self.p, expected=400)

    def test_marker(self):
        other = self.caller('admin', 'admin').create_image(owner='q', visibility='private')
        texts = set()
        for marker in ('', 'x', str(uuid.uuid4()), other['id'], "' OR 1=1", '\U0001f600'):
            with self.subTest(marker=marker):
                text = self.get([('marker', marker)], self.p, expected=400).text
                texts.add(text.replace(marker or '-', '-') if marker in (other['id'],) or len(marker) == 36 else None)
        self.assertEqual(1, len(texts - {None}), 'a marker tells whether somebody else has such an image')
        deleted = self.p.create_image()
        self.p.delete(f'/v2/images/{deleted["id"]}')
        self.get(f'marker={deleted["id"]}', self.p, expected=400)

    def test_wrong_sorting(self):
        for query in ('sort_key=x', 'sort_key=', 'sort_key=owner', 'sort_dir=ASC', 'sort_dir=', 'sort_dir=up', 'sort=', 'sort=name,',
                      'sort=x:asc', 'sort=name:up', 'sort=name:ASC', 'sort=name&sort_key=size', 'sort=name&sort_dir=asc',
                      'sort_dir=asc&sort_dir=desc', 'sort_key=name&sort_dir=asc&sort_dir=desc',
                      'sort_key=name&sort_key=size&sort_key=id&sort_dir=asc&sort_dir=desc',
                      'sort=' + ','.join(['name'] * 100), 'sort=name:asc:desc', 'sort_key=name;drop'):
            with self.subTest(query=query[:40]):
                self.get(query, self.p, expected=400)

    def test_images_that_come_and_go_between_pages(self):
        self.addCleanup(self.restore)
        pages = self.get('sort=created_at:asc&limit=4', self.p).json()
        marker = pages['images'][-1]['id']
        late = self.p.create_image(name='late')
        self.addCleanup(self.p.delete, f'/v2/images/{late["id"]}')
        first = {image['id'] for image in pages['images']}
        rest = self.walk_ids(f'sort=created_at:asc&limit=4&marker={marker}')
        self.assertFalse(first & set(rest))
        self.assertLessEqual(set(self.stored) - first, set(rest))

    def restore(self):
        self.assertEqual(self.COUNT, len(self.stored))


@on_every_database
class TestCapped(ListTestCase):
    SETTINGS = {'DEFAULT': {'limit_param_default': 2, 'api_limit_max': 3}}

    def test_default_and_maximum(self):
        client = self.caller('c')
        for _ in range(7):
            client.create_image()
        self.assertEqual([2, 2, 2, 1], [len(page) for page in self.walk('', client)])
        self.assertEqual([3, 3, 1], [len(page) for page in self.walk('limit=100', client)])
        self.assertIn('limit=100', self.get('limit=100', client).json()['next'])
