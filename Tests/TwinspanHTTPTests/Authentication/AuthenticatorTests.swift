import Foundation
import Testing
import TwinspanProtocol

@testable import TwinspanHTTP

@Suite("Authenticator")
struct AuthenticatorTests {
    private let clock = SettableClock()

    private func header(_ text: String) -> String { "Basic " + Data(text.utf8).base64EncodedString() }

    private func failure(
        _ authenticator: Authenticator, _ header: String?, from address: UInt64 = 1
    ) async -> TwinspanError? {
        do throws(TwinspanError) {
            _ = try await authenticator.principal(authorization: header, from: address)
            return nil
        } catch {
            return error
        }
    }

    @Test("a user with a hash acts under the subject nginx:<user>, and is remembered")
    func hashed() async throws {
        let hash = try PasswordHash.make("secret")
        let authenticator = Authenticator(users: [BasicUser(name: "ditto", secret: .hash(hash))], clock: clock)
        let header = header("ditto:secret")
        #expect(authenticator.remembered(header) == nil)
        let principal = try await authenticator.principal(authorization: header, from: 1)
        #expect(principal.context.subjects == ["nginx:ditto"])
        #expect(authenticator.remembered(header) === principal)
        #expect(authenticator.failedLogins == 0)
    }

    @Test("credentials are forgotten a minute after their last use")
    func forgets() async throws {
        let authenticator = Authenticator(users: Door.users, clock: clock)
        let header = header("ditto:secret")
        _ = try await authenticator.principal(authorization: header, from: 1)
        clock.advance(seconds: 59)
        #expect(authenticator.remembered(header) != nil)
        clock.advance(seconds: 59)
        #expect(authenticator.remembered(header) != nil)
        clock.advance(seconds: 60)
        #expect(authenticator.remembered(header) == nil)
    }

    @Test("the devops user has no subject")
    func devops() async throws {
        let authenticator = Authenticator(users: Door.users, clock: clock)
        let principal = try await authenticator.principal(authorization: header("devops:ops"), from: 1)
        #expect(principal.role == .devops)
        #expect(principal.context.subjects.isEmpty)
    }

    @Test(
        "wrong credentials give 401 and are counted; missing ones only 401",
        arguments: [
            (nil, 0), ("Bearer x", 1), ("Basic !", 1), ("ditto:wrong", 1), ("nobody:secret", 1), (":", 1),
            ("ditto:", 1),
        ])
    func wrong(_ row: (text: String?, counted: Int)) async throws {
        let hash = try PasswordHash.make("secret")
        let authenticator = Authenticator(
            users: Door.users + [BasicUser(name: "hashed", secret: .hash(hash))], clock: clock)
        let given = row.text.map { $0.contains(" ") ? $0 : header($0) }
        let error = await failure(authenticator, given)
        #expect(error?.status == 401)
        #expect(error?.code == "gateway:authentication.failed")
        #expect(authenticator.failedLogins == row.counted)
    }

    @Test("an address that guesses is slowed down; others and those who are known are not")
    func throttled() async throws {
        let authenticator = Authenticator(users: Door.users, clock: clock)
        _ = try await authenticator.principal(authorization: header("guest:guest"), from: 7)
        var statuses: [Int] = []
        for attempt in 0..<12 {
            statuses.append(await failure(authenticator, header("ditto:guess\(attempt)"), from: 7)?.status ?? 200)
        }
        #expect(statuses == Array(repeating: 401, count: 10) + [429, 429])
        #expect(authenticator.failedLogins == 12)
        #expect(await failure(authenticator, header("ditto:secret"), from: 7)?.code == "too.many.requests")
        #expect(await failure(authenticator, header("guest:guest"), from: 7) == nil)
        #expect(await failure(authenticator, header("ditto:secret"), from: 8) == nil)
        clock.advance(seconds: 2)
        #expect(await failure(authenticator, header("ditto:guess"), from: 7)?.status == 401)
    }

    @Test("many requests with the same new credentials cost one verification")
    func coalesces() async throws {
        let hash = try PasswordHash.make("secret")
        let authenticator = Authenticator(users: [BasicUser(name: "ditto", secret: .hash(hash))], clock: clock)
        let header = header("ditto:secret")
        let genuine = try await withThrowingTaskGroup(of: String.self) { group in
            for _ in 0..<100 {
                group.addTask { try await authenticator.principal(authorization: header, from: 1).name }
            }
            return try await group.reduce(into: 0) { count, name in count += name == "ditto" ? 1 : 0 }
        }
        // With one attempt each, all but ten would have been throttled.
        #expect(genuine == 100)
    }
}
