"""User-supplied modalities: tables of samples x features."""
