"""A real nginx with the example of ``etc/nginx``, on ports of the test."""

import pathlib
import re
import socket
import subprocess
import time

EXAMPLE = pathlib.Path(__file__).resolve().parents[2] / 'etc' / 'nginx' / 'glance-api.conf'
_SECONDS = 30
_FRAME = """
daemon off;
worker_processes 1;
pid {folder}/nginx.pid;
error_log {folder}/nginx-error.log;
events {{}}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    include {folder}/glance-api.conf;
}}
"""


class Nginx:
    """Serves TLS with a certificate of its own for 127.0.0.1; leave the context to stop it.

    :param folder: where it keeps its files
    :param ports: where the glance-api processes listen, in place of those of the example
    """

    def __init__(self, folder: pathlib.Path, ports: list[int]):
        self.folder, self.port = folder, free_port()
        self.certificate = folder / 'glance.pem'
        _run('openssl', 'req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2',
             '-subj', '/CN=127.0.0.1', '-addext', 'subjectAltName=IP:127.0.0.1', '-keyout', folder / 'glance.key',
             '-out', self.certificate)
        (folder / 'glance-api.conf').write_text(self._adapted(EXAMPLE.read_text(), ports))
        (folder / 'nginx.conf').write_text(_FRAME.format(folder=folder))
        self.process: subprocess.Popen | None = None

    def _adapted(self, text: str, ports: list[int]) -> str:
        """The example with the ports and files of this test."""
        servers = re.findall(r'server 127\.0\.0\.1:\d+', text)
        for server, port in zip(servers, ports, strict=True):
            text = text.replace(server, f'server 127.0.0.1:{port}')
        return (text.replace('listen 443', f'listen 127.0.0.1:{self.port}')
                .replace('/etc/ssl/certs', str(self.folder)).replace('/etc/ssl/private', str(self.folder)))

    @property
    def url(self) -> str:
        return f'https://127.0.0.1:{self.port}'

    @property
    def log(self) -> str:
        return (self.folder / 'nginx-error.log').read_text()

    def check(self) -> str:
        """What ``nginx -t`` says. Raises CalledProcessError when it finds a fault."""
        return _run('nginx', '-t', '-c', self.folder / 'nginx.conf')

    def __enter__(self) -> 'Nginx':
        self.process = subprocess.Popen(['nginx', '-c', self.folder / 'nginx.conf'], stdin=subprocess.DEVNULL)
        deadline = time.monotonic() + _SECONDS
        while True:
            try:
                socket.create_connection(('127.0.0.1', self.port), _SECONDS).close()
                return self
            except ConnectionRefusedError:
                if self.process.poll() is not None or time.monotonic() > deadline:
                    raise AssertionError('nginx does not answer: %s' % self.log) from None
                time.sleep(0.02)

    def __exit__(self, *_) -> None:
        self.process.terminate()
        self.process.wait(_SECONDS)


def free_port() -> int:
    """A TCP port of loopback that nobody listens on now."""
    with socket.socket() as sock:
        sock.bind(('127.0.0.1', 0))
        return sock.getsockname()[1]


def _run(*command: object) -> str:
    return subprocess.run([str(part) for part in command], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, check=True, timeout=_SECONDS).stdout
