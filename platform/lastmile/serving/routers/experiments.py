"""Experiments: versions compared on the same units."""

from fastapi import APIRouter

router = APIRouter(prefix="/api/v1", tags=["models"])
