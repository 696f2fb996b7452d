"""Description of each model of a run for the methods text."""

from collections.abc import Callable, Iterator, Mapping

from contigwas.config.models import methods
from contigwas.report.wording import listed, percent, plural

ENCODERS = {
    "linear": "linear maps",
    "none": "projection heads",
    "h1": "networks with one hidden layer",
    "h12": "networks with two hidden layers",
}
CONTRASTIVE = "contrastive "  # prefix of titles of methods whose contrast can be switched off


def kind(recipe: Mapping) -> str:
    """Return the kind of a model in a few words."""
    if "method" in recipe:
        title = methods()[recipe["method"]].title
        if recipe.get("contrast") == 0:
            title = title.removeprefix(CONTRASTIVE)
        return f"{'variational ' * recipe.get('variational', False)}{title}"
    return {"embeddings": "user-supplied embeddings", "apply": "frozen model of another study"}.get(
        next((one for one in ("embeddings", "apply") if one in recipe), ""), "user-supplied phenotypes"
    )


def model_sentences(config: Mapping, name: str, folds: Callable[[Mapping, str], int]) -> Iterator[str]:
    """Yield one or two sentences on the model `name`."""
    recipe = config["models"][name]
    if "method" not in recipe:
        description = {
            "user-supplied embeddings": "user-supplied embeddings",
            "user-supplied phenotypes": "user-supplied phenotypes",
        }
        yield f"{name} is {description.get(kind(recipe), 'the frozen model of another study, applied to this cohort')}."
        return
    network = _network(recipe)
    trained = methods()[recipe["method"]].views > 0
    if "modalities" in recipe:
        yield _contrast(name, recipe, network)
    elif trained:
        yield _views(name, recipe, network)
    elif "image_encoder" in recipe:
        weights = "pretrained weights" if recipe["weights"] else "random weights"
        yield f"{name} is {network} with {weights}, without training on this cohort."
    else:
        yield f"{name} consists of the principal components of the pixels."
    if trained and recipe.get("weights"):
        yield f"{name} was initialised with pretrained weights."
    if trained and "epochs" in recipe:
        networks = folds(config, name)
        yield (
            f"It was trained for {plural(recipe['epochs'], 'epoch')} in batches of {recipe['batch']} at a learning "
            f"rate of at most {recipe['lr']:g} ({plural(networks, 'network')}) in PyTorch [@torch; @lightning; @monai; "
            "@kornia]."
        )


def _views(name: str, recipe: Mapping, network: str) -> str:
    """Return the sentence on a method without genetics. Methods with a decoder have their own network."""
    method = recipe["method"]
    title = kind(recipe)
    if not methods()[method].has_decoder:
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
    samples = (
        "samples with at least one modality" if recipe.get("aggregate") == "outer" else "samples with all modalities"
    )
    if "gene_encoder" in recipe:
        reader = {"mamba": "Mamba [@mamba]", "transformer": "a transformer", "mlp": "a multilayer perceptron"}
        return (
            f"{name} contrasts images, encoded by {network}, with {modalities}, encoded by "
            f"{reader[recipe['gene_encoder']]}, as in MGI [@mgi]."
        )
    loss = (
        "with the SigLIP loss [@siglip]"
        if recipe["loss"] == "siglip"
        else f"with the weighted loss (alpha {recipe['alpha']})"
    )
    learned = "a learned temperature, initialised at" if recipe["learn_temperature"] else "a temperature of"
    extra = (
        f", with {percent(recipe['corruption'])} of the genetic values corrupted [@scarf]"
        if recipe["corruption"]
        else ""
    )
    return (
        f"{name} contrasts images, encoded by {network}, with {modalities} of the same sample, encoded by "
        f"{ENCODERS[recipe['genetics_encoder']]}, as in ContIG [@contig], {loss} at {learned} "
        f"{recipe['temperature']:g}. It is trained on {samples}{extra}."
    )
