"""Quality by rule over time; what is quarantined, released, discarded."""

from fastapi import APIRouter

router = APIRouter(prefix="/api/v1", tags=["catalogue"])
