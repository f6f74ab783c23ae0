"""What the operator allows."""
from dataclasses import dataclass
from typing import Literal

Policy = Literal['warn', 'reject']


@dataclass(frozen=True, slots=True)
class Rules:
    """How strictly data is judged; the fields are the options of ``[image_format]`` by the same or a similar name.

    :param require_match: refuse data whose format is not the declared one; otherwise log it and tell no virtual size
    :param vmdk_allowed_types: create-types of VMDK that are accepted, in any letter case
    :param gpt_nonfatal: checks of partition tables (``mbr``, ``gptmbr``) that only warn
    :param raw_mismatch_policy: what happens to virtual disks that are safe but declared as ``raw``
    :param container_check_policy: what happens to malformed containers
    :param qcow2_allow_extended_l2: accept qcow2 with subclusters
    :param allow_luks2: accept version 2 of LUKS
    :param allow_lha: accept LHA archives as compressed images; for installations that can read them
    :param max_virtual_size: largest virtual size that is accepted, in bytes; 0 for any
    """

    require_match: bool = True
    vmdk_allowed_types: tuple[str, ...] = ('streamOptimized', 'monolithicSparse')
    gpt_nonfatal: tuple[str, ...] = ()
    raw_mismatch_policy: Policy = 'warn'
    container_check_policy: Policy = 'warn'
    qcow2_allow_extended_l2: bool = False
    allow_luks2: bool = False
    allow_lha: bool = False
    max_virtual_size: int = 0
