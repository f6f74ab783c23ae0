"""Lists of images, from the query string down to records in memory."""
from tests.unit.api.serving import ServingTestCase
from tests.unit.layers import fakes


class ListTest(ServingTestCase):

    def list(self, query='', context=None):
        response = self.call('GET', '/images' + query, context=context)
        self.assertEqual(200, response.status_int, response.text)
        return response.json

    def names(self, query='', context=None):
        return [image['name'] for image in self.list(query, context)['images']]

    def walk(self, query):
        """Return the names of all pages."""
        names, target = [], '/images' + query
        for _ in range(20):
            page = self.call('GET', target).json
            names.append([image['name'] for image in page['images']])
            if 'next' not in page:
                return names
            target = page['next'].removeprefix('/v2')
        raise AssertionError('the list does not end')

    def test_shape(self):
        self.create(name='a')
        page = self.list()
        self.assertEqual({'images', 'first', 'schema'}, set(page))
        self.assertEqual(('/v2/images', '/v2/schemas/images'), (page['first'], page['schema']))

    def test_links(self):
        for number in range(3):
            self.create(name='n%d' % number, tags=['x', 'y z'])
        page = self.list('?limit=2&name=in:%22n0%22,n1,n2&tag=x&tag=y%20z&sort_key=name&sort_dir=asc')
        query = 'limit=2&name=in%3A%22n0%22%2Cn1%2Cn2&tag=x&tag=y+z&sort_key=name&sort_dir=asc'
        self.assertEqual('/v2/images?' + query, page['first'])
        self.assertEqual('/v2/images?%s&marker=%s' % (query, page['images'][-1]['id']), page['next'])
        page = self.call('GET', page['next'].removeprefix('/v2')).json
        self.assertEqual((['n2'], '/v2/images?' + query), ([image['name'] for image in page['images']], page['first']))
        self.assertNotIn('next', page)

    def test_limit_is_only_echoed(self):
        self.conf.set_override('limit_param_default', 1)
        self.create()
        self.create()
        page = self.list()
        self.assertEqual(('/v2/images', '/v2/images?marker=' + page['images'][0]['id']), (page['first'], page['next']))

    def test_a_walk_meets_every_image_once(self):
        for name in 'edcba':
            self.create(name=name)
        self.assertEqual([['a', 'b'], ['c', 'd'], ['e']], self.walk('?limit=2&sort_key=name&sort_dir=asc'))
        for query in ('?limit=1&sort_key=size&sort_dir=desc', '?limit=2&sort=size:asc', '?limit=3&sort=created_at'):
            self.assertEqual(list('abcde'), sorted(name for page in self.walk(query) for name in page))

    def test_a_page_that_policy_empties_still_leads_on(self):
        self.create(name='seen', visibility='private')
        directory = fakes.temporary_directory(self)
        with open(directory + '/policy.yaml', 'w') as file:
            file.write('get_image: "not \'hide\':%(name)s"\n')
        database = self.env.database
        self.serve(conf=fakes.make_conf(directory), database=database)
        for _ in range(3):
            database.image_create({'status': 'queued', 'owner': fakes.OWNER, 'name': 'hide'})
        self.assertEqual([[], [], [], ['seen']], self.walk('?limit=1')[:4])

    def test_limits(self):
        self.create()
        self.assertEqual([], self.list('?limit=0')['images'])
        self.assertNotIn('next', self.list('?limit=0'))
        for query in ('limit=-1', 'limit=', 'limit=x', 'marker=', 'marker=unknown', 'sort_key=owner', 'changes-since=',
                      'size_min=x',
                      'visibility=x', 'name=a:b', 'os_hidden=x', 'name=%ff', 'created_at=x', 'foo_min=1',
                      'properties=x', 'locations=x',
                      'members=x', 'size_max=99999999999999999999'):
            with self.subTest(query=query):
                self.assertEqual(400, self.code('GET', '/images?' + query))

    def test_a_body_is_ignored(self):
        self.assertEqual(200, self.code('GET', '/images', b'{'))

    def test_who_sees_what(self):
        member = fakes.caller(fakes.FRIEND)
        for visibility in ('private', 'shared', 'community', 'public'):
            image = self.create(fakes.admin(), owner=fakes.OWNER, name=visibility, visibility=visibility)
            self.env.database.member_create(image['id'], fakes.FRIEND)
        every = {'private', 'shared', 'community', 'public'}
        for context, query, expected in (
                (fakes.caller(), '', every), (fakes.caller(), '?visibility=all', every),
                (fakes.caller(), '?visibility=', every),
                (fakes.caller(), '?visibility=private', {'private'}), (member, '', {'public'}),
                (member, '?member_status=pending', {'public', 'shared'}),
                (member, '?member_status=all', {'public', 'shared'}),
                (member, '?visibility=all', {'public', 'community'}), (member, '?visibility=community', {'community'}),
                (member, '?visibility=shared', set()), (member, '?visibility=shared&member_status=pending', {'shared'}),
                (fakes.caller(fakes.STRANGER), '?visibility=all&member_status=all', {'public', 'community'}),
                (fakes.admin(), '', {'private', 'shared', 'public'}), (fakes.admin(), '?visibility=all', every)):
            with self.subTest(project=context.owner, query=query):
                self.assertEqual(expected, set(self.names(query, context)))

    def test_hidden_images(self):
        self.create(name='hidden', os_hidden=True)
        self.create(name='open')
        for query, expected in (('', ['open']), ('?os_hidden=true', ['hidden']), ('?os_hidden=False', ['open']),
                                ('?name=hidden', [])):
            self.assertEqual(expected, self.names(query))

    def test_filters(self):
        self.create(name='a,b', tags=['x', 'y'], os_distro='debian', min_ram=5)
        self.create(name='b', tags=['x'], os_distro='Debian', protected=True)
        for query, expected in (
                ('name=in:%22a,b%22,c', ['a,b']), ('name=b', ['b']), ('tag=x&tag=y', ['a,b']),
                ('tag=%20x%20&name=b', ['b']),
                ('os_distro=debian', ['a,b']), ('os_distro=x', []), ('min_ram=5', ['a,b']), ('min_ram_min=1', ['a,b']),
                ('min_ram_max=4', ['b']), ('protected=true', ['b']), ('status=queued&name=b', ['b']),
                ('status=nonsense', []),
                ('owner=%s&name=b' % fakes.OWNER, ['b']), ('created_at=lt:2000-01-01', []), ('is_public=True', []),
                ('name=%F0%9F%98%80', []), ("name='%20or%20'1'='1", []), ('name=%25', []), ('name=x&name=b', ['b'])):
            with self.subTest(query=query):
                self.assertEqual(expected, self.names('?' + query))

    def test_a_displayed_time_finds_its_image(self):
        image = self.create(name='a')
        self.assertEqual(['a'], self.names('?created_at=eq:' + image['created_at']))

    def test_killed_images_are_not_listed(self):
        image = self.create(name='k')
        self.set_status(image, 'killed')
        self.assertEqual([], self.names('?status=killed'))
