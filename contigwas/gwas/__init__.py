"""GWAS: exact linear regression of every feature on every variant in one pass, with tests over features."""
