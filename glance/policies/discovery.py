"""Rules of what the service tells about itself."""
from oslo_policy import policy

from glance.policies import base


def list_rules() -> list[policy.RuleDefault]:
    """Return the rules of discovery."""
    return [
        base.project_rule('stores_info_detail', '%s or rule:service_api' % base.ADMIN,
                          'Show types, weights and properties of the stores.', [('GET', '/v2/info/stores/detail')],
                          base.ADMIN),
    ]
