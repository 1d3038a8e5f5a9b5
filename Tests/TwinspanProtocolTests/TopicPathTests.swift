import Testing
import TwinspanProtocol

@Suite("TopicPath")
struct TopicPathTests {
    @Test(
        "legal topics are understood and written back",
        arguments: [
            "n/t/things/twin/commands/create", "n/t/things/twin/commands/retrieve", "n/t/things/twin/commands/modify",
            "n/t/things/twin/commands/merge", "n/t/things/twin/commands/delete", "n/t/things/twin/commands/migrate",
            "n/t/things/twin/events/created", "n/t/things/twin/events/merged", "n/t/things/twin/errors",
            "n/t/things/live/messages/a/b", "n/t/things/live/messages/a//b/", "n/t/things/twin/acks",
            "n/t/things/twin/acks/x:y", "n/p/policies/acks/x:y", "_/_/things/twin/search/subscribe",
            "n/t/things/twin/streaming/request",
            "n/p/policies/commands/modify", "n/p/policies/errors", "n/p/policies/announcements/subjectDeletion",
            "_/c/connections/announcements/opened", "_/_/policies/commands/checkPermissions",
            "/t/things/twin/commands/modify", "a.b-c/x:y z/things/twin/commands/modify",
        ])
    func legal(text: String) throws {
        #expect(try TopicPath(text).text == text)
    }

    @Test(
        "illegal topics are refused with the reason",
        arguments: [
            "", "/", "n", "n/t", "n/t/", "n//things/twin/commands/modify", "n/t/thing/twin/commands/modify",
            "n/t/THINGS/twin/commands/modify", "n/t/things", "n/t/things/commands/modify",
            "n/t/things/Twin/commands/modify",
            "n/t/things/twin", "n/t/things/twin/", "n/t/things/twin/commands", "n/t/things/twin/commands/",
            "n/t/things/twin/commands/Modify", "n/t/things/twin/commands/update", "n/t/things/twin/events",
            "n/t/things/twin/events/modify", "n/t/things/twin/command/modify", "n/t/things/live/messages",
            "n/t/things/live/messages/", "n/p/policies/twin/commands/modify", "n/p/policies/messages/x",
            "n/p/policies/acks", "n/p/policies/acks/", "n/c/connections/acks/x",
            "n/p/policies/search/subscribe", "n/t/things/twin/search",
            "n/t/things/twin/search/find",
            "n/t/things/twin/streaming", "n/t/things/twin/streaming/go", "n/p/policies/announcements",
            "n/p/policies/announcements/",
        ])
    func illegal(text: String) {
        do throws(TwinspanError) {
            _ = try TopicPath(text)
            Issue.record("'\(text)' was taken")
        } catch {
            #expect(error.code == "protocoladapter:unknown.topicpath")
            #expect(error.description?.isEmpty == false)
        }
    }

    @Test("what follows a complete topic is ignored")
    func trailing() throws {
        #expect(try TopicPath("n/t/things/twin/commands/modify/x/y").text == "n/t/things/twin/commands/modify")
        #expect(try TopicPath("n/t/things/twin/errors/x").text == "n/t/things/twin/errors")
    }
}
