"""Clusters of samples in the space of their features, and how they agree with labels where there are any."""
