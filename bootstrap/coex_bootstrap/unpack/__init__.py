"""From frames to files of a root. It may import `store`, `format` and `base`."""
