"""contigwas: from PLINK genotypes and medical images to GWAS loci, with contrastive image-genetics in between."""

__version__ = "0.1.0"
