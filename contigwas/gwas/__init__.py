"""Linear regression of every feature on every variant: exact, all features in one pass, with tests over features."""
