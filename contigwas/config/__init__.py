"""Check the config, fill in its defaults, and derive the values that rules need."""
