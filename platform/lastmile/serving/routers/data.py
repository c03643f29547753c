"""Rows of every layer, filtered, sorted, page by page, in four formats."""

from fastapi import APIRouter

router = APIRouter(prefix="/api/v1", tags=["data"])
