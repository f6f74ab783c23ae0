"""The commands of former releases, as an API node of then sends them."""
import datetime

from tests.functional.test_registry.test_rpc import RegistryTestCase

MISSING = '00000000-0000-0000-0000-000000000000'


class ClassicTestCase(RegistryTestCase):
    caller = None

    def run_command(self, command, client=None, /, **kwargs):
        result, = self.results((command, kwargs), headers={}, client=client or self.caller)
        return result

    def create(self, client=None, **values):
        return self.run_command('image_create', client, values={'status': 'queued', 'name': 'n', **values})

    def get(self, image, **kwargs):
        return self.run_command('image_get', image_id=image['id'], **kwargs)

    def assertError(self, expected, result, text=''):
        self.assertEqual(['_error'], list(result), result)
        self.assertEqual(expected, result['_error']['cls'].rpartition('.')[2], result)
        self.assertIn(text, result['_error']['val'])


class TestImages(ClassicTestCase):
    def test_an_image(self):
        moment = {'_type': 'datetime', '_value': '1900-01-02T03:04:05'}
        image = self.create(owner='me', properties={'a': '1'}, locations=[{'url': 'u', 'metadata': {'k': 1}, 'status': 'active'}],
                            created_at=moment, unknown=1, protected=True)
        self.assertEqual(image, self.get(image))
        self.assertEqual(
            ('queued', 'n', 'me', 'shared', 0, 0, True, False, None),
            tuple(image[name] for name in ('status', 'name', 'owner', 'visibility', 'min_ram', 'min_disk', 'protected', 'deleted',
                                           'size')))
        self.assertEqual([('a', '1', False)], [(each['name'], each['value'], each['deleted']) for each in image['properties']])
        self.assertEqual([('u', {'k': 1}, 'active')], [(each['url'], each['metadata'], each['status'])
                                                       for each in image['locations']])
        datetime.datetime.fromisoformat(image['created_at']['_value'])
        self.assertTrue(self.run_command('image_get', image_id=self.create(is_public=True)['id'], v1_mode=True)['is_public'])
        self.assertNotIn('visibility', self.get(image, v1_mode=True))

    def test_what_is_wrong_with_a_new_image(self):
        self.assertError('Invalid', self.run_command('image_create', values={}), 'status')
        self.assertError('Invalid', self.create(status='bad'))
        self.assertError('Invalid', self.create(min_ram=2 ** 31))
        self.assertError('Invalid', self.create(is_public=True, visibility='public'))
        self.assertError('Duplicate', self.create(id=self.create()['id']))

    def test_changes(self):
        image = self.create(properties={'a': '1', 'b': '2'})
        changed = self.run_command('image_update', image_id=image['id'], from_state='queued', purge_props=True, values={
            'status': 'saving', 'name': 'new', 'properties': {'b': '3'}, 'locations': [{'url': 'one'}, {'url': 'two'}],
            'updated_at': image['updated_at'], 'deleted': True})
        self.assertEqual(('saving', 'new', False, {'b': '3'}), (
            changed['status'], changed['name'], changed['deleted'], {one['name']: one['value'] for one in changed['properties']}))
        one, two = changed['locations']
        changed = self.run_command('image_update', image_id=image['id'], values={
            'properties': {'c': '4'}, 'locations': [{**two, 'metadata': {'k': 1}}, {'url': 'three'}]})
        self.assertEqual([('two', {'k': 1}), ('three', {})], [(each['url'], each['metadata']) for each in changed['locations']])
        self.assertEqual({'b': '3', 'c': '4'}, {one['name']: one['value'] for one in changed['properties']})
        self.assertError('Conflict', self.run_command('image_update', image_id=image['id'], from_state='queued',
                                                      values={'status': 'active'}),
                         'cannot transition from saving to active in update (wanted from_state=queued)')
        self.assertError('ImageNotFound', self.run_command('image_update', image_id=MISSING, values={}))

    def test_removal(self):
        image = self.create(locations=[{'url': 'u'}])
        self.assertEqual((True, 'deleted'), (
            (gone := self.run_command('image_destroy', image_id=image['id']))['deleted'], gone['status']))
        self.assertTrue(self.get(image)['deleted'])     # administrators see it
        self.assertError('ImageNotFound', self.run_command('image_destroy', image_id=image['id']))
        pending = self.create(locations=[{'url': 'u'}])
        self.run_command('image_update', image_id=pending['id'], values={'status': 'pending_delete'})
        self.assertEqual('pending_delete', self.run_command('image_destroy', image_id=pending['id'])['status'])
        self.assertIsNone(self.run_command('image_restore', image_id=pending['id']))
        self.assertEqual('active', self.get(pending)['status'])

    def test_lists(self):
        mark = self.create()['id'][:8]
        for number in range(4):
            image = self.create(name=f'{mark}-{number}', min_ram=number, owner='p%d' % (number % 2), is_public=number == 3,
                                properties={'mark': mark, 'parity': str(number % 2)})
            self.run_command('image_tag_create', image_id=image['id'], value='t%d' % number)

        def numbers(filters=None, **kwargs):
            filters = {'properties': {'mark': mark, **(filters or {}).pop('properties', {})}, **(filters or {})}
            result = self.run_command('image_get_all', filters=filters, **{'sort_key': ['name'], 'sort_dir': ['asc'], **kwargs})
            return ''.join(image['name'][-1] for image in result) if isinstance(result, list) else result
        self.assertEqual('0123', numbers())
        self.assertEqual('3210', numbers(sort_key=None, sort_dir=None))
        self.assertEqual('13', numbers({'parity': '1'}))
        self.assertEqual('13', numbers({'properties': {'parity': '1'}}))
        self.assertEqual('2', numbers({'tags': ['t2']}))
        self.assertEqual('12', numbers({'min_ram_min': 1, 'min_ram_max': '2'}))
        self.assertEqual('02', numbers({'name': f'in:{mark}-0,{mark}-2'}))
        self.assertEqual('3', numbers({'visibility': 'public'}))
        self.assertEqual('3', numbers(is_public=True))
        self.assertEqual('01', numbers(is_public=False, limit=2))
        self.assertEqual('0123', numbers({'created_at': 'gt:2020-01-01T00:00:00Z', 'status': 'queued', 'protected': 'false'}))
        first = self.run_command('image_get_all', filters={'name': f'{mark}-0'}, return_tag=True)[0]
        self.assertEqual(['t0'], first['tags'])
        self.assertEqual('12', numbers(marker=first['id'], limit=2))
        self.assertError('InvalidSortKey', numbers(sort_key=['nonsense']))
        self.assertError('ImageNotFound', numbers(marker=MISSING))
        self.assertError('InvalidFilterRangeValue', numbers({'size_min': 'x'}))

    def test_children(self):
        image = self.create()
        run = self.run_command
        run('image_property_create', values={'image_id': image['id'], 'name': 'p', 'value': 'v'})
        self.assertError('Duplicate', run('image_property_create', values={'image_id': image['id'], 'name': 'p', 'value': 'w'}))
        self.assertTrue(run('image_property_delete', prop_ref='p', image_ref=image['id'])['deleted'])
        self.assertError('NotFound', run('image_property_delete', prop_ref='p', image_ref=image['id']))
        self.assertIsNone(run('image_set_property_atomic', image_id=image['id'], name='lock', value='1'))
        self.assertError('Duplicate', run('image_set_property_atomic', image_id=image['id'], name='lock', value='2'))
        self.assertError('NotFound', run('image_delete_property_atomic', image_id=image['id'], name='lock', value='2'))
        self.assertIsNone(run('image_delete_property_atomic', image_id=image['id'], name='lock', value='1'))
        self.assertIsNone(run('image_tag_set_all', image_id=image['id'], tags=['a', 'b']))
        self.assertEqual('c', run('image_tag_create', image_id=image['id'], value='c'))
        self.assertIsNone(run('image_tag_delete', image_id=image['id'], value='b'))
        self.assertError('NotFound', run('image_tag_delete', image_id=image['id'], value='b'))
        self.assertEqual(['a', 'c'], run('image_tag_get_all', image_id=image['id']))
        self.assertIsNone(run('image_location_add', image_id=image['id'], location={'url': 'u', 'metadata': {}, 'status': 'active'}))
        location, = self.get(image)['locations']
        self.assertIsNone(run('image_location_update', image_id=image['id'], location={**location, 'metadata': {'k': 1}}))
        self.assertEqual({'k': 1}, self.get(image)['locations'][0]['metadata'])
        self.assertError('Invalid', run('image_location_delete', image_id=image['id'], location_id=location['id'], status='active'))
        self.assertIsNone(run('image_location_delete', image_id=image['id'], location_id=location['id'], status='deleted'))
        self.assertError('NotFound', run('image_location_delete', image_id=image['id'], location_id=location['id'],
                                         status='deleted'))

    def test_members(self):
        image, run = self.create(owner='me'), self.run_command
        member = run('image_member_create', values={'image_id': image['id'], 'member': 'you'})
        self.assertEqual(('you', 'pending', False, False), tuple(member[name] for name in (
            'member', 'status', 'can_share', 'deleted')))
        self.assertError('Duplicate', run('image_member_create', values={'image_id': image['id'], 'member': 'you'}))
        self.assertEqual('accepted', run('image_member_update', memb_id=member['id'], values={'status': 'accepted'})['status'])
        self.assertTrue(run('image_member_update', memb_id=member['id'], values={'can_share': True})['can_share'])
        found = run('image_member_find', image_id=image['id'])
        self.assertEqual([('you', 'accepted', True)], [(one['member'], one['status'], one['can_share']) for one in found])
        self.assertEqual(found, run('image_member_find', member='you'))
        self.assertEqual([], run('image_member_find', image_id=image['id'], status='pending'))
        self.assertEqual(1, run('image_member_count', image_id=image['id']))
        self.assertError('Invalid', run('image_member_count', image_id=''))
        self.assertIsNone(run('image_member_delete', memb_id=member['id']))
        self.assertError('NotFound', run('image_member_delete', memb_id=member['id']))

    def test_usage(self):
        image = self.create(owner='user-of-bytes', size=5, status='active', locations=[{'url': 'u'}, {'url': 'v'}])
        self.assertEqual(10, self.run_command('user_get_storage_usage', owner_id='user-of-bytes'))
        self.assertEqual(0, self.run_command('user_get_storage_usage', owner_id='user-of-bytes', image_id=image['id']))
        self.assertEqual((1, 0, 0), tuple(self.run_command(f'user_get_{what}', owner_id='user-of-bytes') for what in (
            'image_count', 'uploading_count', 'staging_usage')))

    def test_wrong_arguments(self):
        self.assertError('TypeError', self.run_command('image_get', nonsense=1))
        self.assertError('KeyError', self.run_command('image_member_create', values={}))
        self.assertRefused(404, 'knows no command', [{'command': 'purge_deleted_rows'}], {})
        self.assertRefused(404, 'knows no command', [{'command': 'lease_list'}], {})


class TestUsers(ClassicTestCase):
    """Whoever gets through to the registry can do no more there than at the image API."""

    FLAVOR = 'trusted-auth'
    SETTINGS = {'DEFAULT': {'allowed_rpc_exception_modules': 'glance.common.exception'}}

    def user(self, project, roles='member'):
        return self.server.client(headers={'X-Identity-Status': 'Confirmed', 'X-User-Id': 'u', 'X-Tenant-Id': project,
                                           'X-Roles': roles})

    def setUp(self):
        super().setUp()
        self.admin, self.service = self.user('admin', 'admin'), self.user('me', 'service')
        self.caller = self.user('me')

    def test_a_user_owns_what_he_makes(self):
        self.assertEqual('me', self.create(owner='other')['owner'])
        self.assertError('Forbidden', self.create(is_public=True))
        self.assertError('Forbidden', self.create(locations=[{'url': 'file:///etc/passwd'}]))
        self.assertError('Forbidden', self.create(status='active'))
        self.assertError('Forbidden', self.create(properties={'os_glance_stage_host': 'http://evil'}))

    def test_a_user_does_not_do_the_work_of_the_service(self):
        image = self.create()
        for values in ({'status': 'active'}, {'size': 5}, {'checksum': 'x' * 32}, {'locations': [{'url': 'file:///etc/passwd'}]},
                       {'visibility': 'public'}, {'properties': {'os_glance_x': 'y'}}):
            with self.subTest(values=values):
                self.assertError('Forbidden', self.run_command('image_update', image_id=image['id'], values=values))
        self.assertEqual('new', self.run_command('image_update', image_id=image['id'], values={
            'name': 'new', 'status': 'queued', 'owner': 'other'})['name'])
        self.assertError('Forbidden', self.run_command('image_destroy', image_id=image['id']))
        self.assertError('Forbidden', self.run_command('image_location_add', image_id=image['id'], location={'url': 'u'}))
        self.assertEqual('active', self.run_command('image_update', self.service, image_id=image['id'], values={
            'status': 'active', 'locations': [{'url': 'u'}]})['status'])

    def test_images_of_others(self):
        private, public = (self.create(self.admin, owner='other', visibility=each)['id'] for each in ('private', 'public'))
        for image_id, error in ((private, 'ImageNotFound'), (public, 'ForbiddenPublicImage')):
            for name, kwargs in (
                    ('image_update', {'image_id': image_id, 'values': {'name': 'x'}}),
                    ('image_property_create', {'values': {'image_id': image_id, 'name': 'a', 'value': 'b'}}),
                    ('image_property_delete', {'image_ref': image_id, 'prop_ref': 'a'}),
                    ('image_tag_create', {'image_id': image_id, 'value': 't'}), ('image_tag_set_all', {'image_id': image_id, 'tags': []}),
                    ('image_tag_delete', {'image_id': image_id, 'value': 't'}),
                    ('image_member_create', {'values': {'image_id': image_id, 'member': 'me'}}),
                    ('image_set_property_atomic', {'image_id': image_id, 'name': 'a', 'value': 'b'})):
                with self.subTest(name=name, error=error):
                    self.assertError(error, self.run_command(name, **kwargs))
            self.assertError(error, self.run_command('image_destroy', self.service, image_id=image_id))
        self.assertError('Forbidden', self.run_command('user_get_storage_usage', owner_id='other'))
        self.assertEqual(0, self.run_command('user_get_storage_usage', owner_id='me'))

    def test_a_member_decides_for_himself_only(self):
        image = self.create(self.admin, owner='other')['id']
        members = {name: self.run_command('image_member_create', self.admin, values={'image_id': image, 'member': name})['id']
                   for name in ('me', 'third')}
        self.assertEqual(['me'], [one['member'] for one in self.run_command('image_member_find', image_id=image)])
        self.assertEqual('accepted', self.run_command('image_member_update', memb_id=members['me'], values={
            'status': 'accepted'})['status'])
        for kwargs in ({'memb_id': members['third'], 'values': {'status': 'accepted'}},
                       {'memb_id': members['me'], 'values': {'can_share': True}}):
            self.assertError('Forbidden', self.run_command('image_member_update', **kwargs))
        self.assertError('Forbidden', self.run_command('image_member_delete', memb_id=members['me']))

    def test_errors_of_other_modules(self):
        self.assertError('RPCError', self.run_command('image_get', nonsense=1), 'TypeError')


class TestTrustedTokens(TestUsers):
    """API nodes of former releases show nothing but the token of the user."""

    SETTINGS = {'DEFAULT': {'registry_trust_user_tokens': True, 'allowed_rpc_exception_modules': 'glance.common.exception'}}

    def test_a_user_does_not_do_the_work_of_the_service(self):
        image = self.create()
        self.assertEqual('active', self.run_command('image_update', image_id=image['id'], values={
            'status': 'active', 'locations': [{'url': 'u'}]})['status'])
        self.assertTrue(self.run_command('image_destroy', image_id=image['id'])['deleted'])
        self.assertRefused(401, '', [{'command': 'image_get_all'}], {})

    def test_a_user_owns_what_he_makes(self):
        self.assertEqual('me', self.create(owner='other')['owner'])
        self.assertError('Forbidden', self.create(is_public=True))

