"""Read-only SQL, as a role that can do nothing else."""

from fastapi import APIRouter

router = APIRouter(prefix="/api/v1", tags=["data"])
