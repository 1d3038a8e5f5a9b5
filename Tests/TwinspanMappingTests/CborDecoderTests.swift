import Testing
import TwinspanJSON
import TwinspanMapping
import TwinspanProtocol

@Suite("decoder Cbor")
struct CborDecoderTests {
    static func bytes(_ hex: String) -> [UInt8] {
        let digits = hex.filter { $0 != " " }
        var bytes: [UInt8] = []
        var rest = digits[...]
        while rest.count >= 2 {
            bytes.append(UInt8(rest.prefix(2), radix: 16) ?? 0)
            rest = rest.dropFirst(2)
        }
        return bytes
    }

    /// The text, or the error.
    static func decode(_ bytes: [UInt8]) -> Result<String, TwinspanError> {
        bytes.withUnsafeBytes { payload in
            let message = InboundMessage(payload: payload, headers: ExternalHeaders())
            do throws(TwinspanError) {
                return .success(String(decoding: try CborDecoder().decode(message), as: UTF8.self))
            } catch {
                return .failure(error)
            }
        }
    }

    @Test(
        "items become JSON",
        arguments: [
            ("00", "0"), ("17", "23"), ("1818", "24"), ("1903e8", "1000"), ("1a000f4240", "1000000"),
            ("1b000000e8d4a51000", "1000000000000"), ("1bffffffffffffffff", "18446744073709551615"),
            ("20", "-1"), ("3863", "-100"), ("3b7fffffffffffffff", "-9223372036854775808"),
            ("3bffffffffffffffff", "-18446744073709551616"),
            ("f4", "false"), ("f5", "true"), ("f6", "null"), ("f7", "null"),
            // Floats of 16, 32 and 64 bits.
            ("f90000", "0.0"), ("f98000", "-0.0"), ("f93c00", "1.0"), ("f93e00", "1.5"), ("f97bff", "65504.0"),
            ("f90001", "5.9604645e-08"), ("f90400", "6.1035156e-05"), ("f9c400", "-4.0"),
            ("fa47c35000", "100000.0"), ("fa41aa6666", "21.3"), ("fa7f7fffff", "3.4028235e+38"),
            ("fb3ff199999999999a", "1.1"), ("fb7e37e43c8800759c", "1e+300"), ("fbc010666666666666", "-4.1"),
            // Bignums.
            ("c249010000000000000000", "18446744073709551616"), ("c349010000000000000000", "-18446744073709551617"),
            ("c240", "0"), ("c340", "-1"), ("c24400000005", "5"), ("c3420100", "-257"), ("c341ff", "-256"),
            ("c25f4101 4200 00 ff", "65536"),
            // Strings.
            ("60", #""""#), ("6161", #""a""#), ("62225c", #""\"\\""#), ("62c3bc", #""ü""#), ("64f0908591", #""𐅑""#),
            ("610a", #""\n""#), ("7f657374726561646d696e67ff", #""streaming""#), ("7fff", #""""#),
            ("40", #""""#), ("4401020304", #""AQIDBA==""#), ("5f42010243030405ff", #""AQIDBAU=""#),
            ("d642fbff", #""+/8=""#), ("d542fbff", #""-_8""#), ("d742fbff", #""FBFF""#),
            ("d58241fb81d741fb", #"["-w",["FB"]]"#),
            // Other tags are left out.
            ("c074323031332d30332d32315432303a30343a30305a", #""2013-03-21T20:04:00Z""#),
            ("c11a514b67b0", "1363896240"), ("c1fb41d452d9ec200000", "1363896240.5"), ("d9d9f783010203", "[1,2,3]"),
            ("d818456449455446", #""ZElFVEY=""#),
            // Arrays and maps.
            ("80", "[]"), ("83010203", "[1,2,3]"), ("8301820203820405", "[1,[2,3],[4,5]]"), ("9fff", "[]"),
            ("9f018202039f0405ffff", "[1,[2,3],[4,5]]"), ("83018202039f0405ff", "[1,[2,3],[4,5]]"),
            ("a0", "{}"), ("a201020304", #"{"1":2,"3":4}"#), ("a26161016162820203", #"{"a":1,"b":[2,3]}"#),
            ("a12001", #"{"-1":1}"#), ("bf61610161629f0203ffff", #"{"a":1,"b":[2,3]}"#), ("bfff", "{}"),
            ("a1c1616101", #"{"a":1}"#), ("a17f61616162ff01", #"{"ab":1}"#),
        ])
    func items(_ hex: String, _ json: String) throws {
        #expect(Self.decode(Self.bytes(hex)) == .success(json))
        #expect(throws: Never.self) { try JSONValue.parse(json) }
    }

    @Test(
        "what is broken, or has no form in JSON, is an error with its offset",
        arguments: [
            ("18", "unexpected end of a number at offset 1"), ("1b00", "unexpected end of a number at offset 2"),
            ("1c", "a byte that begins no item at offset 0"), ("1f", "a byte that begins no item at offset 0"),
            ("df00", "a byte that begins no item at offset 0"), ("ff", "break outside of a container at offset 0"),
            ("0000", "unexpected bytes behind the item at offset 1"),
            ("f0", "simple value 16"), ("f8ff", "simple value 255"), ("fc", "a byte that begins no item"),
            ("f97c00", "not finite"), ("f9fc00", "not finite"), ("f97e00", "not finite"), ("fa7f800000", "not finite"),
            ("fb7ff8000000000000", "not finite"),
            ("61ff", "invalid UTF-8 in text at offset 1"), ("62c328", "invalid UTF-8 in text at offset 1"),
            ("7f61c361bcff", "invalid UTF-8 in text at offset 2"), ("63eda080", "invalid UTF-8 in text at offset 1"),
            ("61", "a length beyond the end of the payload at offset 0"),
            ("5bffffffffffffffff", "a length beyond the end of the payload at offset 0"),
            ("7b7fffffffffffffff61", "a length beyond the end of the payload at offset 0"),
            ("9bffffffffffffffff", "a count beyond the end of the payload at offset 0"),
            ("bb8000000000000000", "a count beyond the end of the payload at offset 0"),
            ("8201", "a count beyond the end of the payload"), ("a101", "a count beyond the end of the payload"),
            ("9f01", "unexpected end inside a container at offset 2"), ("bf", "unexpected end inside a container"),
            ("bf01ff", "break in place of a value at offset 2"), ("82ff01", "break outside of a container at offset 1"),
            ("7f01ff", "a chunk that does not fit its string at offset 1"),
            ("7f7f6161ffff", "a chunk that does not fit its string at offset 1"),
            ("5f6161ff", "a chunk that does not fit its string at offset 1"), ("7f6161", "unexpected end at offset 3"),
            ("a1f500", "a key that is neither text nor an integer at offset 1"),
            ("a1410000", "a key that is neither text nor an integer at offset 1"),
            ("a1fa0000000000", "a key that is neither text nor an integer at offset 1"),
            ("a2616101616102", "duplicate key 'a' at offset 4"), ("a20101613102", "duplicate key '1' at offset 3"),
            ("c261ff", "a bignum that is no byte string at offset 1"), ("c2", "unexpected end at offset 1"),
            ("c1", "unexpected end at offset 1"),
        ])
    func invalid(_ hex: String, _ reason: String) {
        guard case .failure(let error) = Self.decode(Self.bytes(hex)) else {
            Issue.record("\(hex) was decoded")
            return
        }
        #expect(error.code == "connectivity:message.mapping.failed")
        #expect(error.status == 400)
        #expect(error.message.contains(reason), "\(error.message)")
    }

    @Test("an empty payload is an error")
    func empty() {
        guard case .failure(let error) = Self.decode([]) else { return #expect(Bool(false)) }
        #expect(error.description == "The payload was absent or empty.")
    }

    @Test("bignums beyond doubles are text")
    func hugeBignum() throws {
        let digits = try Self.decode([0xC2, 0x58, 128] + Array(repeating: 0xFF, count: 128)).get()
        #expect(digits.hasPrefix("\"17976931348623159077") && digits.utf8.count == 311)
        let inRange = try Self.decode([0xC2, 0x58, 127] + Array(repeating: 0xFF, count: 127)).get()
        #expect(Double(inRange)?.isFinite == true)
        guard case .failure(let error) = Self.decode([0xC2, 0x59, 4, 1] + Array(repeating: 1, count: 1025)) else {
            return #expect(Bool(false))
        }
        #expect(error.message.contains("a bignum of more than 1024 bytes"))
    }

    @Test("depth and output are bounded")
    func bounds() {
        let deep = Array(repeating: UInt8(0x81), count: 100) + [0]
        #expect(
            Self.decode(deep) == .success(String(repeating: "[", count: 100) + "0" + String(repeating: "]", count: 100))
        )
        guard case .failure(let error) = Self.decode([0x81] + deep) else { return #expect(Bool(false)) }
        #expect(error.message.contains("more than 100 nested containers at offset 100"))
        // Control characters take six bytes each in JSON.
        let count = 1 << 21
        let long = [0x7A] + (0..<4).reversed().map { UInt8(truncatingIfNeeded: count >> ($0 * 8)) }
        let text = long + Array(repeating: UInt8(1), count: count)
        guard case .failure(let error) = Self.decode([0x81] + text) else { return #expect(Bool(false)) }
        #expect(error.message.contains("bytes of JSON"))
    }

    @Test("random bytes are decoded to JSON or refused, and never end the process")
    func random() {
        let seed = UInt64.random(in: .min ... .max)
        var generator = SplitMix(state: seed)
        for _ in 0..<20_000 {
            var bytes = (0..<Int(generator.next() % 40)).map { _ in UInt8(truncatingIfNeeded: generator.next()) }
            if generator.next() % 2 == 0 { bytes.insert(0x9F, at: 0) }
            guard case .success(let text) = Self.decode(bytes) else { continue }
            do {
                _ = try JSONValue.parse(text)
            } catch {
                Issue.record("seed \(seed): \(bytes) became \(text)")
            }
        }
    }

    @Test("before the mapper Ditto it carries commands")
    func command() throws {
        let rig = try MappingRig("Cbor")
        let payload = Self.bytes(
            "a2 65 746f706963 7821 612f622f7468696e67732f7477696e2f636f6d6d616e64732f7265747269657665"
                + "64 70617468 61 2f")
        let expected = #"{"topic":"a/b/things/twin/commands/retrieve","path":"/"}"#
        #expect(try rig.inbound(payload) == [.signals([try JSONValue.parse(expected)])])
        #expect(try rig.inbound([0x18]) == [.failed(code: "connectivity:message.mapping.failed", status: 400)])
    }
}

/// A generator that can be started again at a seed.
struct SplitMix: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}
