/// The five commands a fleet sends most, as the bytes a door takes in.
enum Workload: String, CaseIterable {
    case modifyProperty = "modify property"
    case modifyAttribute = "modify attribute"
    case mergeThing = "merge thing"
    case retrieveFeature = "retrieve feature"
    case retrieveThing = "retrieve thing"

    /// Things of the fleet: several megabytes, more than the processor's inner caches hold.
    static let things = 4096

    /// Whether the command changes its thing, so that an event belongs to its cost.
    var isModifying: Bool {
        switch self {
        case .modifyProperty, .modifyAttribute, .mergeThing: true
        case .retrieveFeature, .retrieveThing: false
        }
    }

    /// One message per thing. Neighbours address things far apart from each other, and other keys.
    var messages: [[UInt8]] {
        (0..<Self.things).map { index in
            // Odd, so that every thing has its turn.
            Array(message(thing: index * 1103 % Self.things, variant: index).utf8)
        }
    }

    private func message(thing: Int, variant: Int) -> String {
        switch self {
        case .modifyProperty:
            let (path, value) = Self.property(variant)
            return Self.envelope(thing, "modify", "/features/\(path)", value)
        case .modifyAttribute:
            let (path, value) = Self.attribute(variant)
            return Self.envelope(thing, "modify", "/attributes/\(path)", value)
        case .mergeThing:
            let patch =
                #"{"attributes":{"note":"shift \#(variant % 3)"},"features":{"engine":{"properties":{"#
                + #""speed":\#(1000 + variant),"status":"running"}}}}"#
            return Self.envelope(thing, "merge", "/", patch, contentType: "application/merge-patch+json")
        case .retrieveFeature:
            return Self.envelope(thing, "retrieve", "/features/\(["engine", "battery", "network"][variant % 3])", nil)
        case .retrieveThing: return Self.envelope(thing, "retrieve", "/", nil)
        }
    }

    private static func property(_ variant: Int) -> (path: String, value: String) {
        switch variant % 5 {
        case 0: ("engine/properties/speed", #"{"n":\#(variant),"t":\#(1_760_000_000_000 + variant)}"#)
        case 1: ("engine/properties/temperature", "\(60 + variant % 40).5")
        case 2: ("engine/properties/status", variant.isMultiple(of: 2) ? #""running""# : #""stopped""#)
        case 3: ("battery/properties/charge", "\(variant % 100)")
        default: ("network/properties/signal", "-\(40 + variant % 60)")
        }
    }

    private static func attribute(_ variant: Int) -> (path: String, value: String) {
        switch variant % 4 {
        case 0: ("note", #""cooling circuit B checked, shift \#(variant % 3)""#)
        case 1: ("location/floor", "\(variant % 9)")
        case 2: ("model", #""P-\#(300 + variant % 50)""#)
        default: ("commissioned", variant.isMultiple(of: 8) ? "true" : "false")
        }
    }

    /// The message that makes a thing of the fleet, about 500 bytes of JSON, under the policy that all share. The
    /// first one brings that policy with it.
    static func creation(thing: Int) -> [UInt8] {
        let value =
            #"{"thingId":"bench:device-\#(thing)","policyId":"bench:fleet",\#(thing == 0 ? policy : "")"attributes":{"#
            + #""manufacturer":"Example Works","model":"P-300","location":{"site":"north","floor":2},"#
            + #""commissioned":true,"note":"cooling circuit B checked"},"features":{"#
            + #""engine":{"properties":{"speed":{"n":0,"t":0},"temperature":71.5,"status":"running"}},"#
            + #""battery":{"properties":{"charge":87,"voltage":12.4,"cycles":312}},"#
            + #""network":{"properties":{"signal":-67,"address":"198.51.100.17"}}}}"#
        return Array(envelope(thing, "create", "/", value).utf8)
    }

    /// As fleets have it: somebody owns everything, the gateway may use the things.
    private static let policy =
        #""_policy":{"entries":{"owner":{"subjects":{"nginx:ditto":{"type":"bench"}},"resources":{"#
        + #""policy:/":\#(all),"thing:/":\#(all),"message:/":\#(all)}},"gateway":{"subjects":{"#
        + #""\#(Twin.gateway)":{"type":"bench"}},"resources":{"thing:/":\#(all),"policy:/":\#(all)}}}},"#

    private static let all = #"{"grant":["READ","WRITE"],"revoke":[]}"#

    private static func envelope(
        _ thing: Int, _ action: String, _ path: String, _ value: String?, contentType: String? = nil
    ) -> String {
        let type = contentType.map { #","content-type":"\#($0)""# } ?? ""
        let tail = value.map { #","value":\#($0)}"# } ?? "}"
        return #"{"topic":"bench/device-\#(thing)/things/twin/commands/\#(action)","headers":{"#
            + #""correlation-id":"bench-\#(thing)","response-required":true\#(type)},"path":"\#(path)"\#(tail)"#
    }
}
