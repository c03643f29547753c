"""Files, streamed to the store; large ones in parts."""

from fastapi import APIRouter

router = APIRouter(prefix="/api/v1", tags=["ingest"])
