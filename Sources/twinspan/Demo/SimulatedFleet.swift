// The devices that `twinspan simulate` plays: sensors whose temperature and humidity wander. Pure values; the same seed
// gives the same messages.
import TwinspanJSON
import TwinspanProtocol

/// A fleet of sensors.
struct SimulatedFleet {
    private var sensors: [SimulatedSensor]
    private var next = 0
    private var random: FleetRandom
    private let policyID: PolicyID

    /// Makes `count` sensors `<namespace>:sensor-01`… Throws when the namespace or the policy id is not legal.
    init(count: Int, namespace: String, policyID: String, seed: UInt64) throws(TwinspanError) {
        let width = max(2, String(count).count)
        var random = FleetRandom(seed: seed)
        var sensors: [SimulatedSensor] = []
        for number in 1...count {
            let digits = String(number)
            let name = "sensor-" + String(repeating: "0", count: width - digits.count) + digits
            sensors.append(SimulatedSensor(id: try ThingID("\(namespace):\(name)"), random: &random))
        }
        self.sensors = sensors
        self.random = random
        self.policyID = try PolicyID(policyID)
    }

    var ids: [ThingID] { sensors.map(\.id) }

    /// The commands that make the things, or put known ones back to their first state.
    func creations() -> [(id: ThingID, payload: [UInt8])] {
        sensors.map { sensor in
            let thing = JSONObject([
                ("policyId", .string(policyID.text)),
                ("attributes", .object(["model": .string("TH-1"), "location": .string(sensor.location)])),
                ("features", .object(["environment": .object(["properties": sensor.properties])])),
            ])
            return (sensor.id, Self.command(.root, .object(thing), for: sensor.id))
        }
    }

    /// The next reading: each sensor in turn.
    mutating func reading() -> (id: ThingID, payload: [UInt8]) {
        sensors[next].wander(&random)
        let sensor = sensors[next]
        next = (next + 1) % sensors.count
        let path = JSONPointer(segments: ["features", "environment", "properties"])
        return (sensor.id, Self.command(path, sensor.properties, for: sensor.id))
    }

    /// A `modify` that wants no answer. At the root it creates what is missing.
    private static func command(_ path: JSONPointer, _ value: JSONValue, for id: ThingID) -> [UInt8] {
        var headers = DittoHeaders()
        headers[.responseRequired] = .bool(false)
        let topic = TopicPath(
            namespace: id.namespace, name: id.name, group: .things, channel: .twin, criterion: .commands(.modify))
        return Envelope(topic: topic, headers: headers, path: path, value: JSONText(value)).bytes
    }
}

/// One sensor. Its values are whole tenths and percents, so that they print as people write them.
private struct SimulatedSensor {
    let id: ThingID
    let location: String
    private var tenthsOfDegrees: Int
    private var percent: Int

    init(id: ThingID, random: inout FleetRandom) {
        self.id = id
        location = "room \(Int.random(in: 1...9, using: &random))"
        tenthsOfDegrees = Int.random(in: 190...230, using: &random)
        percent = Int.random(in: 40...60, using: &random)
    }

    /// A small step, kept within what a room can have.
    mutating func wander(_ random: inout FleetRandom) {
        tenthsOfDegrees = min(max(tenthsOfDegrees + Int.random(in: -1...1, using: &random), 120), 320)
        if Int.random(in: 0..<4, using: &random) == 0 {
            percent = min(max(percent + Int.random(in: -1...1, using: &random), 15), 90)
        }
    }

    var properties: JSONValue {
        .object([
            "temperature": .number(JSONNumber(Double(tenthsOfDegrees) / 10)), "humidity": .number(JSONNumber(percent)),
        ])
    }
}

/// SplitMix64: small, and the same everywhere.
private struct FleetRandom: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}
