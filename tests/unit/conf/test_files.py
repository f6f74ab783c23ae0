import os
from unittest import mock

from oslo_config import cfg

from glance import conf
from glance.conf import files
from glance.exceptions import ConfigurationError
from tests.unit.conf.loaded import ConfigurationTest


class DefaultFilesTest(ConfigurationTest):
    def setUp(self):
        super().setUp()
        home = mock.patch.dict(os.environ, HOME=str(self.folder))
        home.start()
        self.addCleanup(home.stop)
        (self.folder / '.glance').mkdir()

    def names(self, prog: str) -> list[str]:
        return [os.path.relpath(path, self.folder) for path in conf.default_files(prog)
                if path.startswith(str(self.folder))]

    def test_each_program_reads_its_files_in_order(self):
        for name in ('glance', 'glance-api', 'glance-registry', 'glance-manage', 'glance-cache', 'glance-scrubber',
                     'glance-image-import', 'glance-status'):
            self.write('', name + '.conf')
        for prog, expected in (
                ('glance-api', ['glance', 'glance-image-import', 'glance-api']),
                ('glance-registry', ['glance', 'glance-registry']),
                ('glance-scrubber', ['glance', 'glance-scrubber']),
                ('glance-manage', ['glance', 'glance-registry', 'glance-api', 'glance-manage']),
                ('glance-cache-pruner', ['glance', 'glance-api', 'glance-cache']),
                ('glance-status', ['glance', 'glance-api', 'glance-status']),
                ('glance-cache-manage', []),
        ):
            with self.subTest(prog):
                self.assertEqual([name + '.conf' for name in expected], self.names(prog))

    def test_the_first_directory_that_has_a_file_wins(self):
        self.write('', 'glance-api.conf')
        self.write('', '.glance/glance-api.conf')
        self.assertEqual(['.glance/glance-api.conf'], self.names('glance-api'))

    def test_fragments_beside_the_files_are_read_last(self):
        self.write('[DEFAULT]\nbacklog = 1\nworkers = 1\n')
        (self.folder / 'glance-api.conf.d').mkdir()
        self.write('[DEFAULT]\nbacklog = 2\n', 'glance-api.conf.d/10.conf')
        self.write('[DEFAULT]\nbacklog = 3\n', 'glance-api.conf.d/20.conf')
        options = conf.load([], conf=cfg.ConfigOpts())
        self.assertEqual((3, 1), (options.backlog, options.workers))
        self.assertEqual(['10.conf', '20.conf'], [os.path.basename(path) for path in files.files_read(options)[-2:]])


class WSGIFilesTest(ConfigurationTest):
    def test_the_variable_names_the_directory(self):
        environ = {'OS_GLANCE_CONFIG_DIR': ' %s ' % self.folder}
        api = str(self.folder / 'glance-api.conf')
        self.assertEqual([api], conf.wsgi_files(environ))
        imports = self.write('', 'glance-image-import.conf')
        self.assertEqual([imports, api], conf.wsgi_files(environ))

    def test_the_default_is_the_directory_of_packages(self):
        self.assertEqual('/etc/glance/glance-api.conf', conf.wsgi_files({})[-1])


class FindFileTest(ConfigurationTest):
    def test_a_relative_name_is_searched_beside_the_configuration(self):
        path = self.write('', 'rules.yaml')
        options = self.load()
        self.assertEqual(path, conf.find_file('rules.yaml', options))
        self.assertEqual(path, conf.find_file(path, options))
        self.assertIsNone(conf.find_file('nobody-has-this-file.yaml', options))


class FindPasteFileTest(ConfigurationTest):
    def test_the_option_decides(self):
        path = self.write('', 'my.ini')
        named = self.load('[paste_deploy]\nconfig_file = %s\n' % path)
        self.assertEqual(path, conf.find_paste_file(named, 'glance-api'))
        missing = self.load('[paste_deploy]\nconfig_file = %s/none.ini\n' % self.folder)
        with self.assertRaises(ConfigurationError) as caught:
            conf.find_paste_file(missing, 'glance-api')
        self.assertIn('%s/none.ini' % self.folder, str(caught.exception))

    def test_the_name_follows_the_last_configuration_file(self):
        first, last = self.write('', 'glance-api.conf'), self.write('', 'special.conf')
        options = conf.load(['--config-file', first, '--config-file', last], default_config_dirs=[],
                            conf=cfg.ConfigOpts())
        own = self.write('', 'glance-api-paste.ini')
        self.assertEqual(own, conf.find_paste_file(options, 'glance-api'))
        special = self.write('', 'special-paste.ini')
        self.assertEqual(special, conf.find_paste_file(options, 'glance-api'))

    def test_without_a_configuration_file_the_program_names_it(self):
        options = conf.load([], default_config_files=[], default_config_dirs=[], conf=cfg.ConfigOpts())
        with self.assertRaises(ConfigurationError) as caught:
            conf.find_paste_file(options, 'glance-nobody')
        self.assertIn('glance-nobody-paste.ini', str(caught.exception))
