"""Which checks there are, in their order."""
from glance.diagnosis import configuration, database, identity, security, stores, upstream
from glance.diagnosis.result import Check

_SAFE = 'No unsafe settings were found.'
_SECURITY = Check('Security', security.findings, _SAFE)
_UPSTREAM = (
    Check('Sheepdog driver removal', upstream.sheepdog, 'No store of this type is configured.'),
    Check('Policy file from JSON to YAML', upstream.json_policy, 'No policy file in JSON is in use.'),
    Check('Removal of owner_is_tenant', upstream.owner_is_tenant, 'Images belong to projects.'),
)
_FILES = (
    Check('Default store', stores.default_store),
    Check('Policy files', configuration.policies),
    Check('Property protections', configuration.property_protections),
    Check('Staging directory', stores.staging),
)
_ACCOUNT = Check('Service account', identity.service_account)
_REVISION = Check('Database', database.revision)
_TLS = Check('TLS certificate', security.certificate, 'No certificate of this service is about to expire.')

UPGRADE = (*_UPSTREAM, _REVISION, *_FILES, _ACCOUNT, _TLS, _SECURITY)
"""What to look at before the services of a new release are started."""

DOCTOR = (
    Check('Configuration', configuration.options),
    Check('Old names', configuration.old_names, 'No option has an old name.'),
    Check('Paste file', configuration.paste_file),
    Check('Image schema', configuration.image_schema, 'schema-image.json is valid.'),
    _REVISION, *_FILES,
    Check('Store access', stores.access),
    Check('Disk space', stores.space, 'No directory is on a disk of this host.'),
    Check('Keystone', identity.keystone),
    _ACCOUNT,
    Check('Clock', identity.clock, 'There is no other clock to compare with.'),
    _TLS,
    Check('Permissions of files', configuration.permissions, 'No file with secrets is open to others.'),
    _SECURITY, *_UPSTREAM,
)
"""What to look at when something does not work, or to see that everything does."""
