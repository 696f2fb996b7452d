"""What a network looks at: attributions of one person's contrastive loss against a fixed reference batch."""
