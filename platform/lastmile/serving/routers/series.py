"""Aggregations, and metrics over time."""

from fastapi import APIRouter

router = APIRouter(prefix="/api/v1", tags=["data"])
