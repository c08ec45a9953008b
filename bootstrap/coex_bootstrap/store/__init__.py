"""The directories in which roots live: trust, claims, removal. It may import `format` and `base`."""
