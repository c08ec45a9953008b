"""From a ready root to the entry point. It may import all packages but `tools`."""
