"""What the features are good for: tasks from tables of labels, fine-tuned and scored by sample."""
