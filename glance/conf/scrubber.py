"""``[DEFAULT]``: delayed delete, and the command line of glance-scrubber."""

from oslo_config import cfg

OPTIONS = {None: [
    cfg.BoolOpt(
        'delayed_delete', default=False,
        help='Deleting an image only marks it pending_delete; glance-scrubber removes the data later. Until then an '
             'administrator can restore it.'),
    cfg.IntOpt(
        'scrub_time', default=0, min=0,
        help='Seconds an image stays pending_delete before the scrubber may remove its data.'),
    cfg.IntOpt(
        'scrub_pool_size', default=1, min=1,
        help='Images that the scrubber removes at the same time.'),
    cfg.IntOpt(
        'wakeup_time', default=300, min=0,
        help='Seconds between two runs of glance-scrubber --daemon; 0 counts as 1.'),
]}

CLI_OPTIONS = [
    cfg.BoolOpt(
        'daemon', short='D', default=False,
        help='Run again every wakeup_time seconds until stopped, instead of once.'),
    cfg.BoolOpt(
        'dry-run', default=False,
        help='Tell what a run would remove now, and remove nothing.'),
    cfg.StrOpt(
        'restore', metavar='IMAGE_ID',
        help='Bring the image with this ID back from pending_delete to active, and do nothing else.'),
]
