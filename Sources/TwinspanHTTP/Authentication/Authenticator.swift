// Decides who a request is from. Verifying a password costs tens of milliseconds, so it happens on a thread of its
// own, once for all requests that carry the same credentials at the same time, and what was verified is remembered as
// a keyed hash. A remembered header costs one hash and one look-up.
import Synchronization
public import TwinspanEngine
public import TwinspanProtocol

/// A user of basic authentication.
public struct BasicUser: Sendable {
    /// What a user may do.
    public enum Role: Sendable, Equatable {
        /// Uses the twins, under the subject `nginx:<name>`.
        case user
        /// Manages the service; has no subject and no access to twins.
        case devops
    }

    /// What a password is compared with.
    public enum Secret: Sendable {
        /// A hash as `PasswordHash` makes it.
        case hash(String)
        /// The password itself, from an environment variable or a file. Kept in memory only as a keyed hash.
        case password(String)
    }

    public var name: String
    public var secret: Secret
    public var role: Role

    public init(name: String, secret: Secret, role: Role = .user) {
        self.name = name
        self.secret = secret
        self.role = role
    }
}

/// Who a request is from.
public final class Principal: Sendable {
    public let name: String
    public let role: BasicUser.Role
    /// The subjects to act under; empty for a devops user.
    public let context: AuthorizationContext

    init(name: String, role: BasicUser.Role) {
        self.name = name
        self.role = role
        context = AuthorizationContext(role == .user ? ["nginx:\(name)"] : [])
    }
}

/// Authenticates requests. Safe from any thread.
public final class Authenticator: Sendable {
    /// Verified credentials are forgotten this long after their last use. The users never change during the life of an
    /// authenticator, so verifying them again while they are in use would tell nothing new.
    static let memoryNanoseconds: UInt64 = 60_000_000_000
    /// Verified credentials remembered at a time.
    static let memoryMaximum = 1024
    /// Different credentials that wait for their verification at a time, on one thread.
    static let waitingMaximum = 32

    private struct Account: Sendable {
        enum Check: Sendable {
            case hash(String)
            case tag(KeyedHash.Tag)
        }
        var principal: Principal
        var check: Check
    }

    fileprivate struct Memory: ~Copyable {
        var verified: [KeyedHash.Tag: (principal: Principal, lastUse: UInt64)] = [:]
        var waiting: [KeyedHash.Tag: [CheckedContinuation<Verdict, Never>]] = [:]
        var throttle = LoginThrottle()
    }

    fileprivate enum Verdict: Sendable {
        case genuine(Principal)
        case wrong, throttled, stopped
    }

    /// What a request with new credentials does next.
    fileprivate enum Step {
        case known(Principal)
        /// The same credentials are being verified for another request.
        case wait
        case verify, refuse
    }

    private let accounts: [String: Account]
    /// Verified against when the user does not exist, so that the time taken does not tell.
    private let decoy: String?
    private let hashing = KeyedHash()
    private let clock: any EngineClock
    private let memory = Mutex(Memory())
    private let failures = Atomic<Int>(0)
    private let verifier = BlockingCalls(threads: 1)

    /// Takes the users; of several with the same name the first counts.
    public init(users: [BasicUser], clock: any EngineClock) {
        var accounts: [String: Account] = [:]
        var decoy: String?
        for user in users where accounts[user.name] == nil {
            let check: Account.Check
            switch user.secret {
            case .hash(let hash):
                check = .hash(hash)
                decoy = decoy ?? hash
            case .password(let password): check = .tag(hashing.tag(of: password))
            }
            accounts[user.name] = Account(principal: Principal(name: user.name, role: user.role), check: check)
        }
        self.accounts = accounts
        self.decoy = decoy
        self.clock = clock
    }

    /// Logins that failed since the start.
    public var failedLogins: Int { failures.load(ordering: .relaxed) }

    /// Who sent this `Authorization` header, if it was verified lately. Never blocks.
    func remembered(_ header: String) -> Principal? {
        let tag = hashing.tag(of: header)
        let now = clock.monotonic
        return memory.withLock { $0.use(tag, now: now) }
    }

    /// Who sent this `Authorization` header. Throws 401, or 429 for an address that failed too often.
    func principal(authorization header: String?, from address: UInt64) async throws(TwinspanError) -> Principal {
        guard let header else { throw HTTPErrors.unauthenticated("The request carries no credentials.") }
        if let principal = remembered(header) { return principal }
        guard let credentials = BasicCredentials(header) else {
            failures.add(1, ordering: .relaxed)
            throw HTTPErrors.unauthenticated("The authorization header does not carry basic credentials.")
        }
        switch await verdict(on: credentials, tag: hashing.tag(of: header), from: address) {
        case .genuine(let principal): return principal
        case .wrong: throw HTTPErrors.unauthenticated("User name or password is wrong.")
        case .throttled: throw HTTPErrors.tooManyLogins
        case .stopped: throw GeneralErrorTable.serviceUnavailable.error()
        }
    }

    private func verdict(
        on credentials: BasicCredentials, tag: KeyedHash.Tag, from address: UInt64
    ) async -> Verdict {
        let now = clock.monotonic
        return await withCheckedContinuation { continuation in
            let step = memory.withLock { $0.join(tag, continuation, from: address, now: now) }
            switch step {
            case .known(let principal): continuation.resume(returning: .genuine(principal))
            case .wait: break
            case .refuse:
                failures.add(1, ordering: .relaxed)
                continuation.resume(returning: .throttled)
            case .verify:
                verifier.submit { isRunning in
                    self.settle(tag, isRunning ? self.verify(credentials) : .stopped, from: address)
                }
            }
        }
    }

    private func verify(_ credentials: BasicCredentials) -> Verdict {
        let account = accounts[credentials.user]
        let isGenuine =
            switch account?.check {
            case .hash(let hash): PasswordHash.verify(credentials.password, against: hash)
            case .tag(let tag): hashing.tag(of: credentials.password) == tag
            case nil: decoy.map { PasswordHash.verify(credentials.password, against: $0) } ?? false
            }
        guard isGenuine, let account else { return .wrong }
        return .genuine(account.principal)
    }

    private func settle(_ tag: KeyedHash.Tag, _ verdict: Verdict, from address: UInt64) {
        let now = clock.monotonic
        let waiting = memory.withLock { memory -> [CheckedContinuation<Verdict, Never>] in
            if case .genuine(let principal) = verdict {
                memory.throttle.giveBack(address)
                memory.remember(tag, principal, now: now)
            }
            return memory.waiting.removeValue(forKey: tag) ?? []
        }
        if case .wrong = verdict { failures.add(waiting.count, ordering: .relaxed) }
        for continuation in waiting { continuation.resume(returning: verdict) }
    }
}

extension Authenticator.Memory {
    fileprivate mutating func use(_ tag: KeyedHash.Tag, now: UInt64) -> Principal? {
        guard let known = verified[tag] else { return nil }
        guard now < known.lastUse + Authenticator.memoryNanoseconds else {
            verified[tag] = nil
            return nil
        }
        verified[tag]?.lastUse = max(now, known.lastUse)
        return known.principal
    }

    /// Lets a request wait for the verification of its credentials.
    fileprivate mutating func join(
        _ tag: KeyedHash.Tag, _ continuation: CheckedContinuation<Authenticator.Verdict, Never>, from address: UInt64,
        now: UInt64
    ) -> Authenticator.Step {
        if let principal = use(tag, now: now) { return .known(principal) }
        if waiting[tag] != nil {
            waiting[tag]?.append(continuation)
            return .wait
        }
        let mayTry = waiting.count < Authenticator.waitingMaximum && throttle.take(address, now: now)
        guard mayTry else { return .refuse }
        waiting[tag] = [continuation]
        return .verify
    }

    fileprivate mutating func remember(_ tag: KeyedHash.Tag, _ principal: Principal, now: UInt64) {
        if verified.count >= Authenticator.memoryMaximum {
            verified = verified.filter { now < $0.value.lastUse + Authenticator.memoryNanoseconds }
            // So many users at once that forgetting all of them is cheaper than ordering them.
            if verified.count >= Authenticator.memoryMaximum { verified.removeAll(keepingCapacity: true) }
        }
        verified[tag] = (principal, now)
    }
}
