"""A Mosquitto of our own on a free loopback port."""

import os
import pwd
import shutil

from .processes import BenchError, Child, free_port, wait_for_port

CONFIGURATION = """\
listener {port} 127.0.0.1
allow_anonymous true
user {user}
persistence true
persistence_location {folder}/
autosave_interval 0
max_queued_messages 0
max_inflight_messages {inflight}
set_tcp_nodelay true
log_type error
log_type warning
"""


class Broker:
    """Context manager: started on entry, stopped on exit. Sessions persist, its queues are unlimited."""

    def __init__(self, folder, inflight):
        self.folder = folder
        self.inflight = inflight
        self.port = free_port()
        self.child = None

    def __enter__(self):
        program = shutil.which("mosquitto", path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin")
        if not program:
            raise BenchError("mosquitto is not installed: apt-get install mosquitto")
        self.folder.mkdir(parents=True, exist_ok=True)
        configuration = self.folder / "mosquitto.conf"
        user = pwd.getpwuid(os.getuid()).pw_name
        configuration.write_text(CONFIGURATION.format(
            port=self.port, user=user, folder=self.folder, inflight=self.inflight), encoding="utf-8")
        self.child = Child("mosquitto", [program, "-c", configuration], self.folder / "mosquitto.log")
        wait_for_port(self.child, self.port)
        return self

    def __exit__(self, *_):
        self.child.stop()
