"""``[task]`` and ``[taskflow_executor]``: background work such as imports."""

from oslo_config import cfg

from glance.conf.imports import DISK_FORMATS

OPTIONS = {
    'task': [
        cfg.IntOpt(
            'task_time_to_live', default=48,
            deprecated_opts=[cfg.DeprecatedOpt('task_time_to_live', group='DEFAULT')],
            help='Hours for which a finished task can still be read.'),
        cfg.StrOpt(
            'task_executor', default='taskflow',
            choices=(('taskflow', 'the built-in engine, under the name that existing files use'),
                     ('eventlet', 'an old name of the same; gives a warning')),
            help='Engine that runs tasks.'),
        cfg.StrOpt(
            'work_dir',
            help='Directory for files that a task needs while it runs, when enabled_backends is unset. It has to hold '
                 'the largest image that is converted.'),
    ],
    'taskflow_executor': [
        cfg.StrOpt(
            'engine_mode', default='parallel',
            choices=(('serial', 'one after the other'), ('parallel', 'at the same time where they allow it')),
            help='How the steps of one task are run.'),
        cfg.IntOpt(
            'max_workers', default=10, min=1,
            deprecated_opts=[cfg.DeprecatedOpt('eventlet_executor_pool_size', group='task')],
            help='Tasks that one worker process runs at the same time.'),
        cfg.StrOpt(
            'conversion_format', choices=DISK_FORMATS,
            help='Disk format into which tasks of type import convert. When unset, they do not convert.'),
    ],
}
