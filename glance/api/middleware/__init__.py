"""Filters of the paste pipelines: plain WSGI callables around an application."""
