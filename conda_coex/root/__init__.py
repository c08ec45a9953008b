"""The content of a root: packages by conda's link rules, the app, activation.

It may import `inputs`, and does not import conda.
"""
