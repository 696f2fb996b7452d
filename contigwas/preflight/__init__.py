"""Preflight: checks the inputs, the plan and the machine within seconds, before a run starts."""
