import Testing

@testable import TwinspanConnections

@Suite("Connection URIs")
struct ConnectionURIParsingTests {
    @Test(
        "are read with their parts",
        arguments: [
            ("tcp://host:1883", ConnectionURI(scheme: "tcp", host: "host", port: 1883)),
            ("SSL://Host.Example:8883/", ConnectionURI(scheme: "ssl", host: "Host.Example", port: 8883, path: "/")),
            (
                "amqp://u:p@h:1/v%2Fhost",
                ConnectionURI(scheme: "amqp", user: "u", password: Secret("p"), host: "h", port: 1, path: "/v%2Fhost")
            ),
            (
                "tcp://a%40b:c%3Ad%2f@h:1",
                ConnectionURI(scheme: "tcp", user: "a@b", password: Secret("c:d/"), host: "h", port: 1)
            ),
            ("tcp://u:a:b@h:1", ConnectionURI(scheme: "tcp", user: "u", password: Secret("a:b"), host: "h", port: 1)),
            ("tcp://u:@h:1", ConnectionURI(scheme: "tcp", user: "u", password: Secret(""), host: "h", port: 1)),
            ("tcp://user@h:1", ConnectionURI(scheme: "tcp", host: "h", port: 1)),
            ("tcp://[::1]:1883", ConnectionURI(scheme: "tcp", host: "::1", port: 1883)),
            ("tcp://my_broker:65535", ConnectionURI(scheme: "tcp", host: "my_broker", port: 65535)),
        ])
    func read(_ text: String, _ uri: ConnectionURI) throws {
        #expect(try ConnectionURI.parse(text) == uri)
    }

    @Test(
        "are refused",
        arguments: [
            "", "host", "host:1883", "tcp:host:1", "://h:1", "tcp://", "tcp://h", "tcp://h:", "tcp://h:0",
            "tcp://h:65536", "tcp://h:-1", "tcp://h:1x", "tcp://:1", "tcp://u:p@:1", "tcp://h:1?a=b", "tcp://h:1#f",
            "tcp://h:1/?q", "tcp://u:%zz@h:1", "tcp://u:%ff@h:1", "tcp://u:p@x@h:1", "tcp://u:p/x@h:1", "tcp://h h:1",
            "tcp://hö:1", "tcp://[::1:1", "tcp://[]:1", "tcp://[::1]", "tcp://a,b:1", "1/x://h:1",
            "tcp://h:99999999999999999999",
        ])
    func refused(_ text: String) {
        #expect(throws: ConnectionURIError.self) { try ConnectionURI.parse(text) }
    }

    @Test(
        "errors do not tell the password",
        arguments: [
            "tcp://u:geheim@h", "tcp://u:geh@eim@h:1", "tcp://u:geheim/x@h:1", "tcp://u:geheim%@h:1",
            "tcp://u:geheim?@h:1",
        ])
    func secrets(_ text: String) {
        let error = #expect(throws: ConnectionURIError.self) { try ConnectionURI.parse(text) }
        #expect("\(error?.message ?? "") \(error?.hint ?? "")".contains("geh") == false)
    }
}

@Suite("Sizes and spans of time")
struct QuantitiesTests {
    @Test(
        "sizes",
        arguments: [
            ("0", 0), ("512", 512), ("64MB", 64_000_000), ("64 mb", 64_000_000), ("1kB", 1000), ("1KiB", 1024),
            ("1.5GiB", 1_610_612_736), ("4GB", 4_000_000_000), ("10B", 10), ("2TB", 2_000_000_000_000),
        ])
    func size(_ text: String, _ bytes: Int) { #expect(ByteSize.parse(text) == bytes) }

    @Test("no sizes", arguments: ["", "MB", "-1", "1 2", "64XB", "1e3", ".5", "1..2", "99999999999TB", "0x10", "inf"])
    func noSize(_ text: String) { #expect(ByteSize.parse(text) == nil) }

    @Test(
        "spans of time",
        arguments: [
            ("0", Duration.zero), ("5", .seconds(5)), ("500ms", .milliseconds(500)), ("2m", .seconds(120)),
            ("7d", .seconds(604_800)), ("1w", .seconds(604_800)), ("1h", .seconds(3600)), ("1mo", .seconds(2_629_746)),
            ("1y", .seconds(31_556_952)),
        ])
    func span(_ text: String, _ duration: Duration) { #expect(TimeSpan.parse(text) == duration) }

    @Test("no spans", arguments: ["", "d", "-1s", "1.5h", "1 s", "1S", "7days", "9999999999999999y", "1s1"])
    func noSpan(_ text: String) { #expect(TimeSpan.parse(text) == nil) }
}
