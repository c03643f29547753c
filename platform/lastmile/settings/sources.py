"""What sources are given: secrets and addresses, each under a name that its declaration says.

They are no group: which there are depends on the sources of the project, not on the platform.
"""

#: Variables that begin so belong to sources, such as LASTMILE_SOURCE_SHOP_TOKEN.
PREFIX = "LASTMILE_SOURCE_"
