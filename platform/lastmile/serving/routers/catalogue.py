"""What is declared: datasets, feature sets, models, relations."""

from fastapi import APIRouter

router = APIRouter(prefix="/api/v1", tags=["catalogue"])
