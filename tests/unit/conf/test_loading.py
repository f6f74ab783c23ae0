import logging
import os
import subprocess
import sys
from unittest import mock

from oslo_config import cfg

from glance import conf
from glance.conf import legacy
from glance.exceptions import ConfigurationError
from tests.unit.conf.loaded import ConfigurationTest

# What an idle worker must not load for its options alone.
HEAVY = ('eventlet', 'keystonemiddleware', 'oslo_messaging', 'oslo_middleware', 'sqlalchemy', 'pbr')


class LoadTest(ConfigurationTest):
    def test_values_are_read_with_their_types(self):
        options = self.load('[DEFAULT]\nworkers = 3\nenabled_import_methods = copy-image\n'
                            'trusted_proxies = 192.0.2.0/24\n[paste_deploy]\nflavor = keystone\n')
        self.assertEqual((3, ['copy-image'], 'keystone'),
                         (options.workers, options.enabled_import_methods, options.paste_deploy.flavor))
        self.assertEqual(['192.0.2.0/24'], [str(network) for network in options.trusted_proxies])

    def test_a_later_file_wins_then_the_environment_then_the_command_line(self):
        first = self.write('[DEFAULT]\nbacklog = 1\ntcp_keepidle = 1\n', 'first.conf')
        second = self.write('[DEFAULT]\nbacklog = 2\ntcp_keepidle = 2\n', 'second.conf')
        with mock.patch.dict(os.environ, OS_DEFAULT__TCP_KEEPIDLE='3', OS_DEFAULT__DEBUG='false'):
            options = conf.load(['--debug', '--config-file', first, '--config-file', second], default_config_dirs=[],
                                conf=cfg.ConfigOpts())
            self.assertEqual((2, 3, True), (options.backlog, options.tcp_keepidle, options.debug))

    def test_names_of_former_places_are_read(self):
        options = self.load('[DEFAULT]\ndisk_formats = raw\ntask_time_to_live = 7\n'
                            '[task]\neventlet_executor_pool_size = 5\n')
        self.assertEqual((['raw'], 7, 5), (options.image_format.disk_formats, options.task.task_time_to_live,
                                           options.taskflow_executor.max_workers))

    def test_a_file_that_is_missing_or_malformed_is_an_error_that_names_it(self):
        missing = str(self.folder / 'missing.conf')
        malformed = self.write('no section\n', 'malformed.conf')
        binary = str(self.folder / 'binary.conf')
        (self.folder / 'binary.conf').write_bytes(b'[DEFAULT]\nbind_host = \xff\n')
        for path in (missing, malformed):
            with self.subTest(path), self.assertRaises(ConfigurationError) as caught:
                conf.load(['--config-file', path], default_config_dirs=[], conf=cfg.ConfigOpts())
            self.assertIn(path, str(caught.exception))
        with self.assertRaises(ConfigurationError):
            conf.load(['--config-file', binary], default_config_dirs=[], conf=cfg.ConfigOpts())

    def test_options_without_effect_are_accepted_with_a_warning(self):
        with self.assertLogs('glance.conf', 'WARNING') as logs:
            self.load(args=('-v', '--log-format', '%(message)s'))
        self.assertTrue(any('--verbose' in line for line in logs.output))
        self.assertTrue(any('--log-format' in line for line in logs.output))

    def test_only_the_scrubber_knows_its_options(self):
        self.assertTrue(self.load(args=('-D',), prog='glance-scrubber').daemon)
        with self.assertRaises(SystemExit) as caught, mock.patch('sys.stderr'):
            self.load(args=('-D',))
        self.assertEqual(2, caught.exception.code)

    def test_version_is_printed_bare(self):
        done = run('from glance import conf; conf.load(["--version"], default_config_files=[], default_config_dirs=[])')
        self.assertEqual(conf.version() + '\n', done.stdout)

    def test_importing_the_options_loads_no_heavy_library(self):
        done = run('import sys; from glance import conf; print(*sys.modules)')
        self.assertEqual([], sorted(set(HEAVY).intersection(done.stdout.split())))


class ReloadTest(ConfigurationTest):
    def test_good_values_are_taken_over(self):
        options = self.load('[DEFAULT]\nworkers = 3\n')
        self.write('[DEFAULT]\nworkers = 4\n')
        self.assertTrue(conf.reload([], conf=options))
        self.assertEqual(4, options.workers)

    def test_after_a_bad_value_or_file_all_old_values_stay(self):
        options = self.load('[DEFAULT]\nworkers = 3\nbacklog = 5\n')
        for text in ('[DEFAULT]\nworkers = many\nbacklog = 6\n', 'no section\n',
                     '[DEFAULT]\ncert_file = /c\nbacklog = 6\n', '[DEFAULT]\ndebug = perhaps\nbacklog = 6\n'):
            self.write(text)
            with self.subTest(text), self.assertLogs('glance.conf', 'ERROR'):
                self.assertFalse(conf.reload([], conf=options))
                self.assertEqual((3, 5), (options.workers, options.backlog))


class LoggingTest(ConfigurationTest):
    def test_servers_write_to_stderr_only_without_a_log_file(self):
        for prog, text, expected in (('glance-api', '', True), ('glance-api', 'log_file = x', False),
                                     ('glance-manage', 'log_file = x', True)):
            options = self.load('[DEFAULT]\n%s\n' % text, prog=prog)
            with self.subTest(prog + text), mock.patch('oslo_log.log.setup'):
                conf.set_up_logging(options, prog)
                self.assertEqual(expected, options.use_stderr)

    def test_a_log_that_cannot_be_written_is_an_error_that_names_it(self):
        options = self.load('[DEFAULT]\nlog_file = %s/none/glance.log\n' % self.folder)
        with mock.patch.object(logging.getLogger(), 'handlers', []), self.assertRaises(ConfigurationError) as caught:
            conf.set_up_logging(options)
        self.assertIn('none/glance.log', str(caught.exception))


class LegacyTest(ConfigurationTest):
    def test_old_names_are_handed_on_with_a_warning(self):
        with self.assertLogs('glance.conf', 'WARNING') as logs:
            options = self.load('[DEFAULT]\nsql_connection = sqlite://\nsql_max_retries = 7\nlock_path = /locks\n'
                                'policy_file = rules.json\n[database]\nidle_timeout = 9\n'
                                '[keystone_authtoken]\nauth_uri = http://keystone\n')
        self.assertEqual(('sqlite://', 7, 9), (options.database.connection, options.database.max_retries,
                                               options.database.connection_recycle_time))
        self.assertEqual(('/locks', 'rules.json', 'http://keystone'),
                         (options.oslo_concurrency.lock_path, options.oslo_policy.policy_file,
                          options.keystone_authtoken.www_authenticate_uri))
        for name in ('sql_connection', 'sql_max_retries', 'lock_path', 'policy_file', 'idle_timeout', 'auth_uri'):
            self.assertEqual(1, sum(' %s is an old name' % name in line for line in logs.output), name)

    def test_the_new_name_wins_over_the_old(self):
        options = self.load('[DEFAULT]\nsql_connection = sqlite:///old\n[database]\nconnection = sqlite:///new\n')
        self.assertEqual('sqlite:///new', options.database.connection)

    def test_a_bad_value_under_an_old_name_is_refused(self):
        sentence = self.assert_refused('[DEFAULT]\nsql_max_retries = often\n')
        self.assertIn('sql_max_retries', sentence)

    def test_names_without_successor_give_one_warning_each_and_unknown_ones_none(self):
        with self.assertLogs('glance.conf', 'WARNING') as logs:
            self.load('[DEFAULT]\nrabbit_host = a\nverbose = true\nenable_image_import = true\nnobody_knows = 1\n'
                      '[glance_search]\nx = 1\n')
        ignored = [line for line in logs.output if 'has no effect any more; remove it' in line]
        self.assertEqual(4, len(ignored), ignored)

    def test_the_last_assignment_is_the_one_that_counts(self):
        options = self.load('[DEFAULT]\nworkers = 1\n[DEFAULT]\nworkers = 2\n')
        self.assertEqual('2', legacy.read_settings(options)['DEFAULT', 'workers'].value)


def run(code: str) -> subprocess.CompletedProcess:
    return subprocess.run([sys.executable, '-c', code], capture_output=True, text=True, check=True)
