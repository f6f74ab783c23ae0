"""``/healthcheck``: the middleware of oslo, with backends of our own for what a process cannot work without.

While a service ends it is not healthy any more: who asks is to send requests elsewhere.

In the paste file ``backends`` names them beside those of oslo: ``database`` asks whether the records answer, ``registry`` the
same where a registry keeps them. ``ping_timeout`` and ``ping_interval`` are in seconds.
"""
import concurrent.futures
import json
import logging
import threading
import time
from typing import Any

import webob
from oslo_middleware import healthcheck

from glance import environment, exceptions
from glance.db.interface import Database

LOG = logging.getLogger(__name__)

_DATABASE, _REGISTRY = 'database', 'registry'


class Ping:
    """Asks the records whether they answer. Those who want to know it at the same time, or soon after, share one question.

    :param timeout: seconds to wait for the answer
    :param interval: seconds for which an answer counts
    """

    def __init__(self, timeout: float, interval: float):
        self._timeout, self._interval = timeout, interval
        self._lock = threading.Lock()
        self._asked_at = 0.0
        self._answer: concurrent.futures.Future[str | None] | None = None

    def trouble(self, database: Database) -> str | None:
        """Return what is wrong, None when the records answer."""
        with self._lock:
            now = time.monotonic()
            answer = self._answer
            if answer is None or answer.done() and now - self._asked_at >= self._interval:
                answer = concurrent.futures.Future()
                threading.Thread(target=_ask, args=(database, answer), name='healthcheck', daemon=True).start()
                self._answer, self._asked_at = answer, now
        try:
            return answer.result(self._timeout)
        except TimeoutError:
            return 'The records did not answer within %g s.' % self._timeout


def _ask(database: Database, answer: concurrent.futures.Future[str | None]) -> None:
    try:
        database.ping()
    except exceptions.GlanceError as error:
        answer.set_result(str(error))
    except Exception:
        LOG.exception('The records could not be asked whether they answer')
        answer.set_result('The records could not be asked whether they answer.')
    else:
        answer.set_result(None)


class Healthcheck(healthcheck.Healthcheck):
    """The application that the paste files name."""

    def __init__(self, application: Any, conf: dict[str, Any] | None = None):
        conf = dict(conf or {})
        wanted = [name.strip() for name in conf.get('backends', '').split(',') if name.strip()]
        self._own = [name for name in wanted if name in (_DATABASE, _REGISTRY)]
        conf['backends'] = ', '.join(name for name in wanted if name not in self._own)
        self._ping = Ping(_seconds(conf, 'ping_timeout', '2'), _seconds(conf, 'ping_interval', '5'))
        super().__init__(application, conf)

    def process_request(self, req: webob.Request) -> webob.Response | None:
        """Answer as oslo does; when that would be "healthy", ask our own backends as well."""
        response = super().process_request(req)
        if response is None or response.status_code >= 300:
            return response
        if req.environ.get('glance.ending'):
            return _unhealthy(req, 'The service is being stopped.')
        env = req.environ['glance.environment']
        if _DATABASE not in self._own and (_REGISTRY not in self._own or env.conf.data_api != environment.REGISTRY):
            return response
        trouble = self._ping.trouble(env.database)
        return response if trouble is None else _unhealthy(req, trouble)


def _seconds(conf: dict[str, Any], name: str, default: str) -> float:
    try:
        seconds = float(conf.pop(name, default))
    except ValueError:
        seconds = -1
    if not 0 <= seconds <= 3600:
        raise exceptions.ConfigurationError('%s of the healthcheck in the paste file must be a number of seconds.' % name)
    return seconds


def _unhealthy(req: webob.Request, trouble: str) -> webob.Response:
    as_json = 'application/json' in req.environ.get('HTTP_ACCEPT', '')
    text = json.dumps({'detailed': False, 'reasons': [trouble]}) if as_json else trouble
    return webob.Response(status=503, text='' if req.method == 'HEAD' else text, charset='utf-8',
                          content_type='application/json' if as_json else 'text/plain')
