#!/usr/bin/python3
"""An AMQP 1.0 peer that tests tell what to do: a broker with queues in memory that can answer with every outcome,
withhold credit, refuse and detach links, end sessions and close connections.

Reads one JSON object a line from standard input, writes one a line to standard output. Needs python3-qpid-proton.
"""
import base64
import collections
import json
import sys
import threading

from proton import Condition, Delivery, Endpoint, Terminus
from proton.handlers import MessagingHandler
from proton.reactor import ApplicationEvent, Container, EventInjector


def tell(event, **fields):
    sys.stdout.write(json.dumps(dict(event=event, **fields)) + "\n")
    sys.stdout.flush()


class Peer(MessagingHandler):
    def __init__(self, port):
        super().__init__(prefetch=0, auto_accept=False, auto_settle=False)
        self.port = port
        self.queues = collections.defaultdict(collections.deque)
        self.links = []
        self.connections = []
        self.given = {}  # delivery -> (address, bytes)
        self.outcome = "accept"
        self.outcomes_left = None
        self.credit = 100
        self.refusals = {}
        self.maximum = None
        self.silent = set()
        self.tag = 0

    # Life

    def on_start(self, event):
        self.container = event.container
        self.injector = EventInjector()
        self.container.selectable(self.injector)
        self.acceptor = self.container.listen("127.0.0.1:%d" % self.port)
        tell("listening", port=self.port)
        threading.Thread(target=self.read, daemon=True).start()

    def read(self):
        for line in sys.stdin:
            self.injector.trigger(ApplicationEvent("command", subject=json.loads(line)))
        self.injector.trigger(ApplicationEvent("command", subject={"do": "quit"}))

    def on_connection_opened(self, event):
        connection = event.connection
        self.connections.append(connection)
        tell("connected", container=connection.remote_container, host=connection.remote_hostname,
             idle=event.transport.remote_idle_timeout)

    def on_connection_closed(self, event):
        self.forget(lambda link: link.connection == event.connection)

    def on_disconnected(self, event):
        if event.connection in self.connections:
            self.connections.remove(event.connection)
            tell("disconnected")
        self.forget(lambda link: link.connection == event.connection)

    def on_session_closed(self, event):
        self.forget(lambda link: link.session == event.session)

    def on_link_closed(self, event):
        event.link.close()
        self.forget(lambda link: link == event.link)

    def on_link_error(self, event):
        self.on_link_closed(event)

    def forget(self, matches):
        for link in [link for link in self.links if matches(link)]:
            self.links.remove(link)
            address = self.address(link)
            back = [d for d, (_, _, owner) in self.given.items() if owner == link]
            for delivery in reversed(back):
                self.queues[address].appendleft(self.given.pop(delivery)[1])
            self.pump()

    # Links

    @staticmethod
    def address(link):
        terminus = link.remote_source if link.is_sender else link.remote_target
        return terminus.address

    def on_link_opening(self, event):
        link = event.link
        address = self.address(link)
        role = "source" if link.is_sender else "target"
        tell("attach", address=address, role=role, durable=int(
            (link.remote_source if link.is_sender else link.remote_target).durability))
        if address in self.silent:
            return
        refusal = self.refusals.get(address)
        if refusal and refusal["left"] != 0:
            refusal["left"] -= 1
            if refusal.get("session"):
                event.session.condition = Condition(refusal["condition"], refusal["text"])
                event.session.close()
                return
            # A refusal: no terminus of ours, and the reason right behind.
            (link.source if link.is_sender else link.target).type = Terminus.UNSPECIFIED
            link.open()
            # Attach and detach are frames of their own, which this library only writes in turns of their own.
            self.container.schedule(0.05, Refusal(link, Condition(refusal["condition"], refusal["text"])))
            return
        link.source.copy(link.remote_source)
        link.target.copy(link.remote_target)
        if self.maximum and link.is_receiver:
            link.max_message_size = self.maximum
        link.open()
        self.links.append(link)
        if link.is_receiver and self.credit:
            link.flow(self.credit)
        self.pump()

    # From the client

    def on_delivery(self, event):
        delivery, link = event.delivery, event.link
        if link.is_receiver and delivery.readable and not delivery.partial:
            data = link.recv(delivery.pending)
            link.advance()
            tell("received", address=self.address(link), bytes=base64.b64encode(data or b"").decode())
            self.answer(delivery, self.address(link), data or b"")
            if self.credit and link.credit < self.credit // 2 + 1:
                link.flow(self.credit - link.credit)
        elif link.is_sender and delivery.updated:
            state = delivery.remote_state
            if not state and not delivery.settled:
                return
            address, data, _ = self.given.pop(delivery, (None, None, None))
            failed = bool(delivery.remote.failed) if state == Delivery.MODIFIED else False
            text = delivery.remote.condition.name if delivery.remote.condition else ""
            tell("disposed", address=address, state=str(state), failed=failed, condition=text)
            delivery.settle()
            if state in (Delivery.RELEASED, Delivery.MODIFIED):
                self.queues[address].appendleft(data)
                self.pump()

    def answer(self, delivery, address, data):
        outcome = self.outcome
        if self.outcomes_left is not None:
            if self.outcomes_left == 0:
                outcome = "accept"
            else:
                self.outcomes_left -= 1
        if outcome == "accept":
            self.queues[address].append(data)
            delivery.update(Delivery.ACCEPTED)
            self.pump()
        elif outcome == "reject":
            delivery.local.condition = Condition("amqp:test-rejected", "not wanted")
            delivery.update(Delivery.REJECTED)
        elif outcome == "release":
            delivery.update(Delivery.RELEASED)
        elif outcome == "modify":
            delivery.local.failed = True
            delivery.update(Delivery.MODIFIED)
        elif outcome == "none":
            return
        delivery.settle()

    # To the client

    def on_link_flow(self, event):
        if event.link.is_sender:
            tell("credit", address=self.address(event.link), credit=event.link.credit)
            self.pump()

    def pump(self):
        for link in self.links:
            if not link.is_sender:
                continue
            queue = self.queues[self.address(link)]
            while queue and link.credit > 0 and link.state & Endpoint.LOCAL_ACTIVE:
                data = queue.popleft()
                self.tag += 1
                delivery = link.delivery(str(self.tag))
                self.given[delivery] = (self.address(link), data, link)
                if data:
                    link.stream(data)
                link.advance()

    # Commands

    def on_command(self, event):
        command = event.subject
        getattr(self, "do_" + command.pop("do").replace("-", "_"))(**command)
        tell("done")

    def do_outcome(self, outcome, count=None):
        self.outcome, self.outcomes_left = outcome, count

    def do_credit(self, amount):
        self.credit = amount
        for link in self.links:
            if link.is_receiver and amount > link.credit:
                link.flow(amount - link.credit)

    def do_send(self, address, messages):
        for message in messages:
            self.queues[address].append(base64.b64decode(message))
        self.pump()

    def do_abort(self, address, bytes):
        """Begins a message and takes it back."""
        link = self.sender(address)
        self.tag += 1
        delivery = link.delivery(str(self.tag))
        link.stream(base64.b64decode(bytes))
        self.container.schedule(0.2, Abort(delivery))

    def do_refuse(self, address, condition, text="", count=-1, session=False):
        self.refusals[address] = dict(condition=condition, text=text, left=count, session=session)

    def do_admit(self, address):
        self.refusals.pop(address, None)
        self.silent.discard(address)

    def do_ignore(self, address):
        self.silent.add(address)

    def do_limit(self, bytes):
        self.maximum = bytes

    def do_detach(self, address, condition, text="", session=False):
        for link in [link for link in self.links if self.address(link) == address]:
            if session:
                link.session.condition = Condition(condition, text)
                link.session.close()
            else:
                link.condition = Condition(condition, text)
                link.close()
            self.forget(lambda other: other == link)

    def do_close(self, condition, text="", info=None):
        for connection in list(self.connections):
            connection.condition = Condition(condition, text, info)
            connection.close()

    def do_quit(self):
        self.acceptor.close()
        for connection in list(self.connections):
            connection.close()
        self.container.stop()

    def sender(self, address):
        return next(link for link in self.links if link.is_sender and self.address(link) == address)


class Refusal(MessagingHandler):
    def __init__(self, link, condition):
        super().__init__()
        self.link, self.condition = link, condition

    def on_timer_task(self, event):
        self.link.condition = self.condition
        self.link.close()


class Abort(MessagingHandler):
    def __init__(self, delivery):
        super().__init__()
        self.delivery = delivery

    def on_timer_task(self, event):
        self.delivery.abort()


if __name__ == "__main__":
    Container(Peer(int(sys.argv[1]))).run()
