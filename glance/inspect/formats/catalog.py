"""The inspectors of all formats."""
from glance.inspect.base import Inspector
from glance.inspect.formats import banned, gpt, iso, luks, ploop, qcow2, raw, vdi, vhd, vhdx, vmdk

VIRTUAL_DISKS: tuple[type[Inspector], ...] = (
    qcow2.Qcow2, vmdk.Vmdk, vhd.Vhd, vhdx.Vhdx, vdi.Vdi, ploop.Ploop,
    banned.Qed, banned.Bochs, banned.Cloop, banned.Dmg, raw.RawText)
"""Formats that hypervisors interpret, so that they are looked for in whatever is uploaded."""

ALL: tuple[type[Inspector], ...] = (*VIRTUAL_DISKS, iso.Iso, gpt.Gpt, luks.Luks)

RECOGNISED = frozenset({'gpt', 'iso', 'luks', 'qcow2', 'raw', 'vdi', 'vhd', 'vhdx', 'vmdk'})
"""Formats whose images must be recognised as such. ``ploop`` is not among them because an image of it may also be an
archive of one."""
