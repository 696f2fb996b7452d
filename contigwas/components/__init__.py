"""What varies along the components that are tested: images of people, which stay private."""
