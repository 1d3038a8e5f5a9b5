"""Child processes that never outlive the driver, and what /proc tells about them."""

import ctypes
import os
import select
import signal
import socket
import subprocess
import time

CPU_CLOCK = 2  # CPUCLOCK_SCHED, of the process
SET_PARENT_DEATH_SIGNAL = 1  # PR_SET_PDEATHSIG
_libc = ctypes.CDLL(None)
_running = []


class BenchError(Exception):
    """Something that stops one scenario; its text says what and what to do. `rows` were measured all the same."""

    def __init__(self, text, rows=()):
        super().__init__(text)
        self.rows = list(rows)


def _die_with_parent():
    _libc.prctl(SET_PARENT_DEATH_SIGNAL, signal.SIGKILL)


class Child:
    """One process we started. Its stdout is ours to read, its stderr goes to a log file; `talks` gives it a stdin."""

    def __init__(self, name, command, log_path, environment=None, talks=False):
        self.name = name
        self.log_path = log_path
        self.buffer = b""
        with open(log_path, "ab") as log:
            # A session of its own: Ctrl-C reaches the driver only, which then stops its children in order.
            self.process = subprocess.Popen(
                [str(part) for part in command], stdin=subprocess.PIPE if talks else subprocess.DEVNULL,
                stdout=subprocess.PIPE, stderr=log, env=environment, start_new_session=True,
                preexec_fn=_die_with_parent)
        self.pid = self.process.pid
        _running.append(self)

    def read_line(self, timeout):
        """The next line of stdout, without its end. Raises when the process ends or the time is up first."""
        deadline = time.monotonic() + timeout
        while b"\n" not in self.buffer:
            left = deadline - time.monotonic()
            if left <= 0:
                raise BenchError(f"{self.name} said nothing within {timeout:.0f} s{self.log_tail()}")
            if not select.select([self.process.stdout], [], [], left)[0]:
                continue
            chunk = os.read(self.process.stdout.fileno(), 65536)
            if not chunk:
                raise BenchError(f"{self.name} ended early, exit code {self.process.wait()}{self.log_tail()}")
            self.buffer += chunk
        line, self.buffer = self.buffer.split(b"\n", 1)
        return line.decode()

    def ask(self, line, timeout=10):
        """Writes a line to stdin and returns the line that answers it."""
        self.process.stdin.write(line.encode() + b"\n")
        self.process.stdin.flush()
        return self.read_line(timeout)

    def check_alive(self):
        if self.process.poll() is not None:
            raise BenchError(f"{self.name} ended, exit code {self.process.returncode}{self.log_tail()}")

    def finish(self, timeout=10):
        """Waits for the process to end by itself."""
        try:
            self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            self.stop()
        self._forget()

    def stop(self, timeout=15):
        """SIGTERM, then SIGKILL. Returns the exit code."""
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(timeout)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self._forget()
        return self.process.returncode

    def _forget(self):
        if self in _running:
            _running.remove(self)

    def log_tail(self, lines=12):
        try:
            with open(self.log_path, encoding="utf-8", errors="replace") as log:
                tail = log.read().splitlines()[-lines:]
        except OSError:
            return ""
        return "".join(f"\n    {line}" for line in tail)

    # What /proc tells

    def cpu_seconds(self):
        """User and system time of all threads so far, those that ended included; to the nanosecond."""
        # The process's CPU clock (clock_getcpuclockid(3)): /proc/PID/stat counts in hundredths of a second.
        return time.clock_gettime((~self.pid << 3) | CPU_CLOCK)

    def memory(self):
        """(RssAnon, VmRSS) in bytes."""
        values = self._numbers("status")
        return values["RssAnon"] * 1024, values["VmRSS"] * 1024

    def written_bytes(self):
        """Bytes this process caused to be written to the disk."""
        return self._numbers("io")["write_bytes"]

    def _numbers(self, file):
        values = {}
        with open(f"/proc/{self.pid}/{file}", encoding="utf-8") as lines:
            for line in lines:
                key, _, rest = line.partition(":")
                number = rest.split()
                if number and number[0].isdigit():
                    values[key] = int(number[0])
        return values


def stop_everything():
    """Ends every child that is still running, newest first."""
    for child in list(reversed(_running)):
        child.stop(timeout=5)


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def wait_for_port(child, port, timeout=10):
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        child.check_alive()
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.01)
    raise BenchError(f"{child.name} does not listen on port {port}{child.log_tail()}")
