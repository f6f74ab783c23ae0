"""Which stores there are and in which order locations are read; the options of a store are in ``glance.conf.store``."""

from oslo_config import cfg

_TYPES = ('file', 'http', 'rbd', 'swift', 'sheepdog', 'cinder', 'vmware', 's3', 'gridfs')

OPTIONS = {
    None: [
        cfg.DictOpt(
            'enabled_backends',
            help='Stores as name:type pairs, e.g. fast:rbd,archive:s3; types are file, http, rbd, swift, '
                 'cinder, s3, vmware, sheepdog and gridfs. Each name has a section of its own, and [glance_store] '
                 'default_backend names the default. When unset, [glance_store] describes the stores.'),
        cfg.StrOpt(
            'location_strategy', default='location_order',
            help='Which of several locations of equal store weight is read first: location_order, which is the order in '
                 'which they were added; store_type, which is that of [store_type_location_strategy] '
                 'store_type_preference; or what an installed module of the entry points '
                 'glance.common.image_location_strategy.modules is called.'),
    ],
    'store_type_location_strategy': [
        cfg.ListOpt(
            'store_type_preference', default=[],
            help='Store types to read first, best first, with location_strategy = store_type: %s. Locations of other '
                 'types follow in their own order.' % ', '.join(_TYPES)),
    ],
}
