"""Weights & Biases as an experiment tracker. Nothing here imports wandb: its own programs are run instead."""

from .provider import WandB

__all__ = ["WandB"]
