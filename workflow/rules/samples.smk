# Who is in the study: everyone that an input names, then those kept, their folds, and who is tested.


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


rule samples_candidates:
    input:
        unpack(sources_of_people),
        code=library("samples.candidates"),
    output:
        candidates="results/samples/candidates.tsv",
    log:
        "results/logs/samples_candidates/samples_candidates.log",
    benchmark:
        "results/benchmarks/samples_candidates/samples_candidates.tsv"
    resources:
        mem_mb=2000,
        runtime=20,
    script:
        "../scripts/samples_candidates.py"


rule samples:
    input:
        candidates=rules.samples_candidates.output.candidates,
        people="results/genotypes/people.parquet",
        kinship="results/genotypes/kinship.parquet",
        code=library("samples.cohort"),
    output:
        cohort="results/samples/cohort.tsv",
    log:
        "results/logs/samples/samples.log",
    benchmark:
        "results/benchmarks/samples/samples.tsv"
    resources:
        mem_mb=2000,
        runtime=20,
    params:
        settings=stage("samples", "seed"),
    script:
        "../scripts/samples.py"
