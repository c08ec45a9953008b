"""The verbs that an archive answers by itself. It may import all other packages; no start imports it."""
