"""Who is in the study: the people that inputs name, their families, and their folds."""
