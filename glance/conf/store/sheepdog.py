"""Options of stores of type ``sheepdog``."""
from oslo_config import cfg

OPTIONS = [
    cfg.HostAddressOpt('sheepdog_store_address', default='127.0.0.1', help='Address of a node of the cluster.'),
    cfg.PortOpt('sheepdog_store_port', default=7000, help='Port of this node.'),
    cfg.IntOpt('sheepdog_store_chunk_size', default=64, min=1,
               help='How many MiB are read or written by one call of the command line client.'),
]
