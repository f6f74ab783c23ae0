"""The one error that programs tell apart from other configuration errors: its exit code differs."""

from glance.exceptions import ConfigurationError


class InvalidOptionValue(ConfigurationError):
    """One option has a value of the wrong type or outside its limits."""
