"""What a process needs to serve requests: made once, handed down, never looked up."""
import dataclasses
import json
import logging
from typing import Any

from oslo_config import cfg

from glance import exceptions
from glance.cache import building as cache_building
from glance.cache.core import Cache
from glance.cache.prefetcher import Keeper
from glance.conf.types import parse_size
from glance.db.interface import Database
from glance.domain.properties import BASE_ATTRIBUTES, READ_ONLY, Validator
from glance.inspect.rules import Rules
from glance.keys.manager import KeyManager
from glance.keys.signatures import Signatures
from glance.metrics.recorder import Metrics
from glance.notify.notifier import Notifier
from glance.policies import protection
from glance.policies.enforcer import Enforcer
from glance.quota import unified
from glance.quota.base import Quotas
from glance.quota.queued import QueuedImages
from glance.quota.rate import Rate
from glance.quota.storage import StorageQuota
from glance.store.backends import Backends
from glance.tasks.background import Background
from glance.tasks.leases import LeaseKeeper
from glance.tasks.recovery import Janitor
from glance.transfer.turns import Turns

LOG = logging.getLogger(__name__)

# The classic names of the implementations, which operators write in data_api; the third is glance.db.simple.api.
_SQL = 'glance.db.sqlalchemy.api'
REGISTRY = 'glance.db.registry.api'


@dataclasses.dataclass(frozen=True, slots=True)
class Environment:
    """The parts of one process.

    ``schema`` is the operator's extra schema: its properties and required names. Without ``protections`` every property
    is open to whoever may read and change the image.
    """

    conf: cfg.ConfigOpts
    database: Database
    stores: Backends
    enforcer: Enforcer
    validator: Validator
    schema: 'ExtraSchema'
    leases: LeaseKeeper
    inspection: Rules
    notifier: Notifier
    keys: KeyManager
    signatures: Signatures
    protections: protection.Protections | None = None
    quotas: Quotas | None = None
    create_rate: Rate | None = None
    background: Background = dataclasses.field(default_factory=Background)
    metrics: Metrics = dataclasses.field(default_factory=Metrics)
    cache: Cache | None = None
    keeper: Keeper | None = None
    janitor: Janitor | None = None
    uploads: Turns = dataclasses.field(default_factory=Turns)
    downloads: Turns = dataclasses.field(default_factory=Turns)

    def begin(self) -> None:
        """Start the work that goes on beside requests."""
        if self.janitor:
            self.janitor.start()
        if self.keeper:
            self.keeper.start()

    def close(self) -> None:
        """Release connections and threads."""
        if self.janitor:
            self.janitor.close()
        if self.keeper:
            self.keeper.close()
        self.background.close()
        if self.cache is not None:
            self.cache.close()
        self.notifier.close()
        self.leases.close()
        self.stores.close()
        self.database.close()
        self.metrics.close()


@dataclasses.dataclass(frozen=True, slots=True)
class ExtraSchema:
    """The file ``schema-image.json``: JSON schemas of additional properties, and which of them an image must have."""

    properties: dict[str, dict[str, Any]]
    required: tuple[str, ...] = ()


class _SchemaCheck:
    """Checks values of one additional property against its JSON schema."""

    def __init__(self, schema: dict[str, Any]):
        import jsonschema
        jsonschema.Draft4Validator.check_schema(schema)
        self._validator = jsonschema.Draft4Validator(schema)

    def error(self, value: Any) -> str | None:
        """Return what is wrong with the value, or None."""
        found = next(self._validator.iter_errors(value), None)
        return found.message if found else None


def build(conf: cfg.ConfigOpts, metrics: Metrics | None = None) -> Environment:
    """Make the environment of this process from its configuration; only servers have metrics. Raises ConfigurationError."""
    enforcer = Enforcer(conf)
    protections = protection.load(conf, enforcer)
    notifier, keys = Notifier(conf), KeyManager(conf)
    signatures = Signatures(keys, conf.image_signature.trusted_certificates)
    database, stores = open_database(conf), Backends(conf, watch=metrics)
    schema = load_extra_schema(conf)
    return Environment(
        conf=conf, database=database, stores=stores, enforcer=enforcer, protections=protections,
        schema=schema,
        validator=Validator(conf.image_format.disk_formats, conf.image_format.container_formats,
                            {name: _SchemaCheck(definition) for name, definition in schema.properties.items()},
                            others=conf.allow_additional_image_properties),
        leases=LeaseKeeper(database), notifier=notifier, inspection=inspection_rules(conf), quotas=make_quotas(conf),
        keys=keys, signatures=signatures, create_rate=Rate(conf.api_create_rate) if conf.api_create_rate else None,
        metrics=metrics or Metrics(), janitor=Janitor(database, stores), cache=cache_building.build(conf, lambda: database),
        uploads=Turns(conf.max_concurrent_uploads, conf.max_concurrent_uploads_per_project),
        downloads=Turns(conf.max_concurrent_downloads, conf.max_concurrent_downloads_per_project))


def make_quotas(conf: cfg.ConfigOpts) -> Quotas | None:
    """Return how much each owner may have; None where nothing is limited. Raises ConfigurationError."""
    quotas: Quotas | None = None
    if conf.use_keystone_limits:
        unified.check_library()
        quotas = unified.UnifiedLimits(unified.connect)
    elif size := parse_size(conf.user_storage_quota):
        quotas = StorageQuota(size)
    most = conf.max_queued_images_per_project
    return QueuedImages(most, quotas) if most else quotas


def inspection_rules(conf: cfg.ConfigOpts) -> Rules:
    """Return how strictly the data of images is judged."""
    formats = conf.image_format
    return Rules(
        require_match=formats.require_image_format_match, vmdk_allowed_types=tuple(formats.vmdk_allowed_types),
        gpt_nonfatal=tuple(formats.gpt_safety_checks_nonfatal), raw_mismatch_policy=formats.raw_mismatch_policy,
        container_check_policy=formats.container_check_policy, qcow2_allow_extended_l2=formats.qcow2_allow_extended_l2,
        allow_luks2=formats.allow_luks2, allow_lha=formats.allow_lha, max_virtual_size=formats.max_virtual_size)


def open_database(conf: cfg.ConfigOpts) -> Database:
    """Return the DAL that ``data_api`` names; it connects at its first use. Raises ConfigurationError."""
    if conf.data_api == _SQL:
        from glance.db.sqlalchemy.database import SQLDatabase
        return SQLDatabase(conf)
    if conf.data_api == REGISTRY:
        from glance.db.remote.database import RemoteDatabase
        return RemoteDatabase.from_conf(conf)
    from glance.db.memory import MemoryDatabase
    return MemoryDatabase()


def load_extra_schema(conf: cfg.ConfigOpts) -> ExtraSchema:
    """Read ``schema-image.json`` from the configuration directories, in its flat or its extended form.

    Raises ConfigurationError naming the file and the fault. A missing file means no extra properties.
    """
    path = conf.find_file('schema-image.json')
    if path is None:
        LOG.warning('schema-image.json was not found in the configuration directories; images have no predefined '
                    'additional properties.')
        return ExtraSchema({})
    try:
        with open(path, encoding='utf-8') as file:
            content = json.load(file)
        extended = isinstance(content, dict) and isinstance(content.get('properties'), dict) \
            and 'type' not in content['properties']
        properties = content['properties'] if extended else content
        required = content.get('required', []) if extended else []
        if not isinstance(required, list) or not all(isinstance(name, str) for name in required):
            raise ValueError('"required" must be a list of names')
        for name, definition in properties.items():
            if not isinstance(definition, dict):
                raise ValueError('the definition of %r must be an object' % name)
            if name in BASE_ATTRIBUTES or name in READ_ONLY or name == 'locations':
                raise ValueError('%r is an attribute that every image has; leave it out' % name)
            _SchemaCheck(definition)
    except Exception as error:
        raise exceptions.ConfigurationError('The image schema file %s is not valid: %s.'
                                            % (path, str(error).splitlines()[0])) from error
    return ExtraSchema({name: {**definition, 'is_base': False} for name, definition in properties.items()}, tuple(required))
