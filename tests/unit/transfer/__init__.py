"""The byte pipeline and its parts."""
