"""``[wsgi]``: threads and helpers of a worker process, also under a foreign WSGI container."""

from oslo_config import cfg

OPTIONS = {'wsgi': [
    cfg.IntOpt(
        'task_pool_threads', default=16, min=1,
        help='Threads of one worker process for imports and other tasks.'),
    cfg.StrOpt(
        'python_interpreter',
        help='Python interpreter for helper processes. Needed under uWSGI, where the running program is no Python. '
             'When unset, the running interpreter.'),
]}
