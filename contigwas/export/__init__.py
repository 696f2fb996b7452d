"""Export of results for other programs: GWAS-SSF, plink2 and LDSC text, burden masks, and phenotypes."""
