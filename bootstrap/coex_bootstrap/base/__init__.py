"""Basics for all other packages: differences between Pythons, errors, shells, processes. It imports none of them."""
