"""Delayed delete and the audit of stores."""
