"""Write the report page: summary, cohort flow, model comparison, and the loci and figures of every model."""

import logging
from collections.abc import Mapping, Sequence

import yaml
from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

from contigwas import __version__
from contigwas.config.downstream import CLUSTERS
from contigwas.config.models import read_schema
from contigwas.plots.style import TESTS, p_text
from contigwas.report.assets import assets
from contigwas.report.cohort_flow import explain_untested, image_steps, samples_flow, variant_flow, variant_steps
from contigwas.report.explanations import explanations
from contigwas.report.image_data import embed_image
from contigwas.report.inputs import burden_masks, evaluation_tables, task_summary
from contigwas.report.methods import methods
from contigwas.report.models import model_part, sensitivity_table
from contigwas.report.summary import glance, sentences
from contigwas.report.tables import downloads, grouped, table
from contigwas.runtime.atomic_files import PathLike, replacing
from contigwas.tables.text import read_table

__all__ = ["sensitivity_table", "table", "write_report"]
log = logging.getLogger(__name__)
LARGE_MB = 15.0  # a larger page is slow to open
COUNTS = {"tested": grouped, "not tested": grouped}


def write_report(
    samples: Mapping[str, PathLike],
    variants: Mapping[str, PathLike],
    genotypes: Mapping[str, PathLike],
    images: PathLike | None,
    matching: Mapping[str, PathLike] | None,
    burden: PathLike | None,
    models: Mapping[str, Mapping[str, PathLike | None]],
    evaluation: Mapping[str, Sequence[PathLike] | PathLike],
    explained: Mapping[str, Mapping[str, PathLike]],
    tasks: Sequence[Mapping[str, PathLike]],
    captions: Mapping[str, str],
    config: Mapping[str, object],
    output: PathLike,
) -> None:
    """Write the page to `output`.

    samples: candidates and cohort. variants: quality control tables by chromosome. genotypes: figures of quality
    control (call_rate, hwe, pcs, kinship). images: table of images. matching: table and figure (png) of the matching of
    polygenic scores, or None. burden: the gene burdens, or None. models: files of each model (phenotypes, loci,
    followup, points, manhattan, overview, regional (a folder), qq; training, decoded and map can be None). evaluation:
    tables (a list) and png. explained: features, modalities, completeness, genome and top of each model. tasks: model,
    task, kind, tsv and png of each downstream task. captions: the caption of each kind of figure. config:
    the config, with or without the blocks pretrain and export.
    """
    environment = Environment(
        loader=PackageLoader("contigwas.report"),
        autoescape=select_autoescape(default=True),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"embed_image": embed_image, "table": table, "comma": grouped}
    tables = evaluation_tables(evaluation["tables"])
    planted = tables.get("planted")
    parts = {name: model_part(name, files, config, planted) for name, files in models.items()}
    tested = {name: part.samples for name, part in parts.items()}
    steps, sources, by_model = samples_flow(samples["candidates"], samples["cohort"], tested)
    chromosomes = variant_flow(variants)
    tasks = [{**one, "rows": task_summary(one["tsv"])} for one in tasks]
    clustered = {arm for one in tasks if one["kind"] == CLUSTERS for arm in one["rows"]["arm"]}
    text = environment.get_template("page.html.j2").render(
        version=__version__,
        assets=assets(),
        test=TESTS.get(config["loci"]["test"], config["loci"]["test"]),
        p1=p_text(config["loci"]["p1"]),
        sentences=sentences(parts, tables["models"], config),
        glance=glance(parts, tables["models"]),
        samples={
            "steps": steps,
            "sources": sources,
            "models": table(by_model, f"Samples tested with each model ({explain_untested(config)})", COUNTS),
        },
        variants={
            "steps": variant_steps(chromosomes, bool(config["gwas"]["genotypes"])),
            "chromosomes": chromosomes,
            "tested": {name: part.manhattan.tested for name, part in parts.items()},
        },
        images=image_steps(images) if images else None,
        genotypes=genotypes,
        scores={"png": matching["png"], "rows": read_table(matching["table"])} if matching else None,
        burden=burden_masks(burden) if burden else None,
        models=parts,
        evaluation={"png": evaluation["png"], "tables": tables},
        explained={name: explanations(files) for name, files in explained.items()},
        tasks=tasks,
        captions={name: " ".join(text.split()) for name, text in captions.items()},
        downloads=downloads,
        methods=methods(config, tested, clustered),
        build=config["genotypes"]["build"],
        config=_as_yaml(config),
    )
    with replacing(output) as temporary:
        temporary.write_text(text, encoding="utf-8")
    size = len(text.encode()) / 1e6
    log.info("report of %d models, %.1f MB", len(models), size)
    if size > LARGE_MB:
        log.warning("the report has %.0f MB: to reduce it, lower report.features or report.regions", size)


def _as_yaml(config: Mapping[str, object]) -> str:
    """Return the config as YAML, with blocks in the order of the schema and empty lines between them."""
    order = [name for name in read_schema()["properties"] if name in config]
    blocks = [{name: config[name]} for name in order if config[name] != {}]
    return "\n".join(yaml.safe_dump(one, sort_keys=False, allow_unicode=True, width=100) for one in blocks)
