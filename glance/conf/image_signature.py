"""``[image_signature]``: whose signatures on images count."""

from oslo_config import cfg

OPTIONS = {'image_signature': [
    cfg.ListOpt(
        'trusted_certificates', default=[],
        help='Files with certificates in PEM format, one or more in each. Signed images are accepted only when their '
             'certificate, which the key manager holds, is one of these, or was issued by one of these that is an '
             'authority. An empty list accepts every certificate of the key manager that is valid and made for digital '
             'signatures.'),
]}
