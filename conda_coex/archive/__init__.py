"""The bytes of an archive: frames and their cache, payload, manifest, the writer and the reading back.

It may import `root` and `inputs`, and does not import conda.
"""
