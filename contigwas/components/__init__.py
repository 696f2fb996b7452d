"""Images along the tested components; they show participants and stay private."""
