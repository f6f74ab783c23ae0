"""The inspection of formats while data streams by."""
