"""Encoders of gene expression as a sequence of tokens: Mamba, a transformer, or an MLP without tokens."""

from collections.abc import Mapping
from itertools import pairwise

import torch
from torch import Tensor, nn

from contigwas.config.models import HEAD
from contigwas.pretrain.networks import corrupt, head
from contigwas.pretrain.normalise import Normaliser
from contigwas.runtime.errors import UserError
from contigwas.runtime.memory import available

EXPAND, STATES, KERNEL = 2, 16, 4  # Mamba block: expansion of the width, states per channel, convolution kernel size
SCANS = 8  # arrays (samples, tokens, channels, states) that training holds per block without fused kernels


class Tokens(nn.Module):
    """Linear tokeniser: (samples, features) -> (samples, tokens, width), one token per `each` adjacent features.

    With one feature per token this is the tokeniser of Gorishniy et al. (NeurIPS 2021): a learned vector per gene times
    its value, plus a bias per token, which also encodes the position. The last token is padded with 0.
    """

    def __init__(self, features: int, each: int, width: int) -> None:
        super().__init__()
        self.each, self.count = each, -(-features // each)
        bound = each**-0.5
        self.weight = nn.Parameter(torch.empty(self.count, each, width).uniform_(-bound, bound))
        self.bias = nn.Parameter(torch.empty(self.count, width).uniform_(-bound, bound))
        self.bias._no_weight_decay = True

    def forward(self, values: Tensor) -> Tensor:
        """Return the tokens in the order of the features."""
        padded = nn.functional.pad(values, (0, self.count * self.each - values.shape[1]))
        return torch.einsum("nte,tew->ntw", padded.unflatten(1, (self.count, self.each)), self.weight) + self.bias


class MambaBlocks(nn.Module):
    """`depth` Mamba blocks of transformers' MambaModel with a final norm: (samples, tokens, width), same shape.

    Gu & Dao (2023). It uses fused kernels where a GPU has them, otherwise the parallel scan of mambapy. The model is
    causal: a token depends on itself and earlier tokens. Raises UserError when a package is missing.
    """

    def __init__(self, width: int, depth: int) -> None:
        super().__init__()
        try:
            import mambapy.pscan  # noqa: F401 (without it, transformers would silently loop over tokens)
            from transformers import MambaConfig, MambaModel
            from transformers.utils import logging as transformers_log
        except ModuleNotFoundError:
            raise UserError(
                "gene_encoder mamba needs the packages transformers and mambapy: pip install contigwas[mgi], or write "
                "gene_encoder: transformer or mlp in the recipe"
            ) from None
        transformers_log.set_verbosity_error()  # mute the expected warning about missing fused kernels
        config = MambaConfig(
            vocab_size=1,
            hidden_size=width,
            state_size=STATES,
            num_hidden_layers=depth,
            expand=EXPAND,
            conv_kernel=KERNEL,
            use_mambapy=True,
            use_cache=False,
        )
        self.model = MambaModel(config)
        self.model.embeddings = nn.Identity()  # the inputs are embeddings, not word indices
        for layer in self.model.layers:
            layer.mixer.A_log._no_weight_decay = layer.mixer.D._no_weight_decay = True

    def forward(self, tokens: Tensor) -> Tensor:
        """Return the contextual embeddings of the tokens."""
        return self.model(inputs_embeds=tokens).last_hidden_state


class TransformerBlocks(nn.Module):
    """`depth` pre-norm transformer blocks of torch with a final norm: (samples, tokens, width), same shape."""

    def __init__(self, width: int, depth: int, dropout: float) -> None:
        super().__init__()
        block = nn.TransformerEncoderLayer(
            width, max(1, width // HEAD), 4 * width, dropout, "gelu", batch_first=True, norm_first=True
        )
        block.self_attn.dropout = 0.0  # dropout would make torch materialise all pairs of tokens
        self.blocks = nn.TransformerEncoder(block, depth, nn.LayerNorm(width), enable_nested_tensor=False)

    def forward(self, tokens: Tensor) -> Tensor:
        """Return the contextual embeddings of the tokens."""
        return self.blocks(tokens)


class GeneEncoder(nn.Module):
    """Encoder of gene expression: raw values (samples that have it, genes) -> (samples, embedding).

    `kind`: `mamba` or `transformer` (tokens of `each` genes in the order of the normaliser, `depth` blocks of width
    `width`, the mean over tokens, a head), or `mlp` (`depth` layers of `width` units on all genes, a head; it has one
    token). In training, each normalised value is replaced with probability `corruption` by the value of another sample
    (SCARF), unless `perturbed` is set to False.
    """

    def __init__(
        self,
        normaliser: Normaliser,
        kind: str,
        each: int,
        width: int,
        depth: int,
        hidden: int,
        embedding: int,
        dropout: float = 0.0,
        corruption: float = 0.0,
    ) -> None:
        super().__init__()
        features = len(normaliser.keep)
        self.normaliser, self.width, self.corruption = normaliser, width, corruption
        self.perturbed = True
        self.dropout = nn.Dropout(dropout)
        if kind == "mlp":
            self.tokenise = nn.Unflatten(1, (1, -1))
            layers = [(nn.Linear(*pair), nn.GELU()) for pair in pairwise([features, *[width] * depth])]
            self.blocks = nn.Sequential(*(module for layer in layers for module in layer))
        else:
            self.tokenise = Tokens(features, each, width)
            self.blocks = MambaBlocks(width, depth) if kind == "mamba" else TransformerBlocks(width, depth, dropout)
        self.head = head(width, hidden, embedding)

    def tokens(self, values: Tensor, components: Tensor | None = None) -> Tensor:
        """Return the tokens (samples, tokens, width) of raw values (samples, genes)."""
        values = self.normaliser(values, components)
        if self.training and self.perturbed and self.corruption and len(values):
            values = corrupt(values, self.corruption)
        return self.blocks(self.tokenise(self.dropout(values)))

    def forward(self, values: Tensor, components: Tensor | None = None) -> Tensor:
        """Encode raw values (samples, genes), with the samples' genetic components, as (samples, embedding)."""
        if not len(values):  # a process whose share of the batch has no such sample: an empty scan fails
            return self.head(values.new_zeros((0, self.width), dtype=torch.float32))
        return self.head(self.tokens(values, components).mean(dim=1))


def gene_encoders(normalisers: Mapping[str, Normaliser], settings: Mapping[str, object]) -> nn.ModuleDict:
    """Return one encoder per modality, as the recipe describes it."""
    return nn.ModuleDict(
        {
            name: GeneEncoder(
                normaliser,
                settings["gene_encoder"],
                settings["genes_per_token"],
                settings["gene_width"],
                settings["gene_depth"],
                settings["hidden"],
                settings["embedding"],
                settings["dropout"],
                settings["corruption"],
            )
            for name, normaliser in normalisers.items()
        }
    )


def scan_bytes(samples: int, tokens: int, width: int, depth: int) -> int:
    """Return the bytes of the states of Mamba blocks that training holds without fused kernels."""
    return 4 * SCANS * depth * samples * tokens * EXPAND * width * STATES


def require_memory(normalisers: Mapping[str, Normaliser], settings: Mapping[str, object], lower: str) -> None:
    """Raise UserError when the sequences need more than the free memory: the system would kill the process silently."""
    if settings["gene_encoder"] != "mamba":
        return
    features = max(len(one.keep) for one in normalisers.values())
    tokens, samples = -(-features // settings["genes_per_token"]), settings["batch"]
    needed, free = scan_bytes(samples, tokens, settings["gene_width"], settings["gene_depth"]), available()
    if needed > free:
        raise UserError(
            f"sequences of {tokens} tokens ({features} genes) in batches of {samples} samples need about "
            f"{needed / 2**30:.0f} GiB in {settings['gene_depth']} Mamba blocks, but {free / 2**30:.0f} GiB are free: "
            f"lower {lower}"
        )
