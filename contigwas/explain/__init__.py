"""What a network looks at: attributions of one sample's contrastive loss against a fixed reference batch."""
