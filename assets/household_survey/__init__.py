"""Smallholder household surveys in the RHoMIS format, classified into vulnerability levels."""
