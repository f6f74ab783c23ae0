"""``POST /rpc``: a list of commands in, a list of their results out.

The whole list is checked before the first command runs. A command that fails has an error for its result, and the ones
behind it run. One for which the time is over when its turn comes has an error as well. Where the client wants all of them
or none (``X-Glance-Rpc-Atomic``), the first error undoes what was done, and nothing behind it runs.
"""
import gzip
import logging
import time
from collections.abc import Callable, Iterable
from typing import Any, Protocol

from oslo_config import cfg

from glance import exceptions
from glance.context import RequestContext
from glance.db.sqlalchemy.engine import DATABASE_ERRORS
from glance.db.sqlalchemy.request_keys import Taken
from glance.db.wire import codecs
from glance.registry import peers
from glance.registry.classic.dialect import Classic
from glance.registry.commands import Command
from glance.registry.environment import RegistryEnvironment
from glance.registry.native import Native
from glance.registry.services import Services
from glance.wsgi import faults, whole_body
from glance.wsgi.faults import HTTPFault

LOG = logging.getLogger(__name__)

_MOST_COMMANDS = 256
# Shorter answers in bytes are not worth the work of compressing them.
_COMPRESSED_FROM = 8 << 10
_FOREVER = float('inf')


class Dialect(Protocol):
    """What one version of the protocol makes of commands and errors."""

    version: str

    def admit(self, context: RequestContext) -> None:
        """Raise Forbidden when this caller may send no commands at all."""

    def prepare(self, name: str, arguments: dict[str, Any], context: RequestContext, env: RegistryEnvironment
                ) -> Command | None:
        """Check the arguments; return what carries the command out, None for an unknown one.

        Raises codecs.Malformed.
        """

    def error(self, error: Exception, text: str | None) -> Any:
        """Return an error as a result; with ``text`` it is one of the registry itself, of which this is all to be told."""

    def value(self, encoded: Any) -> Any:
        """Return an encoded result as it stands in the list."""


class Endpoint:
    """The application behind ``/rpc``."""

    def __init__(self, conf: cfg.ConfigOpts):
        self._conf = conf
        services = Services(conf)
        native, classic = Native(conf, services), Classic(conf, services)
        self._dialects: dict[str, Dialect] = {native.version: native, classic.version: classic, '': classic}

    def __call__(self, environ: dict[str, Any], start_response: Callable) -> Iterable[bytes]:
        try:
            dialect = self._dialect(environ)
            results = self._serve(environ, dialect)
        except Exception as error:
            return faults.response_for(error, environ)(environ, start_response)
        headers = [('Content-Type', 'application/json'), ('Cache-Control', 'no-store'),
                   ('X-Glance-Rpc-Version', dialect.version)]
        repetition = environ['glance.environment'].repetition
        if _all_or_none(environ):
            headers.append(('X-Glance-Rpc-Atomic', 'true'))
        if repetition:
            headers.append(('X-Glance-Request-Key-Ttl', str(repetition.ttl)))
        if len(results) > _COMPRESSED_FROM and _takes_gzip(environ):
            results = gzip.compress(results, 1)
            headers.append(('Content-Encoding', 'gzip'))
        start_response('200 OK', headers)
        return [results]

    def _serve(self, environ: dict[str, Any], dialect: Dialect) -> bytes:
        context, env = environ['glance.context'], environ['glance.environment']
        deadline, together = _deadline(environ.get('HTTP_X_GLANCE_DEADLINE')), _all_or_none(environ)
        dialect.admit(context)
        length = environ.get('CONTENT_LENGTH')
        body = whole_body.read(environ['wsgi.input'], int(length) if length else None, self._conf.registry_max_body)
        peers.check_body(environ, body)
        commands = [self._prepare(dialect, place, command, context, env) for place, command in enumerate(_commands(body))]

        def carry_out() -> bytes:
            texts = (_carry_out_together if together else _carry_out_each)(dialect, commands, context, env, deadline)
            return ('[%s]' % ','.join(texts)).encode('ascii')
        key = environ.get('HTTP_X_GLANCE_REQUEST_KEY')
        if key is None or env.repetition is None or all(command.reads for command in commands):
            return carry_out()
        request = dialect.version, context.user_id or '', context.project_id or '', body, *(['together'] if together else [])
        return env.repetition.once(key, request, deadline, carry_out)

    def _dialect(self, environ: dict[str, Any]) -> Dialect:
        wanted = environ.get('HTTP_X_GLANCE_RPC_VERSION', '').strip()
        if wanted not in self._dialects:
            raise exceptions.Invalid('This registry does not speak version %s of the protocol; it speaks %s.'
                                     % (ascii(wanted[:20]), ' and '.join(filter(None, self._dialects))))
        return self._dialects[wanted]

    def _prepare(self, dialect: Dialect, place: int, command: Any, context: RequestContext, env: RegistryEnvironment
                 ) -> Command:
        if type(command) is not dict or type(command.get('command')) is not str or not command['command']:
            raise exceptions.Invalid('Element %d of the list is no command: {"command": NAME, "kwargs": {…}}.' % place)
        name, arguments = command['command'], command.get('kwargs')
        if arguments is not None and type(arguments) is not dict:
            raise exceptions.Invalid('The kwargs of command %d must be an object.' % place)
        try:
            prepared = dialect.prepare(name, arguments or {}, context, env)
        except (codecs.Malformed, RecursionError) as error:
            raise exceptions.Invalid('Command %d, %s: %s.' % (place, ascii(name[:80]), error)) from None
        if prepared is None:
            raise HTTPFault(404, 'This registry knows no command %s.' % ascii(name[:80]))
        return prepared


def _deadline(text: str | None) -> float:
    """Return the monotonic time that ``X-Glance-Deadline`` means: milliseconds that are left. Raises Invalid."""
    if text is None:
        return _FOREVER
    if not (text.isascii() and text.isdecimal()) or len(text) > 12:
        raise exceptions.Invalid('The header X-Glance-Deadline must be a number of milliseconds.')
    return time.monotonic() + int(text) / 1000


def _all_or_none(environ: dict[str, Any]) -> bool:
    """Tell what ``X-Glance-Rpc-Atomic`` says. Raises Invalid."""
    text = environ.get('HTTP_X_GLANCE_RPC_ATOMIC', 'false').strip().lower()
    if text not in ('true', 'false'):
        raise exceptions.Invalid('The header X-Glance-Rpc-Atomic must be true or false.')
    return text == 'true'


def _takes_gzip(environ: dict[str, Any]) -> bool:
    offers = environ.get('HTTP_ACCEPT_ENCODING', '').replace(' ', '').lower().split(',')
    return any(offer.startswith('gzip') and not offer.endswith((';q=0', ';q=0.0')) for offer in offers)


def _commands(body: bytes) -> list[Any]:
    if not body:
        raise exceptions.Invalid('A list of commands is needed as request body.')
    try:
        commands = codecs.loads(body)
    except codecs.Malformed as error:
        raise exceptions.Invalid('The request body is %s.' % error) from None
    if type(commands) is not list:
        raise exceptions.Invalid('The request body must be a list of commands.')
    if len(commands) > _MOST_COMMANDS:
        raise exceptions.Invalid('One request may hold %d commands at most.' % _MOST_COMMANDS)
    return commands


class _Undone(Exception):
    """A command of a transaction failed."""

    def __init__(self, place: int, text: str):
        super().__init__()
        self.place, self.text = place, text


def _carry_out_together(dialect: Dialect, commands: list[Command], context: RequestContext, env: RegistryEnvironment,
                        deadline: float) -> list[str]:
    """Run all commands in one transaction; return the JSON texts of their results. The first error undoes all."""
    def run() -> list[str]:
        texts: list[str] = []
        for command in commands:
            text, failed = _carry_out(dialect, command, context, env, deadline)
            if failed:
                raise _Undone(len(texts), text)
            texts.append(text)
        return texts
    try:
        return env.together(run)
    except _Undone as undone:
        before, after = (codecs.dumps(dialect.error(HTTPFault(424, text), text)) for text in ('rolled back', 'not executed'))
        return [before] * undone.place + [undone.text] + [after] * (len(commands) - undone.place - 1)


def _carry_out_each(dialect: Dialect, commands: list[Command], context: RequestContext, env: RegistryEnvironment,
                    deadline: float) -> list[str]:
    """Run each command on its own; return the JSON texts of their results."""
    return [_carry_out(dialect, command, context, env, deadline)[0] for command in commands]


def _carry_out(dialect: Dialect, command: Command, context: RequestContext, env: RegistryEnvironment, deadline: float
               ) -> tuple[str, bool]:
    """Run a command; return the JSON text of its result or of its error, and whether it is an error."""
    name, started, failed = command.name, time.perf_counter(), True
    try:
        if time.monotonic() >= deadline:
            raise HTTPFault(504, '%s was not started: the time for the request was over.' % name)
        text = codecs.dumps(dialect.value(command.run()))
        failed = False
        return text, False
    except (Taken, *DATABASE_ERRORS):
        # They concern the transaction that this is a part of.
        raise
    except HTTPFault as error:
        return codecs.dumps(dialect.error(error, str(error))), True
    except exceptions.GlanceError as error:
        return codecs.dumps(dialect.error(error, None)), True
    except Exception as error:
        LOG.exception('%s failed', name)
        return codecs.dumps(dialect.error(error, '%s failed with %s; the log of the registry says more under %s.'
                                          % (name, type(error).__name__, context.request_id))), True
    finally:
        seconds = time.perf_counter() - started
        LOG.debug('%s took %.1f ms', name, seconds * 1000)
        env.metrics.command_served(name, failed, seconds)
