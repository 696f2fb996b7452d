"""User-supplied modalities: any table of samples x features."""
