"""``[image_format]``: which formats images may have and how strictly their data is checked."""

from oslo_config import cfg, types


def _moved_from_default(name: str) -> list[cfg.DeprecatedOpt]:
    return [cfg.DeprecatedOpt(name, group='DEFAULT')]


_POLICIES = [('warn', 'store it and log a warning'), ('reject', 'refuse it')]

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
        help='Kinds of VMDK (create-type) that are accepted. Types that refer to other files could read files of this '
             'host; an empty list allows none.'),
    cfg.BoolOpt(
        'require_image_format_match', default=True,
        help='Refuse data whose content is not in the disk format that the image declares.'),
    cfg.ListOpt(
        'gpt_safety_checks_nonfatal', item_type=types.String(choices=('mbr', 'gptmbr')), default=[],
        help='Checks of partition tables (mbr, gptmbr) that only give a warning instead of refusing the data. For aki '
             'and ari images, mbr only warns anyway.'),
    cfg.StrOpt(
        'raw_mismatch_policy', default='warn', choices=_POLICIES,
        help='What happens to data that is declared as raw and is a virtual disk of another format, which is safe by '
             'itself. A consumer that probes the format would take it for something else than what was declared.'),
    cfg.StrOpt(
        'container_check_policy', default='warn', choices=_POLICIES,
        help='What happens to images in a container (ova, ovf, compressed, docker) that is malformed. Virtual disks that '
             'are unsafe are refused in every container.'),
    cfg.BoolOpt(
        'qcow2_allow_extended_l2', default=False,
        help='Accept qcow2 images with subclusters (extended L2 entries), which old hypervisors cannot read.'),
    cfg.BoolOpt('allow_luks2', default=False, help='Accept data that is encrypted with version 2 of LUKS.'),
    cfg.BoolOpt(
        'allow_lha', default=False,
        help='Accept LHA archives as images of the container format compressed, for installations that can unpack them.'),
    cfg.IntOpt(
        'max_virtual_size', default=0, min=0,
        help='Largest virtual disk in bytes that is accepted; 0 accepts any. A small file may declare a disk that fills a '
             'host when it is converted.'),
]}
