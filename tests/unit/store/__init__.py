"""Stores without daemons: locations, configuration, the file driver."""
