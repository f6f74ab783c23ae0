"""Tests: unit (fast, no daemons), conformance suites, functional (real daemons over HTTP), integration (real services)."""
