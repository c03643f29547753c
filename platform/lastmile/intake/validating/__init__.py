"""Judges raw batches by a contract: valid rows typed, bad rows as raw text with every rule they broke."""

from lastmile.intake.validating.plan import Plan

__all__ = ["Plan"]
