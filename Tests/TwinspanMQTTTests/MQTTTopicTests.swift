import Testing

@testable import TwinspanMQTT

@Suite("MQTT topics")
struct MQTTTopicTests {
    @Test(
        "a filter admits exactly the topics MQTT says it does",
        arguments: [
            ("a", "a", true), ("a", "b", false), ("a", "a/b", false), ("a/b", "a", false), ("a", "A", false),
            ("a/b", "a/b", true), ("/a", "/a", true), ("/a", "a", false), ("a/", "a", false), ("a", "a/", false),
            ("+", "a", true), ("+", "a/b", false), ("+", "/a", false), ("/+", "/a", true), ("+/+", "/a", true),
            ("+/b", "a/b", true), ("a/+/c", "a/b/c", true), ("a/+/c", "a//c", true), ("a/+/c", "a/b/d", false),
            ("a/+", "a/", true), ("a/+", "a", false), ("a/+/c", "a/b/c/d", false), ("a/+/c", "a/b", false),
            ("#", "a", true), ("#", "a/b/c", true), ("#", "/", true), ("a/#", "a", true), ("a/#", "a/", true),
            ("a/#", "a/b/c", true), ("a/#", "ab", false), ("a/#", "b/a", false), ("a/+/#", "a/b", true),
            ("a/+/#", "a", false), ("a/+/#", "a/b/c/d", true), ("+/#", "a", true), ("/#", "a", false),
            ("/#", "/", true), ("#", "$SYS/x", false), ("+/x", "$SYS/x", false), ("$SYS/#", "$SYS/x", true),
            ("$SYS/+", "$SYS/x", true), ("$SYS/#", "$SYS", true), ("a/#", "a/$x", true), ("+/$x", "a/$x", true),
            ("$share/g/a/+", "a/b", true), ("$share/g/#", "a/b", true), ("$share/g/#", "$SYS/x", false),
            ("$share/g/a", "$share/g/a", false), ("ä/+", "ä/ö", true), ("ä", "a", false), ("", "a", false),
        ] as [(String, String, Bool)])
    func matching(filter: String, topic: String, isAdmitted: Bool) {
        let bytes = Array(topic.utf8)
        let result = bytes.withUnsafeBytes { MQTTTopicFilter(filter)?.admits($0) } ?? false
        #expect(result == isAdmitted)
    }

    @Test(
        "filters outside the rules are refused",
        arguments: [
            "", "a#", "#a", "a/#/b", "#/", "a+", "+a", "a/b+/c", "a/##", "++", "a\u{0}", "$share/g",
            "$share/g/", "$share//a", "$share/+/a", "$share/g#/a", "$share/g/a#", String(repeating: "a", count: 65_536),
        ])
    func invalidFilters(_ filter: String) {
        #expect(MQTTTopic.problem(inFilter: filter) != nil && MQTTTopicFilter(filter) == nil)
    }

    @Test(
        "filters within the rules are taken", arguments: ["a", "/", "//", "+", "#", "+/+/#", "$SYS/#", "a b", "$share"])
    func validFilters(_ filter: String) {
        #expect(MQTTTopic.problem(inFilter: filter) == nil)
    }

    @Test(
        "topics of messages have no wildcards",
        arguments: ["", "+", "#", "a/+", "a/#", "a+", "a\u{0}b", String(repeating: "ä", count: 32_768)])
    func invalidNames(_ topic: String) {
        #expect(MQTTTopic.problem(inName: topic) != nil)
    }

    @Test(
        "ordinary topics are taken", arguments: ["a", "/", "a/b c/ä", "$SYS/x", String(repeating: "a", count: 65_535)])
    func validNames(_ topic: String) {
        #expect(MQTTTopic.problem(inName: topic) == nil)
    }
}
