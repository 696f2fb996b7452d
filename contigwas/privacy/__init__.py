"""Privacy: small-count suppression, hexagonal binning, and the withdrawal of participants."""
