"""One file, one flow: the only code that knows an order. A verb returns its outcome and prints nothing.

It may import all packages but `cli`.
"""
