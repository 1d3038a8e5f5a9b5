"""The program under test: its configuration files, its start and stop, its HTTP door."""

import base64
import http.client
import json
import socket
import time

from .processes import BenchError, Child, free_port
from .tools import Load, say

SUBJECT = "bench:gateway"
POLICY = "bench:fleet"
SEED_CHUNK = 20_000     # bounds what the broker holds while things are created
SEED_TIMEOUT = 120      # seconds without progress

CONNECTION_IN = """\
id: {id}
name: {id}
connectionType: mqtt
connectionStatus: open
uri: tcp://127.0.0.1:{port}
specificConfig:
  clientId: bench-{prefix}-{id}
sources:
  - addresses: ["{filter}"]
    qos: 1
    authorizationContext: ["bench:gateway"]
    replyTarget:
      enabled: false
"""

CONNECTION_OUT = """\
id: events-out
name: events-out
connectionType: mqtt
connectionStatus: open
uri: tcp://127.0.0.1:{port}
specificConfig:
  clientId: bench-{prefix}-events-out
targets:
  - address: "{events}/{{{{ thing:id }}}}"
    topics: ["_/_/things/twin/events"]
    qos: 1
    authorizationContext: ["bench:gateway"]
"""


EVERYTHING = {"grant": ["READ", "WRITE"], "revoke": []}


def fleet_policy():
    """One policy for all things, as fleets have it. The `ditto` user may do everything, the gateway what it needs."""
    return {"entries": {
        "owner": {
            "subjects": {"nginx:ditto": {"type": "bench"}},
            "resources": {"policy:/": EVERYTHING, "thing:/": EVERYTHING, "message:/": EVERYTHING}},
        "gateway": {
            "subjects": {SUBJECT: {"type": "bench"}},
            "resources": {"policy:/": {"grant": ["READ"], "revoke": []}, "thing:/": EVERYTHING}}}}


def grown_policies(entries=20, imports=3):
    """The policies of an installation that has grown, imported ones first, as {id: document}: the fleet's policy with
    `entries` entries, which refers to templates in `imports` others. The gateway gets its rights by a reference."""
    policies = {}
    for number in range(imports):
        roles = {f"role-{role}": {
            "subjects": {f"team:{number}-{role}": {"type": "bench"}},
            "resources": {f"thing:/features/feature-{role}": {"grant": ["READ"], "revoke": []},
                          f"thing:/features/feature-{role}/properties/secret": {"grant": [], "revoke": ["READ"]}},
        } for role in range(8)}
        roles["owner"] = {"subjects": {"nginx:ditto": {"type": "bench"}}, "importable": "never",
                          "resources": {"policy:/": EVERYTHING}}
        roles["devices"] = {"subjects": {}, "importable": "implicit", "resources": {"thing:/": EVERYTHING}}
        policies[f"bench:roles-{number}"] = {"entries": roles}
    fleet = fleet_policy()
    fleet["imports"] = {policy: {} for policy in policies}
    fleet["entries"]["gateway"]["resources"] = {"policy:/": {"grant": ["READ"], "revoke": []}}
    fleet["entries"]["gateway"]["references"] = [
        {"import": policy, "entry": "devices"} for policy in policies]
    for number in range(entries - len(fleet["entries"])):
        fleet["entries"][f"team-{number}"] = {
            "subjects": {f"team:{number}": {"type": "bench"}, "team:all": {"type": "bench"}},
            "resources": {f"thing:/attributes/area-{number}": EVERYTHING,
                          f"thing:/features/feature-{number}/properties": {"grant": ["READ"], "revoke": []},
                          f"message:/features/feature-{number}": {"grant": ["WRITE"], "revoke": []}}}
    policies[POLICY] = fleet
    return policies


class Product:
    """One data directory served by one process at a time.

    `prefix` is the topic the source subscribes; two products on one broker have different ones. With a `route`
    (routes.py) the connections are the route's instead. `policies` are made in their order; all things have the last.
    """

    def __init__(self, binary, folder, broker_port=None, prefix="telemetry", connections=2, route=None,
                 policies=None):
        self.binary = binary
        self.folder = folder
        self.data = folder / "data"
        self.broker_port = broker_port
        self.prefix = prefix
        self.connections = connections
        self.route = route
        self.policies = policies or {POLICY: fleet_policy()}
        self.events = "events" if prefix == "telemetry" else f"events-{prefix}"
        self.http_port = None
        self.child = None
        self.authorization = None

    # Life

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.stop()

    def start(self, timeout=60):
        """Starts the process and returns the milliseconds until /ready said 200."""
        self._write_configuration()
        self.http_port = free_port()
        begin = time.monotonic()
        self.child = Child("twinspan", [
            self.binary, "serve", "--config", self.folder / "twinspan.yaml", "--data", self.data,
            "--connections", self.folder / "connections", "--http", f"127.0.0.1:{self.http_port}",
        ], self.folder / "twinspan.log")
        answer = b""
        while time.monotonic() - begin < timeout:
            self.child.check_alive()
            answer = self._raw_ready()
            if answer.split(b" ", 2)[1:2] == [b"200"]:
                taken = (time.monotonic() - begin) * 1000
                self._read_credentials()
                return taken
            time.sleep(0.001)
        reason = answer.decode(errors="replace").splitlines()[-1:] or ["no answer"]
        raise BenchError(f"twinspan is not ready after {timeout} s: {reason[0]}{self.child.log_tail()}")

    def stop(self):
        if self.child:
            code = self.child.stop()
            self.child = None
            if code not in (0, -9):
                say(f"  note: twinspan ended with exit code {code}")

    def _write_configuration(self):
        connections = self.folder / "connections"
        connections.mkdir(parents=True, exist_ok=True)
        (self.folder / "twinspan.yaml").write_text("log: { level: warning }\n", encoding="utf-8")
        if self.route:
            for name, text in self.route.connections().items():
                (connections / f"{name}.yaml").write_text(text, encoding="utf-8")
            return
        values = {"port": self.broker_port, "prefix": self.prefix, "events": self.events}
        (connections / "telemetry-in.yaml").write_text(
            CONNECTION_IN.format(id="telemetry-in", filter=f"{self.prefix}/#", **values), encoding="utf-8")
        (connections / "events-out.yaml").write_text(CONNECTION_OUT.format(**values), encoding="utf-8")
        if self.connections > 2:
            (connections / "commands-in.yaml").write_text(
                CONNECTION_IN.format(id="commands-in", filter="commands/#", **values), encoding="utf-8")

    def _raw_ready(self):
        # A bare socket: an HTTP client library would add its own milliseconds to what is measured.
        try:
            with socket.create_connection(("127.0.0.1", self.http_port), timeout=5) as link:
                link.sendall(b"GET /ready HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
                answer = b""
                while chunk := link.recv(4096):
                    answer += chunk
                return answer
        except OSError:
            return b""

    def _read_credentials(self):
        for line in (self.data / "credentials").read_text(encoding="utf-8").splitlines():
            user, colon, password = line.strip().partition(":")
            if colon and user == "ditto":
                token = base64.b64encode(f"ditto:{password.strip()}".encode()).decode()
                self.authorization = f"Basic {token}"
                return
        raise BenchError(f"{self.data}/credentials has no line for the user ditto")

    # HTTP

    def request(self, method, path, body=None):
        """(status, body bytes)."""
        connection = http.client.HTTPConnection("127.0.0.1", self.http_port, timeout=30)
        headers = {"Authorization": self.authorization}
        if body is not None:
            headers["Content-Type"] = "application/json"
        try:
            connection.request(method, path, None if body is None else json.dumps(body), headers)
            response = connection.getresponse()
            return response.status, response.read()
        except OSError as error:
            self.child.check_alive()
            raise BenchError(f"{method} {path}: {error}") from error
        finally:
            connection.close()

    def has_thing(self, number):
        return self.request("GET", f"/api/2/things/bench:device-{number}")[0] == 200

    # Things

    def seed(self, tools, things):
        """Creates things 0 ..< `things` through the source; those that exist already are left alone."""
        for policy, document in self.policies.items():
            status, body = self.request("PUT", f"/api/2/policies/{policy}", document)
            if status not in (201, 204):
                raise BenchError(
                    f"PUT of the policy {policy} answered {status}: {body.decode(errors='replace')[:300]}")
        if self.has_thing(things - 1):
            return
        begin = time.monotonic()
        for first in range(0, things, SEED_CHUNK):
            count = min(SEED_CHUNK, things - first)
            load = Load(count=count, devices=count, first=first)
            options = ("--mode", "create", "--policy", POLICY)
            if self.route:
                self.route.generate(load, *options)
            else:
                tools.generate_mqtt(self.broker_port, self.prefix, load, *options)
            # One source keeps the order, so the last one stands for all; partitions do not, see below.
            self._wait_for_thing(first + count - 1)
            if things > SEED_CHUNK:
                say(f"  {first + count:,} of {things:,} things, {time.monotonic() - begin:.0f} s")
        for number in range(0, things, max(1, things // 100)):
            self._wait_for_thing(number)

    def _wait_for_thing(self, number):
        deadline = time.monotonic() + SEED_TIMEOUT
        while not self.has_thing(number):
            self.child.check_alive()
            if time.monotonic() > deadline:
                raise BenchError(f"bench:device-{number} was not created within {SEED_TIMEOUT} s"
                                 f"{self.child.log_tail()}")
            time.sleep(0.02)
