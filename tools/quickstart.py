"""Install, configure and run Glance under one folder, store a sample image, read it back, and keep serving.

Called by quickstart.sh. Needs nothing but the standard library of Python 3.11 and a package index that pip can reach.
What it makes, all below the data folder:

    venv/          the virtual environment with Glance
    etc/           glance-api.conf, rewritten at every start, and glance-api.conf.d/ for settings of your own
    glance.sqlite  records      images/  data      log/  what the service says

A check (--check) keeps its records and data in a folder of its own and removes it when all went well.
"""

import argparse
import contextlib
import hashlib
import http.client
import json
import os
import pathlib
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.parse
from collections.abc import Iterator

ROOT = pathlib.Path(__file__).resolve().parent.parent
SAMPLE_NAME = 'quickstart-sample'
SAMPLE_SIZE = 4 << 20  # bytes
START_SECONDS = 60
STOP_SECONDS = 75  # the service lets running transfers finish for up to a minute

CONFIGURATION = """\
# Written by quickstart.sh at every start. Put settings of your own into files in glance-api.conf.d beside this one.
[DEFAULT]
bind_host = 127.0.0.1
bind_port = {port}
workers = 2
node_staging_uri = file://{data}/staging

[database]
# SQLite keeps a write-ahead log (WAL), so that readers and a writer do not wait for each other.
connection = sqlite:///{data}/glance.sqlite

[glance_store]
stores = file
default_store = file
filesystem_store_datadir = {data}/images

[oslo_concurrency]
lock_path = {data}/lock

[paste_deploy]
# No flavor: everybody who reaches the port is an administrator. That is why it listens on loopback only.
config_file = {root}/etc/glance/glance-api-paste.ini
"""

NEXT_STEPS = """
Glance serves {url} without authentication, for this machine only. In another terminal:

  Get the client (once):
    {python} -m venv {client} && {client}/bin/pip install python-openstackclient
    export PATH={client}/bin:$PATH

  List the images, show one, read one back:
    openstack --os-auth-type none --os-endpoint {url} image list
    openstack --os-auth-type none --os-endpoint {url} image show {name}
    openstack --os-auth-type none --os-endpoint {url} image save --file sample.img {name}

  Or say it once, and store an image of your own:
    export OS_AUTH_TYPE=none OS_ENDPOINT={url}
    openstack image create --file sample.img --disk-format raw --container-format bare my-image

Configuration, records, images and log are in {data}.
Ctrl-C stops the service; run the script again to go on with the same images.
"""


class Failure(Exception):
    """Something went wrong that the reader of the message can put right.

    :param log: a file whose last lines tell more
    """

    def __init__(self, message: str, log: pathlib.Path | None = None):
        super().__init__(message)
        self.log = log


def say(text: str) -> None:
    print(f'==> {text}', flush=True)


def install(environment: pathlib.Path) -> None:
    """Make the virtual environment and install Glance from these sources, unless that is done already."""
    stamp = environment / 'installed-from'
    wanted = _fingerprint()
    if stamp.exists() and stamp.read_text() == wanted:
        return
    say(f'Installing Glance and its libraries into {environment} (takes a few minutes, once)')
    _run([sys.executable, '-m', 'venv', str(environment)],
         Failure(f'{sys.executable} cannot make a virtual environment; on Debian and Ubuntu install python3-venv'))
    _run([str(environment / 'bin/python'), '-m', 'pip', 'install', '--quiet', '--disable-pip-version-check',
          '--editable', str(ROOT)],
         Failure('pip could not install Glance; is the package index reachable?'), env=_build_environment())
    stamp.write_text(wanted)


def _fingerprint() -> str:
    """Changes when the sources moved, when another Python is used, or when requirements or entry points changed."""
    digest = hashlib.sha256(f'{ROOT} {sys.version}'.encode())
    for name in ('requirements.txt', 'setup.cfg', 'setup.py', 'pyproject.toml'):
        if (ROOT / name).exists():
            digest.update((ROOT / name).read_bytes())
    return digest.hexdigest()


def _build_environment() -> dict[str, str]:
    """Environment for pip: the build takes the version from git, or from us where the sources come without git."""
    environment = {**os.environ, 'SKIP_GENERATE_AUTHORS': '1', 'SKIP_WRITE_GIT_CHANGELOG': '1'}
    try:
        subprocess.run(['git', 'rev-parse', 'HEAD'], cwd=ROOT, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        environment.setdefault('PBR_VERSION', '0.0.0')
    return environment


def _run(command: list[str], failure: Failure, **kwargs) -> None:
    if subprocess.run(command, stdin=subprocess.DEVNULL, **kwargs).returncode:
        raise failure


def configure(data: pathlib.Path, port: int) -> list[str]:
    """Write the configuration and return the arguments that name it to Glance's programs."""
    for folder in ('etc/glance-api.conf.d', 'images', 'staging', 'lock', 'log'):
        (data / folder).mkdir(parents=True, exist_ok=True)
    shutil.copy(ROOT / 'etc/glance/schema-image.json', data / 'etc')
    path = data / 'etc/glance-api.conf'
    path.write_text(CONFIGURATION.format(port=port, data=data, root=ROOT))
    return ['--config-file', str(path), '--config-dir', str(data / 'etc/glance-api.conf.d')]


def choose_port(wanted: int | None) -> int:
    """The wanted port when nobody uses it, or a free one when none is wanted."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(('127.0.0.1', wanted or 0))
        except OSError as error:
            raise Failure(f'port {wanted} of 127.0.0.1 cannot be used ({error.strerror}); is Glance running already? '
                          'Choose another with --port') from None
        return probe.getsockname()[1]


class Service:
    """A glance-api process and requests to it; what it prints goes to the file *log*."""

    def __init__(self, programs: pathlib.Path, arguments: list[str], port: int, log: pathlib.Path):
        self.port = port
        self.log = log
        with log.open('ab') as output:
            # A session of its own: Ctrl-C reaches this script alone, which then stops the service in order.
            self.process = subprocess.Popen([str(programs / 'glance-api'), *arguments], stdin=subprocess.DEVNULL,
                                            stdout=output, stderr=output, start_new_session=True)

    def wait_until_ready(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                raise Failure(f'glance-api ended with exit code {self.process.returncode}', self.log)
            with contextlib.suppress(OSError):
                socket.create_connection(('127.0.0.1', self.port), timeout=1).close()
                return
            time.sleep(0.1)
        raise Failure(f'glance-api does not listen on port {self.port} after {START_SECONDS} s', self.log)

    def request(self, method: str, path: str, body: bytes | None = None, content_type: str = 'application/json',
                expected: int = 200) -> http.client.HTTPResponse:
        """Send a request and return the response, whose body is still to be read."""
        connection = http.client.HTTPConnection('127.0.0.1', self.port, timeout=60)
        try:
            connection.request(method, path, body, {'Content-Type': content_type, 'Accept': 'application/json'})
            response = connection.getresponse()
        except OSError as error:
            raise Failure(f'{method} {path} failed: {error}', self.log) from error
        if response.status != expected:
            raise Failure(f'{method} {path} answered {response.status}, not {expected}: '
                          f'{response.read(1000).decode(errors="replace")}', self.log)
        return response

    def call(self, method: str, path: str, body: dict | None = None, expected: int = 200) -> dict:
        """Send and receive JSON."""
        data = None if body is None else json.dumps(body).encode()
        return json.load(self.request(method, path, data, expected=expected))

    def stop(self) -> None:
        if self.process.poll() is None:
            self.process.terminate()
        try:
            self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()


def sample() -> bytes:
    """The data of the sample image: the same pseudo-random bytes every time."""
    return hashlib.shake_256(SAMPLE_NAME.encode()).digest(SAMPLE_SIZE)


def find_sample(service: Service) -> dict | None:
    query = urllib.parse.urlencode({'name': SAMPLE_NAME, 'status': 'active', 'limit': 1})
    images = service.call('GET', f'/v2/images?{query}')['images']
    return images[0] if images else None


def store_sample(service: Service) -> None:
    """Register the sample image and upload its data."""
    say(f'Registering the image {SAMPLE_NAME}')
    image = service.call('POST', '/v2/images', expected=201, body={
        'name': SAMPLE_NAME, 'disk_format': 'raw', 'container_format': 'bare'})
    say(f'Uploading {SAMPLE_SIZE} bytes to {image["id"]}')
    service.request('PUT', image['file'], sample(), 'application/octet-stream', expected=204).read()


def verify_sample(service: Service) -> None:
    """Find the sample image by name, download it, and compare what arrives with what was sent."""
    image = find_sample(service)
    if image is None:
        raise Failure(f'the image {SAMPLE_NAME} was stored but is not in the list')
    say(f'Found it by name: {image["id"]}, {image["status"]}, {image["size"]} bytes')
    digest = hashlib.new(image['os_hash_algo'])
    with service.request('GET', image['file']) as response:
        while chunk := response.read(1 << 20):
            digest.update(chunk)
    sent = hashlib.new(image['os_hash_algo'], sample()).hexdigest()
    if not digest.hexdigest() == image['os_hash_value'] == sent:
        raise Failure(f'the hashes differ: sent {sent}, recorded {image["os_hash_value"]}, got {digest.hexdigest()}')
    say(f'Downloaded it: {image["os_hash_algo"]} {sent[:16]}… as sent and as recorded')


@contextlib.contextmanager
def running(programs: pathlib.Path, data: pathlib.Path, port: int) -> Iterator[Service]:
    """Configure, migrate and start the service; stop it at the end."""
    arguments = configure(data, port)
    say(f'Bringing the database {data / "glance.sqlite"} up to date')
    log = data / 'log/glance-manage.log'
    with log.open('ab') as output:
        _run([str(programs / 'glance-manage'), *arguments, 'db_sync'], Failure('glance-manage db_sync failed', log),
             stdout=output, stderr=output)
    say(f'Starting glance-api at http://127.0.0.1:{port}')
    service = Service(programs, arguments, port, data / 'log/glance-api.log')
    try:
        service.wait_until_ready()
        yield service
    finally:
        service.stop()


def check(environment: pathlib.Path, data: pathlib.Path) -> None:
    """Everything once, on a free port and with records of its own."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix='check-', dir=data))
    with running(environment / 'bin', folder, choose_port(None)) as service:
        store_sample(service)
        verify_sample(service)
    shutil.rmtree(folder)
    say('All is well')


def serve(environment: pathlib.Path, data: pathlib.Path, port: int) -> None:
    """Everything, and then serve until interrupted."""
    choose_port(port)
    with running(environment / 'bin', data, port) as service:
        if find_sample(service) is None:
            store_sample(service)
        verify_sample(service)
        print(NEXT_STEPS.format(url=f'http://127.0.0.1:{port}', name=SAMPLE_NAME, data=data,
                                python=shlex.quote(sys.executable), client=shlex.quote(str(data / 'client'))),
              flush=True)
        try:
            code = service.process.wait()
        except KeyboardInterrupt:
            say('Stopping')
            return
    raise Failure(f'glance-api ended with exit code {code}', service.log)


def last_lines(log: pathlib.Path, count: int = 20) -> str:
    return '\n'.join(log.read_text(errors='replace').splitlines()[-count:])


def main() -> int:
    parser = argparse.ArgumentParser(prog='quickstart.sh', description='Install and try Glance from these sources.')
    parser.add_argument('--check', action='store_true',
                        help='run through on a free port with records of its own, then exit with 0 or 1')
    parser.add_argument('--port', type=int, default=9292, help='port on 127.0.0.1 (default: 9292)')
    parser.add_argument('--data', type=pathlib.Path,
                        default=os.environ.get('GLANCE_QUICKSTART_DATA', ROOT / 'quickstart-data'),
                        help='folder for everything (default: $GLANCE_QUICKSTART_DATA, or quickstart-data '
                             'beside these tools)')
    options = parser.parse_args()
    for sig in (signal.SIGINT, signal.SIGTERM):  # SIGINT too: a shell lets its background jobs ignore it
        signal.signal(sig, signal.default_int_handler)
    data = pathlib.Path(options.data).resolve()
    try:
        data.mkdir(parents=True, exist_ok=True)
        install(data / 'venv')
        if options.check:
            check(data / 'venv', data)
        else:
            serve(data / 'venv', data, options.port)
    except (Failure, OSError) as error:
        print(f'quickstart: {error}', file=sys.stderr)
        if getattr(error, 'log', None):
            print(f'The end of {error.log}:\n{last_lines(error.log)}', file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == '__main__':
    sys.exit(main())
