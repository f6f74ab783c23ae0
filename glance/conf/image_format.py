"""``[image_format]``: which formats images may have and how strictly their data is checked."""

from oslo_config import cfg, types


def _moved_from_default(name: str) -> list[cfg.DeprecatedOpt]:
    return [cfg.DeprecatedOpt(name, group='DEFAULT')]


OPTIONS = {'image_format': [
    cfg.ListOpt(
        'container_formats', deprecated_opts=_moved_from_default('container_formats'),
        default=['ami', 'ari', 'aki', 'bare', 'ovf', 'ova', 'docker', 'compressed'],
        help='Container formats that images may have.'),
    cfg.ListOpt(
        'disk_formats', deprecated_opts=_moved_from_default('disk_formats'),
        default=['ami', 'ari', 'aki', 'vhd', 'vhdx', 'vmdk', 'raw', 'qcow2', 'vdi', 'iso', 'ploop'],
        help='Disk formats that images may have.'),
    cfg.ListOpt(
        'vmdk_allowed_types', default=['streamOptimized', 'monolithicSparse'],
        help='Kinds of VMDK (create-type) that are converted. Types that refer to other files could read files of this '
             'host; an empty list allows none.'),
    cfg.BoolOpt(
        'require_image_format_match', default=True,
        help='Refuse data whose content is not in the disk format that the image declares.'),
    cfg.ListOpt(
        'gpt_safety_checks_nonfatal', item_type=types.String(choices=('mbr', 'gptmbr')), default=[],
        help='Checks of partition tables (mbr, gptmbr) that only give a warning instead of refusing the data. For aki '
             'and ari images, mbr only warns anyway.'),
]}
