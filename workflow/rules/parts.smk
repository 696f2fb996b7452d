# The parts of what a network is trained on (people, images, pcs, modalities): what makes them, and where they lie.

PCS = "results/genotypes/pcs.parquet"
PART = one_of(["people", "images", "pcs", *config_settings.MODALITIES, *BROUGHT_MODALITIES])


def makers(part: str) -> list[str]:
    """The rules that make a part of what is trained on: people, images, pcs, or a modality."""
    kinship, pcs = (
        f"genotypes_{name}{'_brought' if config['genotypes'][key] else ''}"
        for name, key in (("kinship", "kinship"), ("pcs", "pcs_file"))
    )
    if part == "people":
        by_distance = "pcs" in ancestry({})
        genotypes = ["genotypes_variants", "genotypes_people", "genotypes_prune", kinship]
        return ["samples_candidates", *genotypes, "samples", *([pcs] if by_distance else [])]
    if part == "pcs":
        return ["genotypes_prune", kinship, pcs]
    if part == "covariates":
        return [part, *(makers("pcs") if "pcs" in named_covariates({}) else [])]
    if part == "snps" and block("snps")["pruned"]:
        return ["genotypes_prune", part]
    return ["modalities_brought" if part in config["modalities"] else part]


def origins(wildcards) -> list[str]:
    """The files from outside that those rules read, but for samples.withdrawn."""
    pcs_file = optional(config["genotypes"]["pcs_file"])
    files = {
        "people": people_from_outside,
        "images": lambda: [block("images")["table"]],
        "pcs": lambda: pcs_file,
        "snps": lambda: optional(block("snps")["list"]),
        "pgs": lambda: [*scored({}).values(), scores({})],
        "burden": lambda: exome({}).values(),
        "covariates": lambda: [
            *named_covariates({}).values(),
            pcs_file if "pcs" in named_covariates({}) else [],
        ],
        "expression": lambda: expressed({}).values(),
        **{name: lambda path=path: [path] for name, path in config["modalities"].items()},
    }[wildcards.part]()
    return flat(files)


def people_from_outside() -> list[str]:
    """The files from outside that say who is in the cohort, and in which fold."""
    genotypes = genotype_files(config["genotypes"]["array"], CHROMOSOMES)
    sources = [paths for key, paths in sources_of_people({}).items() if key != "withdrawn"]
    brought = [optional(config["genotypes"]["kinship"])]
    if "pcs" in ancestry({}):
        brought.append(optional(config["genotypes"]["pcs_file"]))
    return flat([*genotypes.values(), *sources, *ancestry({}).values(), *brought])


def flat(files) -> list[str]:
    """Paths and lists of paths as one list, each path once; without the components, which are made here."""
    paths = [path for one in files for path in ([one] if isinstance(one, str) else one)]
    return [*dict.fromkeys(path for path in paths if path != PCS)]


def made_with(wildcards) -> dict[str, dict]:
    """The settings and the code of those rules, by rule."""
    chosen = {}
    for name in makers(wildcards.part):
        params = getattr(rules, name).params
        names = params.settings.names if "settings" in params.keys() else []
        settings = told(config_settings.job_settings, config, *names)
        chosen[name] = {"settings": settings, "code": params.code}
    if wildcards.part == "people":
        chosen["samples"]["ancestry"] = config["genotypes"]["ancestry"]
        chosen["chromosomes"] = CHROMOSOMES  # one file may hold them all
    return config_settings.ordered(chosen)


def made(wildcards) -> list[str]:
    """The files of a part."""
    of_its_own = {
        "people": [rules.samples.output.cohort],
        "images": [rules.images.output.images, rules.images.output.table],
        "pcs": [PCS],
    }
    return of_its_own.get(wildcards.part, [f"results/modalities/{wildcards.part}.h5ad"])


def settled(*parts: str) -> list[str]:
    """That parts are there: what training waits for, and which does not train again by being newer. Whoever withdraws
    leaves the files at once, and the weights only if the config says so.
    """
    paths = expand(rules.ready.output.ready, part=parts)
    return (
        paths if config["samples"]["retrain_on_withdrawal"] else [ancient(path) for path in paths]
    )


def parts(wildcards) -> list[str]:
    """The parts that a model is trained on besides people and images."""
    recipe = config["models"][wildcards.model]
    return [*(["pcs"] if recipe.get("adjust_pcs") else []), *recipe.get("modalities", [])]


def read_in_training(wildcards) -> dict:
    """The files that a training reads."""
    pcs, names = components(wildcards), config["models"][wildcards.model].get("modalities", [])
    return {
        "cohort": str(rules.samples.output.cohort),
        "images_npy": str(rules.images.output.images),
        "images_table": str(rules.images.output.table),
        "modalities": dict(zip(names, modalities(wildcards), strict=True)),
        "pcs": pcs[0] if pcs else None,
    }
