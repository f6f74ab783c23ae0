"""Fill a freshly bootstrapped Keystone with the projects, users, roles and endpoints that Glance's tests expect.

Run by keystone.sh inside Keystone's own virtual environment. Reads OS_AUTH_URL, OS_PASSWORD (of every user) and
GLANCE_ENDPOINT from the environment. May be run again: what exists is kept.
"""

import os

from keystoneauth1 import session
from keystoneauth1.identity import v3
from keystoneclient.v3 import client

DOMAIN = 'default'
REGION = 'RegionOne'
ASSIGNMENTS = (  # user, project, role; bootstrap made admin and the roles admin, member, reader and service
    ('demo', 'demo', 'member'),
    ('demo-reader', 'demo', 'reader'),
    ('alt', 'alt', 'member'),
    ('alt-reader', 'alt', 'reader'),
    ('glance', 'service', 'service'),
)


def existing_or_new(manager, name: str, **attributes):
    """The entity of that name, created with *attributes* when there is none."""
    return next(iter(manager.list(name=name)), None) or manager.create(name, **attributes)


def seed(keystone: client.Client, password: str, image_endpoint: str) -> None:
    """Create users with their roles, the image service with its endpoints, and what the limits library needs."""
    roles = {role.name: role for role in keystone.roles.list()}
    for user_name, project_name, role_name in ASSIGNMENTS:
        project = existing_or_new(keystone.projects, project_name, domain=DOMAIN)
        user = existing_or_new(keystone.users, user_name, domain=DOMAIN, password=password)
        keystone.roles.grant(roles[role_name], user=user, project=project)
        if user_name == 'glance':
            keystone.roles.grant(roles['reader'], user=user, system='all')  # reading limits is a system-wide right

    service = existing_or_new(keystone.services, 'glance', type='image')
    present = {endpoint.interface for endpoint in keystone.endpoints.list(service=service, region=REGION)}
    for interface in {'public', 'internal', 'admin'} - present:
        keystone.endpoints.create(service, image_endpoint, interface=interface, region=REGION)


def main() -> None:
    password = os.environ['OS_PASSWORD']
    auth = v3.Password(auth_url=os.environ['OS_AUTH_URL'], username='admin', password=password, project_name='admin',
                       user_domain_id=DOMAIN, project_domain_id=DOMAIN)
    seed(client.Client(session=session.Session(auth=auth)), password, os.environ['GLANCE_ENDPOINT'])


if __name__ == '__main__':
    main()
