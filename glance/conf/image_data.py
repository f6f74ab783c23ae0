"""``[DEFAULT]``: how image data is hashed and how locations are kept secret in the database."""

from oslo_config import cfg

from glance.conf.types import AESKey, HashName

OPTIONS = {None: [
    cfg.Opt(
        'hashing_algorithm', type=HashName(), default='sha512',
        help='Algorithm of os_hash_value for new images, any name of fixed digest length that hashlib knows.'),
    cfg.Opt(
        'metadata_encryption_key', type=AESKey(), secret=True,
        help='Key of 16, 24 or 32 bytes that encrypts location URLs in the database (AES in CBC mode). Every program '
             'that reads the database needs the same key; without it the locations are lost.'),
    cfg.BoolOpt(
        'do_secure_hash', default=True,
        help='Compute checksum and hash in the background when a location is added to an image by its own API call.'),
    cfg.BoolOpt(
        'verify_added_locations', default=True,
        help='Read all data at a location that is added to an image which has data already, and compare it with the hash '
             'of the image. When this is off, who may add locations can exchange the data of images in use.'),
    cfg.IntOpt(
        'http_retries', default=3, min=0,
        help='How often reading the data for such a background hash is tried again.'),
]}
