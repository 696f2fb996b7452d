"""What each model of a run is, in a sentence for a paper."""

from collections.abc import Callable, Iterator, Mapping

from contigwas.report.wording import listed, plural

BASELINES = {
    "simclr": "SimCLR [@simclr]",
    "byol": "BYOL [@byol]",
    "simsiam": "SimSiam [@simsiam]",
    "barlow_twins": "Barlow Twins [@barlow_twins]",
    "nnclr": "NNCLR [@nnclr]",
}
KINDS = {
    "contig": "contrastive image-genetics",
    "mgi": "images against gene expression",
    "autoencoder": "autoencoder",
    "contrastive_autoencoder": "contrastive autoencoder",
    "untrained": "untrained network",
    "pixel_pca": "components of the pixels",
    "simclr": "SimCLR",
    "byol": "BYOL",
    "simsiam": "SimSiam",
    "barlow_twins": "Barlow Twins",
    "nnclr": "NNCLR",
}
ENCODERS = {"linear": "linear maps", "none": "heads alone", "h1": "one hidden layer", "h12": "two hidden layers"}


def kind(recipe: Mapping) -> str:
    """What a model is, in a few words."""
    if "method" in recipe:
        return KINDS[recipe["method"]]
    return {"embeddings": "brought embeddings", "apply": "frozen model of another study"}.get(
        next((one for one in ("embeddings", "apply") if one in recipe), ""), "brought phenotypes"
    )


def model_sentences(config: Mapping, name: str, folds: Callable[[Mapping, str], int]) -> Iterator[str]:
    """A sentence or two on the model `name`."""
    recipe = config["models"][name]
    if "method" not in recipe:
        what = {
            "brought embeddings": "embeddings made elsewhere",
            "brought phenotypes": "phenotypes measured elsewhere",
        }
        yield f"{name}: {what.get(kind(recipe), 'the frozen model of another study, applied to this cohort')}."
        return
    method = recipe["method"]
    network = _network(recipe)
    if method in ("contig", "mgi"):
        yield _contrast(name, recipe, network)
    elif method in BASELINES:
        yield f"{name} is {BASELINES[method]} with {network}, without genetics."
    elif method == "contrastive_autoencoder":
        variational = "variational " if recipe.get("variational") else ""
        yield f"{name} is a {variational}contrastive autoencoder after [@contrastive_autoencoder], without genetics."
    elif method == "autoencoder":
        yield f"{name} is an autoencoder of the images."
    elif method == "untrained":
        weights = "weights trained elsewhere" if recipe["weights"] else "random weights"
        yield f"{name} is {network} with {weights}, not trained here."
    else:
        yield f"{name} is principal components of the pixels."
    if recipe.get("weights") and method != "untrained":
        yield f"{name} starts from weights trained elsewhere."
    if "epochs" in recipe and method not in ("untrained", "pixel_pca"):
        networks = folds(config, name)
        yield (
            f"It was trained for {plural(recipe['epochs'], 'epoch')} in batches of {recipe['batch']} at a learning "
            f"rate of at most {recipe['lr']:g} ({plural(networks, 'network')}) in PyTorch [@torch; @lightning; @monai; "
            "@kornia]."
        )


def _network(recipe: Mapping) -> str:
    encoder = str(recipe.get("image_encoder", "an image encoder"))
    if encoder.startswith("resnet"):
        return f"a ResNet-{encoder.removeprefix('resnet')} [@resnet] of width {recipe.get('width')}"
    return f"a vision transformer ({encoder}) [@vit]" if encoder.startswith("vit") else encoder


def _contrast(name: str, recipe: Mapping, network: str) -> str:
    modalities = listed(recipe["modalities"])
    people = "everyone with at least one of them" if recipe.get("aggregate") == "outer" else "people with all of them"
    if recipe["method"] == "mgi":
        reader = {"mamba": "Mamba [@mamba]", "transformer": "a transformer", "mlp": "a multilayer perceptron"}
        return (
            f"{name} contrasts images, through {network}, with {modalities}, read by {reader[recipe['gene_encoder']]}, "
            "after MGI [@mgi]."
        )
    loss = (
        "with SigLIP's loss [@siglip]"
        if recipe["loss"] == "siglip"
        else f"with the weighted loss (alpha {recipe['alpha']})"
    )
    learned = "a learned temperature that begins at" if recipe["learn_temperature"] else "a temperature of"
    extra = f", {recipe['corruption']:g} of the genetic values corrupted [@scarf]" if recipe["corruption"] else ""
    return (
        f"{name} contrasts images, through {network}, with {modalities} of the same person, through "
        f"{ENCODERS[recipe['genetics_encoder']]}, after ContIG [@contig] {loss} at {learned} "
        f"{recipe['temperature']:g}, in {people}{extra}."
    )
