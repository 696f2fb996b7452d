"""What each model of a run is, in a sentence for a paper."""

from collections.abc import Callable, Iterator, Mapping

from contigwas.config.models import methods
from contigwas.report.wording import listed, plural

ENCODERS = {"linear": "linear maps", "none": "heads alone", "h1": "one hidden layer", "h12": "two hidden layers"}

CONTRASTIVE = "contrastive "  # begins the titles of methods that may go without a contrast


def kind(recipe: Mapping) -> str:
    """What a model is, in a few words."""
    if "method" in recipe:
        title = methods()[recipe["method"]].title
        if recipe.get("contrast") == 0:
            title = title.removeprefix(CONTRASTIVE)
        return f"{'variational ' * recipe.get('variational', False)}{title}"
    return {"embeddings": "user-supplied embeddings", "apply": "frozen model of another study"}.get(
        next((one for one in ("embeddings", "apply") if one in recipe), ""), "user-supplied phenotypes"
    )


def model_sentences(config: Mapping, name: str, folds: Callable[[Mapping, str], int]) -> Iterator[str]:
    """A sentence or two on the model `name`."""
    recipe = config["models"][name]
    if "method" not in recipe:
        what = {
            "user-supplied embeddings": "embeddings made elsewhere",
            "user-supplied phenotypes": "phenotypes measured elsewhere",
        }
        yield f"{name}: {what.get(kind(recipe), 'the frozen model of another study, applied to this cohort')}."
        return
    network = _network(recipe)
    trained = methods()[recipe["method"]].views > 0
    if "modalities" in recipe:
        yield _contrast(name, recipe, network)
    elif trained:
        yield _views(name, recipe, network)
    elif "image_encoder" in recipe:
        weights = "weights trained elsewhere" if recipe["weights"] else "random weights"
        yield f"{name} is {network} with {weights}, not trained here."
    else:
        yield f"{name} is principal components of the pixels."
    if trained and recipe.get("weights"):
        yield f"{name} starts from weights trained elsewhere."
    if trained and "epochs" in recipe:
        networks = folds(config, name)
        yield (
            f"It was trained for {plural(recipe['epochs'], 'epoch')} in batches of {recipe['batch']} at a learning "
            f"rate of at most {recipe['lr']:g} ({plural(networks, 'network')}) in PyTorch [@torch; @lightning; @monai; "
            "@kornia]."
        )


def _views(name: str, recipe: Mapping, network: str) -> str:
    """A method without genetics; whatever draws images has a network of its own."""
    method = recipe["method"]
    title = kind(recipe)
    if not methods()[method].draws:
        return f"{name} is {title} [@{method}] with {network}, without genetics."
    if recipe.get("contrast"):
        return f"{name} is a {title} after [@{method}], without genetics."
    return f"{name} is {'an' if title.startswith('a') else 'a'} {title} of the images."


def _network(recipe: Mapping) -> str:
    encoder = str(recipe.get("image_encoder", "an image encoder"))
    if encoder.startswith("resnet"):
        return f"a ResNet-{encoder.removeprefix('resnet')} [@resnet] of width {recipe.get('width')}"
    return f"a vision transformer ({encoder}) [@vit]" if encoder.startswith("vit") else encoder


def _contrast(name: str, recipe: Mapping, network: str) -> str:
    modalities = listed(recipe["modalities"])
    samples = "everyone with at least one of them" if recipe.get("aggregate") == "outer" else "samples with all of them"
    if "gene_encoder" in recipe:
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
        f"{name} contrasts images, through {network}, with {modalities} of the same sample, through "
        f"{ENCODERS[recipe['genetics_encoder']]}, after ContIG [@contig] {loss} at {learned} "
        f"{recipe['temperature']:g}, in {samples}{extra}."
    )
