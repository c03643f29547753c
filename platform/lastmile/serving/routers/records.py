"""Records as JSON, gathered into drops."""

from fastapi import APIRouter

router = APIRouter(prefix="/api/v1", tags=["ingest"])
