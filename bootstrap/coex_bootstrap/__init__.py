"""The bootstrap: the code that every archive carries byte for byte. Standard library only, for Python 2.7 and 3.x."""
