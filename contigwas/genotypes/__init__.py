"""PLINK genotypes: reading, quality control, relatedness and genetic principal components."""
