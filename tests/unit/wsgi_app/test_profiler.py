"""Traces of requests, which cost nothing while nobody wants them."""
import pathlib
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[3]

# osprofiler keeps what it was told for the whole process, so each case is a process.
PROGRAM = """
import sys
from glance import conf
from glance.wsgi import profiler
conf.CONF(['--config-file', sys.argv[1]], default_config_files=[], default_config_dirs=[])

def application(environ, start_response):
    start_response('200 OK', [])
    return [b'']

class Notifications(list):
    def notify(self, info, context=None):
        self.append(info['name'])

filtered = profiler.filter_factory({})(application)
print(filtered is application, 'osprofiler' in sys.modules)
if filtered is not application:
    profiler.set_up(conf.CONF, 'glance-api')
    from osprofiler import notifier, _utils
    seen = Notifications()
    notifier.set(seen.notify)
    data, signature = _utils.signed_pack({'base_id': 'a', 'parent_id': 'b'}, 'KEY')
    environ = {'REQUEST_METHOD': 'GET', 'PATH_INFO': '/v2/images', 'SERVER_NAME': 'x', 'SERVER_PORT': '1',
               'wsgi.url_scheme': 'http', 'HTTP_X_TRACE_INFO': data.decode() if isinstance(data, bytes) else data,
               'HTTP_X_TRACE_HMAC': signature}
    list(filtered(environ, lambda *arguments: None))
    print(seen)
"""


class ProfilerTest(unittest.TestCase):

    def run_with(self, text):
        with tempfile.NamedTemporaryFile('w', suffix='.conf') as file:
            file.write(text)
            file.flush()
            result = subprocess.run([sys.executable, '-W', 'ignore', '-c', PROGRAM, file.name], cwd=ROOT,
                                    capture_output=True, text=True, timeout=120)
        self.assertEqual(0, result.returncode, result.stderr)
        return result.stdout.splitlines()

    def test_nothing_is_imported_for_nobody(self):
        for text in ('[DEFAULT]\n', '[profiler]\nenabled = false\nhmac_keys = KEY\n'):
            self.assertEqual(['True False'], self.run_with(text))

    def test_requests_that_ask_for_it_are_traced(self):
        for name in ('enabled', 'profiler_enabled'):
            lines = self.run_with('[profiler]\n%s = True\nhmac_keys = KEY\nconnection_string = messaging://\n'
                                  '[DEFAULT]\ntransport_url = fake:/\n' % name)
            self.assertEqual(['False True', "['wsgi-start', 'wsgi-stop']"], lines)
