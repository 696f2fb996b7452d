# What the jobs read: input functions. Each takes the wildcards and returns paths.


def array(wildcards) -> dict[str, list[str]]:
    """The array genotypes: of the chromosome at hand, else of all autosomes."""
    chrom = dict(wildcards.items()).get("chrom")
    return genotype_files(config["genotypes"]["array"], [chrom] if chrom else AUTOSOMES)


def tested(wildcards) -> dict[str, list[str]]:
    """The genotypes that the GWAS tests: gwas.genotypes, else the array's."""
    chrom = dict(wildcards.items()).get("chrom")
    pattern = config["gwas"]["genotypes"] or config["genotypes"]["array"]
    return genotype_files(pattern, [chrom] if chrom else CHROMOSOMES)


def pruned(wildcards) -> list[str]:
    """What LD pruning left, where the SNP matrix is made of it."""
    if not block("snps")["pruned"]:
        return []
    return expand(rules.genotypes_prune.output.pruned, chrom=AUTOSOMES)


def recombination(wildcards) -> list[str]:
    """The recombination maps of all chromosomes, each file once."""
    maps = optional(config["plots"]["recombination"])
    return [*dict.fromkeys(one.replace("{chrom}", chrom) for one in maps for chrom in CHROMOSOMES)]


def exome(wildcards) -> dict[str, list[str]]:
    """The exome calls of all autosomes, the annotations, and the other files that the config names."""
    files = genotype_files(block("burden")["genotypes"], AUTOSOMES)
    named = {key: config["burden"][key] for key in ("annotations", "sets", "aaf", "masks")}
    return files | {key: path for key, path in named.items() if isinstance(path, str)}


def sources_of_people(wildcards) -> dict[str, list[str]]:
    """The files that say who may take part. Covariates do not: a new column must not retrain networks."""
    files = {"genotypes": array(wildcards)["genotyped_people"]}
    if "images" in config:
        files["images"] = config["images"]["table"]
    if "burden" in config:
        calls = genotype_files(config["burden"]["genotypes"], AUTOSOMES)
        files["exome"] = calls["genotyped_people"]
    brought = {key: config["samples"][key] for key in ("keep", "withdrawn")}
    return files | {key: path for key, path in brought.items() if path}


def ancestry(wildcards) -> dict[str, str]:
    """The files that tell who is of the ancestry that is studied."""
    chosen = config["genotypes"]["ancestry"]
    if chosen is None:
        return {}
    if "table" in chosen:
        return {"ancestry": chosen["table"]}
    files = {"pcs": "results/genotypes/pcs.parquet"}
    return files | ({"reference": chosen["reference"]} if chosen["reference"] else {})


def scored(wildcards) -> dict[str, list[str]]:
    """The genotypes that polygenic scores are summed over: pgs.genotypes, else the array's."""
    pattern = block("pgs")["genotypes"] or config["genotypes"]["array"]
    return genotype_files(pattern, AUTOSOMES)


def scores(wildcards) -> list[str]:
    """The scoring files: those that the demo simulates, or that the glob of the config finds, and the downloaded ones."""
    pattern, build = block("pgs")["scores"], config["genotypes"]["build"]
    fetched = [f"resources/pgs/{one}_hmPOS_{build}.txt.gz" for one in config["pgs"]["download"]]
    if pattern is None:
        return fetched
    if config_settings.made(config, pattern):
        simulated = rules.simulate_cohort.output.scores
        return [*told(config_settings.matching, simulated, pattern, "pgs.scores"), *fetched]
    here = told(config_settings.found, pattern, "pgs.scores")
    return [*(one for one in here if os.path.relpath(one) not in fetched), *fetched]


def modalities(wildcards) -> list[str]:
    """The modalities that the model contrasts images with, in the order of its recipe."""
    names = config["models"][wildcards.model].get("modalities", [])
    return [f"results/modalities/{name}.h5ad" for name in names]


def named_covariates(wildcards) -> dict[str, str]:
    """The files that hold what covariates.columns names; the genetic components only where it names one."""
    table, columns = config["samples"]["covariates"], block("covariates")["columns"]
    files = {"covariates": table} if table else {}
    pcs = any(name.startswith("PC") for name in columns)
    return files | ({"pcs": "results/genotypes/pcs.parquet"} if pcs else {})


def expressed(wildcards) -> dict[str, str]:
    """The table of gene expression, and the list of genes that orders it."""
    named = {key: block("expression")[key] for key in ("table", "genes")}
    return {key: path for key, path in named.items() if path}


def components(wildcards) -> list[str]:
    """The genetic components, where the model takes them out of polygenic scores."""
    return (
        ["results/genotypes/pcs.parquet"]
        if config["models"][wildcards.model].get("adjust_pcs")
        else []
    )


def design(wildcards) -> dict[str, str]:
    """The files that hold what covariates may name: their table, the genetic PCs, and images where they are asked for."""
    files = {"pcs": "results/genotypes/pcs.parquet"}
    if config["gwas"]["image_covariates"]:
        files["images"] = rules.images.output.table
    covariates = config["samples"]["covariates"]
    return files | ({"covariates": covariates} if covariates else {})


def frozen(model: str, name: str) -> str:
    """A file of the frozen model of another run, which the config applies here."""
    return os.path.join(config["models"][model]["apply"], name)


def components_applied(wildcards) -> list[str]:
    """The components of the frozen model, where one is applied."""
    return [frozen(wildcards.model, "pca.h5ad")] if wildcards.model in APPLIED else []


def reference(wildcards) -> list[str]:
    """The features of fold 0, on whose training people the components are fitted; none if brought or applied."""
    if wildcards.model in [*EMBEDDED, *APPLIED]:
        return []
    return expand(rules.embed_fold.output.embeddings, model=wildcards.model, fold=0)


def qc_table(wildcards) -> list[str]:
    """The array's quality control; gwas.genotypes are filtered among the tested people alone."""
    if config["gwas"]["genotypes"]:
        return []
    return expand(rules.genotypes_variants.output.variants, chrom=wildcards.chrom)


def predictions(wildcards) -> list[str]:
    """The leave-one-chromosome-out predictions that are taken out of the features: none, or REGENIE's list and files."""
    path = config["gwas"]["offsets"]
    return config_settings.loco_files(path.replace("{model}", wildcards.model)) if path else []


def withdrawn(wildcards) -> str:
    """The list of samples.withdrawn; a config without one is told so."""
    return told(config_settings.withdrawn, config)
