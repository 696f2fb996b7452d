"""The config: checked against its schema, defaults filled in, and read by the rules."""
