"""The parts of a container image: layers, base images, documents of the OCI, and the layout on the disk.

It may import `archive`, `root`, `errors` and the bootstrap; `verbs` imports it.
"""
