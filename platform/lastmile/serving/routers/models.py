"""Models: versions, cards, performance; train, promote, roll back."""

from fastapi import APIRouter

router = APIRouter(prefix="/api/v1", tags=["models"])
