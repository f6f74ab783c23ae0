"""Options of stores of type ``gridfs``."""
from oslo_config import cfg

OPTIONS = [
    cfg.StrOpt('mongodb_store_uri', secret=True,
               help='Address of the MongoDB servers: mongodb://user:password@host:27017/database.'),
    cfg.StrOpt('mongodb_store_db', help='Database of the images, where the address names none or another.'),
]
