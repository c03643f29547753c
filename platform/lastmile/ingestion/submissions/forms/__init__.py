"""Submissions of ODK Central and KoboToolbox: from what they send to records of datasets.

    JSON or XML > versions (`odk`, `kobo`) > what of a submission is in force (`history`) > records (`rows`) > accept

A submission has versions, one for each edit, and its review changes. They arrive in any order, and again; each is kept
(`keeping`), and what is in force follows from all of them that are known, so it ends the same whatever came first.
"""
