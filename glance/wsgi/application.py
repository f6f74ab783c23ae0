"""The application as a WSGI callable: the paste pipeline, with the environment of the process and the access log.

Every server runs this same callable: our own, uWSGI, mod_wsgi or gunicorn (``glance.wsgi.api``).
"""
import functools
import re
import time
import uuid
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Protocol

from oslo_config import cfg
from oslo_context import context as request_context
from oslo_log import log
from paste import deploy

from glance import conf as configuration
from glance import environment, exceptions, upkeep
from glance.db.interface import Database
from glance.layers.expiry import expire_queued
from glance.metrics import recorder
from glance.policies.enforcer import Enforcer
from glance.wsgi import faults, metrics, profiler

LOG = log.getLogger(__name__)
ACCESS_LOG = log.getLogger('glance.access')

_REQUEST_ID = re.compile(r'[A-Za-z0-9._:-]+')
_UNROUTED = '(none)'
"""The route of what was answered before it was looked for, without a token for example."""


class Parts(Protocol):
    """What every server has in a process, beside what only its own handlers know."""

    @property
    def database(self) -> Database: ...

    @property
    def enforcer(self) -> Enforcer: ...

    @property
    def metrics(self) -> recorder.Metrics: ...

    def begin(self) -> None:
        """Start the work that goes on beside requests."""

    def close(self) -> None:
        """Release connections and threads."""


Builder = Callable[[cfg.ConfigOpts, recorder.Metrics | None], Parts]


def api_parts(conf: cfg.ConfigOpts, metrics: recorder.Metrics | None) -> environment.Environment:
    """Make the parts of a process of glance-api, with the work that goes on beside its requests."""
    env = upkeep.build(conf, metrics)
    if env.janitor:
        env.janitor.jobs.append(functools.partial(expire_queued, env))
    return env


def load(conf: cfg.ConfigOpts, name: str = 'glance-api', build: Builder = api_parts) -> 'Application':
    """Make the application of this process. Raises ConfigurationError naming the file and the fault."""
    profiler.set_up(conf, name)
    pipeline = _pipeline(conf, name)
    env = build(conf, recorder.from_conf(conf))
    _check_database(env)
    return Application(pipeline, conf, env)


def check(conf: cfg.ConfigOpts, name: str, build: Builder) -> None:
    """Raise ConfigurationError for what would keep a worker from starting; leaves nothing open."""
    _pipeline(conf, name)
    recorder.check(conf)
    env = build(conf, None)
    try:
        _check_database(env)
    finally:
        env.close()


def _check_database(env: Parts) -> None:
    try:
        env.database.check()
    except exceptions.DatabaseUnavailable as error:
        LOG.warning('%s Requests are answered 503 until then.', error)


def _pipeline(conf: cfg.ConfigOpts, name: str) -> Callable:
    path = configuration.find_paste_file(conf, name)
    if conf.paste_deploy.flavor:
        name = '%s-%s' % (name, conf.paste_deploy.flavor)
    try:
        return deploy.loadapp('config:%s' % path, name=name)
    except exceptions.GlanceError:
        raise
    except Exception as error:
        raise exceptions.ConfigurationError('The application %r cannot be loaded from the paste file %s: %s'
                                            % (name, path, error)) from error


class Application:
    """The outermost callable: names the request, serves it, and writes one line about it to the log."""

    def __init__(self, pipeline: Callable, conf: cfg.ConfigOpts, env: Parts):
        self._pipeline, self._conf, self._env = pipeline, conf, env
        self._metrics_page = metrics.MetricsPage(conf, env.database) if conf.metrics.enabled else None
        env.begin()

    def close(self) -> None:
        """Release what the process holds."""
        self._env.close()

    def __call__(self, environ: dict[str, Any], start_response: Callable) -> Iterable[bytes]:
        started = time.perf_counter()
        environ['glance.environment'] = self._env
        entry = _Entry(environ, started, start_response)
        too_long = self._name_request(environ)
        if too_long is not None:
            return entry.finish_with(faults.response_for(too_long, environ)(environ, entry.start_response))
        pipeline = self._pipeline
        if self._metrics_page is not None and environ.get('PATH_INFO') == metrics.PATH:
            pipeline = self._metrics_page
        return entry.finish_with(pipeline(environ, entry.start_response))

    def _name_request(self, environ: dict[str, Any]) -> Exception | None:
        """Give the request its id: the client's, where that is harmless, else a new one."""
        given = environ.get('HTTP_X_OPENSTACK_REQUEST_ID', '')
        limit = self._conf.max_request_id_length
        harmless = 0 < len(given) <= (limit or len(given)) and _REQUEST_ID.fullmatch(given)
        request_id = given if harmless else 'req-%s' % uuid.uuid4()
        if not request_id.startswith('req-'):
            request_id = 'req-' + request_id
        environ['glance.request_id'] = environ['openstack.request_id'] = request_id
        # Becomes the context of this thread: its log lines carry this id, and not the identity of the request before.
        request_context.RequestContext(request_id=request_id)
        if limit and len(given) > limit:
            return faults.HTTPFault(431, 'The header X-Openstack-Request-ID is longer than %d characters.' % limit)
        return None


class _Entry:
    """One line of the access log in the making; completes when the body was sent."""

    def __init__(self, environ: dict[str, Any], started: float, start_response: Callable):
        self._environ, self._started, self._start_response = environ, started, start_response
        self._status = '500'

    def start_response(self, status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Callable:
        """Pass the head on with the id of the request."""
        self._status = status
        headers.append(('x-openstack-request-id', self._environ['glance.request_id']))
        return self._start_response(status, headers, exc_info) if exc_info else self._start_response(status, headers)

    def finish_with(self, body: Iterable[bytes]) -> Iterable[bytes]:
        """Return the body such that the line is written when it is closed."""
        if hasattr(body, 'call_on_close'):
            # A server may send this body by itself: it has to see the object.
            body.call_on_close(self.write)
            return body
        return _Counted(body, self.write)

    def write(self, sent: int) -> None:
        """Write the line: who, what, status, bytes and milliseconds; count the request."""
        environ, context = self._environ, self._environ.get('glance.context')
        seconds = time.perf_counter() - self._started
        environ['glance.environment'].metrics.request_served(
            environ.get('glance.route') or environ.get('SCRIPT_NAME') or _UNROUTED, environ['REQUEST_METHOD'],
            self._status[:3], seconds)
        ACCESS_LOG.info(
            '%s %s %s "%s %s" status: %s len: %d time: %.1f ms', environ.get('REMOTE_ADDR', '-'),
            getattr(context, 'user_id', None) or '-', getattr(context, 'project_id', None) or '-',
            environ['REQUEST_METHOD'], _target(environ), self._status[:3], sent, seconds * 1000)


def _target(environ: dict[str, Any]) -> str:
    """Return the target of the request line as the client sent it, harmless for a log."""
    target = environ.get('RAW_URI') or environ.get('REQUEST_URI') or environ.get('PATH_INFO', '')
    return target if target.isprintable() and len(target) <= 2048 else ascii(target)[1:2049]


class _Counted:
    """A response body that counts its bytes and tells their number when it is closed."""

    def __init__(self, body: Iterable[bytes], on_close: Callable[[int], None]):
        self._body, self._on_close, self._sent = body, on_close, 0

    def __iter__(self) -> Iterator[bytes]:
        for piece in self._body:
            self._sent += len(piece)
            yield piece

    def __len__(self) -> int:
        return len(self._body)

    def close(self) -> None:
        """Close the body, then tell."""
        try:
            getattr(self._body, 'close', lambda: None)()
        finally:
            self._on_close(self._sent)
