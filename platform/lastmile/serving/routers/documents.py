"""Documents: JSON of apps, by collection."""

from fastapi import APIRouter

router = APIRouter(prefix="/api/v1", tags=["data"])
