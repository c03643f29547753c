"""Runs: materialize, backfill, train; follow and cancel them."""

from fastapi import APIRouter

router = APIRouter(prefix="/api/v1", tags=["process"])
