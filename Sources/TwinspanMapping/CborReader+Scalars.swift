// How the scalars of CBOR are written in JSON.
import TwinspanProtocol

extension CborReader {
    /// −1 − n, whose smallest value has 65 bits.
    static func negative(_ argument: UInt64) -> String {
        argument == .max ? "-18446744073709551616" : "-\(argument + 1)"
    }

    /// The bytes of a string as text in the form asked for.
    static func text(of bytes: [UInt8], _ form: ByteForm) -> String {
        switch form {
        case .base64: return Base64.encode(bytes)
        case .base64URL:
            let text = Base64.encode(bytes).utf8.compactMap { byte -> UInt8? in
                switch byte {
                case UInt8(ascii: "+"): UInt8(ascii: "-")
                case UInt8(ascii: "/"): UInt8(ascii: "_")
                case UInt8(ascii: "="): nil
                default: byte
                }
            }
            return String(decoding: text, as: UTF8.self)
        case .base16:
            let digits = Array("0123456789ABCDEF".utf8)
            let text = bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }
            return String(decoding: text, as: UTF8.self)
        }
    }

    /// The number of 16 bits (RFC 8949, appendix D). Own arithmetic, because not every platform has `Float16`.
    static func half(_ bits: UInt16) -> Float {
        let exponent = Int(bits >> 10 & 31)
        let fraction = Float(bits & 0x3FF)
        let magnitude: Float =
            switch exponent {
            case 0: Float(sign: .plus, exponent: -24, significand: fraction)
            case 31: fraction == 0 ? .infinity : .nan
            default: Float(sign: .plus, exponent: exponent - 25, significand: fraction + 1024)
            }
        return bits >> 15 == 1 ? -magnitude : magnitude
    }
}

/// Integers of any length.
enum CborBignum {
    /// Making decimals takes quadratic time.
    static let bytesMax = 1024

    /// The decimal digits of an unsigned number in network order, or of −1 − n.
    static func decimal(_ bytes: [UInt8], isNegative: Bool) -> String {
        var number = Array(bytes.drop { $0 == 0 })
        if isNegative { number = incremented(number) }
        // Groups of nine digits, the lowest first.
        var groups: [UInt32] = []
        while !number.isEmpty {
            var remainder: UInt64 = 0
            for index in number.indices {
                let value = remainder << 8 | UInt64(number[index])
                number[index] = UInt8(truncatingIfNeeded: value / 1_000_000_000)
                remainder = value % 1_000_000_000
            }
            groups.append(UInt32(remainder))
            number = Array(number.drop { $0 == 0 })
        }
        var text = groups.last.map { String($0) } ?? "0"
        for group in groups.dropLast().reversed() {
            let digits = String(group)
            text += String(repeating: "0", count: 9 - digits.utf8.count) + digits
        }
        return isNegative ? "-" + text : text
    }

    private static func incremented(_ number: [UInt8]) -> [UInt8] {
        var result = number
        for index in result.indices.reversed() {
            result[index] = result[index] &+ 1
            if result[index] != 0 { return result }
        }
        return [1] + result
    }
}
