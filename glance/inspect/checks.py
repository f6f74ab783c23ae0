"""The checks by their ids, and the refusals that name them. No text found in an image ever gets into a refusal."""
from types import MappingProxyType

from glance import exceptions

EXPLANATIONS = MappingProxyType({
    'backing_file': 'the disk depends on another file; merge both into one file first',
    'banned': 'data of this kind is never accepted',
    'data_file': 'the data of the disk is in another file; merge both into one file first',
    'descriptor': 'the description of the disk is malformed or names what is not allowed',
    'footer': 'the footer is malformed or contradicts the header',
    'gptmbr': 'the protective partition table is malformed',
    'header': 'the header is malformed',
    'mbr': 'the partition table is malformed',
    'mismatch': 'the data is not in the declared format; declare the format that it has',
    'multiple_formats': 'the data can be read as more than one format',
    'truncated': 'the data ends too early; upload the whole file',
    'unknown_features': 'the data uses features that are not known to be safe',
    'version': 'this version of the format is not accepted',
    'virtual_size': 'the disk is larger than this service accepts',
})


def refusal(name: str, check: str) -> exceptions.InvalidImageData:
    """The error for data that fails a check.

    :param name: format or formats of the data, as the API or this package knows them
    :param check: a key of EXPLANATIONS
    """
    return exceptions.InvalidImageData(
        'Image failed safety checks: %s: %s (%s).' % (name, check, EXPLANATIONS[check]))
