"""What every other package may use: differences between Pythons, errors, shells, processes. It imports none of them."""
