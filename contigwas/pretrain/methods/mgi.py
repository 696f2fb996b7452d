"""MGI: contrast the image with the gene expression of the same sample, encoded as a sequence."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from contigwas.pretrain.losses import contig_loss
from contigwas.pretrain.methods.contig import Contig
from contigwas.pretrain.normalise import Normaliser
from contigwas.pretrain.precision import exactly
from contigwas.pretrain.sequence import gene_encoders, require_memory

SYMMETRIC = 0.5  # equal weights of both directions of the contrast


class MGI(Contig):
    """After MGI (arXiv 2406.00631): Mamba on gene tokens, a ViT on the image, a symmetric contrast.

    The training is that of ContIG (missing modalities, several processes, cross-fitting) with other encoders. With
    `settings["learn_temperature"]`, the temperature is learned, as in CLIP.
    """

    lower = (
        "batch, genes or gene_width in the recipe, raise genes_per_token, lower images.size, or use gene_encoder: mlp"
    )

    @staticmethod
    def encoders(normalisers: Mapping[str, Normaliser], settings: Mapping[str, object]) -> nn.ModuleDict:
        """Return one encoder of gene expression per modality."""
        return gene_encoders(normalisers, settings)

    def begin(self) -> None:
        """Raise UserError when the sequences need more memory than the CPU has."""
        if not torch.cuda.is_available():
            normalisers = {name: one.normaliser for name, one in self.genetics.items()}
            require_memory(normalisers, self.settings, self.lower)

    def contrast(self, first: Tensor, second: Tensor) -> Tensor:
        """Return NT-Xent between image and expression with equal weights of both directions, in full precision."""
        with exactly(first):
            return contig_loss(first.float(), second.float(), self.temperature, SYMMETRIC)
