"""A Kafka cluster of our own: the mock cluster of librdkafka in its own process, which the tests use too."""

from .processes import BenchError, Child

# It keeps 5 MB of a partition and drops what is older. With so many, a round of the load fits twice.
PARTITIONS = 32


class KafkaCluster:
    """Context manager: started on entry, stopped on exit. Everything lies in memory; there is no disk below it."""

    def __init__(self, folder, programs, source, topics):
        self.folder = folder
        self.programs = programs
        self.source = source    # of the program
        self.topics = topics
        self.bootstrap = None
        self.child = None

    def __enter__(self):
        self.folder.mkdir(parents=True, exist_ok=True)
        if not self.source.exists():
            raise BenchError(f"there is no {self.source}: the mock cluster is missing")
        program = self.programs.compile("kafka-mock", [self.source], ["rdkafka"])
        self.child = Child("kafka-mock", [program], self.folder / "kafka-mock.log", talks=True)
        word, _, self.bootstrap = self.child.read_line(10).partition(" ")
        if word != "bootstrap":
            raise BenchError(f"the mock cluster did not start{self.child.log_tail()}")
        for topic in self.topics:
            answer = self.child.ask(f"topic {topic} {PARTITIONS}")
            if not answer.startswith("ok"):
                raise BenchError(f"topic {topic}: {answer}")
        return self

    def __exit__(self, *_):
        if self.child:
            self.child.stop()
