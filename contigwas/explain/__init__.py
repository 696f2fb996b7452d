"""Attributions of one sample's contrastive loss, against a fixed reference batch, to its inputs."""
