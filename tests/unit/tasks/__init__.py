"""Leases and recovery."""
