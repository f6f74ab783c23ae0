"""The operator's own rules: read while the service runs, and refused at the start when they cannot be read."""

import os

from tests.functional.api.base import ApiTestCase, wait_for


class PolicyTestCase(ApiTestCase):
    PROJECTS = True

    @classmethod
    def prepare(cls, server):
        cls.file = server.folder / 'policy.yaml'
        cls.folder = server.folder / 'policy.d'
        server.settings['oslo_policy'] = {'policy_file': cls.file, 'policy_dirs': cls.folder}

    @classmethod
    def write(cls, text):
        """Replace the file at once, as editors and configuration management do."""
        new = cls.file.with_suffix('.new')
        new.write_text(text)
        os.replace(new, cls.file)


class TestOverrides(PolicyTestCase):

    def tearDown(self):
        # By way of a rule that no test leaves behind, so that the defaults are known to be in force again.
        self.write('add_image: "!"\nget_images: "role:nobody"\n')
        self.assertEventually(403, 'admin')
        self.write('{}\n')
        self.assertEventually(201, 'admin')
        super().tearDown()

    def status(self, roles, method='POST', path='/v2/images', **kwargs):
        kwargs = kwargs or ({'json': {}} if method == 'POST' else {})
        return self.caller('p1', roles).request(method, path, **kwargs).status_code

    def assertEventually(self, status, roles, *args, **kwargs):
        """Return when the service answers with the status; AssertionError when it does not within seconds."""
        wait_for(f'status {status} for {roles} {args}', lambda: self.status(roles, *args, **kwargs) == status, 10)

    def test_a_rule_changes_while_the_service_runs(self):
        self.assertEqual(201, self.status('member,reader'))
        self.write('add_image: "role:creator"\n')
        self.assertEventually(403, 'member,reader')
        self.assertEqual(201, self.status('creator,reader'))
        self.write('add_image: "!"\n')
        self.assertEventually(403, 'creator,reader')
        self.write('{}\n')
        self.assertEventually(201, 'member,reader')

    def test_a_file_that_comes_and_goes(self):
        self.file.unlink(missing_ok=True)
        self.assertEqual(201, self.status('member,reader'))
        self.write('add_image: "!"\n')
        self.assertEventually(403, 'member,reader')
        self.file.unlink()
        self.assertEventually(201, 'member,reader')

    def test_every_rule_of_images(self):
        image = self.caller('p1').create_image(b'data')
        path = f'/v2/images/{image["id"]}'
        kind = {'Content-Type': 'application/openstack-images-v2.1-json-patch'}
        octets = {'data': b'x', 'headers': {'Content-Type': 'application/octet-stream'}}

        def patch(name, value):
            return {'headers': kind, 'json': [{'op': 'replace', 'path': '/' + name, 'value': value}]}

        for rule, method, target, kwargs, status in (
                ('get_images', 'GET', '/v2/images', {}, 403), ('get_image', 'GET', path, {}, 404),
                ('get_image', 'GET', path + '/file', {}, 404), ('modify_image', 'PATCH', path, patch('name', 'n'), 403),
                ('download_image', 'GET', path + '/file', {}, 403), ('upload_image', 'PUT', path + '/file', octets, 403),
                ('communitize_image', 'PATCH', path, patch('visibility', 'community'), 403),
                ('publicize_image', 'PATCH', path, patch('visibility', 'public'), 403),
                ('delete_image', 'DELETE', path, {}, 403)):
            with self.subTest(rule=rule, method=method):
                # The rule for additions tells when the file is in force: the call itself may change the image.
                self.write(f'{rule}: "!"\nadd_image: "role:only-{rule}-{method.lower()}"\n')
                self.assertEventually(201, f'only-{rule}-{method}')
                self.assertEqual(status, self.status('admin,member,reader', method, target, **kwargs))

    def test_relaxed_rules(self):
        self.assertEqual(403, self.status('auditor', 'GET'))
        self.write('get_images: "role:auditor"\nget_image: "role:auditor"\n')
        self.assertEventually(200, 'auditor', 'GET')

    def test_admin_by_another_role(self):
        image = self.caller('p9').create_image(visibility='private')
        self.write('context_is_admin: "role:operator"\nget_image: "rule:context_is_admin"\n')
        self.assertEventually(200, 'operator', 'GET', f'/v2/images/{image["id"]}')
        self.assertEqual(404, self.status('admin', 'GET', f'/v2/images/{image["id"]}'))

    def test_a_file_that_breaks_while_the_service_runs(self):
        """The rules in force stay in force, and the log tells."""
        self.write('add_image: "role:creator"\n')
        self.assertEventually(403, 'member,reader')
        self.write('add_image: "role:member"\nget_image: [\n')
        wait_for('a line about it', lambda: self.status('creator') and str(self.file) in self.server.log_text(), 10)
        self.assertEqual((403, 201), (self.status('member,reader'), self.status('creator,reader')))

    def test_rules_that_make_no_sense_are_passed_by_nobody(self):
        for check, word in (('role:member or', 'role:member or'), ('rule:not_there', "['add_image']")):
            with self.subTest(check=check):
                self.write(f'add_image: "{check}"\n')
                wait_for('a line about it', lambda word=word: self.status('nobody') and word in self.server.log_text(), 10)
                self.assertEqual(403, self.status('admin,member,reader'))

    def test_folder_of_rules(self):
        self.folder.mkdir(exist_ok=True)
        for name, text in (('10.yaml', 'add_image: "!"\n'), ('20.yaml', 'add_image: "role:creator"\n'),
                           ('.30.yaml', 'add_image: "role:member"\n')):
            (self.folder / name).write_text(text)
            self.addCleanup((self.folder / name).unlink)
        self.assertEventually(403, 'member,reader')
        self.assertEventually(201, 'creator,reader')
        for name in ('10.yaml', '20.yaml', '.30.yaml'):
            (self.folder / name).write_text('{}\n')


class TestBrokenFiles(PolicyTestCase):

    @classmethod
    def setUpClass(cls):
        super(ApiTestCase, cls).setUpClass()
        cls.server = cls.new_server()
        cls.server.sync_database()

    def start(self, text):
        self.file.write_text(text)
        self.server.log_file.unlink(missing_ok=True)
        self.server.launch()
        try:
            return self.server.process.wait(60), self.server.log_text()
        finally:
            self.server.stop()

    def test_file_and_line_are_named(self):
        for text, line in (('add_image: "role:member"\nget_image: [\n', '3'), ('just text\n', None)):
            with self.subTest(text=text):
                code, log = self.start(text)
                self.assertEqual(1, code, log)
                self.assertIn(str(self.file), log)
                self.assertNotIn('Traceback', log)
                if line:
                    self.assertRegex(log, rf'line {line}\b')
