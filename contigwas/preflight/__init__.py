"""Preflight: what is wrong with the inputs and the plan, reported in seconds, before an hour is spent."""
