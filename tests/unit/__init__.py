"""Fast tests, without daemons."""
from hypothesis import HealthCheck, settings

# How fast this machine is at the moment says nothing about what is tested.
settings.register_profile('glance', deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile('glance')
