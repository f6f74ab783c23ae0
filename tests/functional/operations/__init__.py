"""What operators do to a service that is in use, and the files of ``etc`` that they do it with."""
