from snakemake.utils import min_version

min_version("9.0")

# Snakemake merges a --configfile into the configfile named here, so the demo is loaded only if none is given.
if not workflow.overwrite_configfiles:

    configfile: f"{workflow.basedir}/config/config.yaml"


# Used only with --sdm apptainer: profiles/default/config.yaml says how. The path is relative to the folder of the study.
container: "contigwas.sif"


include: "workflow/rules/common.smk"
include: "workflow/rules/resources.smk"
include: "workflow/rules/inputs.smk"
include: "workflow/rules/preflight.smk"
include: "workflow/rules/slurm.smk"
include: "workflow/rules/simulate.smk"
include: "workflow/rules/samples.smk"
include: "workflow/rules/genotypes.smk"
include: "workflow/rules/snps.smk"
include: "workflow/rules/pgs.smk"
include: "workflow/rules/burden.smk"
include: "workflow/rules/covariates.smk"
include: "workflow/rules/expression.smk"
include: "workflow/rules/modalities.smk"
include: "workflow/rules/images.smk"
include: "workflow/rules/training_inputs.smk"
include: "workflow/rules/pretrain.smk"
include: "workflow/rules/embed.smk"
include: "workflow/rules/align.smk"
include: "workflow/rules/apply.smk"
include: "workflow/rules/phenotypes.smk"
include: "workflow/rules/gwas.smk"
include: "workflow/rules/loci.smk"
include: "workflow/rules/followup.smk"
include: "workflow/rules/export.smk"
include: "workflow/rules/components.smk"
include: "workflow/rules/plots.smk"
include: "workflow/rules/explain.smk"
include: "workflow/rules/downstream_inputs.smk"
include: "workflow/rules/downstream.smk"
include: "workflow/rules/evaluate.smk"
include: "workflow/rules/report.smk"
include: "workflow/rules/withdrawal.smk"


rule all:
    default_target: True
    input:
        rules.report.output,
        rules.plots.input,
        rules.followup.input,
        DOWNSTREAM_FILES,
        EXPLANATIONS,
        expand(rules.replicate_model.output.replication, model=REPLICATED),
        rules.withdrawal.output if config["samples"]["withdrawn"] else [],
    localrule: True
