"""Where the megabytes of an archive are, and how two archives differ.

It may import all packages but `verbs` and `cli`.
"""
