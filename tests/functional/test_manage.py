"""``glance-manage`` as operators call it: texts, exit codes, arguments."""
import os
import subprocess
import sys
import unittest

from glance.db.sqlalchemy import schema
from tests.functional.test_migrations import Databases
from tests.harness import commands
from tests.unit.db_migrations import history

UP_TO_DATE = 'Database is up to date. No migrations needed.\n'


class Manage(Databases):
    def setUp(self):
        self.url = self.empty()
        self.config_file = self.configuration(self.url)

    def manage(self, *arguments: str, code: int = 0) -> str:
        """Run the tool and expect ``code``; returns its output: stdout, or stderr when it says ERROR."""
        done = commands.run('glance.cmd.manage', '--config-file', self.config_file, *arguments, variables=os.environ)
        self.assertEqual(code, done.returncode, done.stderr)
        self.assertNotIn('Traceback', done.stderr)
        if code != 1:
            return done.stdout
        self.assertEqual('', done.stdout)
        errors = [line for line in done.stderr.splitlines() if line.startswith('ERROR: ')]
        self.assertEqual(1, len(errors), done.stderr)
        return errors[0]


class RollingManage(Manage):
    def test_rolling_upgrade(self):
        history.build(self.url, history.marker('rocky_contract02'))
        self.assertEqual('rocky_contract02\n', self.manage('db', 'version'))
        self.assertIn('glance-manage db expand', self.manage('db', 'check', code=3))
        self.assertIn('db expand', self.manage('db', 'migrate', code=1))
        self.assertIn('db expand', self.manage('db', 'contract', code=1))
        self.assertIn('rocky_contract02, v1_expand04', self.manage('db', 'expand'))
        self.assertEqual('Database expansion is up to date. No expansion needed.\n', self.manage('db_expand'))
        self.assertIn('glance-manage db migrate', self.manage('db', 'check', code=4))
        self.assertIn('db migrate', self.manage('db', 'contract', code=1))
        self.assertEqual('Migrated 14 rows\n', self.manage('db', 'migrate'))
        self.assertEqual('Database migration is up to date. No migration needed.\n', self.manage('db_migrate'))
        self.assertIn('glance-manage db contract', self.manage('db', 'check', code=5))
        self.assertIn('v1_contract04', self.manage('db', 'contract'))
        self.assertEqual('Database is up to date. No upgrades needed.\n', self.manage('db_check'))
        self.assertEqual('v1_contract04\n', self.manage('db_version'))
        for action in ('expand', 'migrate', 'contract', 'sync'):
            self.assertEqual(UP_TO_DATE, self.manage('db', action))

    def test_newest_upstream_release_can_be_used_as_it_is(self):
        self.manage('db_upgrade', '2024_1_contract01')
        answer = self.manage('db', 'check', code=3)
        for words in ('2024_1_contract01', 'can be used as it is', 'glance-manage db expand'):
            self.assertIn(words, answer)


class SQLiteManageTest(RollingManage, unittest.TestCase):
    KIND = 'sqlite'

    def test_nothing_said_is_a_question_for_help(self):
        done = subprocess.run([sys.executable, '-m', 'glance.cmd.manage'], capture_output=True, text=True, timeout=120,
                              check=False, env=os.environ | {'PYTHONPATH': os.pathsep.join(sys.path)})
        self.assertEqual(2, done.returncode)
        self.assertIn('usage: glance-manage', done.stdout)
        self.assertIn('categories', done.stdout)

    def test_actions_are_listed(self):
        listing = self.manage('db', code=2)
        for action in ('version', 'check', 'sync', 'upgrade', 'version_control', 'expand', 'migrate', 'contract'):
            self.assertRegex(listing, rf'(?m)^  {action} +\w')

    def test_wrong_arguments(self):
        for arguments in (('db', 'explode'), ('db_explode',), ('db', 'sync', '1', '2'), ('db', 'check', '--fast')):
            with self.subTest(arguments):
                self.assertEqual('', self.manage(*arguments, code=2))

    def test_empty_database(self):
        self.assertIn('glance-manage db sync', self.manage('db', 'version'))
        self.assertEqual('Database is synced successfully.\n', self.manage('db', 'sync'))

    def test_values_by_name_and_by_place(self):
        self.assertEqual('Upgraded database to: mitaka02, current revision(s): mitaka02\n',
                         self.manage('db', 'upgrade', '--version', 'mitaka02'))
        self.assertIn('current revision(s): pike_contract01\n', self.manage('db_upgrade', 'pike_contract01'))
        self.assertIn('current revision(s): v1_contract04\n', self.manage('db_upgrade'))
        self.assertEqual(UP_TO_DATE, self.manage('db_sync', '42'))
        self.assertEqual(UP_TO_DATE, self.manage('db', 'sync', '--version', 'liberty'))

    def test_upgrade_to_a_revision_that_does_not_exist(self):
        self.assertIn('nonsense', self.manage('db', 'upgrade', 'nonsense', code=1))

    def test_version_control(self):
        self.assertIn('liberty', self.manage('db', 'version_control'))
        self.assertIn('2024_1_contract01', self.manage('db_version_control', '2024_1_contract01'))
        self.assertIn('--force', self.manage('db', 'version_control', code=1))
        self.assertIn('mitaka02', self.manage('db', 'version_control', '--version', 'mitaka02', '--force'))
        self.assertEqual('mitaka02\n', self.manage('db', 'version'))

    def test_no_way_back(self):
        for arguments in (('db', 'downgrade', 'liberty'), ('db_downgrade', 'liberty'), ('db', 'downgrade')):
            self.assertIn('cannot be downgraded', self.manage(*arguments, code=1))

    def test_databases_that_cannot_be_used(self):
        for url, words in (('', '[database]'), ('sqlite:////missing/glance.sqlite', '/missing'),
                           ('mysql+pymysql://glance:s3cret@127.0.0.1:1/glance', 'cannot be reached')):
            with self.subTest(url):
                self.config_file = self.configuration(url)
                error = self.manage('db', 'sync', code=1)
                self.assertIn(words, error)
                self.assertNotIn('s3cret', error)

    def test_unknown_revision(self):
        engine = schema.create_engine(self.url)
        schema.stamp(engine, 'heads')
        self.execute(engine, "UPDATE alembic_version SET version_num = '2027_1_contract01'")
        for action in ('version', 'check', 'sync'):
            self.assertIn('2027_1_contract01', self.manage('db', action, code=1))

    def test_errors_of_the_database_are_one_line(self):
        engine = schema.create_engine(self.url)
        schema.upgrade(engine, '2024_1_contract01')
        self.execute(engine, 'CREATE TABLE ix_images_name (id INTEGER)')
        self.assertIn('ix_images_name', self.manage('db', 'sync', code=1))


class MySQLManageTest(RollingManage, unittest.TestCase):
    KIND = 'mysql'


class PostgreSQLManageTest(Manage, unittest.TestCase):
    KIND = 'postgresql'

    def test_online_steps_are_refused(self):
        for action in ('check', 'expand', 'migrate', 'contract'):
            self.assertIn('Rolling upgrades are currently supported only for MySQL and Sqlite',
                          self.manage('db', action, code=1))

    def test_sync(self):
        self.assertEqual('Database is synced successfully.\n', self.manage('db', 'sync'))
        self.assertEqual('v1_contract04\n', self.manage('db_version'))
