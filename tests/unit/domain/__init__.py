"""The domain: plain data and its rules."""
