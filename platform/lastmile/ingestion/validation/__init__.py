"""Judges raw batches by a contract: valid rows typed, bad rows as raw text with every rule they broke."""

from lastmile.ingestion.validation.plan import Plan

__all__ = ["Plan"]
