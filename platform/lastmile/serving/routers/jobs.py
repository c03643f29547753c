"""What became of what was uploaded."""

from fastapi import APIRouter

router = APIRouter(prefix="/api/v1", tags=["ingest"])
