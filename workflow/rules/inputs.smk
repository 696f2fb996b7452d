# What the jobs read: input functions. Each takes the wildcards and returns paths.

import glob


def given(path: str, key: str) -> str:
    """A file that the config names; where it is absent, one sentence says under which key."""
    if not own(path) and not os.path.exists(path):
        raise WorkflowError(
            f"config: {key} names {path}, which does not exist: correct it or put the file there"
        )
    return path


def plink(pattern: str, key: str, chroms: list[str] = CHROMOSOMES) -> dict[str, list[str]]:
    """The .bed, .bim and .fam files of some chromosomes, each file once."""
    beds = [*dict.fromkeys(pattern.replace("{chrom}", chrom) for chrom in chroms)]
    return {
        suffix: [given(bed.removesuffix("bed") + suffix, key) for bed in beds]
        for suffix in ("bed", "bim", "fam")
    }


def array(wildcards) -> dict[str, list[str]]:
    """The array genotypes: of the chromosome at hand, else of all."""
    chrom = dict(wildcards.items()).get("chrom")
    return plink(config["genotypes"]["array"], "genotypes.array", [chrom] if chrom else CHROMOSOMES)


def tested(wildcards) -> dict[str, list[str]]:
    """The genotypes that the GWAS tests: gwas.genotypes, else the array's."""
    if config["gwas"]["genotypes"] is None:
        return array(wildcards)
    chrom = dict(wildcards.items()).get("chrom")
    return plink(config["gwas"]["genotypes"], "gwas.genotypes", [chrom] if chrom else CHROMOSOMES)


def sources_of_people(wildcards) -> dict[str, list[str]]:
    """Every configured file whose header or rows name people."""
    files = {"genotypes": array(wildcards)["fam"]}
    if "images" in config:
        files["images"] = [given(config["images"]["table"], "images.table")]
    if "burden" in config:
        files["exome"] = plink(config["burden"]["genotypes"], "burden.genotypes")["fam"]
    for key in ("covariates", "keep", "withdrawn"):
        if config["samples"][key] is not None:
            files[key] = [given(config["samples"][key], f"samples.{key}")]
    return files


def scores(wildcards) -> list[str]:
    """The scoring files: those that the demo simulates, or those that the glob of the config finds."""
    pattern = block("pgs")["scores"]
    if own(pattern):
        return [path for path in rules.simulate_cohort.output.scores]
    found = sorted(glob.glob(pattern))
    if not found:
        raise WorkflowError(f"config: pgs.scores is {pattern}, which no file matches: correct it")
    return found


def exome(wildcards) -> dict[str, list[str]]:
    """The exome calls of all chromosomes."""
    return plink(block("burden")["genotypes"], "burden.genotypes")


def gene_file(key: str):
    """An input function: one of the REGENIE files that the burden block names."""
    return lambda wildcards: given(block("burden")[key], f"burden.{key}")


def modalities(wildcards) -> list[str]:
    """The modalities that the model contrasts images with, in the order of its recipe."""
    names = config["models"][wildcards.model].get("modalities", [])
    return [f"results/modalities/{name}.h5ad" for name in names]


def design(wildcards) -> dict[str, str]:
    """The files that hold what gwas.covariates may name: the covariates' table and the genetic PCs."""
    files = {"pcs": rules.genotypes_pcs.output.pcs}
    if config["samples"]["covariates"] is not None:
        files["covariates"] = given(config["samples"]["covariates"], "samples.covariates")
    return files


def reference(wildcards) -> list[str]:
    """The features of fold 0, on whose training people the components are fitted; none where features are brought."""
    if wildcards.model in EMBEDDED:
        return []
    return expand(rules.embed_fold.output.embeddings, model=wildcards.model, fold=0)


def qc_table(wildcards) -> list[str]:
    """The array's quality control; other genotypes (gwas.genotypes) are filtered among the tested people alone."""
    if config["gwas"]["genotypes"] is not None:
        return []
    return expand(rules.genotypes_variants.output.variants, chrom=wildcards.chrom)
