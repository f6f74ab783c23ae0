"""What cinder.sh does through APIs, inside Cinder's own virtual environment; each step may be repeated.

    cinder_seed.py identity URL     the user cinder and the volume service in the catalogue of Keystone
    cinder_seed.py database URL     an empty database
    cinder_seed.py wait NUMBER      until so many services of Cinder report that they are up
    cinder_seed.py types NAME…      a volume type for each backend, and "shared" in the first one with multiattach

Reads OS_AUTH_URL and OS_PASSWORD (of the user admin) from the environment.
"""
import os
import sys
import time

import sqlalchemy
from cinderclient import client as cinder
from keystoneauth1 import session
from keystoneauth1.identity import v3
from keystoneclient.v3 import client as keystone

DOMAIN = 'default'
SECONDS = 180


def admin_session() -> session.Session:
    auth = v3.Password(auth_url=os.environ['OS_AUTH_URL'], username='admin', password=os.environ['OS_PASSWORD'],
                       project_name='admin', user_domain_id=DOMAIN, project_domain_id=DOMAIN)
    return session.Session(auth=auth)


def identity(url: str) -> None:
    """Make the user with the roles that Cinder and a store of Glance need, and the endpoints."""
    client = keystone.Client(session=admin_session())
    roles = {role.name: role for role in client.roles.list()}
    project = client.projects.list(name='service')[0]
    user = next(iter(client.users.list(name='cinder')), None) \
        or client.users.create('cinder', domain=DOMAIN, password=os.environ['OS_PASSWORD'])
    for role in ('member', 'service'):
        client.roles.grant(roles[role], user=user, project=project)
    service = next(iter(client.services.list(type='volumev3')), None) or client.services.create('cinderv3', type='volumev3')
    for endpoint in client.endpoints.list(service=service):
        client.endpoints.delete(endpoint)
    for interface in ('public', 'internal', 'admin'):
        client.endpoints.create(service, url + '/v3/%(project_id)s', interface=interface, region='RegionOne')


def database(url: str) -> None:
    """Make the database anew."""
    server, _, name = url.rpartition('/')
    with sqlalchemy.create_engine(server).connect() as connection:
        connection.execute(sqlalchemy.text('DROP DATABASE IF EXISTS %s' % name))
        connection.execute(sqlalchemy.text('CREATE DATABASE %s CHARACTER SET utf8mb3' % name))


def wait(number: str) -> None:
    """Return when so many services are up: what is created before waits in vain for the scheduler."""
    client = cinder.Client('3', session=admin_session())
    end = time.monotonic() + SECONDS
    while sum(service.state == 'up' for service in client.services.list()) < int(number):
        if time.monotonic() > end:
            sys.exit('Services of Cinder: %s' % [(each.binary, each.host, each.state) for each in client.services.list()])
        time.sleep(0.5)


def types(*names: str) -> None:
    """Make the volume types, named like their backends, and one whose volumes can be attached several times."""
    client = cinder.Client('3', session=admin_session())
    present = {each.name for each in client.volume_types.list()}
    wanted = {name: {'volume_backend_name': name} for name in names}
    wanted['shared'] = {'volume_backend_name': names[0], 'multiattach': '<is> True'}
    for name in set(wanted) - present:
        client.volume_types.create(name).set_keys(wanted[name])


if __name__ == '__main__':
    globals()[sys.argv[1]](*sys.argv[2:])
