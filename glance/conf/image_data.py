"""``[DEFAULT]``: how image data is hashed, how much of it comes and goes at a time, and how locations are kept secret."""

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
    cfg.IntOpt(
        'max_concurrent_uploads', default=0, min=0,
        help='Uploads that one worker serves at the same time; more are answered with 503. 0 sets no limit.'),
    cfg.IntOpt(
        'max_concurrent_uploads_per_project', default=0, min=0,
        help='Uploads of one project that one worker serves at the same time; more are answered with 429. 0 sets no '
             'limit.'),
    cfg.IntOpt(
        'max_concurrent_downloads', default=0, min=0,
        help='Downloads that one worker serves at the same time; more are answered with 503. 0 sets no limit.'),
    cfg.IntOpt(
        'max_concurrent_downloads_per_project', default=0, min=0,
        help='Downloads of one project that one worker serves at the same time; more are answered with 429. 0 sets no '
             'limit.'),
    cfg.IntOpt(
        'min_upload_rate', default=0, min=0,
        help='Bytes per second that an upload has to bring, measured over two minutes of waiting for it; a slower one is '
             'answered with 408. 0 lets every client take its time as long as client_socket_timeout allows.'),
]}
