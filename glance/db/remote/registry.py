"""Commands sent to a registry: what is repeated when something goes wrong, and what is given up."""
import logging
import os
import ssl
import threading
import time
import uuid
from collections.abc import Iterable
from typing import Any, Self

from oslo_config import cfg

from glance import exceptions
from glance.db.remote import identity as identities
from glance.db.remote import request
from glance.db.remote.endpoints import Answer, Endpoint, Endpoints, Limits, NoneAnswers
from glance.db.remote.exchange import FOREVER, AnswerLost, NotSent, WrongAnswer
from glance.db.wire import codecs, errors
from glance.db.wire.operations import Operation

LOG = logging.getLogger(__name__)

# Seconds before the first repetition; each further one waits twice as long.
_PAUSE = 0.1
# A write is repeated in this part of the time for which the registry remembers it; clocks and queues have the rest.
_REMEMBERED = 0.8
_HERE = {'0.0.0.0': '127.0.0.1', '::': '::1'}


class Registry:
    """Sends commands and returns their results. Threads share it.

    :param timeout: seconds for one call with everything that is tried for it; 0 is no limit
    :param retries: how often a call is repeated that may be
    :param secret: requests are signed with it
    """

    def __init__(self, endpoints: list[Endpoint], identity: identities.Identity, timeout: float, retries: int,
                 secret: str | None = None):
        self._endpoints, self._identity = Endpoints(endpoints), identity
        self._timeout, self._retries, self._secret = timeout, retries, secret
        self._closed = threading.Event()

    @classmethod
    def from_conf(cls, conf: cfg.ConfigOpts) -> Self:
        """Make it from the options ``registry_…``. Raises ConfigurationError naming what to change."""
        limits = Limits(conf.registry_client_connect_timeout, conf.registry_client_idle_timeout,
                        conf.registry_client_pool_size, conf.registry_client_pool_max)
        tls = _tls(conf) if conf.registry_client_protocol == 'https' else None
        addresses = [_address(text) for text in conf.registry_endpoints] or [(conf.registry_host, conf.registry_port)]
        endpoints = [Endpoint(_HERE.get(host, host), port, tls, limits) for host, port in addresses]
        return cls(endpoints, identities.from_conf(conf), conf.registry_client_timeout, conf.registry_client_max_retries,
                   conf.registry_shared_secret)

    def call(self, commands: Iterable[tuple[Operation, dict[str, Any]]]) -> list[Any]:
        """Carry out commands in one round trip; return their results in order, errors as exceptions among them.

        Raises RegistryUnavailable, and Invalid when the registry does not understand the arguments.
        """
        commands = list(commands)
        body = codecs.dumps([{'command': operation.name, 'kwargs': operation.encode_arguments(arguments)}
                             for operation, arguments in commands]).encode('ascii')
        reads = all(operation.reads for operation, _ in commands)
        status, _, answer = self._ask(body, None if reads else str(uuid.uuid4()))
        if status == 200:
            try:
                return _results([operation for operation, _ in commands], answer)
            except codecs.Malformed as error:
                raise _unavailable('it answers what makes no sense: %s' % error) from None
        if status in (400, 413):
            raise exceptions.Invalid(_sentence(answer))
        if status in (401, 403):
            raise _unavailable('it does not accept this service (%d: %s)' % (status, _sentence(answer)))
        if status == 404:
            raise _unavailable('it knows no such command; is it of an older release? (%s)' % _sentence(answer))
        raise _unavailable('it answers with status %d' % status)

    def close(self) -> None:
        """Close the connections; calls that wait give up."""
        self._closed.set()
        self._endpoints.close()

    def _ask(self, body: bytes, key: str | None) -> Answer:
        """Send the request until it is answered or must not be sent again; ``key`` is that of a write.

        Raises RegistryUnavailable.
        """
        started = time.monotonic()
        deadline = started + self._timeout if self._timeout else FOREVER
        attempt, renewed, pause, reason = 0, False, _PAUSE, ''
        begun = False           # a registry may have begun to carry it out
        while True:
            shown = self._identity.headers()
            try:
                endpoint = self._endpoints.choose(insist=attempt > 0)
                if begun and not _may_repeat(key, endpoint, started):
                    raise _unavailable(reason)
                answer = endpoint.exchange(request.write(endpoint, body, shown, key, deadline, self._secret), deadline)
                if answer[0] == 401 and not renewed and self._identity.renew(shown):
                    renewed = True
                    continue
                if answer[0] not in (502, 503, 504):
                    return answer
                reason, begun = 'it answers with status %d' % answer[0], True
            except NoneAnswers:
                raise exceptions.RegistryUnavailable() from None
            except NotSent as error:
                reason = str(error)
            except (AnswerLost, WrongAnswer) as error:
                reason, begun = str(error), True
            attempt += 1
            if attempt > self._retries or begun and not _may_repeat(key, endpoint, started) \
                    or time.monotonic() + pause >= deadline or self._closed.wait(pause):
                raise _unavailable(reason)
            pause *= 2


def _may_repeat(key: str | None, endpoint: Endpoint, started: float) -> bool:
    """Whether a request that was begun at this time may be sent to a registry that perhaps carries it out already."""
    return key is None or time.monotonic() - started < endpoint.remembers * _REMEMBERED


def _results(operations: list[Operation], answer: bytes) -> list[Any]:
    """Return the results in an answer. Raises Malformed."""
    results = codecs.loads(answer)
    if type(results) is not list or len(results) != len(operations):
        raise codecs.Malformed('not a list with a result for each command')
    return [_result(operation, result) for operation, result in zip(operations, results, strict=True)]


def _result(operation: Operation, result: Any) -> Any:
    if type(result) is dict and len(result) == 1:
        if '_result' in result:
            return operation.decode_result(result['_result'])
        if '_error' in result:
            return errors.decode(result['_error'])
    raise codecs.Malformed('a result of %s is neither a value nor an error' % operation.name)


def _sentence(answer: bytes) -> str:
    """Return the sentence in the body of a refusal, which comes as plain text behind the status."""
    lines = [line.strip() for line in answer[:2000].decode('utf-8', 'replace').splitlines() if line.strip()]
    return ' '.join(lines[1:]) or 'no reason given'


def _unavailable(reason: str) -> exceptions.RegistryUnavailable:
    LOG.error('A request to the registry failed: %s.', reason)
    return exceptions.RegistryUnavailable()


def _address(text: str) -> tuple[str, int]:
    host, colon, port = text.rpartition(':')
    if not colon or not port.isdecimal() or not 0 < int(port) < 65536 or not host:
        raise exceptions.ConfigurationError('[DEFAULT] registry_endpoints: %r is no registry; write host:port.' % text)
    return host.removeprefix('[').removesuffix(']'), int(port)


def _tls(conf: cfg.ConfigOpts) -> ssl.SSLContext:
    files = {name: getattr(conf, 'registry_client_%s_file' % name)
             or os.environ.get('GLANCE_CLIENT_%s_FILE' % name.upper()) for name in ('ca', 'cert', 'key')}
    if bool(files['cert']) != bool(files['key']):
        raise exceptions.ConfigurationError('A certificate for calling glance-registry needs both '
                                            'registry_client_cert_file and registry_client_key_file.')
    try:
        context = ssl.create_default_context(cafile=files['ca'] or None)
        if conf.registry_client_insecure:
            LOG.warning('[DEFAULT] registry_client_insecure is set: anybody on the path can read and change records.')
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        if files['cert']:
            context.load_cert_chain(files['cert'], files['key'])
    except OSError as error:
        raise exceptions.ConfigurationError(
            'The files %s for calling glance-registry cannot be used: %s.'
            % (', '.join(path for path in files.values() if path), error.strerror or error)) from None
    return context
