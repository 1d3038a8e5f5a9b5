import Foundation
import Testing

@testable import TwinspanHTTP

@Suite("Basic credentials")
struct BasicCredentialsTests {
    @Test(
        "user and password are read",
        arguments: [
            ("ditto:ditto", "ditto", "ditto"), ("a:", "a", ""), (":b", "", "b"), ("a:b:c", "a", "b:c"),
            ("jürgen:pässwörd€", "jürgen", "pässwörd€"),
        ])
    func reads(_ row: (text: String, user: String, password: String)) {
        let base64 = Data(row.text.utf8).base64EncodedString()
        for header in [
            "Basic \(base64)", "basic \(base64)", "BASIC   \(base64) ", "Basic \(base64.filter { $0 != "=" })",
        ] {
            let credentials = BasicCredentials(header)
            #expect(credentials?.user == row.user, "\(header)")
            #expect(credentials?.password == row.password, "\(header)")
        }
    }

    @Test(
        "anything else is nothing",
        arguments: [
            "", "Basic", "Basic ", "Bearer abc", "Basic a", "Basic abcde", "Basic YWJj", "Basic YT!i",
            "Basic YTpi\u{e9}",
            "BasicYTpi", "Basic gTo=", "Basic OoE=",
        ])
    func refuses(_ header: String) {
        #expect(BasicCredentials(header) == nil)
    }
}
