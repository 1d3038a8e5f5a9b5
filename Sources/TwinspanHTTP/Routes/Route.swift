// What a path addresses and which methods that takes (spec/http.md §1.1, §1.4, §1.5). A parser instead of a router with
// dozens of patterns: the rules about slashes need the raw path.
import HTTPTypes
import TwinspanProtocol

/// The first level: what is served without authentication, and the API behind it.
enum Entrance: Equatable {
    case health, ready, metrics
    /// Below `/api/2`: who asks is settled before what is asked.
    case api
    /// Below `/api/2/connections` and `/devops`: for the devops user alone.
    case management
    case otherVersion, nothing

    init(_ target: RequestTarget) {
        switch target.count {
        case 1 where target.isSegment(0, "health"): self = .health
        case 1 where target.isSegment(0, "ready"): self = .ready
        case 1 where target.isSegment(0, "metrics"): self = .metrics
        case 2... where target.isSegment(0, "api"):
            if target.isSegment(1, "2") {
                self = target.isSegment(2, "connections") ? .management : .api
            } else {
                self = Int(target.raw(1)) == nil ? .nothing : .otherVersion
            }
        case 2... where target.isSegment(0, "devops"): self = .management
        default: self = .nothing
        }
    }
}

/// What is below `/api/2`.
enum Route: Sendable, Equatable {
    /// `/things`: creation with an id we choose, and retrieval by a list of ids.
    case things
    case thing(ThingRoute)
    case policy(PolicyRoute)
    case whoAmI, checkPermissions

    /// The first two segments are `api` and `2`. Throws 404 for a path that addresses nothing.
    init(_ target: RequestTarget) throws(TwinspanError) {
        if target.isSegment(2, "things") {
            if target.isAtEnd(3) {
                self = .things
                return
            }
            self = .thing(try ThingRoute(target, from: 3))
        } else if target.isSegment(2, "policies") {
            self = .policy(try PolicyRoute(target, from: 3))
        } else if target.isSegment(2, "whoami"), target.isAtEnd(3) {
            self = .whoAmI
        } else if target.isSegment(2, "checkPermissions"), target.isAtEnd(3) {
            self = .checkPermissions
        } else {
            throw HTTPErrors.routeNotFound
        }
    }

    /// Throws 405 for a method that the addressed resource does not take.
    func check(_ method: HTTPRequest.Method) throws(TwinspanError) {
        guard !methods.contains(method) else { return }
        if case .thing(let route) = self, route.isReadingForm, method == .put || method == .patch {
            throw HTTPErrors.routeNotFound
        }
        throw HTTPErrors.methodNotAllowed(method.rawValue, allowed: methods.map(\.rawValue))
    }

    /// The methods that the addressed resource takes.
    var methods: [HTTPRequest.Method] {
        switch self {
        case .things: [.get, .post]
        case .thing(let route): route.methods
        case .policy(let route): route.methods
        case .whoAmI: [.get]
        case .checkPermissions: [.post]
        }
    }
}
