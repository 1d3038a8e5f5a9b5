"""A RabbitMQ of our own on free loopback ports, with its AMQP 1.0 plugin and its own name server."""

import os
import shutil
import socket
import time
from pathlib import Path

from .processes import BenchError, Child, free_port, wait_for_port

SERVER = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")  # the one in PATH insists on root and on its own directories
START_TIMEOUT = 90  # seconds

CONFIGURATION = """\
listeners.tcp.1 = 127.0.0.1:{port}
log.console = false
log.dir = {folder}
log.file = rabbitmq.log
log.file.level = warning
loopback_users.guest = true
vm_memory_high_watermark.absolute = 2GB
disk_free_limit.absolute = 100MB
"""


class RabbitMQ:
    """Context manager: started on entry, stopped on exit. Both versions of AMQP on `port`, user guest, vhost `/`."""

    def __init__(self, folder):
        self.folder = folder
        self.port = free_port()
        self.names = None
        self.child = None

    def __enter__(self):
        names = shutil.which("epmd")
        if not SERVER.exists() or not names:
            raise BenchError("RabbitMQ is not installed: apt-get install rabbitmq-server")
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "rabbitmq.conf").write_text(CONFIGURATION.format(
            port=self.port, folder=self.folder), encoding="utf-8")
        (self.folder / "plugins").write_text("[rabbitmq_amqp1_0].\n", encoding="utf-8")
        # The name server would be left behind as a daemon if the node started it.
        name_port = free_port()
        self.names = Child("epmd", [names, "-port", name_port, "-address", "127.0.0.1"], self.folder / "epmd.log")
        wait_for_port(self.names, name_port)
        self.child = Child("rabbitmq", [SERVER], self.folder / "rabbitmq.log", environment={
            **os.environ,
            "HOME": str(self.folder),  # the cookie lies there
            "ERL_EPMD_PORT": str(name_port), "ERL_EPMD_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODENAME": f"bench-{self.port}@localhost",
            "RABBITMQ_DIST_PORT": str(free_port()),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1}",
            "RABBITMQ_CONFIG_FILE": str(self.folder / "rabbitmq.conf"),
            "RABBITMQ_CONF_ENV_FILE": "/dev/null",
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(self.folder / "plugins"),
            "RABBITMQ_MNESIA_BASE": str(self.folder / "mnesia"),
            "RABBITMQ_LOG_BASE": str(self.folder / "log"),
            "RABBITMQ_GENERATED_CONFIG_DIR": str(self.folder / "generated"),
            "RABBITMQ_PID_FILE": str(self.folder / "pid"),
        })
        self._wait_until_it_answers()
        return self

    def __exit__(self, *_):
        if self.child:
            self.child.stop(timeout=30)
        if self.names:
            self.names.stop()

    def _wait_until_it_answers(self):
        # The listener is the last thing to start, and answers a wrong greeting with the right one.
        deadline = time.monotonic() + START_TIMEOUT
        while time.monotonic() < deadline:
            self.child.check_alive()
            try:
                with socket.create_connection(("127.0.0.1", self.port), timeout=5) as link:
                    link.sendall(b"AMQP\0\0\0\0")
                    if link.recv(8).startswith(b"AMQP"):
                        return
            except OSError:
                pass
            time.sleep(0.1)
        raise BenchError(f"RabbitMQ does not answer after {START_TIMEOUT} s{self.child.log_tail()}")
