"""MGI: the image against the gene expression of the same sample, which is read as a sequence."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from contigwas.pretrain.losses import contig_loss
from contigwas.pretrain.methods.contig import Contig
from contigwas.pretrain.normalise import Normaliser
from contigwas.pretrain.precision import exactly
from contigwas.pretrain.sequence import gene_encoders, require_memory

SYMMETRIC = 0.5  # both directions of the contrast weigh the same


class MGI(Contig):
    """After MGI (arXiv 2406.00631): Mamba on tokens of genes, a ViT on the image, a symmetric contrast.

    It is ContIG's training (samples that lack a modality, several processes, cross-fitting) with other encoders. The
    temperature is learned where `settings["learn_temperature"]` says so, as in CLIP.
    """

    lower = (
        "batch, genes or gene_width in the recipe, raise genes_per_token, lower images.size, or take a gene_encoder mlp"
    )

    @staticmethod
    def encoders(normalisers: Mapping[str, Normaliser], settings: Mapping[str, object]) -> nn.ModuleDict:
        """Those of sequences of genes."""
        return gene_encoders(normalisers, settings)

    def begin(self) -> None:
        """Refuse sequences for which memory does not suffice."""
        if not torch.cuda.is_available():
            normalisers = {name: one.normaliser for name, one in self.genetics.items()}
            require_memory(normalisers, self.settings, self.lower)

    def contrast(self, first: Tensor, second: Tensor) -> Tensor:
        """NT-Xent between image and expression, both ways alike, in full precision."""
        with exactly(first):
            return contig_loss(first.float(), second.float(), self.temperature, SYMMETRIC)
