"""Tables that users supply: sample IDs, text tables, samples x features, phenotypes and covariates."""
