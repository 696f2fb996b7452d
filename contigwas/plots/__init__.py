"""Figures of the results. Each module is imported by itself, so that editing one redraws only its figures."""
