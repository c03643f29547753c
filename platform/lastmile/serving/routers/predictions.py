"""Predictions of rows, or of entities that the online table knows."""

from fastapi import APIRouter

router = APIRouter(prefix="/api/v1", tags=["models"])
