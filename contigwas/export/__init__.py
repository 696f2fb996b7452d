"""The results in the forms that other people's programs read: GWAS-SSF, plink2's and LDSC's text, and phenotypes."""
