import TwinspanExpressions
import TwinspanJSON

/// Typical filters on a fleet of things in memory, beside the least that each has to do: following its paths.
struct Filters {
    /// What is done with a filter.
    enum Work {
        /// As a condition or the filter of a subscription.
        case model
        /// As a search that may read everything.
        case search
        /// `value(at:)` for each field that the filter names; nothing is compared.
        case paths
        /// Compiling it.
        case parse
    }

    static let texts = [
        #"eq(attributes/site,"North")"#, "gt(features/motor/properties/rpm,800)",
        #"and(eq(attributes/site,"North"),or(gt(features/motor/properties/rpm,800),eq(attributes/state,"error")))"#,
        #"like(thingId,"acme:*")"#, #"in(attributes/type,"valve","fan","pump")"#,
        "exists(features/motor/properties/rpm)",
    ]

    private let text: String
    private let filter: RQLFilter
    private let search: RQLSearchFilter
    private let things: [JSONValue]

    init(_ text: String) throws {
        self.text = text
        filter = try RQLFilter.parse(text, placeholders: .connection)
        search = try RQLSearchFilter.parse(text)
        things = try (0..<64).map { try JSONValue.parse(Self.thing($0)) }
    }

    /// The cost of one filter on one thing. Repeats until the time is up.
    func measure(_ work: Work, milliseconds: Int) throws -> Figure {
        var cost = Cost()
        var operations = 0
        var hits = 0
        let end = Cost.now + UInt64(milliseconds) * 1_000_000
        repeat {
            try cost.add {
                for _ in 0..<16 {
                    for thing in things where try isHit(work, thing) { hits += 1 }
                }
            }
            operations += 16 * things.count
        } while Cost.now < end
        guard hits > 0 else { throw BenchFailure(description: "\(text) matches no thing") }
        return cost.perOperation(operations)
    }

    private func isHit(_ work: Work, _ thing: JSONValue) throws -> Bool {
        switch work {
        case .model: filter.matches(thing)
        case .search: search.matches(thing)
        case .paths: filter.fields.reduce(false) { thing.value(at: $1) != nil || $0 }
        case .parse: try RQLFilter.parse(text, placeholders: .connection).fields.count > 0
        }
    }

    /// A thing of about 800 bytes. Half of them are in the north, an eighth is at fault.
    private static func thing(_ number: Int) -> String {
        #"""
        {"thingId":"acme:pump-\#(number)","policyId":"acme:fleet","definition":"acme:pump:1.2.0",
        "attributes":{"manufacturer":"Acme Fluidics","model":"HX-900-\#(number)","type":"pump",
        "site":"\#(number % 2 == 0 ? "North" : "South")","line":\#(number % 7),"serial":"SN-0045-\#(number)",
        "installed":"2024-03-01T08:00:00Z","state":"\#(number % 8 == 0 ? "error" : "running")",
        "contact":{"name":"Shift Lead","phone":"+49 30 1234567"}},
        "features":{"gps":{"properties":{"lat":52.5200\#(number),"lon":13.4050}},
        "battery":{"definition":["acme:battery:1.0.0"],"properties":{"level":\#(number),"charging":false}},
        "motor":{"definition":["acme:motor:2.1.0"],"properties":{"temperature":61.5,"current":12.25,
        "rpm":\#(600 + number * 7),"hours":10423},"desiredProperties":{"rpm":900}},
        "pressure":{"properties":{"inlet":1.2,"outlet":4.8}}}}
        """#
    }
}
