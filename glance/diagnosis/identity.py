"""Checks of Keystone: does it answer, and can this service have tokens validated, with no more rights than it needs?"""
import datetime
import email.utils
import time
from collections.abc import Iterator

import sqlalchemy as sa
from keystoneauth1 import exceptions as errors
from keystoneauth1 import loading, plugin, session
from oslo_config import cfg

from glance.conf import libraries
from glance.diagnosis import database
from glance.diagnosis.result import Finding, failure, fine, warning
from glance.exceptions import ConfigurationError

_GROUP = 'keystone_authtoken'
_SECONDS = 10
_SKEW_WARNING, _SKEW_FAILURE = 5.0, 60.0
_MYSQL_NOW, _POSTGRESQL_NOW = 'SELECT UTC_TIMESTAMP(6)', "SELECT clock_timestamp() AT TIME ZONE 'UTC'"
_NOW = {'mysql': _MYSQL_NOW, 'mariadb': _MYSQL_NOW, 'postgresql': _POSTGRESQL_NOW}


def is_used(conf: cfg.ConfigOpts) -> bool:
    """Tell whether the pipeline has tokens validated by Keystone."""
    return 'keystone' in (conf.paste_deploy.flavor or '').split('+')


def keystone(conf: cfg.ConfigOpts) -> Iterator[Finding]:
    """Keystone answers."""
    if not is_used(conf):
        yield fine('The pipeline does not use Keystone.')
        return
    with _session(conf) as connection:
        response = _ask(connection, _auth_url(conf))
    yield fine('%s answers (%d).' % (_auth_url(conf), response.status_code))
    if not conf[_GROUP].www_authenticate_uri:
        yield warning('[keystone_authtoken] www_authenticate_uri is not set; set it to the public address of Keystone, '
                      'which clients without a token are told.')


def service_account(conf: cfg.ConfigOpts) -> Iterator[Finding]:
    """The account of the service can have tokens validated, and can do nothing else."""
    if not is_used(conf):
        yield fine('The pipeline does not use Keystone.')
        return
    libraries.register_group(conf, _GROUP)
    auth = loading.load_auth_from_conf_options(conf, _GROUP)
    if auth is None:
        yield failure('[keystone_authtoken] auth_type is not set; set it to password, and username, password, project_name '
                      'and the domains to those of the service account.')
        return
    with _session(conf) as connection:
        try:
            token = auth.get_token(connection)
            roles = {role.lower() for role in auth.get_access(connection).role_names}
            connection.get('/auth/tokens', auth=auth, headers={'X-Subject-Token': token},
                           endpoint_filter={'interface': plugin.AUTH_INTERFACE, 'version': (3, 0)})
        except errors.Unauthorized:
            yield failure('Keystone does not let the service account in; correct username, password, project and domains in '
                          '[keystone_authtoken].')
            return
        except errors.ClientException as error:
            yield failure('Keystone cannot be used with [keystone_authtoken]: %s' % ' '.join(str(error).split()))
            return
    if 'admin' in roles:
        yield warning('The service account has the role admin: who gets hold of its password owns the cloud. Give it the '
                      'role service instead (openstack role add …, openstack role remove …).')
    elif 'service' not in roles:
        yield failure('The service account has the roles %s, with which Keystone does not let it validate the tokens of '
                      'users; give it the role service.' % (', '.join(sorted(roles)) or '(none)'))
    else:
        yield fine('It has the roles %s.' % ', '.join(sorted(roles)))
    if not conf[_GROUP].service_token_roles_required:
        yield warning('[keystone_authtoken] service_token_roles_required is false: anybody can prolong tokens as a service '
                      'may. Set it to true, with service_token_roles = service.')


def clock(conf: cfg.ConfigOpts) -> Iterator[Finding]:
    """The clock of this host agrees with those of the database and of Keystone."""
    if database.is_used(conf):
        skew = _skew_of_database(database.connect(conf))
        yield _judged('the database', skew) if skew is not None else fine('SQLite uses the clock of this host.')
    if is_used(conf):
        with _session(conf) as connection:
            before = time.time()
            response = _ask(connection, _auth_url(conf))
            middle = (before + time.time()) / 2
        date = email.utils.parsedate_to_datetime(response.headers['Date']) if 'Date' in response.headers else None
        if date is not None:
            # The header has whole seconds: the middle of that second is the best guess.
            yield _judged('Keystone', date.timestamp() + 0.5 - middle)


def _skew_of_database(engine: sa.Engine) -> float | None:
    """How many seconds the clock of the server is ahead; None where it is that of this host."""
    statement = _NOW.get(engine.dialect.name)
    if statement is None:
        return None
    with engine.connect() as connection:
        before = time.time()
        there = connection.scalar(sa.text(statement))
        middle = (before + time.time()) / 2
    return there.replace(tzinfo=datetime.UTC).timestamp() - middle


def _judged(what: str, skew: float) -> Finding:
    if abs(skew) <= _SKEW_WARNING:
        return fine('It agrees with that of %s.' % what)
    text = ('The clock of %s is %.0f s %s that of this host. Let a time service (chrony, systemd-timesyncd) correct both; '
            'tokens and leases expire at the wrong time.' % (what, abs(skew), 'ahead of' if skew > 0 else 'behind'))
    return failure(text) if abs(skew) > _SKEW_FAILURE else warning(text)


def _auth_url(conf: cfg.ConfigOpts) -> str:
    libraries.register_group(conf, _GROUP)
    loading.load_auth_from_conf_options(conf, _GROUP)       # registers the options of the auth_type, if there is one
    url = conf[_GROUP].get('auth_url') if 'auth_url' in conf[_GROUP] else None
    if not url:
        raise ConfigurationError('[keystone_authtoken] auth_url is not set; set it to the internal address of Keystone, such '
                                 'as https://keystone.example.com:5000.')
    return url


def _session(conf: cfg.ConfigOpts) -> '_Closing':
    libraries.register_group(conf, _GROUP)
    group = conf[_GROUP]
    certificate = (group.certfile, group.keyfile) if group.certfile and group.keyfile else group.certfile
    return _Closing(verify=False if group.insecure else group.cafile or True, cert=certificate, timeout=_SECONDS)


class _Closing(session.Session):
    """A session as a context."""

    def __enter__(self) -> session.Session:
        return self

    def __exit__(self, *unused: object) -> None:
        self.session.close()


def _ask(connection: session.Session, url: str):
    try:
        return connection.get(url, authenticated=False, raise_exc=False)
    except errors.SSLError as error:
        raise ConfigurationError('The certificate of Keystone at %s is not trusted; name its authority in '
                                 '[keystone_authtoken] cafile. (%s)' % (url, error)) from error
    except errors.ClientException as error:
        raise ConfigurationError('Keystone cannot be reached at %s; correct auth_url in [keystone_authtoken], or start it. '
                                 '(%s)' % (url, ' '.join(str(error).split()))) from error
