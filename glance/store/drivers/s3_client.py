"""How an S3 server is reached, and what its errors mean."""
import contextlib
import logging
import re
import urllib.parse
from collections.abc import Iterator
from typing import Any, NoReturn

import boto3
from botocore import exceptions as boto_errors
from botocore.config import Config

from glance import exceptions

LOG = logging.getLogger(__name__)

_AMAZON = re.compile(r's3[.-](?:dualstack\.)?(?P<region>[a-z0-9-]+)\.amazonaws\.com(?:\.cn)?')
_CONNECTIONS = 64

_ABSENT = ('NoSuchKey', 'NotFound', '404')
_DENIED = ('AccessDenied', 'AllAccessDisabled', 'AccountProblem', 'MethodNotAllowed', '403')
_FULL = ('QuotaExceeded', 'EntityTooLarge', 'InsufficientStorage', 'XMinioStorageFull', '413', '507')
_EXISTS = ('PreconditionFailed', 'ConditionalRequestConflict', '412')
_UNCONDITIONAL = ('NotImplemented', 'InvalidArgument', 'InvalidRequest', '501')
"""What servers answer that know no conditions on writing."""


def endpoint_of(host: str) -> str:
    """The URL of a server, of which the scheme may be left out."""
    return host if '://' in host else 'http://' + host


def region_of(options) -> str | None:
    """The region that is configured, or that the name of a host of Amazon holds."""
    host = urllib.parse.urlsplit(endpoint_of(options.s3_store_host)).hostname or ''
    found = _AMAZON.fullmatch(host)
    return options.s3_store_region_name or (found['region'] if found else None)


def connect(options, threads: int) -> Any:
    """Make a client that threads may share; nothing is sent yet. The environment and the files of the user do not count.

    :param options: the options of the store as attributes
    :param threads: how many parts are sent at a time
    """
    protected = options.s3_store_enable_data_integrity_protection
    style = 'virtual' if options.s3_store_bucket_url_format == 'subdomain' else options.s3_store_bucket_url_format
    config = Config(
        connect_timeout=options.store_connect_timeout, read_timeout=options.store_idle_timeout,
        retries={'mode': 'standard', 'total_max_attempts': 3}, max_pool_connections=max(threads, _CONNECTIONS),
        s3={'addressing_style': style}, signature_version='s3v4', proxies=_proxies(options),
        request_checksum_calculation=options.s3_store_request_checksum_calculation if protected else 'when_required',
        response_checksum_validation=options.s3_store_response_checksum_validation if protected else 'when_required')
    session = boto3.session.Session(
        aws_access_key_id=options.s3_store_access_key, aws_secret_access_key=options.s3_store_secret_key,
        region_name=region_of(options) or 'us-east-1')
    return session.client('s3', endpoint_url=endpoint_of(options.s3_store_host), verify=options.s3_store_cacert or True,
                          config=config)


def _proxies(options) -> dict[str, str]:
    if not options.s3_store_enable_proxy:
        return {}
    user = ''
    if options.s3_store_proxy_user:
        user = '%s:%s@' % tuple(urllib.parse.quote(text or '', safe='') for text in (
            options.s3_store_proxy_user, options.s3_store_proxy_password))
    url = 'http://%s%s:%d' % (user, options.s3_store_proxy_host, options.s3_store_proxy_port)
    return {'http': url, 'https': url}


def code_of(error: boto_errors.ClientError) -> str:
    """What kind of error the server answered; answers without a body only have their status."""
    return str(error.response.get('Error', {}).get('Code') or
               error.response.get('ResponseMetadata', {}).get('HTTPStatusCode'))


def bucket_is_missing(error: boto_errors.ClientError) -> bool:
    """Whether the request failed because the bucket does not exist."""
    return code_of(error) == 'NoSuchBucket'


def knows_no_conditions(error: boto_errors.ClientError) -> bool:
    """Whether the server refused a request for the condition in it."""
    return code_of(error) in _UNCONDITIONAL


@contextlib.contextmanager
def errors(title: str, denied: type[exceptions.StoreError] = exceptions.StoreForbidden) -> Iterator[None]:
    """Raise what the interface of stores promises instead of errors of the library.

    The log says what the server answered, clients only what kind of failure it is.

    :param title: the store, for the log
    :param denied: what to raise where the server refuses
    """
    try:
        yield
    except boto_errors.ClientError as error:
        _translate(title, error, denied)
    except (boto_errors.BotoCoreError, OSError) as error:
        LOG.error('%s cannot be reached: %s', title, type(error).__name__)
        raise exceptions.StoreUnavailable() from error


def _translate(title: str, error: boto_errors.ClientError, denied: type[exceptions.StoreError]) -> NoReturn:
    code = code_of(error)
    if code in _ABSENT:
        raise exceptions.ObjectNotFound() from None
    if code in _EXISTS:
        raise exceptions.ObjectExists() from None
    LOG.error('%s refused %s: %s', title, error.operation_name, code)
    if code in _FULL:
        raise exceptions.StoreFull() from error
    if code in _DENIED:
        raise denied() from error
    raise exceptions.StoreUnavailable() from error
