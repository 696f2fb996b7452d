"""The results in the forms that other samples' programs read: GWAS-SSF, plink2's and LDSC's text, and phenotypes."""
