"""The file: manifest, index, relocations, tail. It may import `base`."""
