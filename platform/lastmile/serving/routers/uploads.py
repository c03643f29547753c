"""Files piece by piece (tus)."""

from fastapi import APIRouter

router = APIRouter(prefix="/api/v1", tags=["ingest"])
