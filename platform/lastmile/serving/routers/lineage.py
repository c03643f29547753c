"""Where an asset, or a single row, comes from."""

from fastapi import APIRouter

router = APIRouter(prefix="/api/v1", tags=["catalogue"])
