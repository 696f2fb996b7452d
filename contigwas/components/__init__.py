"""What varies along the components that are tested: images of samples, which stay private."""
