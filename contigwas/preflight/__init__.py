"""Preflight: what is wrong with the inputs and the plan, told in seconds, before an hour is spent."""
