"""The server's log files. Where they are is said on their machine: `--file /var/log/nginx/access.log`."""

from lastmile.streaming import LogFiles

connector = LogFiles(
    name="access_log",
    description="The log files of the site's web server.",
    owner="team:web",
    stream="access_log",
)
