"""Properties that not everybody may see and change, over HTTP."""

import os
import shutil
import signal
import uuid

from tests.functional.api.base import DRAFT_PATCH, ApiTestCase, wait_for
from tests.harness.server import SHIPPED

ROLES = """
[^secret_]
create = admin
read = admin
update = admin
delete = admin

[^billing_]
create = admin, accountant
read = @
update = admin, accountant
delete = admin

[^blind_]
create = member
read = admin
update = member
delete = member

[^sealed_]
create = member
read = admin
update = !
delete = !

[^audit_]
create = service
read = service, admin
update = service
delete = service

[^frozen]
create = !
read = !
update = !
delete = !

[^(x_os_glance|free)]
create = @
read = @
update = @
delete = @
"""
SECRETS = {'secret_key': 's1', 'billing_code': 'b1', 'blind_spot': 'n1', 'sealed_box': 'm1'}


class ProtectionTestCase(ApiTestCase):
    PROJECTS = True
    RULES = ROLES
    FORMAT = 'roles'

    @classmethod
    def prepare(cls, server):
        cls.file = server.folder / 'protections.conf'
        cls.file.write_text(cls.RULES)
        # A relative name, which is searched next to the configuration file.
        server.settings['DEFAULT'].update(property_protection_file=cls.file.name, property_protection_rule_format=cls.FORMAT)

    def setUp(self):
        super().setUp()
        self.admin = self.caller('p1', 'admin,member,reader')
        self.member = self.caller('p1')
        self.accountant = self.caller('p1', 'member,reader,accountant')

    def image(self, data=None, **properties):
        """An image of the project, by its administrator."""
        return self.admin.create_image(data, **properties)['id']

    def properties(self, image_id, client=None, prefixes=('secret', 'billing', 'blind', 'sealed', 'audit', 'free', 'x_os')):
        image = self.assertStatus(200, (client or self.admin).get(f'/v2/images/{image_id}')).json()
        return {name: value for name, value in image.items() if name.startswith(prefixes)}

    def assertChange(self, status, image_id, op, name, value=None, client=None):
        operation = {'op': op, 'path': '/' + name}
        if op != 'remove':
            operation['value'] = value
        return self.assertStatus(status, (client or self.member).patch(f'/v2/images/{image_id}', [operation]), f'{op} {name}')


class TestByRoles(ProtectionTestCase):

    def secrets(self, data=None, **more):
        image_id = self.image(data, secret_key='s1', blind_spot='n1', billing_code='b1', sealed_box='m1', **more)
        return image_id

    def test_create(self):
        for name, status in (('secret_key', 403), ('billing_code', 403), ('blind_spot', 201), ('free_1', 201),
                             ('frozen', 403), ('unknown', 403)):
            with self.subTest(name=name):
                before = self.admin.get('/v2/images?limit=1').json()['images']
                response = self.assertStatus(status, self.member.post('/v2/images', json={'name': 'n', name: 'v'}))
                if status == 403:
                    self.assertIn(name, response.text)
                    self.assertEqual(before, self.admin.get('/v2/images?limit=1').json()['images'])
                else:
                    self.assertEqual({'free_1': 'v'} if name == 'free_1' else {},
                                     {key: value for key, value in response.json().items() if key == name})
                    self.assertEqual({name: 'v'}, self.properties(response.json()['id']))
        for name in ('frozen', 'unknown'):
            self.assertStatus(403, self.admin.post('/v2/images', json={name: 'v'}))

    def test_show_and_list(self):
        image_id = self.secrets(free_1='f')
        self.assertEqual({**SECRETS, 'free_1': 'f'}, self.properties(image_id))
        self.assertEqual({'billing_code': 'b1', 'free_1': 'f'}, self.properties(image_id, self.member))
        for client, names in ((self.member, {'billing_code', 'free_1'}), (self.admin, {*SECRETS, 'free_1'})):
            images = client.get('/v2/images?free_1=f').json()['images']
            shown = next(image for image in images if image['id'] == image_id)
            self.assertEqual(names, shown.keys() & {*SECRETS, 'free_1'})

    def test_changes_of_visible_properties(self):
        image_id = self.secrets()
        for op in ('add', 'replace'):
            self.assertIn('billing_code', self.assertChange(403, image_id, op, 'billing_code', 'mine').text)
        self.assertChange(403, image_id, 'remove', 'billing_code')
        self.assertChange(403, image_id, 'add', 'billing_more', 'v')
        self.assertChange(200, image_id, 'replace', 'billing_code', 'b2', self.accountant)
        self.assertChange(403, image_id, 'remove', 'billing_code', client=self.accountant)
        self.assertEqual({**SECRETS, 'billing_code': 'b2'}, self.properties(image_id))
        self.assertChange(200, image_id, 'remove', 'billing_code', client=self.admin)

    def test_hidden_properties_look_absent(self):
        image_id = self.secrets()
        for name in ('secret_key', 'blind_spot', 'secret_other', 'blind_other'):
            self.assertEqual(self.assertChange(409, image_id, 'replace', name, 'v').text,
                             self.assertChange(409, image_id, 'remove', name).text)
        self.assertEqual(SECRETS, self.properties(image_id))

    def test_adding_a_hidden_property(self):
        image_id = self.secrets()
        for name, value in (('secret_key', 'v'), ('secret_key', 's1'), ('sealed_box', 'v'), ('sealed_box', 'm1')):
            text = self.assertChange(403, image_id, 'add', name, value).text
            self.assertIn(name, text)
            self.assertNotIn(SECRETS[name], text.replace(name, ''))
        absent = self.assertChange(403, image_id, 'add', 'secret_other', 's1').text
        self.assertEqual(absent.replace('secret_other', ''),
                         self.assertChange(403, image_id, 'add', 'secret_key', 's1').text.replace('secret_key', ''))
        self.assertEqual(SECRETS, self.properties(image_id))
        for value in ('n1', 'n2'):
            shown = self.assertChange(200, image_id, 'add', 'blind_spot', value).json()
            self.assertNotIn('blind_spot', shown)
            self.assertEqual({**SECRETS, 'blind_spot': value}, self.properties(image_id))
        draft = self.member.request('PATCH', f'/v2/images/{image_id}', headers=DRAFT_PATCH,
                                    json=[{'add': '/blind_spot', 'value': 'n3'}])
        self.assertStatus(200, draft)
        self.assertEqual({**SECRETS, 'blind_spot': 'n3'}, self.properties(image_id))

    def test_hidden_properties_outlive_whatever_members_do(self):
        image_id = self.secrets()
        path = f'/v2/images/{image_id}'
        self.assertChange(200, image_id, 'replace', 'name', 'new')
        self.assertChange(200, image_id, 'add', 'free_1', 'v')
        self.assertChange(200, image_id, 'replace', 'tags', ['a', 'b'])
        self.assertStatus(204, self.member.put(f'{path}/tags/c'))
        self.assertStatus(204, self.member.delete(f'{path}/tags/a'))
        self.assertStatus(204, self.member.upload(image_id, b'data'))
        self.assertStatus(204, self.member.post(f'{path}/actions/deactivate'))
        self.assertStatus(204, self.member.post(f'{path}/actions/reactivate'))
        self.assertStatus(200, self.member.post(f'{path}/members', json={'member': 'p2'}))
        self.assertEqual(b'data', self.member.get(f'{path}/file').content)
        self.assertChange(200, image_id, 'remove', 'free_1')
        self.assertEqual(SECRETS, self.properties(image_id))
        shown = self.admin.get(path).json()
        self.assertEqual((['b', 'c'], 'active', 'new'), (sorted(shown['tags']), shown['status'], shown['name']))

    def test_a_patch_is_done_as_a_whole_or_not(self):
        image_id = self.secrets()
        before = self.admin.get(f'/v2/images/{image_id}').json()
        response = self.member.patch(f'/v2/images/{image_id}', [
            {'op': 'add', 'path': '/free_1', 'value': 'v'}, {'op': 'replace', 'path': '/name', 'value': 'new'},
            {'op': 'replace', 'path': '/billing_code', 'value': 'v'}])
        self.assertStatus(403, response)
        self.assertEqual(before, self.admin.get(f'/v2/images/{image_id}').json())

    def test_conditional_changes(self):
        """The entity tag is one of what the caller sees."""
        image_id = self.secrets()
        path = f'/v2/images/{image_id}'
        tag = self.member.get(path).headers['ETag']
        self.assertNotEqual(tag, self.admin.get(path).headers['ETag'])
        headers = {'If-Match': tag, 'Content-Type': 'application/openstack-images-v2.1-json-patch'}
        body = [{'op': 'add', 'path': '/free_1', 'value': 'v'}]
        self.assertStatus(200, self.member.request('PATCH', path, headers=headers, json=body))
        self.assertStatus(412, self.member.request('PATCH', path, headers=headers, json=body))
        self.assertEqual({**SECRETS, 'free_1': 'v'}, self.properties(image_id))

    def test_filters_tell_nothing(self):
        mark = str(uuid.uuid4())
        image_id = self.secrets(free_1=mark)
        for query, member in ((f'free_1={mark}', 1), (f'free_1={mark}&billing_code=b1', 1),
                              (f'free_1={mark}&secret_key=s1', 0), ('secret_key=s1', 0), ('blind_spot=n1', 0),
                              ('secret_key=s1&marker=' + image_id, 0)):
            with self.subTest(query=query):
                response = self.assertStatus(200, self.member.get(f'/v2/images?{query}', headers={'Prefer': 'count=exact'}))
                self.assertEqual((member, str(member)), (len(response.json()['images']), response.headers['X-Total-Count']))
                if 'marker' not in query:
                    self.assertIn(image_id, [image['id'] for image in self.admin.get(f'/v2/images?{query}').json()['images']])
        for parameter in ('sort_key=secret_key', 'sort=secret_key:asc'):
            self.assertStatus(400, self.member.get(f'/v2/images?{parameter}'))

    def test_names_that_only_resemble_internal_ones(self):
        image_id = self.image(x_os_glance_y='1')
        self.assertChange(403, image_id, 'add', 'y_os_glance_x', 'v')
        self.assertChange(403, image_id, 'add', 'os_glance_x', 'v', self.admin)
        self.assertChange(200, image_id, 'replace', 'x_os_glance_y', 'v')

    def test_roles_of_a_service_token(self):
        image_id = self.image()
        service = self.caller('p1')
        service.session.headers['X-Service-Roles'] = 'Service'
        self.assertChange(200, image_id, 'add', 'audit_1', 'v', service)
        self.assertEqual({'audit_1': 'v'}, self.properties(image_id, service))
        self.assertEqual({}, self.properties(image_id, self.member))
        # What the service may do counts for properties alone.
        self.assertStatus(403, self.caller('p2', 'reader').post('/v2/images', json={}, headers={'X-Service-Roles': 'admin,member'}))

    def test_callers_of_other_projects(self):
        image_id = self.secrets(visibility='public')
        self.assertEqual({'billing_code': 'b1'}, self.properties(image_id, self.caller('p2')))
        self.assertChange(403, image_id, 'add', 'blind_spot', 'v', self.caller('p2'))

    def test_limits_count_hidden_properties(self):
        image_id = self.secrets(**{f'free_{number}': 'v' for number in range(124)})
        self.assertChange(413, image_id, 'add', 'free_more', 'v')
        self.assertChange(200, image_id, 'add', 'blind_spot', 'v')


class TestByPolicies(ProtectionTestCase):
    FORMAT = 'policies'
    RULES = """
[^secret_]
create = keepers
read = keepers
update = context_is_admin
delete = !

[^lost_]
create = @
read = no_such_rule
update = @
delete = @

[^free]
create = @
read = @
update = @
delete = @
"""

    @classmethod
    def prepare(cls, server):
        super().prepare(server)
        (server.folder / 'policy.yaml').write_text('"keepers": "role:keeper or rule:context_is_admin"\n')
        server.settings['oslo_policy'] = {'policy_file': server.folder / 'policy.yaml'}

    def test_rules_decide(self):
        keeper = self.caller('p1', 'member,reader,keeper')
        image = self.assertStatus(201, keeper.post('/v2/images', json={'secret_key': 's', 'free_1': 'v'})).json()
        self.assertEqual('s', image['secret_key'])
        self.assertEqual({'free_1': 'v'}, self.properties(image['id'], self.member))
        self.assertChange(403, image['id'], 'replace', 'secret_key', 'x', keeper)
        self.assertChange(200, image['id'], 'replace', 'secret_key', 'x', self.admin)
        self.assertChange(403, image['id'], 'remove', 'secret_key', client=self.admin)
        self.assertChange(403, image['id'], 'add', 'secret_more', 'x', self.member)

    def test_a_rule_that_nobody_defined_is_passed_by_nobody(self):
        image = self.assertStatus(201, self.admin.post('/v2/images', json={'lost_1': 'v'})).json()
        self.assertNotIn('lost_1', image)
        self.assertNotIn('lost_1', self.admin.get(f'/v2/images/{image["id"]}').json())


class TestReload(ProtectionTestCase):
    RULES = '[.]\ncreate = @\nread = @\nupdate = @\ndelete = @\n'

    def reload(self, text, condition):
        new = self.file.with_suffix('.new')
        new.write_text(text)
        os.replace(new, self.file)
        self.server.send_signal(signal.SIGHUP)
        wait_for('the new rules', condition)

    def test_the_file_is_read_again_and_a_broken_one_is_not_taken(self):
        image_id = self.image(free_1='v')
        self.assertEqual({'free_1': 'v'}, self.properties(image_id, self.member))
        self.reload(self.RULES.replace('read = @', 'read = admin'), lambda: not self.properties(image_id, self.member))
        self.assertEqual({'free_1': 'v'}, self.properties(image_id))
        self.reload('[.]\ncreate = @\n', lambda: 'section [.] lacks the key "read"' in self.server.log_text())
        self.assertEqual({}, self.properties(image_id, self.member))
        self.assertEqual({'free_1': 'v'}, self.properties(image_id))


class TestStart(ProtectionTestCase):

    @classmethod
    def setUpClass(cls):
        super(ApiTestCase, cls).setUpClass()
        cls.server = cls.new_server()
        cls.server.sync_database()

    def test_a_file_that_is_wrong_stops_the_start(self):
        complete = 'create = @\nread = @\nupdate = @\ndelete = @\n'
        for rule_format, text, reason in (
                ('roles', f'[a]\n{complete}[(]\n{complete}', 'section [(] is no regular expression: '),
                ('policies', '[a]\n' + complete.replace('read = @', 'read = one,two'), 'section [a], key "read": "one,two" '),
                ('roles', None, 'was not found')):
            with self.subTest(text=text):
                self.file.unlink(missing_ok=True)
                if text is not None:
                    self.file.write_text(text)
                self.server.settings['DEFAULT']['property_protection_rule_format'] = rule_format
                self.server.write_config()
                result = self.server.run('glance.cmd.api')
                self.assertEqual(1, result.returncode, result.stderr)
                self.assertIn(reason, result.stderr)
                self.assertIn(self.file.name if text is None else str(self.file), result.stderr)
                self.assertNotIn('Traceback', result.stderr)

    def test_an_unknown_format_is_refused(self):
        self.server.settings['DEFAULT']['property_protection_rule_format'] = 'people'
        self.server.write_config()
        result = self.server.run('glance.cmd.api')
        self.assertEqual(5, result.returncode, result.stderr)
        self.assertIn('property_protection_rule_format', result.stderr)

    def test_samples(self):
        for rule_format in ('roles', 'policies'):
            with self.subTest(format=rule_format):
                shutil.copy(SHIPPED / f'property-protections-{rule_format}.conf.sample', self.file)
                self.server.settings['DEFAULT']['property_protection_rule_format'] = rule_format
                self.server.launch()
                self.server.wait_until_ready()
                try:
                    for name, roles, status in (('x_size', 'member,reader', 201), ('os_type', 'member,reader', 403),
                                                ('os_type', 'admin,member,reader', 201)):
                        self.assertStatus(status, self.caller('p1', roles).post('/v2/images', json={name: 'v'}))
                finally:
                    self.server.stop()
