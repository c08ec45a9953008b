"""Files and options of the user, read into plain values: environment files, lock files, options of a project.

It imports no other package of the project but `errors`, and does not import conda.
"""
