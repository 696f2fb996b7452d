# What training depends on without its direct inputs: the rules that make those, their settings and code, the files from outside.


def makers(wildcards) -> list[str]:
    """The rules that make what a model trains on (and those that make what they read)."""
    recipe = config["models"][wildcards.model]
    names = ["samples_candidates", "genotypes_variants", "genotypes_people", "samples", "images"]
    kinship, pcs = (
        f"genotypes_{name}{'_brought' if config['genotypes'][key] else ''}"
        for name, key in (("kinship", "kinship"), ("pcs", "pcs_file"))
    )
    names.append(kinship)
    for modality in recipe.get("modalities", []):
        names.append("modalities_brought" if modality in config["modalities"] else modality)
    by_distance = "pcs" in ancestry(wildcards)
    covaried = "covariates" in names and "pcs" in named_covariates(wildcards)
    if recipe.get("adjust_pcs") or by_distance or covaried:
        names += [pcs, kinship]
    if {"genotypes_kinship", "genotypes_pcs"} & {*names} or ("snps" in names and pruned(wildcards)):
        names.append("genotypes_prune")
    return [*dict.fromkeys(names)]


def lineage(wildcards) -> dict[str, dict]:
    """The settings of those rules, by rule."""
    chosen = {name: getattr(rules, name).params.get("settings") for name in makers(wildcards)}
    settings = {
        name: told(contigwas_config.settings, config, *one.names)
        for name, one in chosen.items()
        if one
    }
    return contigwas_config.ordered(settings | {"ancestry": config["genotypes"]["ancestry"]})


def origins(wildcards) -> list[str]:
    """The files from outside that they read, and their code. Not samples.withdrawn, nor files that only name figures."""
    names = makers(wildcards)
    code = [path for name in names for path in getattr(rules, name).input.code]
    genotypes = genotype_files(config["genotypes"]["array"], CHROMOSOMES)
    people = {
        key: files for key, files in sources_of_people(wildcards).items() if key != "withdrawn"
    }
    files = [*genotypes.values(), *people.values(), *ancestry(wildcards).values()]
    if "genotypes_kinship_brought" in names:
        files.append(config["genotypes"]["kinship"])
    if "genotypes_pcs_brought" in names:
        files.append(config["genotypes"]["pcs_file"])
    if "snps" in names:
        files.append(optional(config["snps"]["list"]))
    if "pgs" in names:
        files += [*scored(wildcards).values(), scores(wildcards)]
    if "burden" in names:
        files += exome(wildcards).values()
    if "covariates" in names:
        files += named_covariates(wildcards).values()
    brought = config["modalities"]
    files += [
        brought[one]
        for one in config["models"][wildcards.model].get("modalities", [])
        if one in brought
    ]
    flat = [path for one in files for path in ([one] if isinstance(one, str) else one)]
    return [*dict.fromkeys(path for path in [*flat, *code] if not path.startswith("results/"))]
