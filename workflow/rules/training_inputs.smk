# The training inputs of a network, and what stands in for them as inputs of `pretrain_fold`.
#
# A part is the samples, the images, the PCs or a modality. The files of a part change when a participant withdraws, but
# that must not train a network again. So training depends on two small files of every part: on a digest of everything
# the part is computed from (external files, settings, code), and on a file that exists once the part is complete.
#
# Signatures take several lines because Snakemake's linter rejects `def` with a colon in a file with rules.

PCS = "results/genotypes/pcs.parquet"
PART = one_of(["samples", "images", "pcs", *config_settings.MODALITIES, *EXTERNAL_MODALITIES])


def producing_rules(
    part: str,
) -> list[str]:
    """The rules that compute a part."""
    kinship, pcs = (
        f"genotypes_{name}{'_external' if config['genotypes'][key] else ''}"
        for name, key in (("kinship", "kinship"), ("pcs", "pcs_file"))
    )
    if part == "samples":
        by_distance = "pcs" in ancestry({})
        genotypes = ["genotypes_variants", "genotypes_samples", "genotypes_prune", kinship]
        return ["samples_candidates", *genotypes, "samples", *([pcs] if by_distance else [])]
    if part == "pcs":
        return ["genotypes_prune", kinship, pcs]
    if part == "covariates":
        return [part, *(producing_rules("pcs") if "pcs" in covariate_files({}) else [])]
    if part == "snps" and block("snps")["pruned"]:
        return ["genotypes_prune", part]
    return ["modalities_external" if part in EXTERNAL_MODALITIES else part]


def external_inputs(
    wildcards,
) -> list[str]:
    """The external files that the producing rules of a part read, except samples.withdrawn."""
    pcs_file = optional(config["genotypes"]["pcs_file"])
    files = {
        "samples": lambda: sample_inputs({}),
        "images": lambda: [block("images")["table"]],
        "pcs": lambda: pcs_file,
        "snps": lambda: optional(block("snps")["list"]),
        "pgs": lambda: [*score_genotypes({}).values(), scoring_files({})],
        "burden": lambda: exome({}).values(),
        "covariates": lambda: [
            *covariate_files({}).values(),
            pcs_file if "pcs" in covariate_files({}) else [],
        ],
        "expression": lambda: expression_files({}).values(),
        **{name: lambda path=path: [path] for name, path in EXTERNAL_MODALITIES.items()},
    }[wildcards.part]()
    return unique_external(files)


def sample_inputs(
    wildcards,
) -> list[str]:
    """The external files that decide which samples are in the cohort, and in which fold."""
    genotypes = genotype_files(config["genotypes"]["array"], CHROMOSOMES)
    sources = [paths for key, paths in candidate_files({}).items() if key != "withdrawn"]
    precomputed = [optional(config["genotypes"]["kinship"])]
    if "pcs" in ancestry({}):
        precomputed.append(optional(config["genotypes"]["pcs_file"]))
    return unique_external([*genotypes.values(), *sources, *ancestry({}).values(), *precomputed])


def unique_external(
    files,
) -> list[str]:
    """Paths and lists of paths as one list without duplicates, and without the PCs that the workflow computes."""
    paths = [path for one in files for path in ([one] if isinstance(one, str) else one)]
    return [*dict.fromkeys(path for path in paths if path != PCS)]


def producing_params(
    wildcards,
) -> dict[str, dict]:
    """The params of the producing rules of a part, by rule, without the list of withdrawn participants."""
    params = {
        name: {
            key: value({}) if callable(value) else value
            for key, value in getattr(rules, name).params.items()
            if key != "withdrawn"
        }
        for name in producing_rules(wildcards.part)
    }
    if wildcards.part == "samples":
        params["chromosomes"] = CHROMOSOMES  # one genotype file may hold all chromosomes
    return config_settings.ordered(params)


def part_files(
    wildcards,
) -> list[str]:
    """The files of a part."""
    files = {
        "samples": [rules.samples.output.cohort],
        "images": [rules.images.output.images, rules.images.output.table],
        "pcs": [PCS],
    }
    return files.get(wildcards.part, [f"results/modalities/{wildcards.part}.h5ad"])


def training_parts(
    wildcards,
) -> list[str]:
    """The parts that a model is trained on in addition to samples and images."""
    recipe = config["models"][wildcards.model]
    return [*(["pcs"] if recipe.get("adjust_pcs") else []), *recipe.get("modalities", [])]


def ready(
    *parts: str,
) -> list[str]:
    """The .ready files of some parts. A newer one trains again only if samples.retrain_on_withdrawal is true."""
    paths = expand(rules.training_inputs_ready.output.ready, part=parts)
    return (
        paths if config["samples"]["retrain_on_withdrawal"] else [ancient(path) for path in paths]
    )


def training_inputs(
    wildcards,
) -> dict:
    """The files that a training reads."""
    pcs, names = adjustment_pcs(wildcards), config["models"][wildcards.model].get("modalities", [])
    return {
        "cohort": str(rules.samples.output.cohort),
        "images_npy": str(rules.images.output.images),
        "images_table": str(rules.images.output.table),
        "modalities": dict(zip(names, modality_files(wildcards), strict=True)),
        "pcs": pcs[0] if pcs else None,
    }


rule training_inputs_digest:
    input:
        external_inputs=external_inputs,
    output:
        digest="results/training_inputs/{part}.json",
    log:
        "results/logs/training_inputs_digest/{part}.log",
    benchmark:
        "results/benchmarks/training_inputs_digest/{part}.tsv"
    wildcard_constraints:
        part=PART,
    localrule: True
    params:
        producing_rules=producing_params,
        code=code_of("training_inputs_digest"),
    script:
        "../scripts/training_inputs_digest.py"


# Training depends on the .ready file and not on the files of the part. These are absent while they are computed again,
# after a run was killed, or when somebody deleted them, and Snakemake runs every job again whose input is absent.
rule training_inputs_ready:
    input:
        part_files=part_files,
    output:
        ready="results/training_inputs/{part}.ready",
    log:
        "results/logs/training_inputs_ready/{part}.log",
    benchmark:
        "results/benchmarks/training_inputs_ready/{part}.tsv"
    wildcard_constraints:
        part=PART,
    localrule: True
    params:
        code=code_of("training_inputs_ready"),
    script:
        "../scripts/training_inputs_ready.py"
