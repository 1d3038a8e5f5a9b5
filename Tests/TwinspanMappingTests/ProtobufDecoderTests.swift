import Testing
import TwinspanJSON
import TwinspanMapping
import TwinspanProtocol

@Suite("decoder Protobuf")
struct ProtobufDecoderTests {
    typealias Encoder = ProtobufEncoder

    private static let scalars = [
        "double", "float", "int64", "uint64", "int32", "fixed64", "fixed32", "bool", "string", "bytes", "uint32",
        "sfixed32", "sfixed64", "sint32", "sint64",
    ]

    /// `plant.All`: every scalar as `a_<type>` from 1 on, the same repeated as `r_<type>` from 101 on, and the rest.
    static let set: [UInt8] = {
        var fields: [Encoder] = []
        for (index, type) in scalars.enumerated() {
            fields.append(Descriptors.field("a_\(type)", Int64(index + 1), type))
            fields.append(Descriptors.field("r_\(type)", Int64(index + 101), type, .repeated))
        }
        fields += [
            Descriptors.enumeration("state", 20, ".plant.State"),
            Descriptors.enumeration("states", 120, ".plant.State", .repeated),
            Descriptors.message("inner", 21, ".plant.All.Inner"),
            Descriptors.message("inners", 22, ".plant.All.Inner", .repeated),
            Descriptors.message("by_name", 23, ".plant.All.ByNameEntry", .repeated),
            Descriptors.message("inner_by_id", 24, ".plant.All.InnerByIdEntry", .repeated),
            Descriptors.field("left", 25, "int32", oneof: 0), Descriptors.field("right", 26, "string", oneof: 0),
            Descriptors.field("maybe", 27, "int32", oneof: 1, isProto3Optional: true),
            Descriptors.field("renamed", 28, "int32", jsonName: "other"),
            Descriptors.message("at", 30, ".google.protobuf.Timestamp"),
            Descriptors.message("lasts", 31, ".google.protobuf.Duration"),
            Descriptors.message("wrapped", 32, ".google.protobuf.Int64Value"),
            Descriptors.message("wrapped_text", 33, ".google.protobuf.StringValue"),
            Descriptors.message("free", 34, ".google.protobuf.Struct"),
            Descriptors.message("value", 35, ".google.protobuf.Value"),
            Descriptors.message("all", 36, ".plant.All"),
        ]
        let inner = Descriptors.type(
            "Inner",
            [
                Descriptors.field("x", 1, "int32"), Descriptors.field("names", 2, "string", .repeated),
            ])
        let byName = Descriptors.type(
            "ByNameEntry", [Descriptors.field("key", 1, "string"), Descriptors.field("value", 2, "sint32")],
            isMapEntry: true)
        let innerByID = Descriptors.type(
            "InnerByIdEntry",
            [Descriptors.field("key", 1, "int64"), Descriptors.message("value", 2, ".plant.All.Inner")],
            isMapEntry: true)
        let state = Descriptors.values("State", [("OFF", 0), ("ON", 1), ("ALIAS", 1), ("LOST", -1)])
        return Descriptors.set(
            [Descriptors.type("All", fields, nested: [inner, byName, innerByID])], enums: [state])
    }()

    private static func options(_ more: JSONObject = [:], set: [UInt8] = set, message: String = "plant.All")
        -> JSONObject
    {
        var options: JSONObject = ["descriptorSet": .string(Base64.encode(set)), "message": .string(message)]
        for (key, value) in more { options[key] = value }
        return options
    }

    private static func decode(_ payload: [UInt8], _ options: JSONObject = options()) throws -> Result<
        String, TwinspanError
    > {
        let decoder = try ProtobufDecoder(MapperDefinition(name: "test", options: options))
        return payload.withUnsafeBytes { payload in
            let message = InboundMessage(payload: payload, headers: ExternalHeaders())
            do throws(TwinspanError) {
                return .success(String(decoding: try decoder.decode(message), as: UTF8.self))
            } catch {
                return .failure(error)
            }
        }
    }

    struct Row: Sendable, CustomStringConvertible {
        var description: String
        var payload: Encoder
        var json: String
        init(_ description: String, _ payload: Encoder, _ json: String) {
            self.description = description
            self.payload = payload
            self.json = json
        }
    }

    static let scalarRows: [Row] = [
        Row("nothing", Encoder(), "{}"),
        Row("double", Encoder().fixed64(1, (1.5).bitPattern), #"{"aDouble":1.5}"#),
        Row("double NaN", Encoder().fixed64(1, Double.nan.bitPattern), #"{"aDouble":"NaN"}"#),
        Row("double infinite", Encoder().fixed64(1, (-Double.infinity).bitPattern), #"{"aDouble":"-Infinity"}"#),
        Row("float", Encoder().fixed32(2, Float(21.3).bitPattern), #"{"aFloat":21.3}"#),
        Row("int64", Encoder().varint(3, -5), #"{"aInt64":"-5"}"#),
        Row("uint64", Encoder().varint(4, -1), #"{"aUint64":"18446744073709551615"}"#),
        Row("int32", Encoder().varint(5, -5), #"{"aInt32":-5}"#),
        Row("int32 cut off", Encoder().varint(5, 0x1_0000_0007), #"{"aInt32":7}"#),
        Row("fixed64", Encoder().fixed64(6, 7), #"{"aFixed64":"7"}"#),
        Row("fixed32", Encoder().fixed32(7, .max), #"{"aFixed32":4294967295}"#),
        Row("bool", Encoder().varint(8, 1), #"{"aBool":true}"#),
        Row("string", Encoder().text(9, "ü\""), #"{"aString":"ü\""}"#),
        Row("bytes", Encoder().bytes(10, [251, 255]), #"{"aBytes":"+/8="}"#),
        Row("uint32", Encoder().varint(11, 4_294_967_295), #"{"aUint32":4294967295}"#),
        Row("sfixed32", Encoder().fixed32(12, .max), #"{"aSfixed32":-1}"#),
        Row("sfixed64", Encoder().fixed64(13, .max), #"{"aSfixed64":"-1"}"#),
        Row("sint32", Encoder().varint(14, 3), #"{"aSint32":-2}"#),
        Row("sint64", Encoder().varint(15, 4), #"{"aSint64":"2"}"#),
        Row("zeros without presence are left out", Encoder().varint(5, 0).text(9, "").varint(8, 0), "{}"),
        Row("the last of several counts", Encoder().varint(5, 1).varint(5, 2), #"{"aInt32":2}"#),
        Row("an enumeration", Encoder().varint(20, 1), #"{"state":"ON"}"#),
        Row("a negative enumeration", Encoder().varint(20, -1), #"{"state":"LOST"}"#),
        Row("an unknown enumeration", Encoder().varint(20, 9), #"{"state":9}"#),
        Row("another JSON name", Encoder().varint(28, 9), #"{"other":9}"#),
        Row("presence", Encoder().varint(27, 0), #"{"maybe":0}"#),
        Row("an unknown field", Encoder().varint(999, 1).text(998, "x").fixed32(997, 1).fixed64(996, 1), "{}"),
        Row("a field of another wire type", Encoder().text(5, "x"), "{}"),
        Row("a group", Encoder(bytes: [0xFB, 0x3E, 0x08, 0x01, 0xFC, 0x3E]).varint(5, 1), #"{"aInt32":1}"#),
    ]

    static let compoundRows: [Row] = [
        Row("the last of a oneof", Encoder().varint(25, 1).text(26, "x"), #"{"right":"x"}"#),
        Row("the zero of a oneof", Encoder().text(26, "x").varint(25, 0), #"{"left":0}"#),
        Row("repeated", Encoder().varint(105, 1).varint(105, 0), #"{"rInt32":[1,0]}"#),
        Row("packed", Encoder().bytes(105, [1, 0, 2]).varint(105, 3), #"{"rInt32":[1,0,2,3]}"#),
        Row("packed fixed", Encoder().bytes(107, [1, 0, 0, 0, 2, 0, 0, 0]), #"{"rFixed32":[1,2]}"#),
        Row("packed doubles", Encoder().bytes(101, Encoder.little((0.5).bitPattern)), #"{"rDouble":[0.5]}"#),
        Row("packed, empty", Encoder().bytes(105, []), "{}"),
        Row("repeated text", Encoder().text(109, "a").text(109, ""), #"{"rString":["a",""]}"#),
        Row("repeated enumeration", Encoder().bytes(120, [1, 0, 9]), #"{"states":["ON","OFF",9]}"#),
        Row("a message", Encoder().message(21, Encoder().varint(1, 7)), #"{"inner":{"x":7}}"#),
        Row("an empty message", Encoder().message(21, Encoder()), #"{"inner":{}}"#),
        Row(
            "a message in parts is merged",
            Encoder().message(21, Encoder().varint(1, 7).text(2, "a")).message(21, Encoder().text(2, "b")),
            #"{"inner":{"x":7,"names":["a","b"]}}"#),
        Row(
            "messages", Encoder().message(22, Encoder().varint(1, 7)).message(22, Encoder()),
            #"{"inners":[{"x":7},{}]}"#),
        Row(
            "a map", Encoder().message(23, Encoder().text(1, "a").varint(2, 2)).message(23, Encoder().text(1, "b")),
            #"{"byName":{"a":1,"b":0}}"#),
        Row(
            "a map names a key twice",
            Encoder().message(23, Encoder().text(1, "a").varint(2, 2)).message(23, Encoder().text(1, "a").varint(2, 4)),
            #"{"byName":{"a":2}}"#),
        Row(
            "a map of messages",
            Encoder().message(24, Encoder().varint(1, -4).message(2, Encoder().varint(1, 1))).message(24, Encoder()),
            #"{"innerById":{"-4":{"x":1},"0":{}}}"#),
        Row(
            "an instant", Encoder().message(30, Encoder().varint(1, 1_893_456_000)), #"{"at":"2030-01-01T00:00:00Z"}"#),
        Row(
            "an instant with a fraction", Encoder().message(30, Encoder().varint(1, -1).varint(2, 10_000_000)),
            #"{"at":"1969-12-31T23:59:59.010Z"}"#),
        Row("nanoseconds", Encoder().message(30, Encoder().varint(2, 1)), #"{"at":"1970-01-01T00:00:00.000000001Z"}"#),
        Row("a duration", Encoder().message(31, Encoder().varint(1, 1).varint(2, 500_000_000)), #"{"lasts":"1.500s"}"#),
        Row("a short negative duration", Encoder().message(31, Encoder().varint(2, -1000)), #"{"lasts":"-0.000001s"}"#),
        Row("a wrapped number", Encoder().message(32, Encoder().varint(1, 4)), #"{"wrapped":"4"}"#),
        Row("a wrapped zero", Encoder().message(32, Encoder()), #"{"wrapped":"0"}"#),
        Row("a wrapped text", Encoder().message(33, Encoder().text(1, "x")), #"{"wrappedText":"x"}"#),
        Row(
            "free JSON",
            Encoder().message(
                34,
                Encoder()
                    .message(1, Encoder().text(1, "n").message(2, Encoder().fixed64(2, (1.5).bitPattern)))
                    .message(1, Encoder().text(1, "s").message(2, Encoder().text(3, "x")))
                    .message(1, Encoder().text(1, "b").message(2, Encoder().varint(4, 1)))
                    .message(1, Encoder().text(1, "z").message(2, Encoder().varint(1, 0)))
                    .message(
                        1,
                        Encoder().text(1, "l").message(
                            2, Encoder().message(6, Encoder().message(1, Encoder().message(5, Encoder())))))),
            #"{"free":{"n":1.5,"s":"x","b":true,"z":null,"l":[{}]}}"#),
        Row("a value that is not set", Encoder().message(35, Encoder()), #"{"value":null}"#),
        Row(
            "a message in itself", Encoder().message(36, Encoder().message(36, Encoder().varint(5, 1))),
            #"{"all":{"all":{"aInt32":1}}}"#),
    ]

    @Test("messages become JSON by the proto3 rules", arguments: scalarRows + compoundRows)
    func message(_ row: Row) throws {
        let text = try Self.decode(row.payload.bytes).get()
        #expect(try JSONValue.parse(text) == (try JSONValue.parse(row.json)), "\(text)")
    }

    @Test(
        "64-bit integers are numbers where that is wanted and doubles have them",
        arguments: [
            (9_007_199_254_740_992, "9007199254740992"), (9_007_199_254_740_993, #""9007199254740993""#),
            (-9_007_199_254_740_992, "-9007199254740992"), (Int64.min, #""-9223372036854775808""#), (5, "5"),
        ])
    func int64AsNumber(_ value: Int64, _ text: String) throws {
        let json = try Self.decode(Encoder().varint(3, value).bytes, Self.options(["int64": "number"])).get()
        #expect(json == #"{"aInt64":\#(text)}"#)
    }

    @Test("defaults are written where that is wanted, for fields without presence")
    func defaults() throws {
        let set = Descriptors.set(
            [
                Descriptors.type(
                    "M",
                    [
                        Descriptors.field("i", 1, "int32"), Descriptors.field("l", 2, "int64"),
                        Descriptors.field("s", 3, "string"), Descriptors.field("b", 4, "bool"),
                        Descriptors.field("d", 5, "double"), Descriptors.enumeration("e", 6, ".plant.E"),
                        Descriptors.field("list", 7, "bytes", .repeated),
                        Descriptors.message("map", 8, ".plant.M.MapEntry", .repeated),
                        Descriptors.message("m", 9, ".plant.M"),
                        Descriptors.field("o", 10, "int32", oneof: 0, isProto3Optional: true),
                    ],
                    nested: [
                        Descriptors.type(
                            "MapEntry", [Descriptors.field("key", 1, "bool"), Descriptors.field("value", 2, "bytes")],
                            isMapEntry: true)
                    ])
            ], enums: [Descriptors.values("E", [("ZERO", 0)])])
        let options = Self.options(["includeDefaults": "true"], set: set, message: ".plant.M")
        #expect(
            try Self.decode([], options).get()
                == #"{"i":0,"l":"0","s":"","b":false,"d":0,"e":"ZERO","list":[],"map":{}}"#)
    }

    @Test("fields of proto2 have presence, names without json_name are made camel case")
    func proto2() throws {
        let set = Descriptors.set(
            package: "", syntax: "proto2", [Descriptors.type("M", [Descriptors.field("some_long_name", 1, "int32")])])
        let options = Self.options(set: set, message: "M")
        #expect(try Self.decode(Encoder().varint(1, 0).bytes, options).get() == #"{"someLongName":0}"#)
        #expect(try Self.decode([], options).get() == "{}")
    }

    @Test(
        "what is broken is an error with its offset and field",
        arguments: [
            ([0x08], "unexpected end of a number at offset 1"), ([0x00, 0x00], "a field number that does not exist"),
            ([0x09, 1, 2], "unexpected end of a number at offset 1"),
            ([0x80], "unexpected end of a number at offset 0"),
            ([0x2F, 0], "a wire type that does not exist at offset 0"), ([0x2E, 0], "a wire type that does not exist"),
            ([0x28] + Array(repeating: 0xFF, count: 11), "a number of more than 64 bits at offset 1"),
            ([0x28] + Array(repeating: 0xFF, count: 9) + [2], "a number of more than 64 bits at offset 1"),
            ([0x4A, 5, 65], "a length beyond the end of the message at offset 0"),
            ([0x4A, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 1], "a length beyond the end"),
            ([0x4A, 1, 0xFF], "invalid UTF-8 at offset 2, field 'a_string'"),
            ([0xFB, 0x3E], "unexpected end inside a group"), ([0xFC, 0x3E], "the end of a group that is not open"),
            ([0xFB, 0x3E, 0xF4, 0x3E], "the end of a group that is not open at offset 2"),
            (Encoder().message(21, Encoder().text(2, "a").bytes(2, [0xC3])).bytes, "field 'inner.names'"),
            (Encoder().message(22, Encoder().bytes(2, [0xC3])).bytes, "field 'inners.names'"),
            (
                Encoder().message(24, Encoder().varint(1, 7).message(2, Encoder().bytes(2, [0xC3]))).bytes,
                "field 'inner_by_id.7.names'"
            ),
            (Encoder().bytes(105, [0x80]).bytes, "field 'r_int32'"),
            (Encoder().bytes(107, [1]).bytes, "field 'r_fixed32'"),
            (Encoder().message(30, Encoder().varint(1, 253_402_300_800)).bytes, "an instant outside of the years"),
            (Encoder().message(30, Encoder().varint(2, -1)).bytes, "an instant outside of the years"),
            (Encoder().message(31, Encoder().varint(1, 1).varint(2, -1)).bytes, "a duration that is not valid"),
            (Encoder().message(31, Encoder().varint(1, .max)).bytes, "a duration that is not valid"),
            (
                Encoder().message(35, Encoder().fixed64(2, Double.nan.bitPattern)).bytes,
                "a number that is not finite at offset 3, field 'value'"
            ),
        ] as [([UInt8], String)])
    func invalid(_ payload: [UInt8], _ reason: String) throws {
        guard case .failure(let error) = try Self.decode(payload) else {
            Issue.record("\(payload) was decoded")
            return
        }
        #expect(error.code == "connectivity:message.mapping.failed")
        #expect(error.status == 400)
        #expect(error.message.hasPrefix("The payload is no message 'plant.All': "))
        #expect(error.message.contains(reason), "\(error.message)")
    }

    @Test("depth is bounded, of messages and of free JSON")
    func depth() throws {
        var message = Encoder().varint(5, 1)
        for _ in 0..<99 { message = Encoder().message(36, message) }
        #expect(throws: Never.self) { try Self.decode(message.bytes).get() }
        var value = Encoder().varint(4, 1)
        for _ in 0..<200 { value = Encoder().message(6, Encoder().message(1, value)) }
        for payload in [Encoder().message(36, message), Encoder().message(35, value)] {
            guard case .failure(let error) = try Self.decode(payload.bytes) else { return #expect(Bool(false)) }
            #expect(error.message.contains("more than 100 nested messages"))
        }
    }

    @Test("output is bounded: two bytes may stand for many defaults")
    func output() throws {
        let entry = Encoder().message(22, Encoder()).bytes
        let payload = Array(repeating: entry, count: 400_000).flatMap { $0 }
        guard case .failure(let error) = try Self.decode(payload, Self.options(["includeDefaults": true])) else {
            return #expect(Bool(false))
        }
        #expect(error.message.contains("bytes of JSON"))
    }

    @Test("random payloads and descriptor sets never end the process")
    func random() throws {
        let seed = UInt64.random(in: .min ... .max)
        var generator = SplitMix(state: seed)
        let good = Self.compoundRows.flatMap { $0.payload.bytes }
        let decoder = try ProtobufDecoder(MapperDefinition(name: "test", options: Self.options()))
        for _ in 0..<3000 {
            var bytes = good
            for _ in 0..<(1 + generator.next() % 8) {
                bytes[Int(generator.next() % UInt64(bytes.count))] = UInt8(truncatingIfNeeded: generator.next())
            }
            let text: [UInt8]? = bytes.withUnsafeBytes {
                try? decoder.decode(InboundMessage(payload: $0, headers: ExternalHeaders()))
            }
            guard let text else { continue }
            do {
                _ = try JSONValue.parse(text, limits: JSONLimits(depth: 512))
            } catch {
                Issue.record("seed \(seed): \(bytes) became \(String(decoding: text, as: UTF8.self))")
            }
        }
        for _ in 0..<300 {
            var bytes = Self.set
            for _ in 0..<(1 + generator.next() % 8) {
                bytes[Int(generator.next() % UInt64(bytes.count))] = UInt8(truncatingIfNeeded: generator.next())
            }
            guard let broken = try? ProtobufDecoder(MapperDefinition(name: "test", options: Self.options(set: bytes)))
            else { continue }
            good.withUnsafeBytes {
                _ = try? broken.decode(InboundMessage(payload: $0, headers: ExternalHeaders()))
            }
        }
    }

    @Test("before the mapper Ditto it carries commands")
    func command() throws {
        let set = Descriptors.set([
            Descriptors.type(
                "Command",
                [
                    Descriptors.field("topic", 1, "string"), Descriptors.field("path", 2, "string"),
                    Descriptors.message("value", 3, ".google.protobuf.Value"),
                ])
        ])
        let rig = try MappingRig("Protobuf", options: Self.options(set: set, message: "plant.Command"))
        let payload = Encoder().text(1, "a/b/things/twin/commands/modify").text(2, "/attributes/x")
            .message(3, Encoder().fixed64(2, (2.5).bitPattern))
        let expected = #"{"topic":"a/b/things/twin/commands/modify","path":"/attributes/x","value":2.5}"#
        #expect(try rig.inbound(payload.bytes) == [.signals([try JSONValue.parse(expected)])])
        #expect(try rig.inbound([]) == [.failed(code: "json.field.missing", status: 400)])
    }

    @Test(
        "options are read strictly",
        arguments: [
            ("descriptorSet", ["message": "plant.All"]),
            ("descriptorSet", ["descriptorSet": "", "message": "plant.All"]),
            ("descriptorSet", ["descriptorSet": "?", "message": "plant.All"]),
            ("descriptorSet", ["descriptorSet": "gA==", "message": "plant.All"]),
            ("message", ["descriptorSet": .string(Base64.encode(set))]),
            ("message", options(message: "plant.None")), ("message", options(message: "All")),
            (
                "message",
                options(
                    set: Descriptors.set([
                        Descriptors.type(
                            "All",
                            [
                                Descriptors.message("x", 1, ".plant.Missing")
                            ])
                    ]))
            ),
            (
                "message",
                options(
                    set: Descriptors.set([
                        Descriptors.type(
                            "All",
                            [
                                Descriptors.enumeration("x", 1, ".plant.Missing")
                            ])
                    ]))
            ),
            ("message", options(set: Descriptors.set([Descriptors.type("All", [Descriptors.field("x", 1, "none")])]))),
            ("int64", options(["int64": "text"])), ("int64", options(["int64": [:]])),
            ("includeDefaults", options(["includeDefaults": "maybe"])),
        ] as [(String, JSONObject)])
    func strictness(_ option: String, _ options: JSONObject) throws {
        let error = try #require(definitionError("Protobuf", options))
        #expect(error.code == "connectivity:message.mapper.config.invalid")
        #expect(error.status == 400)
        #expect(error.message.contains("'\(option)'"), "\(error.message)")
    }

    @Test("an error names the file of the descriptor set")
    func place() throws {
        let place = MapperDefinition.TextPlace(file: "schema.desc", line: 1)
        do throws(TwinspanError) {
            _ = try ProtobufDecoder(
                MapperDefinition(
                    name: "test", options: Self.options(message: "plant.None"), places: ["descriptorSet": place]))
            Issue.record("the decoder was made")
        } catch {
            #expect(error.description?.contains("schema.desc") == true)
            #expect(error.description?.contains("plant.All") == true)
        }
    }
}
