"""Submissions in the shapes of ODK Central and KoboToolbox."""

from fastapi import APIRouter

router = APIRouter(prefix="/api/v1", tags=["ingest"])
