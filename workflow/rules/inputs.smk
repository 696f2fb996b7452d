# Input functions that several rule files share. Each takes the wildcards and returns paths.


def array_genotypes(wildcards) -> dict[str, list[str]]:
    """The array genotypes: of the chromosome in the wildcards, else of all autosomes."""
    chrom = dict(wildcards.items()).get("chrom")
    return genotype_files(config["genotypes"]["array"], [chrom] if chrom else AUTOSOMES)


def gwas_genotypes(wildcards) -> dict[str, list[str]]:
    """The genotypes that the GWAS tests: gwas.genotypes, else those of the array."""
    chrom = dict(wildcards.items()).get("chrom")
    pattern = config["gwas"]["genotypes"] or config["genotypes"]["array"]
    return genotype_files(pattern, [chrom] if chrom else CHROMOSOMES)


def pruned_variants(wildcards) -> list[str]:
    """The tables of LD pruning, if the SNP matrix consists of the pruned variants."""
    if not block("snps")["pruned"]:
        return []
    return expand(rules.genotypes_prune.output.pruned, chrom=AUTOSOMES)


def recombination_maps(wildcards) -> list[str]:
    """The recombination maps of all chromosomes, each file once."""
    maps = optional(config["plots"]["recombination"])
    return [*dict.fromkeys(one.replace("{chrom}", chrom) for one in maps for chrom in CHROMOSOMES)]


def exome(wildcards) -> dict[str, list[str]]:
    """The exome calls of all autosomes, the annotations, and the other files that the block burden names."""
    files = genotype_files(block("burden")["genotypes"], AUTOSOMES)
    named = {key: config["burden"][key] for key in ("annotations", "sets", "aaf", "masks")}
    return files | {key: path for key, path in named.items() if isinstance(path, str)}


def candidate_files(wildcards) -> dict[str, list[str]]:
    """The files that decide which samples may be in the cohort.

    The table of covariates is not one of them: a new covariate must not train networks again.
    """
    files = {"genotypes": array_genotypes(wildcards)["genotyped_samples"]}
    if "images" in config:
        files["images"] = config["images"]["table"]
    if "burden" in config:
        calls = genotype_files(config["burden"]["genotypes"], AUTOSOMES)
        files["exome"] = calls["genotyped_samples"]
    lists = {key: config["samples"][key] for key in ("keep", "withdrawn")}
    return files | {key: path for key, path in lists.items() if path}


def ancestry(wildcards) -> dict[str, str]:
    """The files that decide which samples are of the ancestry that is analysed."""
    chosen = config["genotypes"]["ancestry"]
    if chosen is None:
        return {}
    if "table" in chosen:
        return {"table": chosen["table"]}
    files = {"pcs": "results/genotypes/pcs.parquet"}
    return files | ({"reference": chosen["reference"]} if chosen["reference"] else {})


def score_genotypes(wildcards) -> dict[str, list[str]]:
    """The genotypes that polygenic scores are computed from: pgs.genotypes, else those of the array."""
    pattern = block("pgs")["genotypes"] or config["genotypes"]["array"]
    return genotype_files(pattern, AUTOSOMES)


def scoring_files(wildcards) -> list[str]:
    """The scoring files: those that pgs.scores matches (or that the demo simulates), and the downloaded ones."""
    pattern, build = block("pgs")["scores"], config["genotypes"]["build"]
    downloaded = [f"resources/pgs/{one}_hmPOS_{build}.txt.gz" for one in config["pgs"]["download"]]
    if pattern is None:
        return downloaded
    if config_settings.made(config, pattern):
        simulated = rules.simulate_cohort.output.scores
        matched = exit_on_user_error(config_settings.matching, simulated, pattern, "pgs.scores")
        return [*matched, *downloaded]
    found = exit_on_user_error(config_settings.found, pattern, "pgs.scores")
    return [*(one for one in found if os.path.relpath(one) not in downloaded), *downloaded]


def modality_files(wildcards) -> list[str]:
    """The modalities that the model contrasts images with, in the order of its recipe."""
    names = config["models"][wildcards.model].get("modalities", [])
    return [f"results/modalities/{name}.h5ad" for name in names]


def covariate_files(wildcards) -> dict[str, str]:
    """The files that hold the columns of covariates.columns; the PCs only if it names one."""
    table, columns = config["samples"]["covariates"], block("covariates")["columns"]
    files = {"covariates": table} if table else {}
    pcs = any(name.startswith("PC") for name in columns)
    return files | ({"pcs": "results/genotypes/pcs.parquet"} if pcs else {})


def expression_files(wildcards) -> dict[str, str]:
    """The table of gene expression, and the list that gives the order of genes."""
    named = {key: block("expression")[key] for key in ("table", "genes")}
    return {key: path for key, path in named.items() if path}


def adjustment_pcs(wildcards) -> list[str]:
    """The genetic PCs, if the model adjusts its modalities for them."""
    return (
        ["results/genotypes/pcs.parquet"]
        if config["models"][wildcards.model].get("adjust_pcs")
        else []
    )


def design_files(wildcards) -> dict[str, str]:
    """The files that hold the covariates of the GWAS: their table, the PCs, and the images if they are named."""
    files = {"pcs": "results/genotypes/pcs.parquet"}
    if config["gwas"]["image_covariates"]:
        files["images"] = rules.images.output.table
    covariates = config["samples"]["covariates"]
    return files | ({"covariates": covariates} if covariates else {})


def frozen_file(model: str, name: str) -> str:
    """A file of the frozen model of another run, which the config applies here."""
    return os.path.join(config["models"][model]["apply"], name)


def frozen_components(wildcards) -> list[str]:
    """The principal components of the frozen model, if the model is an applied one."""
    return [frozen_file(wildcards.model, "pca.h5ad")] if wildcards.model in APPLIED else []


def reference_embeddings(wildcards) -> list[str]:
    """The embeddings of fold 0, on whose training samples the components are fitted; none for other models."""
    if wildcards.model not in TRAINED:
        return []
    return expand(rules.embed_fold.output.embeddings, model=wildcards.model, fold=0)


def checked_variants(wildcards) -> list[str]:
    """The quality control of the array's variants; gwas.genotypes are filtered among the tested samples instead."""
    if config["gwas"]["genotypes"]:
        return []
    return expand(rules.genotypes_variants.output.variants, chrom=wildcards.chrom)


def loco_predictions(wildcards) -> list[str]:
    """REGENIE's list of leave-one-chromosome-out predictions and its files, or none."""
    path = config["gwas"]["offsets"]
    return config_settings.loco_files(path.replace("{model}", wildcards.model)) if path else []


def withdrawn_list(wildcards) -> str:
    """The list of samples.withdrawn. If the config has none, Snakemake ends with one sentence."""
    return exit_on_user_error(config_settings.withdrawn, config)


# 100,000 images would be too many inputs for Snakemake. It evaluates the param only if the job is part of the DAG.
@cache
def files_listed_in(table: str, *columns: str, pattern: str = "{id}") -> str | None:
    """A digest of the size and modification time of every file that a table lists, as a param.

    None for a table that the workflow writes: the rule that writes it also writes the files.
    """
    if config_settings.made(config, table):
        return None
    return listed_files.table_digest(table, columns, pattern)
